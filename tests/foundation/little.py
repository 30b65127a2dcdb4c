"""Small words for journals and those who follow them: facts and readings that only count, a follower that notes, a wire to cut."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, date, datetime
from urllib.parse import urlsplit

from foundation import events, journal
from foundation.events import Fact, TariffPublished, VehiclesCounted
from foundation.journal import Entry, Journal
from foundation.postgres import Database, Transaction
from foundation.sql import Query

EFFECTS = """
CREATE TABLE public.effect (position bigint, key text, n int, told boolean NOT NULL DEFAULT false);
GRANT SELECT, INSERT ON public.effect TO onelot_app;
"""
EMPTY = "".join(
    f"DELETE FROM {table};"
    for table in (
        *("journal.fact", "journal.reading", "journal.reading_seen", "journal.reading_seen_odd", "journal.cursor", "journal.stuck"),
        "public.effect",
    )
)
note = Query("note", "INSERT INTO public.effect (position, key, n) VALUES ($1, $2, $3)")
noted = Query("noted", "SELECT key, n FROM public.effect ORDER BY position")
whole_journal = Query("whole_journal", "SELECT position, key, body FROM journal.fact ORDER BY position")
whole_readings = Query("whole_readings", "SELECT position, at, key, body FROM journal.reading ORDER BY position")
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
Told = tuple[date, bytes, events.Told]


def fact(key: str, n: int) -> Fact:
    return TariffPublished(code=key, version=n, sha256="")


async def tell(database: Database, key: str, *numbers: int) -> None:
    async def work(tx: Transaction) -> None:
        tx.tell(*[fact(key, n) for n in numbers], at=NOON)

    await database.run(work)


def counted(device: str, n: int, *, day: date | None = None, at: datetime | None = None) -> Told:
    """A reading as the door appends it: its once-only day and key, and the journal's columns."""
    at = at or datetime.now(UTC)
    said = VehiclesCounted(device=device, site=device, seq=n, at=at, raw_at=at, received_at=at, occupied=n)
    return day or datetime.now(UTC).date(), hashlib.blake2b(f"{device} {n}".encode(), digest_size=16).digest(), events.told(said, at)


async def append(tx: Transaction, rows: Sequence[Told]) -> int:
    days, keys, told = zip(*rows, strict=True)
    columns = ([one.at for one in told], [one.kind for one in told], [one.key for one in told], [one.body for one in told])
    tx.rings.add("reading")
    answer = await tx.row(journal.queries.append_readings, days, keys, *columns)
    assert answer is not None
    return int(answer["stored"])


async def kept(database: Database) -> list[tuple[str, int]]:
    """All readings in the order of the journal: device and number."""
    found = [events.decode("count", row["body"]) for row in await database.fetch(whole_readings)]
    return [(one.device, one.seq) for one in found if isinstance(one, VehiclesCounted)]


async def effects(database: Database) -> list[tuple[str, int]]:
    return [(row["key"], row["n"]) for row in await database.fetch(noted)]


class Noting:
    """Notes each fact it applies; what happens in between is the test's to say."""

    name = "test.noting"
    journal: Journal = "fact"
    kinds = frozenset({TariffPublished.kind})

    def __init__(self, between: Callable[[Transaction, TariffPublished], Awaitable[None]] | None = None) -> None:
        self._between = between
        self.batches: list[int] = []

    async def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        self.batches.append(len(entries))
        for entry in entries:
            published = entry.event
            assert isinstance(published, TariffPublished)
            await tx.execute(note, entry.position, entry.key, published.version)
            if self._between is not None:
                await self._between(tx, published)


class Poison(Exception):
    """What a fact does that a follower cannot digest."""


async def drained(database: Database, follower: journal.Follower, *, batch: int = 500) -> None:
    while await journal.catch_up(database, follower, batch=batch):
        pass


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 5.0) -> float:
    """Wait for something to become true; answers how long it took."""
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(seconds):
        while not await true():
            await asyncio.sleep(0.01)
    return asyncio.get_running_loop().time() - began


class Wire:
    """A TCP line to a server, which can be cut and mended."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._open: set[asyncio.StreamWriter] = set()
        self._whole = self._answers = True
        self.port = 0

    @property
    def url(self) -> str:
        user = self._parts.netloc.rpartition("@")[0]
        return self._parts._replace(netloc=f"{user}@127.0.0.1:{self.port}").geturl()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._whole:
            writer.transport.abort()
            return
        if not self._answers:
            self._open.add(writer)
            return
        far_reader, far_writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        self._open |= {writer, far_writer}
        with contextlib.suppress(OSError):
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
        sink.close()

    def cut(self) -> None:
        self._whole = False
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    def hold(self) -> None:
        """Take connections from now on and say nothing."""
        self._answers = False

    def mend(self) -> None:
        self._whole = self._answers = True


@contextlib.asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[Wire]:
    wire = Wire(url)
    server = await asyncio.start_server(wire.carry, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        wire.cut()
        server.close()
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running(*loops: Awaitable[None]) -> AsyncIterator[list["asyncio.Future[None]"]]:
    tasks = [asyncio.ensure_future(loop) for loop in loops]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def done() -> None: ...
