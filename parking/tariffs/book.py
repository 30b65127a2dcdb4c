"""The price list in memory, for questions about now: quotes, running fees, prices on the map. Bills are priced in their transaction."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import structlog

from foundation import journal, postgres
from foundation.clock import Clock, whole_seconds
from foundation.events import SiteChanged, TariffPublished
from foundation.postgres import Database, Record
from parking.tariffs import store, words
from parking.tariffs.calendar import official
from parking.tariffs.errors import TariffError
from parking.tariffs.model import Price, Stay
from parking.tariffs.price_published import price_published
from parking.tariffs.store import Published

log = structlog.get_logger()

REMEMBERED = 65_536  # Prices by tariff version, minute of arrival and stay.


class Words(msgspec.Struct, frozen=True):
    zh: str
    en: str


class TariffLabel(msgspec.Struct, frozen=True):
    """A tariff as a site shows it."""

    id: str
    version: int
    text: Words


@dataclass(frozen=True, slots=True)
class Quoted:
    """A price and the version that gave it; the hash is its correction's, where that is cheaper."""

    price: Price
    sha256: str
    rule: Published


class Book:
    """Sites, their tariffs and all versions of these, as the facts say up to now."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._tariff_of_site: dict[str, str] = {}
        self._versions: dict[str, list[Published]] = {}
        self._position, self._recorded_at = 0, postgres.BEGINNING
        self.edition = 0  # Counts what changed prices: whoever remembers one asks again.
        self._memo = functools.lru_cache(REMEMBERED)(self._price)

    @property
    def position(self) -> int:
        """Of the newest fact that is taken in."""
        return self._position

    async def load(self) -> None:
        async with self._database.snapshot() as tx:
            self._position, self._recorded_at = await journal.newest(tx, "fact")
            rows: dict[str, list[Record]] = {}
            for row in await tx.fetch(store.queries.all_tariffs):
                rows.setdefault(row["code"], []).append(row)
            self._versions = {code: store.published_of(versions) for code, versions in rows.items()}
            self._tariff_of_site = {row["id"]: row["tariff"] for row in await tx.fetch(store.queries.sites_with_tariffs)}
        self._memo.cache_clear()
        self.edition += 1

    async def follow(self, done: Callable[[], None]) -> None:
        await journal.hear_facts(self._database, "prices", self.catch_up, done)

    async def catch_up(self) -> None:
        while True:
            async with self._database.transaction() as tx:
                entries = await journal.read(tx, "fact", self._position, self._recorded_at)
                codes = {entry.key for entry in entries if entry.kind == TariffPublished.kind}
                fresh = await store.load(tx, codes) if codes else {}
            if not entries:
                return
            for entry in entries:
                if entry.kind == SiteChanged.kind and isinstance(fact := entry.event, SiteChanged):
                    self._tariff_of_site[fact.site] = fact.tariff
                    self.edition += 1
            if fresh:
                self._versions |= fresh
                self._memo.cache_clear()
                self.edition += 1
            self._position, self._recorded_at = entries[-1].position, entries[-1].recorded_at

    def knows(self, site: str) -> bool:
        return site in self._tariff_of_site

    def in_force(self, site: str, at: datetime) -> Published | None:
        versions = self._versions.get(self._tariff_of_site.get(site, ""), [])
        return next((one for one in versions if one.tariff.in_force_at(at)), None)

    def quote(self, site: str, stay: Stay) -> Quoted | None:
        """None when no tariff is in force there then."""
        rule = self.in_force(site, stay.entry)
        if rule is None:
            return None
        try:
            return Quoted(*price_published(rule, stay, official()), rule)
        except TariffError:
            return None

    def price(self, site: str, arrive: datetime, stay_s: int) -> int | None:
        """Fen of a stay of a small car that begins in this minute; remembered."""
        return self._memo(self._tariff_of_site.get(site, ""), site, arrive.replace(second=0, microsecond=0), stay_s)

    def _price(self, tariff: str, site: str, arrive: datetime, stay_s: int) -> int | None:
        del tariff  # It is part of what is remembered: another tariff is another price.
        quoted = self.quote(site, Stay(arrive, arrive + timedelta(seconds=stay_s), site=site))
        return quoted.price.total if quoted else None

    def tariff(self, site: str) -> TariffLabel | None:
        """What a site shows of the tariff in force now."""
        rule = self.in_force(site, whole_seconds(self._clock.city()))
        if rule is None:
            return None
        said = rule.tariff.text or words.of_tariff(rule.tariff)
        return TariffLabel(rule.tariff.code, rule.tariff.version, Words(said.zh, said.en))
