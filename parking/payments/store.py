"""What payments remember: the only reader of queries.sql."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from foundation import postgres, sql
from foundation.postgres import Database, Transaction
from parking.payments.model import Cause, News, Notify, State, TopUp, Verdict

queries = sql.load("parking.payments")


async def add_topup(
    tx: Transaction, *, id: uuid.UUID, person: uuid.UUID, amount: int, provider: str, number: str, at: datetime, wall: datetime
) -> None:
    await tx.execute(queries.add_topup, id, person, amount, provider, number, at, wall)


async def count_pending(tx: Transaction, person: uuid.UUID) -> int:
    return int(await tx.value(queries.count_pending, person))


async def fetch_topup(database: Database, id: uuid.UUID, person: uuid.UUID) -> TopUp | None:
    return _topup(await database.row(queries.fetch_topup, id, person))


async def lock_topup(tx: Transaction, number: str, provider: str) -> TopUp | None:
    return _topup(await tx.row(queries.lock_topup, number, provider))


async def move_topup(tx: Transaction, id: uuid.UUID, state: State, cause: Cause, at: datetime, news: News | None = None) -> None:
    """Raises foundation.postgres.CheckViolation for a step that is no edge."""
    found = (news.provider_ref, news.pay_url) if news else (None, None)
    await tx.execute(queries.move_topup, id, state, cause, at, *found)


async def lease_due(tx: Transaction, provider: str, run: uuid.UUID, now: datetime, until: datetime, limit: int) -> Sequence[TopUp]:
    rows = await tx.fetch(queries.lease_due, provider, run, now, until, limit)
    return [topup for row in rows if (topup := _topup(row))]


async def end_lease(tx: Transaction, id: uuid.UUID, run: uuid.UUID, next_poll_at: datetime | None) -> None:
    await tx.execute(queries.end_lease, id, run, next_poll_at)


async def list_overdue(database: Database, provider: str, before: datetime) -> list[tuple[str, State, datetime]]:
    rows = await database.fetch(queries.list_overdue, provider, before)
    return [(row["number"], State(row["state"]), row["next_poll_at"]) for row in rows]


async def list_steps(database: Database, topup: uuid.UUID) -> list[tuple[str | None, str, str]]:
    return [(row["was"], row["state"], row["cause"]) for row in await database.fetch(queries.list_steps, topup)]


async def keep_notify(tx: Transaction, notify: Notify, verdict: Verdict, at: datetime) -> None:
    await tx.execute(queries.keep_notify, notify.news.provider, notify.id, notify.digest, notify.number, notify.key_id, verdict, at)


def _topup(row: postgres.Record | None) -> TopUp | None:
    if row is None:
        return None
    return TopUp(
        id=row["id"],
        person=row["person"],
        amount=row["amount"],
        provider=row["provider"],
        number=row["number"],
        state=State(row["state"]),
        created_at=row["created_at"],
        polls=row["polls"],
        pay_url=row["pay_url"],
    )
