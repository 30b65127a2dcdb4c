"""What the gateway remembers, one function a query."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from foundation import events, seal, sql
from foundation.events import DeviceHeard, Reading, Told
from foundation.postgres import Database, Record, Transaction
from gateway_mqtt.decode import ODD_DAY, Device, seen_day

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


Row = tuple[date, bytes, Told]  # The day and key by which it counts once, and the journal's columns.


def reading_row(reading: Reading, *, odd: bool = False) -> Row:
    """`odd`: the city's days are not the wall's, for which partitions are made, so all of them share one."""
    return (ODD_DAY if odd else seen_day(reading)).date(), reading.id, events.told(reading, reading.at)


def heard_row(heard: DeviceHeard, *, odd: bool = False) -> Row:
    said = events.told(heard, heard.at)
    return (ODD_DAY if odd else heard.at).date(), seal.digest(said.body.encode()), said


async def append_readings(tx: Transaction, rows: Sequence[Row]) -> int:
    """Append what nobody has told before; answers how many that were."""
    days, keys, told = zip(*rows, strict=True)
    columns = ([one.at for one in told], [one.kind for one in told], [one.key for one in told], [one.body for one in told])
    tx.rings.add("reading")
    answer = await tx.row(journal_queries.append_readings, days, keys, *columns)
    assert answer is not None
    return int(answer["stored"])


async def keep_refused(tx: Transaction, rows: Sequence[RefusedRow]) -> None:
    columns = [[getattr(row, name) for row in rows] for name in RefusedRow.__struct_fields__]
    await tx.execute(queries.refuse, *columns)


async def list_refused(database: Database, operators: Sequence[str] | None, before: int | None, limit: int) -> list[Record]:
    return await database.fetch(queries.list_refused, operators, before, limit)


async def forget_refused(tx: Transaction, before: datetime) -> str:
    return await tx.execute(queries.forget_refused, before)


async def trim_unknown(tx: Transaction) -> None:
    await tx.execute(queries.trim_unknown)


async def list_devices(database: Database, operators: Sequence[str] | None, after: str | None, limit: int) -> list[Record]:
    return await database.fetch(queries.list_devices, operators, after, limit)


async def save_health(tx: Transaction, rows: Sequence[Sequence[Any]]) -> None:
    await tx.execute(queries.save_health, *[list(column) for column in zip(*rows, strict=True)])


async def note_unknown(tx: Transaction, strangers: Mapping[tuple[str, str], str], at: datetime) -> None:
    for (username, address), reason in sorted(strangers.items()):
        await tx.execute(queries.note_unknown, username, address, reason, at)
    await trim_unknown(tx)
