"""Permits as this house keeps them, from the facts that grant and end them."""

from collections.abc import Iterable
from datetime import datetime

from foundation import sql
from foundation.clock import whole_seconds
from foundation.events import PermitEnded, PermitGranted
from foundation.postgres import Database, Transaction
from parking.permits import model
from parking.permits.model import Permit

queries = sql.load("parking.permits")


async def save_granted(tx: Transaction, fact: PermitGranted, *, told_at: datetime, position: int) -> datetime:
    """Answers from when on it counts. A permit is granted once; hearing it again changes nothing."""
    start = whole_seconds(model.starts_at(fact.valid_from, told_at))
    await tx.execute(
        queries.save_granted, fact.permit, fact.plate_token, fact.zone, fact.permit_kind, fact.names.zh, fact.names.en,
        fact.valid_from, fact.valid_to, start, whole_seconds(fact.valid_to), position,
    )  # fmt: skip
    return start


async def save_ended(tx: Transaction, fact: PermitEnded, *, told_at: datetime, position: int) -> datetime | None:
    """Answers from when on it no longer counts; None when it was over already, or never granted."""
    row = await tx.row(queries.lock_permit, fact.permit)
    if row is None:
        return None
    end = whole_seconds(model.ends_at(row["valid_to"], fact.ended_at, told_at))
    if end >= row["ends_at"]:
        return None
    await tx.execute(queries.save_ended, fact.permit, end, position)
    return end


async def permits_of(reader: Database | Transaction, plate_tokens: Iterable[bytes]) -> dict[bytes, list[Permit]]:
    """All permits that ever counted, by plate, in the order in which they begin."""
    found: dict[bytes, list[Permit]] = {}
    for row in await reader.fetch(queries.permits_of, sorted(set(plate_tokens))):
        permit = Permit(
            row["plate_token"], row["zone"], row["kind"], row["name_zh"], row["name_en"], row["starts_at"], row["ends_at"]
        )  # fmt: skip
        found.setdefault(permit.plate_token, []).append(permit)
    return found
