"""The matters in memory: what is live is followed from the facts, what a running case needs is looked up once."""

import collections
from collections.abc import Callable, Iterable

import structlog

from foundation import journal, postgres
from foundation.events import MatterPublished
from foundation.postgres import Database
from services.catalog import store
from services.catalog.model import Matter

log = structlog.get_logger()

KEPT_MAX = 2000  # Versions of running cases in memory; beyond it the one asked for longest ago is looked up anew.


class Versions:
    """Versions by their hash: they never change, so what was looked up once is known."""

    def __init__(self) -> None:
        self._kept: collections.OrderedDict[tuple[str, str], Matter] = collections.OrderedDict()

    async def get(self, reader: store.Reader, code: str, version: str) -> Matter:
        """Raises UnknownVersion."""
        key = (code, version)
        if key not in self._kept:
            self._kept[key] = await store.matter(reader, code, version)
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


class Shelf:
    """The live matters by code."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._live: dict[str, tuple[str, Matter]] = {}
        self._words: dict[str, tuple[str, ...]] = {}
        self._position, self._recorded_at = 0, postgres.BEGINNING

    @property
    def position(self) -> int:
        """Of the newest fact that is taken in."""
        return self._position

    async def load(self) -> None:
        async with self._database.snapshot() as tx:
            self._position, self._recorded_at = await journal.newest(tx, "fact")
            self._take(await store.live_matters(tx))

    async def follow(self, done: Callable[[], None]) -> None:
        await journal.hear_facts(self._database, "shelf", self.catch_up, done)

    async def catch_up(self) -> None:
        while True:
            async with self._database.transaction() as tx:
                entries = await journal.read(tx, "fact", self._position, self._recorded_at)
                codes = {entry.key for entry in entries if entry.kind == MatterPublished.kind}
                if codes:
                    self._take(await store.some_live_matters(tx, codes))
            if not entries:
                return
            self._position, self._recorded_at = entries[-1].position, entries[-1].recorded_at

    def _take(self, found: Iterable[store.Live]) -> None:
        for one in found:
            self._live[one.matter.code] = (one.version, one.matter)
            self._words[one.matter.code] = one.words

    def live(self, code: str) -> tuple[str, Matter] | None:
        return self._live.get(code)

    def codes(self) -> list[str]:
        return sorted(self._live)

    def search(self, query: str) -> list[str]:
        """Codes of matters that hold every word of the query, by Chinese, pinyin, its initials, or English; the name first."""
        words = [word for word in query.lower().split() if word]
        ranked = [(rank, code) for code, texts in self._words.items() if (rank := _rank(texts, words)) is not None]
        return [code for _, code in sorted(ranked)]


def _rank(texts: tuple[str, ...], words: list[str]) -> int | None:
    """0 when the name says it all, 1 when something else has to; None when a word is nowhere."""
    if all(word in texts[0] for word in words):
        return 0
    return 1 if all(any(word in text for text in texts) for word in words) else None
