"""Keep the map true to the journals: one follower writes what was last heard into PostgreSQL, each web part keeps a board of its own."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import structlog
from prometheus_client import Gauge

from citymap import gates, snapshot, store
from citymap.board import Board, Changed, count_of, key_bytes, passage_of
from citymap.devices import Connection, merged
from citymap.errors import SnapshotUnusable
from citymap.gates import Count, Inside, Passage
from citymap.model import BY_SPOTS, FRESHNESS, NEVER, STATE_NUMBER, STATES, instant, micros
from citymap.places import empty
from citymap.snapshot import Mark, Marks
from citymap.store import SpotWord
from foundation import journal, postgres
from foundation.bell import ring_heard
from foundation.clock import Clock
from foundation.events import DeviceHeard, Event, SpotSeen, VehiclePassed, VehiclesCounted
from foundation.journal import Entry, Journal
from foundation.postgres import Database, Transaction

log = structlog.get_logger()

SPOTS: Final = "citymap.spots"  # The name of the cursor that says how far the rows have followed.
BATCH_MAX: Final = 2000
LOOK_SECONDS: Final = 0.25
GATHER_SECONDS: Final = 0.02  # Readings come in commits of a few: a short wait makes one batch of many.
TICK_SECONDS: Final = 1.0
MOVE_EVERY_SECONDS: Final = 1.0
SNAPSHOT_EVERY_SECONDS: Final = 300.0
REPLAY_MAX: Final = 30_000  # Readings that a start from a snapshot may be behind the rows: about a second of replay.
SHOWN: Final = Gauge("onelot_map_spots", "Spots of the city as the board shows them", ["state"])
SITES: Final = Gauge("onelot_map_sites", "Sites by how fresh their numbers are", ["freshness"])
FOLD_AFTER: Final = timedelta(hours=96)  # Passages wait 72 h for what may come late; folding a day's worth at a time is enough.


class SpotsFollower:
    """Writes the last word on each spot, count and device into the rows a board can start from. Saying it again changes nothing."""

    name = SPOTS
    journal: Journal = "reading"
    kinds = frozenset((SpotSeen.kind, VehiclePassed.kind, VehiclesCounted.kind, DeviceHeard.kind))

    async def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        events = [entry.event for entry in entries]
        await store.save_devices(tx, _heard(events))
        await _save_presence(tx, [event for event in events if isinstance(event, DeviceHeard)])
        await store.save_spot_states(tx, _last_words([event for event in events if isinstance(event, SpotSeen)]))
        await _save_gates(tx, events)
        await _fold(tx, max(entry.at for entry in entries))


def _heard(events: Sequence[Event]) -> dict[str, tuple[str, datetime]]:
    """Each device that spoke or came, with its site and the last instant; a device that only went was not heard, but is known."""
    heard: dict[str, tuple[str, datetime]] = {}
    for event in events:
        if isinstance(event, DeviceHeard):
            at = event.at if event.connected else datetime(1970, 1, 1, tzinfo=UTC)
        elif isinstance(event, SpotSeen | VehiclePassed | VehiclesCounted):
            at = event.received_at
        else:
            continue
        before = heard.get(event.device)
        if before is None or (at, event.site) > (before[1], before[0]):
            heard[event.device] = event.site, at
    return heard


async def _save_presence(tx: Transaction, said: Sequence[DeviceHeard]) -> None:
    if not said:
        return
    known = await store.lock_connections(tx, sorted({event.device for event in said}))
    for event in said:
        at = micros(event.at)
        one = Connection(event.connection, at if event.connected else None, None if event.connected else at)
        known[event.device] = merged(known.get(event.device, ()), (one,))
    await store.save_connections(tx, known)


def _last_words(seen: Sequence[SpotSeen]) -> list[SpotWord]:
    """One word for each spot: an UPDATE that meets a row twice takes either."""
    last: dict[str, SpotWord] = {}
    for event in seen:
        word = SpotWord(event.spot, STATE_NUMBER[event.state], event.at, event.seq, event.device, key_bytes(event.id))
        before = last.get(event.spot)
        if before is None or _order(word) > _order(before):
            last[event.spot] = word
    return list(last.values())


def _order(word: SpotWord) -> tuple[datetime, int, str, bytes]:
    return word.at, word.seq, word.device, word.id


async def _save_gates(tx: Transaction, events: Sequence[Event]) -> None:
    counts: dict[str, Count] = {}
    for event in events:
        if isinstance(event, VehiclesCounted):
            count = count_of(event)
            counts[event.site] = max(counts.get(event.site, count), count, key=lambda one: one[:4])
    passages = {(event.site, one.id): one for event in events if isinstance(event, VehiclePassed) for one in (passage_of(event),)}
    await store.save_counts(tx, counts)
    await store.save_passages(tx, [(site, passage) for (site, _), passage in passages.items()])
    await store.drop_counted_passages(tx, sorted(counts))


async def _fold(tx: Transaction, newest: datetime) -> None:
    """Passages that nothing can precede any more go into the count of their site."""
    for site in await store.sites_to_fold(tx, newest - FOLD_AFTER):
        inside = Inside(await store.fetch_count_of(tx, site))
        for passage in await store.fetch_passages_of(tx, site):
            inside.passed(passage)
        cut = instant(inside.fold(micros(newest) - gates.LATEST_US) or NEVER)
        if cut is not None:
            await store.save_counts(tx, {site: inside.count} if inside.count is not None else {})
            await store.drop_passages_until(tx, site, cut)


class BoardFollower:
    """A board that follows both journals, for the searches and sockets of one process."""

    def __init__(self, database: Database, clock: Clock, *, snapshot_path: Path | None = None) -> None:
        self._database, self._clock, self._path = database, clock, snapshot_path
        self.board = Board(empty(), micros(clock.city()))
        self.marks = Marks()
        self.started = False
        self._pending = Changed()
        self._ticked_at = self._cut_at = time.monotonic()
        self._moved_at = -MOVE_EVERY_SECONDS

    async def start(self) -> None:
        """Build the board, from the snapshot when it is of this history, else from PostgreSQL."""
        began = time.monotonic()
        source = "snapshot" if await self._start_from_snapshot() else "postgres"
        if source == "postgres":
            self.board, self.marks = await board_of(self._database, micros(self._clock.city()))
        self.started = True
        log.info("board_started", source=source, spots=len(self.board.places.spot_ids), ms=round(1000 * (time.monotonic() - began)))

    async def run(self, done: Callable[[], None]) -> None:
        """Follow for ever; PostgreSQL away is waited for, and a snapshot is left behind at the end."""
        try:
            with self._database.bell.listen("reading") as rung:
                while True:
                    try:
                        await self._round(rung)
                    except postgres.AWAY as error:
                        log.warning("board_waits", error=type(error).__name__)
                        self._tick()
                        await asyncio.sleep(0.2)
                        continue
                    done()
        finally:
            self._leave_snapshot()

    async def _round(self, rung: asyncio.Event) -> None:
        if not self.started:
            await self.start()
        while await self.catch_up():
            self._tick()
            await asyncio.sleep(0)
        self._tick()
        await self._keep_snapshot()
        await ring_heard(rung, LOOK_SECONDS)
        await asyncio.sleep(GATHER_SECONDS)

    async def catch_up(self) -> int:
        """Apply what came since; answers how many readings. Facts are looked at after the readings were read, and applied
        before them: a device speaks of a spot only after its site was committed."""
        async with self._database.transaction() as tx:
            entries = await journal.read(tx, "reading", self.marks.reading.position, self.marks.reading.recorded_at, BATCH_MAX)
            mark = self.marks.fact
            fact = Mark(*await journal.newest(tx, "fact", mark.recorded_at))
            anew = await store.changed_sites(tx, mark.position, mark.recorded_at, fact.position) if fact.position > mark.position else []
        if anew and not entries and time.monotonic() - self._moved_at < MOVE_EVERY_SECONDS:
            anew, fact = [], mark  # A city is being imported: no reading needs its sites yet, and each move costs all of them.
        if anew:
            await self._move(anew)
        self._pending.add(self.board.apply([entry.event for entry in entries]))
        last = entries[-1] if entries else None
        self.marks = Marks(Mark(last.position, last.recorded_at) if last is not None else self.marks.reading, fact)
        return len(entries)

    async def _move(self, sites: Sequence[str]) -> None:
        """Take up geometry that changed: the static columns are built anew and swapped whole."""
        async with self._database.snapshot() as tx:
            places = await store.fetch_places(tx)
        old, self.board = self.board.places, self.board.moved_to(places)
        self._moved_at = time.monotonic()
        self._pending = Changed(
            {there for site in self._pending.sites if (there := places.site_number.get(old.sites[site].id)) is not None},
            {there for spot in self._pending.spots if (there := places.spot_number.get(old.spot_ids[spot])) is not None},
        )
        for site in (places.site_number[site] for site in sites if site in places.site_number):
            self._pending.sites.add(site)
            spots = places.spots_of(site)
            self._pending.spots.update(range(spots.start, spots.stop))

    def _tick(self) -> None:
        if time.monotonic() - self._ticked_at >= TICK_SECONDS:
            self._ticked_at = time.monotonic()
            self._pending.add(self.board.tick(micros(self._clock.city())))
            _measure(self.board)

    def take_changes(self) -> Changed:
        """What changed since this was asked last, by numbers of the board as it is now."""
        taken, self._pending = self._pending, Changed()
        return taken

    async def _start_from_snapshot(self) -> bool:
        if self._path is None or not self._path.exists():
            return False
        try:
            board, marks = snapshot.read(self._path, micros(self._clock.city()))
            await self._same_history(marks)
        except SnapshotUnusable as error:
            log.warning("snapshot_not_used", reason=str(error)[:300])
            return False
        self.board, self.marks = board, marks
        return True

    async def _same_history(self, marks: Marks) -> None:
        """The entries it followed last must still be there: not dropped by retention, not another city's, not undone by a restore."""
        async with self._database.snapshot() as tx:
            reading, fact = marks.reading, marks.fact
            kept = reading.position == 0 or await store.has_reading(tx, reading.position, reading.recorded_at)
            rows = await store.persisted_until(tx, SPOTS)
            if rows is not None and rows["position"] - reading.position > REPLAY_MAX:
                raise SnapshotUnusable("the rows are so far ahead that starting from them is faster")
            if not kept or (fact.position and not await store.has_fact(tx, fact.position, fact.recorded_at)):
                raise SnapshotUnusable("the journal does not hold the entry it followed last")

    async def _keep_snapshot(self) -> None:
        if self._path is None or time.monotonic() - self._cut_at < SNAPSHOT_EVERY_SECONDS:
            return
        self._cut_at = time.monotonic()
        parts = snapshot.cut(self.board, self.marks)
        with contextlib.suppress(OSError):  # A full disk costs a slower start, nothing else.
            await asyncio.to_thread(snapshot.write, self._path, parts)

    def _leave_snapshot(self) -> None:
        if self._path is not None and self.started:
            try:
                snapshot.write(self._path, snapshot.cut(self.board, self.marks))
            except OSError as error:
                log.warning("snapshot_not_written", error=str(error))


