"""Follow a journal: a named cursor and the effects of a batch move in one transaction, and what fails waits by its key."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

import structlog
from prometheus_client import Counter, Gauge

from foundation import events, postgres
from foundation.bell import ring_heard
from foundation.clock import Clock
from foundation.postgres import BEGINNING, Database, Transaction

log = structlog.get_logger()
queries = postgres.queries

Journal = Literal["reading", "fact"]
BATCH_MAX = 500
LATE_COMMIT = timedelta(minutes=10)  # recorded_at runs behind position when a server's clock is set back; pruning allows for it.
DAYS_AHEAD = 3
WALL = Clock()
APPLIED = Counter("onelot_journal_applied_total", "Entries applied by a follower", ["follower"])
HELD_SECONDS_MAX = 1.0
HELD = Gauge("onelot_journal_append_open_seconds", "How long the oldest open transaction that appends has been open")
BEHIND = Gauge("onelot_journal_behind_seconds", "How old what a follower applied last was; 0 when there is nothing new", ["follower"])
STUCK = Gauge("onelot_journal_stuck", "Entries that a follower could not apply", ["follower"])


@dataclass(frozen=True, slots=True)
class Entry:
    position: int
    recorded_at: datetime
    at: datetime
    kind: str
    key: str
    body: str

    @property
    def event(self) -> events.Event:
        return events.decode(self.kind, self.body)


class Follower(Protocol):
    """Somebody who acts on a journal. `apply` runs in the transaction that moves the cursor."""

    name: str
    journal: Journal
    kinds: frozenset[str]

    async def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None: ...


async def follow(database: Database, follower: Follower, done: Callable[[], None]) -> None:
    """Apply the journal for ever; PostgreSQL away is waited for, never given up."""
    with database.bell.listen(follower.journal) as rung:
        while True:
            try:
                while await catch_up(database, follower):
                    done()
            except (*postgres.AWAY, *postgres.RETRIED) as error:
                log.warning("follower_waits", follower=follower.name, error=type(error).__name__)
                await asyncio.sleep(0.2)
                continue
            done()
            await ring_heard(rung)


async def hear_facts(
    database: Database, who: str, catch_up: Callable[[], Awaitable[object]], done: Callable[[], None], look_seconds: float | None = None
) -> None:
    """Let somebody who holds in memory what the facts say take in the newest, for ever; PostgreSQL away is waited for, never given up."""
    with database.bell.listen("fact") as rung:
        while True:
            try:
                await catch_up()
            except (postgres.Refused, *postgres.AWAY) as error:
                log.warning("facts_wait", who=who, error=type(error).__name__)
            done()
            await ring_heard(rung, look_seconds)


async def catch_up(database: Database, follower: Follower, *, batch: int = BATCH_MAX) -> int:
    """Apply the next batch; answers how many entries the cursor moved over, 0 when there is nothing new."""
    if not await _is_behind(database, follower):
        BEHIND.labels(follower.name).set(0)
        return 0
    began = time.monotonic()
    try:
        entries = await database.run(lambda tx: _batch(tx, follower, batch))
    except (*postgres.AWAY, *postgres.RETRIED):
        raise
    except Exception as error:
        log.warning("batch_replayed", follower=follower.name, error=repr(error)[:300])
        entries = await database.run(lambda tx: _one_by_one(tx, follower, batch))
    if entries:
        APPLIED.labels(follower.name).inc(entries)
        log.debug("followed", follower=follower.name, entries=entries, ms=round(1000 * (time.monotonic() - began), 1))
    return entries


async def _is_behind(database: Database, follower: Follower) -> bool:
    """One cheap look: most rounds find nothing, and taking the cursor's lock is a write."""
    query = queries.look_at_readings if follower.journal == "reading" else queries.look_at_facts
    looked = await database.row(query, follower.name, LATE_COMMIT)
    if looked is None:
        await database.run(lambda tx: tx.execute(queries.make_cursor, follower.name))
        return True
    STUCK.labels(follower.name).set(looked["stuck"])  # Counted where it is kept: other processes put aside and take up, too.
    return bool(looked["behind"])


async def _batch(tx: Transaction, follower: Follower, batch: int) -> int:
    entries = await _next(tx, follower, batch)
    waiting = await _waiting_keys(tx, follower.name)
    mine = [entry for entry in entries if entry.kind in follower.kinds]
    if waiting and any(entry.key in waiting for entry in mine):
        return await _apply_singly(tx, follower, entries, waiting)
    if mine:
        await follower.apply(tx, mine)
    await _move(tx, follower.name, entries)
    return len(entries)


async def _one_by_one(tx: Transaction, follower: Follower, batch: int) -> int:
    return await _apply_singly(tx, follower, await _next(tx, follower, batch), await _waiting_keys(tx, follower.name))


async def _apply_singly(tx: Transaction, follower: Follower, entries: Sequence[Entry], waiting: set[str]) -> int:
    """Each entry under a savepoint: the one that fails is put aside with its error, and its key waits behind it."""
    for entry in entries:
        if entry.kind not in follower.kinds:
            continue
        error = "" if entry.key in waiting else await _try(tx, follower, entry)
        if error is not None:
            waiting.add(entry.key)
            await tx.execute(queries.put_aside, follower.name, entry.position, entry.key, entry.kind, entry.at, entry.body, error)
    await _move(tx, follower.name, entries)
    return len(entries)


