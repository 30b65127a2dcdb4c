"""What is remembered of bills, one function a query."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from foundation import sql
from foundation.clock import whole_seconds
from foundation.postgres import Record, Transaction
from parking.bills.model import Bill, Billable
from parking.tariffs.model import Visit

queries = sql.load("parking.bills")


def bill_of(row: Record) -> Bill:
    return Bill(*(row[name] for name in Bill.__slots__))


async def save_bills(tx: Transaction, rows: Sequence[tuple[object, ...]]) -> None:
    await tx.execute(queries.save_bills, *_columns(rows))


async def save_bill_versions(tx: Transaction, rows: Sequence[tuple[object, ...]]) -> None:
    await tx.execute(queries.save_bill_versions, *_columns(rows))


async def save_payments(tx: Transaction, rows: Sequence[tuple[object, ...]]) -> None:
    await tx.execute(queries.save_payments, *_columns(rows))


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    """At least one row."""
    return [list(column) for column in zip(*rows, strict=True)]


async def lock_bills(tx: Transaction, sessions: Sequence[UUID]) -> dict[UUID, Bill]:
    return {row["session"]: bill_of(row) for row in await tx.fetch(queries.lock_bills, sorted(sessions))}


async def payers(tx: Transaction, bills: Sequence[UUID]) -> dict[UUID, list[tuple[UUID, int]]]:
    """For each bill who has paid how much, the latest payer last."""
    found: dict[UUID, list[tuple[UUID, int]]] = {}
    for row in await tx.fetch(queries.payers, list(bills)):
        found.setdefault(row["bill"], []).append((row["payer"], row["amount"]))
    return found


async def visits_before(tx: Transaction, stays: Sequence[tuple[Billable, str]], reach: timedelta) -> dict[UUID, list[Visit]]:
    """By session its plate's earlier visits to the site, or to any site of the tariff line that is named."""
    rows = [(stay.session, stay.plate_token, stay.site, line, stay.entered_at) for stay, line in stays]
    found: dict[UUID, list[Visit]] = {}
    for row in await tx.fetch(queries.visits_before, *_columns(rows), reach):
        visit = Visit(whole_seconds(row["entered_at"]), whole_seconds(row["left_at"]), row["site"])
        found.setdefault(row["of"], []).append(visit)
    return found


async def visits_after(tx: Transaction, spans: Sequence[tuple[bytes, str, str, datetime, datetime]]) -> list[Billable]:
    """Bills of visits that begin in spans `(plate, site, tariff line, after, before)`."""
    rows = await tx.fetch(queries.visits_after, *_columns(spans))
    return [_billable_again(row) for row in rows]


def _billable_again(row: Record) -> Billable:
    return Billable(
        row["session"], row["site"], row["plate_token"], row["plate_sealed"], row["plate_colour"], row["vehicle_type"],
        row["entered_at"], row["left_at"], row["certainty"], row["person"], row["collect"],
    )  # fmt: skip
