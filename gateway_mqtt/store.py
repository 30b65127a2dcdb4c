"""What the gateway remembers, one function a query."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from foundation import copying, events, postgres, seal, sql
from foundation.copying import Row
from foundation.events import DeviceHeard, Reading
from foundation.postgres import Database, Record, Transaction
from gateway_mqtt.decode import CLOCK_SET_YEAR, Device, seen_day

queries = sql.load("gateway_mqtt")
journal_queries = sql.load("foundation")


class RefusedRow(msgspec.Struct, frozen=True):
    """A message or reading that was acknowledged and not taken; `payload` is its first 4 kB."""

    received_at: datetime
    device: str
    site: str
    topic: str
    reason: str
    detail: str
    payload: bytes


def device_of(row: Record) -> Device:
    spots = None if row["spots"] is None else frozenset(row["spots"])
    return Device(
        row["id"], row["site"], row["kind"], frozenset(row["lanes"]), spots, row["secret_hash"], row["spots"] and tuple(row["spots"])
    )


def reading_row(reading: Reading) -> Row:
    return copying.row(seen_day(reading), reading.id, reading.at, reading.kind, reading.key, events.body_of(reading))


def heard_row(heard: DeviceHeard) -> Row:
    body = events.body_of(heard)
    return copying.row(heard.at.date(), seal.digest(body), heard.at, heard.kind, heard.key, body)


class Told:
    """Rows to append, and their once-only keys in the order of the index."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.seen = sorted([row.seen for row in rows])

    def may_be_copied(self) -> bool:
        """Clocks that were never set share a table of their own, which the checked path knows. Their one day comes last."""
        return not self.seen or copying.day_of(self.seen[-1]).year >= CLOCK_SET_YEAR


async def append_readings(tx: Transaction, told: Told) -> int:
    """Append what nobody has told before; answers how many that were."""
    columns = [[getattr(row, name) for row in told.rows] for name in ("day", "id", "at", "kind", "key")]
    tx.rings.add("reading")
    answer = await tx.row(journal_queries.append_readings, *columns, [row.body.decode() for row in told.rows])
    assert answer is not None
    return int(answer["stored"])


async def copy_readings(tx: Transaction, told: Told) -> int:
    """The same on the hope that all is new: raises SeenBefore when something is not, and then nothing of the transaction is left."""
    rows = told.rows
    tx.rings.add("reading")
    try:
        await tx.copy_in("journal", "reading_seen", copying.seen_rows(told.seen))
    except postgres.UniqueViolation:
        raise SeenBefore from None
    taken = await tx.row(journal_queries.take_reading_positions, len(rows))
    assert taken is not None
    await tx.copy_in("journal", "reading", copying.reading_rows(rows, taken["first"], taken["at"]))
    return len(rows)


class SeenBefore(Exception):
    """Something of the batch was told before."""


async def keep_refused(tx: Transaction, rows: Sequence[RefusedRow]) -> None:
    columns = [[getattr(row, name) for row in rows] for name in RefusedRow.__struct_fields__]
    await tx.execute(queries.refuse, *columns)


async def list_refused(database: Database, operators: Sequence[str] | None, before: int | None, limit: int) -> list[Record]:
    return await database.fetch(queries.list_refused, operators, before, limit)


async def forget_refused(tx: Transaction, before: datetime) -> int:
    """Answers how many were forgotten."""
    return int((await tx.execute(queries.forget_refused, before)).rpartition(" ")[2])


async def trim_unknown(tx: Transaction) -> None:
    await tx.execute(queries.trim_unknown)


async def list_devices(
    database: Database, operators: Sequence[str] | None, after: str | None, limit: int, *, site: str | None, troubled: bool, now: datetime
) -> list[Record]:
    return await database.fetch(queries.list_devices, operators, after, limit, site, troubled, now)


async def save_health(tx: Transaction, rows: Sequence[Sequence[Any]]) -> None:
    await tx.execute(queries.save_health, *[list(column) for column in zip(*rows, strict=True)])


async def beat(tx: Transaction, run: UUID) -> tuple[int, datetime]:
    """Say that a run lives; answers how many others do, and PostgreSQL's time."""
    row = await tx.row(queries.beat, run)
    assert row is not None
    return int(row["others"]), row["now"]


async def hold_devices(tx: Transaction, run: UUID, opened: Mapping[str, tuple[UUID, datetime]]) -> set[str]:
    """Devices that are this run's now; those that came to another one later are not among them."""
    devices = sorted(opened)  # In one order, or two gateways wait for each other.
    columns = ([opened[device][0] for device in devices], [opened[device][1] for device in devices])
    return {row["device"] for row in await tx.fetch(queries.hold_devices, run, devices, *columns)}


async def release_devices(tx: Transaction, closed: Mapping[UUID, str]) -> None:
    await tx.execute(queries.release_devices, sorted(closed.values()), list(closed))


async def held_elsewhere(tx: Transaction, run: UUID, since: datetime) -> set[str]:
    """Devices that another run said to hold since then."""
    return {row["device"] for row in await tx.fetch(queries.held_elsewhere, run, since)}


async def end_run(tx: Transaction, run: UUID) -> None:
    await tx.execute(queries.release_run, run)
    await tx.execute(queries.end_run, run)


async def bury_runs(tx: Transaction) -> None:
    """Runs that died an hour ago or more, with what they held."""
    await tx.execute(queries.bury_runs)


async def note_unknown(tx: Transaction, strangers: Mapping[tuple[str, str], str], at: datetime) -> None:
    for (username, address), reason in sorted(strangers.items()):
        await tx.execute(queries.note_unknown, username, address, reason, at)
    await tx.execute(queries.trim_unknown)