async def _try(tx: Transaction, follower: Follower, entry: Entry) -> str | None:
    """What went wrong, or None. A deadlock or a lost connection is not the entry's fault and goes up."""
    try:
        async with tx.savepoint():
            await follower.apply(tx, [entry])
    except (*postgres.RETRIED, *postgres.AWAY):
        raise
    except Exception as error:
        log.error("entry_stuck", follower=follower.name, position=entry.position, kind=entry.kind, error=repr(error)[:300])
        return repr(error)[:2000]
    return None


async def _next(tx: Transaction, follower: Follower, batch: int) -> list[Entry]:
    cursor = await tx.row(queries.lock_cursor, follower.name)
    if cursor is None:  # Another run of this follower has it; one at a time is what the lock is for.
        return []
    return await read(tx, follower.journal, cursor["position"], cursor["recorded_at"], batch)


async def read(tx: Transaction, journal: Journal, after: int, since: datetime, limit: int = BATCH_MAX) -> list[Entry]:
    """Entries after a position; `since` lets PostgreSQL leave old partitions alone."""
    rows = await tx.fetch(queries.read_readings if journal == "reading" else queries.read_facts, after, _floor(since), limit)
    return [Entry(*row) for row in rows]


async def newest(tx: Transaction, journal: Journal, since: datetime = BEGINNING) -> tuple[int, datetime]:
    """Position and time of the newest entry: where somebody who has just read the present goes on from. `since`: as in `read`."""
    row = await tx.row(queries.newest_reading if journal == "reading" else queries.newest_fact, _floor(since))
    return (row["position"], row["recorded_at"]) if row else (0, BEGINNING)


def _floor(since: datetime) -> datetime:
    return since - LATE_COMMIT if since.year > 1 else since


async def _move(tx: Transaction, name: str, entries: Sequence[Entry]) -> None:
    if entries:
        BEHIND.labels(name).set(max(0.0, (WALL.wall() - entries[-1].recorded_at).total_seconds()))
        await tx.execute(queries.move_cursor, name, entries[-1].position, entries[-1].recorded_at)


async def _waiting_keys(tx: Transaction, name: str) -> set[str]:
    return {row["key"] for row in await tx.fetch(queries.stuck_keys, name)}


async def stuck(database: Database) -> list[postgres.Record]:
    return await database.fetch(queries.list_stuck)


def stuck_here() -> dict[str, int]:
    """How much is stuck, by follower, as the followers of this process last saw it."""
    return {sample.labels["follower"]: int(sample.value) for metric in STUCK.collect() for sample in metric.samples if sample.value}


async def retry_stuck(database: Database, follower: Follower, key: str) -> int:
    """Apply what waits for a key again, in order, all or nothing; answers how many entries went through."""

    async def work(tx: Transaction) -> int:
        await tx.execute(queries.hold_cursor, follower.name)
        rows = sorted(await tx.fetch(queries.take_stuck, follower.name, key), key=lambda row: row["position"])
        entries = [Entry(row["position"], row["since"], row["at"], row["kind"], row["key"], row["body"]) for row in rows]
        for entry in entries:
            await follower.apply(tx, [entry])
        return len(entries)

    return await database.run(work)


async def drop_stuck(database: Database, follower: str, position: int) -> bool:
    """Give an entry up; what waited behind it is left to `retry_stuck`."""
    return await database.value(queries.drop_stuck, follower, position) is not None


async def watch_appending(database: Database, done: Callable[[], None]) -> None:
    """No round is done while a transaction that appended stays open: everybody who wants to append waits behind it."""
    while True:
        try:
            held = await database.value(queries.longest_append)
            HELD.set(held)
            if held < HELD_SECONDS_MAX:
                done()
        except postgres.AWAY as error:
            log.warning("watch_waits", error=type(error).__name__)
        await asyncio.sleep(1)


async def keep_partitions(
    database: Database, clock: Clock, done: Callable[[], None], *, reading_days: int = 90, seen_days: int = 5
) -> None:
    """Make the days ahead and drop the days behind, each hour of the city, for days pass faster in a fast one."""
    while True:
        try:
            await prepare(database, clock, reading_days=reading_days, seen_days=seen_days)
        except postgres.AWAY as error:
            log.warning("partitions_wait", error=type(error).__name__)
            await asyncio.sleep(1)
            continue
        for _ in range(max(5, round(3600 / max(clock.speed, 1.0)))):
            done()
            await asyncio.sleep(1)


async def prepare(database: Database, clock: Clock = WALL, *, reading_days: int = 90, seen_days: int = 5) -> None:
    """Partitions from yesterday to three days ahead; must have run before anything is appended."""
    today, city_today = clock.wall().date(), clock.city().date()
    async with database.transaction() as tx:
        await tx.execute(queries.make_partitions, today, city_today, DAYS_AHEAD)
    try:
        async with database.transaction() as tx:
            await tx.execute(queries.drop_old_partitions, today, city_today, reading_days, seen_days)
    except postgres.LockNotAvailable:
        log.info("partitions_kept_for_now")  # Somebody reads them, a backup perhaps; the next round tries again.
