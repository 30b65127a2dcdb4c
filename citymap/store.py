"""What the map remembers in PostgreSQL: the only reader of this package's queries."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from citymap.devices import Connection
from citymap.gates import Count, Passage
from citymap.model import NEVER, Name, Site, Spot, instant, micros
from citymap.places import Places
from foundation import journal, sql
from foundation.postgres import Database, Record, Transaction

queries = sql.load("citymap")

_HEAD_BYTES: Final = 19  # Signature, flags and extension of a binary COPY without options.
_TAIL_BYTES: Final = 2
_EPOCH_2000_US: Final = 946_684_800_000_000
_FIELDS: Final = (("site", ">i4"), ("class", ">i2"), ("lon", ">f8"), ("lat", ">f8"), ("state", ">i2"), ("at", ">i8"), ("seq", ">i8"))
_KEYS: Final = (("device", ">i4"), ("id", "V16"))
_ROW: Final = np.dtype(
    [("fields", ">i2"), *((name, kind) for field in (*_FIELDS, *_KEYS) for name, kind in ((f"{field[0]}_bytes", ">i4"), field))]
)


class SpotWord(msgspec.Struct, frozen=True):
    """The last a spot was said to be."""

    spot: str
    state: int
    at: datetime
    seq: int
    device: str
    id: bytes


class Moment(msgspec.Struct, frozen=True):
    """How full a site was at some moment."""

    site: str
    free: int
    occupied: int
    capacity: int


@dataclass(frozen=True, slots=True)
class Rows:
    """All spots as columns, beside their places. `device` are numbers of the database, 0 for nobody."""

    places: Places
    state: npt.NDArray[np.uint8]
    at: npt.NDArray[np.int64]
    seq: npt.NDArray[np.int64]
    device: npt.NDArray[np.int32]
    key: npt.NDArray[np.uint8]


# Importing


async def known_sites(database: Database) -> dict[str, bool]:
    return {row["id"]: row["has_spots"] for row in await database.fetch(queries.known_sites)}


async def named_sites(database: Database) -> list[Record]:
    return await database.fetch(queries.named_sites)


async def confirm_sites(tx: Transaction, source: str, sites: Sequence[str], at: datetime) -> Record:
    """Take down what a source lists now; answers what it ever listed (known) and what of it is missing, since when and some of it."""
    file = await tx.value(queries.save_source, source, at, len(sites))
    await tx.execute(queries.confirm_sites, source, sorted(sites), file, at)
    row = await tx.row(queries.sum_listings, source)
    assert row is not None
    return row


async def sources_that_list_less(database: Database) -> list[Record]:
    return await database.fetch(queries.sources_that_list_less)


async def save_sites(tx: Transaction, sites: Sequence[Site]) -> dict[str, bool]:
    """Those that are new (True) or another than before (False)."""
    rows = [_site_row(site) for site in sites]
    saved = await tx.fetch(queries.save_sites, *map(list, zip(*rows, strict=True))) if rows else []
    return {row["id"]: row["created"] for row in saved}


def _site_row(site: Site) -> tuple[object, ...]:
    name = json.dumps({"zh": site.name.zh, "en": site.name.en}, ensure_ascii=False)
    where = (
        site.tariff,
        site.zone,
        site.lon,
        site.lat,
        site.max_height_cm,
        site.max_stay_s,
        site.opening_hours,
        json.dumps(site.entrances),
    )
    return (site.id, name, site.type, site.operator, site.counted_by, site.capacity, *where)


async def save_spots(tx: Transaction, spots: Sequence[Spot]) -> list[Record]:
    """How many are new and which are another than before: site_id, former, created, changed."""
    if not spots:
        return []
    columns = ([spot.id for spot in spots], [spot.site for spot in spots], [spot.spot_class for spot in spots])
    return await tx.fetch(queries.save_spots, *columns, [spot.lon for spot in spots], [spot.lat for spot in spots])


async def fetch_some_sites(tx: Transaction, sites: Sequence[str]) -> list[Site]:
    return [_site(row) for row in await tx.fetch(queries.fetch_some_sites, list(sites))]


async def fetch_spots_of(tx: Transaction, sites: Sequence[str]) -> dict[str, list[tuple[str, str, float, float]]]:
    """Rows (spot, class, lon, lat) of each site that has any, in order of spot."""
    rows = await tx.fetch(queries.fetch_spots_of, list(sites))
    return {row["site"]: list(zip(row["ids"], row["classes"], row["lons"], row["lats"], strict=True)) for row in rows}


def _site(row: Record) -> Site:
    plain = {
        key: row[key]
        for key in (
            "id",
            "type",
            "operator",
            "counted_by",
            "capacity",
            "lon",
            "lat",
            "tariff",
            "zone",
            "max_height_cm",
            "max_stay_s",
            "opening_hours",
        )
    }
    entrances = tuple((lon, lat) for lon, lat, *_ in row["entrances"])
    return Site(name=Name(row["name"]["zh"], row["name"]["en"]), entrances=entrances, **plain)


# Starting


async def fetch_rows(tx: Transaction) -> Rows:
    """All spots by binary COPY: three and a half seconds of rows become half a second of columns."""
    sites = await tx.fetch(queries.fetch_sites)
    raw = await _copied(tx, queries.copy_spots, "binary")
    table = np.frombuffer(raw, _ROW, (len(raw) - _HEAD_BYTES - _TAIL_BYTES) // _ROW.itemsize, _HEAD_BYTES)
    ids = (await _copied(tx, queries.copy_spot_ids, "text")).decode().split("\n")[:-1]
    place = renumbered(table["site"], {row["number"]: place for place, row in enumerate(sites)})
    if (np.diff(place) < 0).any():  # Sites that were not registered in order of id.
        order = np.argsort(place, kind="stable")
        place, table, ids = place[order], table[order], [ids[one] for one in order.tolist()]
    return _rows([_site(row) for row in sites], ids, place, table)


def _rows(sites: Sequence[Site], ids: list[str], place: npt.NDArray[np.int32], table: npt.NDArray[np.void]) -> Rows:
    where = (table["lon"].astype(np.float64), table["lat"].astype(np.float64))
    places = Places(sites, ids, place, (table["class"] - 1).astype(np.uint8), *where)
    at = table["at"].astype(np.int64)
    at = np.where(at < -_EPOCH_2000_US, NEVER, at + _EPOCH_2000_US)
    key = np.ascontiguousarray(table["id"]).view(np.uint8).reshape(-1, 16)
    return Rows(places, table["state"].astype(np.uint8), at, table["seq"].astype(np.int64), table["device"].astype(np.int32), key)


async def _copied(tx: Transaction, query: sql.Query, how: str) -> bytes:
    chunks: list[bytes] = []

    async def take(chunk: bytes) -> None:
        chunks.append(bytes(chunk))

    await tx.connection.copy_from_query(query.text.rstrip().rstrip(";"), output=take, format=how)
    return b"".join(chunks)


async def fetch_places(tx: Transaction) -> Places:
    """Sites and spots without their states."""
    return (await fetch_rows(tx)).places


async def fetch_devices(tx: Transaction) -> list[tuple[int, str, str, int, tuple[Connection, ...]]]:
    """Rows (number, id, site, heard at, connections)."""
    rows = await tx.fetch(queries.fetch_devices)
    return [(row["number"], row["id"], row["site"], micros(row["heard_at"]), _connections(row)) for row in rows]


def _connections(row: Record) -> tuple[Connection, ...]:
    return msgspec.convert(tuple(row["connections"]), tuple[Connection, ...])


async def fetch_counts(tx: Transaction) -> dict[str, Count]:
    return {row["site"]: _count(row) for row in await tx.fetch(queries.fetch_counts)}


def _count(row: Record) -> Count:
    order = (micros(row["count_at"]), row["count_seq"], row["count_device"], row["count_id"])
    return Count(*order, row["count_occupied"], row["count_capacity"])


async def fetch_passages(tx: Transaction) -> list[tuple[str, Passage]]:
    return [(row["site"], _passage(row)) for row in await tx.fetch(queries.fetch_passages)]


def _passage(row: Record) -> Passage:
    return Passage(micros(row["at"]), row["id"], row["change"], row["vehicle"])


async def persisted_until(tx: Transaction, follower: str) -> Record | None:
    return await tx.row(queries.persisted_until, follower)


async def has_reading(tx: Transaction, position: int, recorded_at: datetime) -> bool:
    return bool(await tx.value(queries.has_reading, position, recorded_at))


async def has_fact(tx: Transaction, position: int, recorded_at: datetime) -> bool:
    return bool(await tx.value(queries.has_fact, position, recorded_at))


async def changed_sites(tx: Transaction, after: int, since: datetime, until: int) -> list[str]:
    """Sites that were imported or changed between two positions of the facts."""
    floor = since - journal.LATE_COMMIT if since.year > 1 else since
    return [row["key"] for row in await tx.fetch(queries.changed_sites, after, floor, until)]


# Following


async def save_devices(tx: Transaction, heard: Mapping[str, tuple[str, datetime]]) -> None:
    """Device to its site and when it was heard last."""
    if heard:
        await tx.execute(queries.save_devices, list(heard), [site for site, _ in heard.values()], [at for _, at in heard.values()])


async def lock_connections(tx: Transaction, devices: Sequence[str]) -> dict[str, tuple[Connection, ...]]:
    return {row["id"]: _connections(row) for row in await tx.fetch(queries.lock_connections, list(devices))}


async def save_connections(tx: Transaction, connections: Mapping[str, Sequence[Connection]]) -> None:
    await tx.execute(queries.save_connections, list(connections), [msgspec.json.encode(some).decode() for some in connections.values()])


async def save_spot_states(tx: Transaction, words: Sequence[SpotWord]) -> None:
    """One word for each spot; spots that are not registered are left out."""
    if words:
        states, order = (
            ([word.spot for word in words], [word.state for word in words]),
            ([word.at for word in words], [word.seq for word in words]),
        )
        await tx.execute(queries.save_spot_states, *states, *order, [word.device for word in words], [word.id for word in words])


async def save_counts(tx: Transaction, counts: Mapping[str, Count]) -> None:
    """One count for each site."""
    if counts:
        order = (
            [instant(one.at) for one in counts.values()],
            [one.seq for one in counts.values()],
            [one.device for one in counts.values()],
        )
        said = ([one.id for one in counts.values()], [one.occupied for one in counts.values()], [one.capacity for one in counts.values()])
        await tx.execute(queries.save_counts, list(counts), *order, *said)


async def save_passages(tx: Transaction, passages: Sequence[tuple[str, Passage]]) -> None:
    if passages:
        columns = ([site for site, _ in passages], [one.id for _, one in passages], [instant(one.at) for _, one in passages])
        await tx.execute(queries.save_passages, *columns, [one.change for _, one in passages], [one.vehicle for _, one in passages])


async def drop_counted_passages(tx: Transaction, sites: Sequence[str]) -> None:
    if sites:
        await tx.execute(queries.drop_counted_passages, list(sites))


async def sites_to_fold(tx: Transaction, before: datetime) -> list[str]:
    return [row["site"] for row in await tx.fetch(queries.sites_to_fold, before)]


async def fetch_count_of(tx: Transaction, site: str) -> Count | None:
    row = await tx.row(queries.fetch_count_of, site)
    return _count(row) if row is not None and row["count_at"] is not None else None


async def fetch_passages_of(tx: Transaction, site: str) -> list[Passage]:
    return [_passage(row) for row in await tx.fetch(queries.fetch_passages_of, site)]


async def drop_passages_until(tx: Transaction, site: str, until: datetime) -> None:
    await tx.execute(queries.drop_passages_until, site, until)


def renumbered(held: npt.NDArray[np.int32], numbers: Mapping[int, int]) -> npt.NDArray[np.int32]:
    """The database's numbers as those of a board; -1 for nobody."""
    table = np.full(max(numbers, default=0) + 1, -1, np.int32)
    table[list(numbers)] = list(numbers.values())
    renumbered: npt.NDArray[np.int32] = table[held]
    return renumbered


# History


async def save_moments(tx: Transaction, at: datetime, moments: Sequence[Moment]) -> None:
    columns = [[getattr(moment, name) for moment in moments] for name in Moment.__struct_fields__]
    await tx.execute(queries.save_moments, at, *columns)


async def fetch_moments(database: Database, sites: Sequence[str], first: datetime, end: datetime) -> list[Record]:
    return await database.fetch(queries.fetch_moments, list(sites), first, end)


async def fetch_heat(database: Database, first: datetime, end: datetime) -> list[Record]:
    return await database.fetch(queries.fetch_heat, first, end)


async def forget_moments(tx: Transaction, before: datetime, limit: int) -> int:
    return int((await tx.execute(queries.forget_moments, before, limit)).rpartition(" ")[2])
