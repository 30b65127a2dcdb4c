"""What the pulse remembers, one function a query."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from foundation import sql
from foundation.postgres import Database, Record, Transaction
from parking.pulse.model import Beat, Counted, Place

queries = sql.load("parking.pulse")


async def counted(tx: Transaction, sessions: Collection[UUID]) -> dict[UUID, Counted]:
    rows = await tx.fetch(queries.lock_counted, list(sessions))
    return {row["session"]: Counted(row["operator"], row["entered_at"], row["left_at"], row["billed"]) for row in rows}


async def operators_of(tx: Transaction, sites: Collection[str]) -> dict[str, str]:
    return {row["id"]: row["operator"] for row in await tx.fetch(queries.operators_of_sites, list(sites))}


async def save_counted(tx: Transaction, held: Mapping[UUID, Counted]) -> None:
    rows = [(session, one.operator, one.entered_at, one.left_at, one.billed) for session, one in sorted(held.items())]
    if rows:
        await tx.execute(queries.save_counted, *map(list, zip(*rows, strict=True)))


async def add(tx: Transaction, beats: Mapping[Place, Beat]) -> None:
    rows = [(*place, *beat) for place, beat in sorted(beats.items()) if any(beat)]
    if rows:
        await tx.execute(queries.add_pulses, *map(list, zip(*rows, strict=True)))


async def fetch_pulses(database: Database, first: datetime, end: datetime, operators: Sequence[str] | None = None) -> list[Record]:
    return await database.fetch(queries.fetch_pulses, first, end, operators)


async def fetch_operators(database: Database, first: datetime, end: datetime, operators: Sequence[str] | None = None) -> list[Record]:
    return await database.fetch(queries.fetch_operators, first, end, operators)


async def forget(tx: Transaction, pulses_before: datetime, counted_before: datetime, limit: int) -> int:
    """Answers how many stays were forgotten; call it until that is none."""
    await tx.execute(queries.forget_pulses, pulses_before)
    return int((await tx.execute(queries.forget_counted, counted_before, limit)).rpartition(" ")[2])
