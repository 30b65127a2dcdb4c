"""What stays do when told: readings become stays and money, a proof names a person, a tariff prices what waited."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from foundation import postgres, seal
from foundation.clock import Clock, seconds
from foundation.events import (
    PermitEnded,
    PermitGranted,
    PlateProved,
    PlateReleased,
    Reading,
    SiteChanged,
    SpotSeen,
    TariffPublished,
    VehiclePassed,
)
from foundation.journal import Entry, Journal
from foundation.postgres import Database, Transaction
from parking.permits import store as permits
from parking.sessions import fold_stays, store
from parking.sessions.model import Plate, Seen, What
from parking.sessions.store import Observation
from parking.sites import store as sites
from parking.sites.store import Site

log = structlog.get_logger()

DUE_MAX = 200
WAITING_MAX = 500  # Stays priced at once when a tariff comes.
FORGOTTEN_MAX = 20_000
EVIDENCE_KEPT = timedelta(days=90)


class StaysFollower:
    """Folds readings into stays. The follower is the committer: stays, bills and postings move with its cursor."""

    name = "parking.stays"
    journal: Journal = "reading"
    kinds = frozenset({SpotSeen.kind, VehiclePassed.kind})

    def __init__(self, keys: seal.Keys, clock: Clock) -> None:
        self._keys, self._clock = keys, clock

    async def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        readings = [entry.event for entry in entries]
        known = await sites.load_sites(tx, {reading.site for reading in readings if isinstance(reading, Reading)})
        gates = {reading.site for reading in readings if isinstance(reading, VehiclePassed)} - {
            site.id for site in known.values() if site.gated
        }
        if gates:
            await sites.mark_gated(tx, gates)
        found = [one for reading in readings if (one := observation_of(reading, known, gates)) is not None]
        if found:
            await fold_stays.fold_stays(tx, found, keys=self._keys, now=self._clock.city())


def observation_of(reading: object, known: dict[str, Site], gates: set[str]) -> Observation | None:
    """The reading as evidence of a stay; None when its site's stays are told otherwise or it tells of none."""
    if isinstance(reading, VehiclePassed):
        plate = _plate(reading)
        unit = f"{reading.site}|{plate.token.hex()}" if plate else f"{reading.site}|?{reading.id.hex()}"
        return _observation(unit, "", reading, reading.direction, plate, reading.evidence)
    if isinstance(reading, SpotSeen) and reading.state in ("occupied", "free") and reading.site not in gates:
        site = known.get(reading.site)
        if site is not None and not site.gated:
            what: What = "occupied" if reading.state == "occupied" else "free"
            return _observation(
                reading.spot, reading.spot, reading, what, _plate(reading) if what == "occupied" else None, reading.evidence
            )
    return None


def _plate(reading: SpotSeen | VehiclePassed) -> Plate | None:
    vehicle = reading.vehicle
    return Plate("", vehicle.colour, vehicle.token, vehicle.sealed) if vehicle is not None and vehicle.token else None


def _observation(unit: str, spot: str, reading: SpotSeen | VehiclePassed, what: What, plate: Plate | None, evidence: str) -> Observation:
    vehicle = reading.vehicle
    seen = Seen(
        reading.id, reading.at, reading.seq, reading.device, what, plate,
        vehicle.confidence if vehicle else None, vehicle.type if vehicle else "unknown", reading.raw_at,
        reading.lane if isinstance(reading, VehiclePassed) else "",
        reading.no_clock, seconds(reading.early_s), seconds(reading.late_s),
    )  # fmt: skip
    return Observation(unit, reading.site, spot, seen, evidence, reading.raw_at)


async def conclude_stays(database: Database, clock: Clock, done: Callable[[], None]) -> None:
    """Each second: stays whose end may be believed by now are closed and billed."""
    while True:
        try:
            while await conclude_once(database, clock):
                done()
        except postgres.AWAY as error:
            log.warning("conclusion_waits", error=type(error).__name__)
        else:
            done()
        await asyncio.sleep(1.0)


async def conclude_once(database: Database, clock: Clock) -> int:
    async def work(tx: Transaction) -> int:
        now = clock.city()
        due = await store.due_sessions(tx, now, DUE_MAX)
        if due:
            await fold_stays.conclude_due(tx, due, now=now)
        return len(due)

    return await database.run(work)


class HoldersFollower:
    """Who holds which plate, from the proofs, and what waits for a price; stays and debts of the period follow the person."""

    name = "parking.holders"
    journal: Journal = "fact"
    kinds = frozenset({PlateProved.kind, PlateReleased.kind, TariffPublished.kind, SiteChanged.kind})

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        await store.lock_house(tx)
        for entry in entries:
            fact = entry.event
            if isinstance(fact, PlateProved):
                await store.begin_holding(tx, fact.plate_token, fact.person, fact.since, auto_pay=fact.auto_pay)
                await self._reconsider_plate(tx, fact.plate_token, fact.since)
            elif isinstance(fact, PlateReleased):
                await store.end_holding(tx, fact.plate_token, fact.person, fact.until)
                await self._reconsider_plate(tx, fact.plate_token, fact.until)
            elif isinstance(fact, TariffPublished):
                await self._price_waiting(tx, tariff=fact.code)
            elif isinstance(fact, SiteChanged) and fact.tariff:
                await self._price_waiting(tx, site=fact.site)

    async def _reconsider_plate(self, tx: Transaction, plate_token: bytes, since: datetime) -> None:
        found = await store.sessions_of_plate_since(tx, plate_token, since)
        await fold_stays.reconsider(tx, found, now=self._clock.city())

    async def _price_waiting(self, tx: Transaction, *, tariff: str | None = None, site: str | None = None) -> None:
        last = UUID(int=0)
        while waiting := await store.unpriced_sessions(tx, tariff, site, last, WAITING_MAX):
            if site is not None:
                await sites.refresh_sites(tx, [site])  # The follower of sites may not have come so far yet.
            await fold_stays.reconsider(tx, waiting, now=self._clock.city())
            last = waiting[-1]


class PermitsFollower:
    """Which plates may park on better terms, from the facts; stays that reach into a permit's time, or out of it, are priced anew."""

    name = "parking.permits"
    journal: Journal = "fact"
    kinds = frozenset({PermitGranted.kind, PermitEnded.kind})

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        await store.lock_house(tx)
        for entry in entries:
            fact = entry.event
            if isinstance(fact, PermitGranted):
                since = await permits.save_granted(tx, fact, told_at=entry.at, position=entry.position)
                await self._price_again(tx, fact.plate_token, since)
            elif isinstance(fact, PermitEnded):
                until = await permits.save_ended(tx, fact, told_at=entry.at, position=entry.position)
                if until is not None:
                    await self._price_again(tx, fact.plate_token, until)

    async def _price_again(self, tx: Transaction, plate_token: bytes, since: datetime) -> None:
        """Readings do not wait for facts: whether such a stay was billed before we heard of the permit must not matter."""
        found = await store.sessions_of_plate_after(tx, plate_token, since)
        await fold_stays.reconsider(tx, found, now=self._clock.city())


async def forget_once(database: Database, clock: Clock) -> int:
    """How many were forgotten; so many at most that nobody waits for it."""
    before = clock.city() - EVIDENCE_KEPT
    return await database.run(lambda tx: store.forget_observations(tx, before, FORGOTTEN_MAX))
