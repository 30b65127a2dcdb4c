"""Tell every watcher of an area what changed there: encoded once, joined once for an area, yielding between areas.

What sets the latency of ten thousand sockets is yielding: writes leave when the loop turns, so a long row of them without a
turn holds the first as long as the last.
"""

import asyncio
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final, Literal

import msgspec
import numpy as np
from prometheus_client import Counter, Gauge

from citymap import bays, views
from citymap.board import Board
from citymap.follow import BoardFollower
from citymap.grid import Ints
from citymap.model import Bounds
from citymap.places import Floats
from foundation.clock import Clock, rfc3339
from foundation.websocket import BINARY, Outgoing

ROUND_SECONDS: Final = 0.1
BEAT_ROUNDS: Final = 40  # A client that hears nothing for three beats may take its socket for dead: a browser does not show it our pings.
WATCHERS_A_TURN: Final = 200
AREAS_A_TURN: Final = 8
WATCHERS_MAX: Final = 20_000

WATCHERS: Final = Gauge("onelot_map_watchers", "Live sockets that are open")
TOLD: Final = Counter("onelot_map_told_total", "Messages to live sockets", ["kind"])

Level = Literal["sites", "spots", "bays"]
BAYS_HEAD: Final = struct.Struct("<BxxxI")  # kind, seq; then tiles as `citymap/bays.py` writes them
BAYS_KIND: Final = {"snapshot": 1, "delta": 2}
_encode = msgspec.json.Encoder().encode
_SAID: Final = {kind: TOLD.labels(kind) for kind in BAYS_KIND}


@dataclass(frozen=True, slots=True)
class Area:
    """What somebody watches: a box, or the bays of whole tiles in an encoding of few bytes."""

    level: Level
    box: Bounds
    tiles: tuple[tuple[int, int], ...] = ()


class Watcher:
    """One socket: where it looks, and how many messages it has heard."""

    def __init__(self, outgoing: Outgoing) -> None:
        self.outgoing = outgoing
        self.area: Area | None = None
        self.sequence = self.at_beat = 0

    def say(self, kind: Literal["snapshot", "delta"], now: str, entries: bytes) -> None:
        assert self.area is not None
        self.sequence += 1
        head = f'{{"type":"{kind}","seq":{self.sequence},"as_of":"{now}","{self.area.level}":['
        self.outgoing.send(head.encode() + entries + b"]}")
        _SAID[kind].inc()

    def say_bays(self, kind: Literal["snapshot", "delta"], tiles: bytes) -> None:
        self.sequence += 1
        self.outgoing.send(BAYS_HEAD.pack(BAYS_KIND[kind], self.sequence) + tiles, BINARY)
        _SAID[kind].inc()


