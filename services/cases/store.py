"""What cases remember: the row, its steps, its timers and its letters."""

import uuid
from collections.abc import Sequence
from datetime import datetime

import msgspec

from foundation import sql
from foundation.postgres import Database, Record, Transaction
from foundation.seal import Personal
from services.cases.model import Case, Made, MadeBy, Recheck
from services.catalog.draft import Draft

queries = sql.load("services.cases")
Reader = Database | Transaction
DRAFT, REASON, LETTER = "case_file.sealed", "case_step.reason", "letter.sealed"  # What is sealed for one place opens in no other.
_decode = msgspec.json.Decoder(Draft).decode


def sealed(key: Personal, draft: Draft) -> bytes:
    return key.seal(msgspec.json.encode(draft).decode(), DRAFT)


def unsealed(key: Personal, content: bytes) -> Draft:
    return _decode(key.unseal(content, DRAFT))


async def add_case(tx: Transaction, case: Case) -> None:
    await tx.execute(queries.add_case, case.id, case.person, case.matter, case.version, case.agency, case.sealed, case.created_at)


async def lock_drafts(tx: Transaction, person: uuid.UUID) -> int:
    """How many drafts the person has, while nobody else adds one."""
    await tx.value(queries.lock_drafts, int.from_bytes(person.bytes[-4:], "big", signed=True))
    return int(await tx.value(queries.count_drafts, person))


async def load_case(reader: Reader, case: uuid.UUID) -> Case | None:
    row = await reader.row(queries.load_case, case)
    return Case(*row) if row else None


async def lock_case(tx: Transaction, case: uuid.UUID) -> Case | None:
    row = await tx.row(queries.lock_case, case)
    return Case(*row) if row else None


async def save_case(tx: Transaction, case: Case) -> None:
    """Counts the revision up, whatever changed."""
    await tx.execute(
        queries.save_case, case.id, case.state, case.sealed, case.submitted_at, case.due_at, case.paused_at, case.decided_at,
        case.staff_waits,
    )  # fmt: skip


async def hand_in(tx: Transaction, case: Case, pledge_at: datetime | None) -> None:
    """With the timers of its promise, and of what is pledged, in one way to the server: everybody waits for this answer."""
    timers = {"promise": case.due_at} | ({"pledge": pledge_at} if pledge_at else {})
    await tx.execute(
        queries.hand_in, case.id, case.state, case.sealed, case.submitted_at, case.due_at, list(timers), list(timers.values())
    )  # fmt: skip


async def cases_of(reader: Reader, person: uuid.UUID, before: uuid.UUID | None, limit: int) -> list[Case]:
    return [Case(*row) for row in await reader.fetch(queries.cases_of, person, before, limit)]


async def inbox_of(reader: Reader, agencies: Sequence[str], after: tuple[datetime, uuid.UUID] | None, limit: int) -> list[Case]:
    at, case = after or (None, None)
    return [Case(*row) for row in await reader.fetch(queries.inbox_of, list(agencies), at, case, limit)]


async def decided_of(reader: Reader, agencies: Sequence[str], before: tuple[datetime, uuid.UUID] | None, limit: int) -> list[Case]:
    at, case = before or (None, None)
    return [Case(*row) for row in await reader.fetch(queries.decided_of, list(agencies), at, case, limit)]


async def set_clerk(tx: Transaction, case: uuid.UUID, clerk: uuid.UUID | None) -> None:
    await tx.execute(queries.set_clerk, case, clerk)


async def steps_of(reader: Reader, case: uuid.UUID) -> list[Made]:
    return [Made(*row) for row in await reader.fetch(queries.steps_of, case)]


async def add_step(
    tx: Transaction, case: uuid.UUID, number: int, *, task: str, word: str, made_by: MadeBy, actor: uuid.UUID | None, reason: bytes | None,
    at: datetime,
) -> None:  # fmt: skip
    await tx.execute(queries.add_step, case, number, task, word, made_by, actor, reason, at)


async def rechecks_of(reader: Reader, case: uuid.UUID) -> list[Recheck]:
    return [Recheck(*row) for row in await reader.fetch(queries.rechecks_of, case)]


async def open_recheck(tx: Transaction, case: uuid.UUID, one: Recheck) -> None:
    await tx.execute(queries.open_recheck, case, one.number, one.since, one.due_at)


async def put_before_staff(tx: Transaction, case: uuid.UUID, due_at: datetime) -> None:
    await tx.execute(queries.put_before_staff, case, due_at)


async def close_recheck(tx: Transaction, case: uuid.UUID, one: Recheck, actor: uuid.UUID | None) -> None:
    await tx.execute(queries.close_recheck, case, one.number, one.closed_at, one.kept, one.made_by, actor, one.reason)


async def set_timer(tx: Transaction, case: uuid.UUID, kind: str, task: str, due_at: datetime, tries: int = 0) -> None:
    await tx.execute(queries.set_timer, case, kind, task, due_at, tries)


async def timer_tasks(tx: Transaction, case: uuid.UUID) -> set[str]:
    return {row["task"] for row in await tx.fetch(queries.timer_tasks, case)}


async def end_timer(tx: Transaction, case: uuid.UUID, kind: str, task: str) -> None:
    await tx.execute(queries.end_timer, case, kind, task)


async def end_timers(tx: Transaction, case: uuid.UUID) -> None:
    await tx.execute(queries.end_timers, case)


async def end_timers_but_pledges(tx: Transaction, case: uuid.UUID) -> None:
    await tx.execute(queries.end_timers_but_pledges, case)


async def due_timers(reader: Reader, now: datetime, limit: int) -> list[Record]:
    return await reader.fetch(queries.due_timers, now, limit)


async def lock_timer(tx: Transaction, case: uuid.UUID, kind: str, task: str, now: datetime) -> bool:
    """Whether this timer is still there to be served, by us alone."""
    return await tx.value(queries.lock_timer, case, kind, task, now) is not None


async def add_letter(tx: Transaction, letter: uuid.UUID, case: uuid.UUID, kind: str, content: bytes, at: datetime) -> None:
    await tx.execute(queries.add_letter, letter, case, kind, content, at)


async def letters_of(reader: Reader, case: uuid.UUID) -> list[Record]:
    return await reader.fetch(queries.letters_of, case)


async def forget_drafts(tx: Transaction, before: datetime) -> None:
    await tx.execute(queries.forget_drafts, before)
