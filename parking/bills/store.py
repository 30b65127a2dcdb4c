"""What is remembered of bills, one function a query."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from foundation import sql
from foundation.postgres import Record, Transaction
from parking.bills.model import Bill, Billable

queries = sql.load("parking.bills")


def bill_of(row: Record) -> Bill:
    return Bill(*(row[name] for name in Bill.__slots__))


async def lock_bills(tx: Transaction, sessions: Sequence[UUID]) -> dict[UUID, Bill]:
    return {row["session"]: bill_of(row) for row in await tx.fetch(queries.lock_bills, sorted(sessions))}


async def payers(tx: Transaction, bills: Sequence[UUID]) -> dict[UUID, list[tuple[UUID, int]]]:
    """For each bill who has paid how much, the latest payer last."""
    found: dict[UUID, list[tuple[UUID, int]]] = {}
    for row in await tx.fetch(queries.payers, list(bills)):
        found.setdefault(row["bill"], []).append((row["payer"], row["amount"]))
    return found


async def visits_before(tx: Transaction, stay: Billable) -> list[tuple[datetime, datetime]]:
    rows = await tx.fetch(queries.visits_before, stay.plate_token, stay.site, stay.entered_at, stay.session)
    return [(row["entered_at"], row["left_at"]) for row in rows]


async def visits_after(tx: Transaction, stay: Billable, until: datetime) -> list[Record]:
    return await tx.fetch(queries.visits_after, stay.plate_token, stay.site, stay.entered_at, until)
