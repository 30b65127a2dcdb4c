"""How many stays a second are folded, priced and settled: one follower, the whole way from readings to postings."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.databases import own_database
from benchmarks.rows import Row
from foundation import events, ids, journal, migrate, postgres, seal
from foundation.clock import Clock
from foundation.events import SiteChanged, SpotSeen, Vehicle
from foundation.journal import BATCH_MAX, Entry
from foundation.postgres import Database, Transaction
from parking.ledger import settle
from parking.ledger.model import AccountKind
from parking.sessions.follow import HoldersFollower, StaysFollower, conclude_once
from parking.sites import store as sites
from parking.tariffs.publish_tariff import publish_tariff

NAMES: Final = ("parking.stays_per_s",)
GOAL: Final = 1_000
STAYS: Final = 4_000
NOW: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TARIFF: Final = """
code: bench
version: 1
effective: {from: "2020-01-01T00:00+08:00", to: null}
free: {minutes: 15, mode: threshold}
windows:
  - {name: day, from: "08:00", to: "22:00", steps: [{until: 60, per: 60, price: 500}, {per: 30, price: 300}]}
  - {name: night, from: "22:00", to: "08:00", steps: [{per: 0, price: 1000}]}
caps: {day: 5000, period: rolling, stay: null}
"""


@dataclass(frozen=True)
class StoppedClock(Clock):
    """While readings come no end is believed yet, so that each stay is looked at again, as in a city."""

    stands: datetime = NOW

    def city(self) -> datetime:
        return self.stands


async def measure(postgres_url: str, place: Path) -> list[Row]:
    """One row. Makes a database of its own on the server and drops it again; `place` holds the keys for as long."""
    async with own_database(postgres_url, "stays") as url, postgres.connect(url) as database:
        await migrate.migrate(url)
        keys = seal.Keys(place / f"bench-{secrets.token_hex(4)}.json")
        await journal.prepare(database)
        await _found(database)
        arrivals, departures = _readings(keys)
        await _hold_half(database, arrivals)
        began = time.perf_counter()
        await _follow(database, StaysFollower(keys, StoppedClock()), [*arrivals, *departures])
        while await conclude_once(database, StoppedClock(stands=NOW + timedelta(days=1))):
            pass
        seconds = time.perf_counter() - began
        await _check(database)
    return [_row(STAYS / seconds, 2 * STAYS / seconds)]


def _row(stays: float, readings: float) -> Row:
    note = f"{readings:.0f} readings/s in batches of {BATCH_MAX}; half of the cars have a wallet that pays, the others owe"
    value, met = round(stays), stays >= GOAL
    return Row(name=NAMES[0], value=value, unit="stays/s", baseline=None, ratio=None, goal=GOAL, met=met, note=note)


async def _found(database: Database) -> None:
    site = SiteChanged(site="bench", operator="op", type="surface", counted_by="spots", capacity=STAYS, tariff="bench", zone="z")
    await database.run(lambda tx: sites.save_site(tx, site))
    await publish_tariff(database, TARIFF, now=NOW)


def _readings(keys: seal.Keys) -> tuple[list[SpotSeen], list[SpotSeen]]:
    """Each spot taken once, for one to three hours, by a car that was read."""
    arrivals = [_seen(keys, spot, NOW + timedelta(seconds=spot % 3600), taken=True) for spot in range(STAYS)]
    departures = [_seen(keys, spot, NOW + timedelta(seconds=spot % 3600 + 3600 + spot * 7 % 7200), taken=False) for spot in range(STAYS)]
    return arrivals, departures


def _seen(keys: seal.Keys, spot: int, at: datetime, *, taken: bool) -> SpotSeen:
    plate = f"豫A{spot:05d}"
    vehicle = Vehicle(token=keys.token(plate), sealed=keys.seal(f"{plate}\x1fblue", NOW), colour="blue", confidence=0.95, type="small")
    return SpotSeen(
        device=f"cam-{spot // 8}", site="bench", seq=1, at=at, raw_at=at, received_at=at, id=keys.token("reading", str(spot), str(taken)),
        spot=f"bench-{spot}", state="occupied" if taken else "free", vehicle=vehicle if taken else None,
    )  # fmt: skip


async def _hold_half(database: Database, arrivals: Sequence[SpotSeen]) -> None:
    """Every second plate is proved and its holder has money."""
    proofs = [
        events.PlateProved(plate_token=seen.vehicle.token, person=ids.id_of("bench", seen.spot), since=NOW - timedelta(days=1))
        for seen in arrivals[::2] if seen.vehicle is not None
    ]  # fmt: skip
    follower = HoldersFollower(StoppedClock())
    await database.run(lambda tx: follower.apply(tx, _entries(proofs)))

    async def fill(tx: Transaction) -> None:
        clearing, *wallets = await settle.open_accounts(
            tx, [(AccountKind.CLEARING, "bench"), *((AccountKind.WALLET, str(proof.person)) for proof in proofs)]
        )
        for wallet in wallets:
            await settle.top_up(tx, id=ids.new_id(), wallet=wallet, clearing=clearing, amount=100_000, at=NOW)

    await database.run(fill)


async def _follow(database: Database, follower: StaysFollower, readings: Sequence[SpotSeen]) -> None:
    entries = _entries(readings)
    for start in range(0, len(entries), BATCH_MAX):
        batch = entries[start : start + BATCH_MAX]
        await database.run(partial(follower.apply, entries=batch))


def _entries(told: Sequence[events.Event]) -> list[Entry]:
    rows = [events.told(one, NOW) for one in told]
    return [Entry(position, NOW, row.at, row.kind, row.key, row.body) for position, row in enumerate(rows)]


async def _check(database: Database) -> None:
    """A fast wrong answer is none."""
    async with database.transaction() as tx:
        assert await settle.proof(tx) == []