class Fanout:
    """All watchers of this process, by area."""

    def __init__(self, follower: BoardFollower, clock: Clock) -> None:
        self._follower, self._clock = follower, clock
        self._areas: dict[Area, set[Watcher]] = {}
        self._slow: set[Watcher] = set()
        self._places = follower.board.places
        self.watchers: set[Watcher] = set()

    @property
    def ready(self) -> bool:
        return self._follower.started

    def join(self, outgoing: Outgoing) -> Watcher | None:
        """A new watcher; None when there are as many as can be served."""
        if len(self.watchers) >= WATCHERS_MAX:
            return None
        watcher = Watcher(outgoing)
        self.watchers.add(watcher)
        WATCHERS.set(len(self.watchers))
        return watcher

    def leave(self, watcher: Watcher) -> None:
        self._look_away(watcher)
        self.watchers.discard(watcher)
        WATCHERS.set(len(self.watchers))

    def end(self) -> None:
        """Say goodbye to all: the process is about to stop."""
        for watcher in self.watchers:
            watcher.outgoing.end()

    def look(self, watcher: Watcher, area: Area) -> None:
        """Watch an area from now on: first all of it, then what changes."""
        self._look_away(watcher)
        watcher.area = area
        self._areas.setdefault(area, set()).add(watcher)
        watcher.outgoing.forget()
        if watcher.outgoing.clear():
            self._picture(watcher)
        else:
            watcher.outgoing.overrun = True
            self._slow.add(watcher)

    def _look_away(self, watcher: Watcher) -> None:
        self._slow.discard(watcher)
        watched = self._areas.get(watcher.area) if watcher.area is not None else None
        if watched is not None and watcher.area is not None:
            watched.discard(watcher)
            if not watched:
                del self._areas[watcher.area]

    async def run(self, done: Callable[[], None]) -> None:
        """Tell what changed, ten times a second, for ever."""
        for number in count():
            await self.publish()
            if number % BEAT_ROUNDS == 0:
                await self.beat()
            done()
            await asyncio.sleep(ROUND_SECONDS)

    async def beat(self) -> None:
        """An empty change to whoever heard nothing since the last beat, so that silence means a dead socket."""
        for number, watcher in enumerate(list(self.watchers)):
            if watcher.area is not None and watcher.sequence == watcher.at_beat and watcher not in self._slow and watcher.outgoing.clear():
                watcher.say_bays("delta", b"") if watcher.area.level == "bays" else watcher.say("delta", rfc3339(self._clock.city()), b"")
            watcher.at_beat = watcher.sequence
            if number % WATCHERS_A_TURN == WATCHERS_A_TURN - 1:
                await asyncio.sleep(0)

    async def publish(self) -> None:
        """One round: what changed to those who take it, and what waited to those who have caught up."""
        changed = self._follower.take_changes()
        board = self._follower.board
        for watcher in [one for one in self._slow if one.outgoing.clear()]:
            self._catch_up(watcher)
        await self._tell_bays(board, changed.spots)
        told = 0
        boxes = [area for area in self._areas if area.level != "bays"]
        for number, (area, entries) in enumerate(_changes(board, changed.sites, changed.spots, boxes)):
            told += self._tell(area, entries)
            if number % AREAS_A_TURN == AREAS_A_TURN - 1 or told >= WATCHERS_A_TURN:
                told = 0
                await asyncio.sleep(0)

    def _tell(self, area: Area, entries: dict[str, bytes]) -> int:
        now, body = rfc3339(self._clock.city()), b",".join(entries.values())
        watchers = self._areas.get(area, set())
        for watcher in watchers:
            if watcher not in self._slow and watcher.outgoing.clear():
                watcher.say("delta", now, body)
            else:
                watcher.outgoing.wait(entries)
                self._slow.add(watcher)
        return len(watchers)

    async def _tell_bays(self, board: Board, spots: set[int]) -> None:
        """Who is slow gets whole tiles later: those are smaller than what would wait."""
        areas = [area for area in self._areas if area.level == "bays"]
        moved, self._places = board.places is not self._places, board.places
        changed = {} if moved else dict(bays.changes(board, spots, {tile for area in areas for tile in area.tiles}))
        told = 0
        for area in areas:
            body = b"".join(changed[tile] for tile in area.tiles if tile in changed)
            watchers = self._areas.get(area, set()) if body or moved else set()
            for watcher in watchers:
                if moved or watcher in self._slow or not watcher.outgoing.clear():
                    watcher.outgoing.overrun = True
                    self._slow.add(watcher)
                else:
                    watcher.say_bays("delta", body)
            told += len(watchers)
            if told >= WATCHERS_A_TURN:
                told = 0
                await asyncio.sleep(0)

    def _catch_up(self, watcher: Watcher) -> None:
        self._slow.discard(watcher)
        if watcher.outgoing.overrun:
            watcher.outgoing.forget()
            self._picture(watcher)
        elif entries := watcher.outgoing.take():
            watcher.say("delta", rfc3339(self._clock.city()), b",".join(entries.values()))

    def _picture(self, watcher: Watcher) -> None:
        assert watcher.area is not None
        board, box = self._follower.board, watcher.area.box
        if watcher.area.level == "bays":
            watcher.say_bays("snapshot", bays.states(board, watcher.area.tiles))
            return
        numbers = board.places.sites_in(box) if watcher.area.level == "sites" else board.places.spots_in(box)
        entries = (_entry(board, watcher.area.level, number) for number in numbers.tolist())
        watcher.say("snapshot", rfc3339(self._clock.city()), b",".join(entries))


def _changes(board: Board, sites: Iterable[int], spots: Iterable[int], areas: Sequence[Area]) -> Iterable[tuple[Area, dict[str, bytes]]]:
    """Each area in which something changed, with the entries by id; an entry is encoded once, however many areas show it."""
    places = board.places
    columns = {
        "sites": _Column(sorted(sites), places.site_lon, places.site_lat),
        "spots": _Column(sorted(spots), places.spot_lon, places.spot_lat),
    }
    encoded: dict[tuple[Level, int], bytes] = {}
    for area in areas:
        inside = columns[area.level].inside(area.box).tolist()
        entries: dict[str, bytes] = {}
        for number in inside:
            entry = encoded.get((area.level, number))
            if entry is None:
                entry = encoded[area.level, number] = _entry(board, area.level, number)
            entries[places.sites[number].id if area.level == "sites" else places.spot_ids[number]] = entry
        if entries:
            yield area, entries


class _Column:
    """What changed, with where it is."""

    def __init__(self, numbers: Sequence[int], lon: Floats, lat: Floats) -> None:
        self._numbers: Ints = np.array(numbers, np.int64)
        self._lon, self._lat = lon[self._numbers], lat[self._numbers]

    def inside(self, box: Bounds) -> Ints:
        return self._numbers[(self._lon >= box.w) & (self._lon <= box.e) & (self._lat >= box.s) & (self._lat <= box.n)]


def _entry(board: Board, level: Level, number: int) -> bytes:
    return _encode(views.site_state(board, number) if level == "sites" else views.spot_state(board, number))