def _measure(board: Board) -> None:
    for name, number in zip(STATES, np.maximum(board.shown, 0).sum(axis=0).tolist(), strict=True):
        SHOWN.labels(name).set(number)
    for name, number in zip(FRESHNESS, np.bincount(board.freshness, minlength=len(FRESHNESS)).tolist(), strict=True):
        SITES.labels(name).set(number)


async def board_of(database: Database, now: int) -> tuple[Board, Marks]:
    """A board from PostgreSQL: rows, and how far they have followed, of one instant."""
    async with database.snapshot() as tx:
        rows, devices = await store.fetch_rows(tx), await store.fetch_devices(tx)
        counts, passages = await store.fetch_counts(tx), await store.fetch_passages(tx)
        cursor, fact = await store.persisted_until(tx, SPOTS), Mark(*await journal.newest(tx, "fact"))
    board = Board(rows.places, now)
    board.spot_state, board.spot_at, board.spot_seq, board.spot_key = rows.state, rows.at, rows.seq, rows.key.copy()
    numbers = {0: -1}
    for number, device, site, heard, connections in devices:
        numbers[number] = board.devices.meet(device, site, heard)
        board.devices.said(numbers[number], heard)
        for connection in connections:
            board.devices.connected(numbers[number], connection)
    board.spot_device = store.renumbered(rows.device, numbers)
    _take_counts(board, counts, passages)
    board.recount()
    return board, Marks(Mark(cursor["position"], cursor["recorded_at"]) if cursor is not None else Mark(), fact)


def _take_counts(board: Board, counts: dict[str, Count], passages: Sequence[tuple[str, Passage]]) -> None:
    places = board.places
    for site, count in counts.items():
        if places.counted_by[places.site_number[site]] != BY_SPOTS:
            board.inside[places.site_number[site]] = Inside(count)
    for site, passage in passages:
        if site in places.site_number and places.counted_by[places.site_number[site]] != BY_SPOTS:
            board.inside.setdefault(places.site_number[site], Inside()).passed(passage)
