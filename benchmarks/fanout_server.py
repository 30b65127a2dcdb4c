"""The live sockets of one web part, as a process of its own: the real door and fan-out, and one change a second in each area.

Standard output: its port. Input: a line begins the changes.
"""

import asyncio
import contextlib
import sys
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final, cast

import msgspec
import numpy as np
import uvloop

from benchmarks.bench_board import made_board
from citymap.board import Board
from citymap.fanout import Fanout
from citymap.follow import BoardFollower
from citymap.live import live
from foundation.clock import Clock
from foundation.events import SpotSeen
from foundation.postgres import Database
from foundation.tasks import settle_memory
from onelot import http

AREAS: Final = 100
HALF_DEGREES: Final = 0.012  # A map on a phone: about two kilometres.
TURNS_A_SECOND: Final = 10


def areas(board: Board) -> list[tuple[float, float, float, float]]:
    """Around as many sites, the same for server and client."""
    sites = np.random.default_rng(5).choice(len(board.places.sites), AREAS, replace=False).tolist()
    where = [(board.places.sites[site].lon, board.places.sites[site].lat) for site in sites]
    return [(lon - HALF_DEGREES, lat - HALF_DEGREES, lon + HALF_DEGREES, lat + HALF_DEGREES) for lon, lat in where]


def single_sites(board: Board) -> list[int]:
    """A site of each area in no other one, where there is one: so that each area hears once a second."""
    boxes = areas(board)
    seen = [
        [number for number, box in enumerate(boxes) if box[0] <= site.lon <= box[2] and box[1] <= site.lat <= box[3]]
        for site in board.places.sites
    ]
    chosen: dict[int, int] = {}
    for site, inside in sorted(enumerate(seen), key=lambda one: len(one[1])):
        if inside and not any(area in chosen for area in inside):
            chosen |= dict.fromkeys(inside, site)
    return sorted(set(chosen.values()))


async def main() -> None:
    board = made_board()
    follower = BoardFollower(cast(Database, None), Clock())
    follower.board, follower.started = board, True
    fanout = Fanout(follower, Clock())
    app = http.application()
    app.router.add_get("/api/v1/live", live(fanout))
    async with http.serve(app, "127.0.0.1", 0) as port:
        print(port, flush=True)
        telling = asyncio.ensure_future(fanout.run(lambda: None))
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        settle_memory()
        with contextlib.suppress(asyncio.CancelledError):
            await _change(board, follower)
        telling.cancel()


async def _change(board: Board, follower: BoardFollower) -> None:
    """A tenth of the areas each tenth of a second; a change carries the time at which it happens."""
    sites, loop = single_sites(board), asyncio.get_running_loop()
    began = loop.time()
    for turn in count():
        events = [_seen(board, site, turn) for site in sites[turn % TURNS_A_SECOND :: TURNS_A_SECOND]]
        follower._pending.add(board.apply(events))
        await asyncio.sleep(max(0.0, began + (turn + 1) / TURNS_A_SECOND - loop.time()))


def _seen(board: Board, site: int, turn: int) -> SpotSeen:
    spot = board.places.spots_of(site).start
    now, name = datetime.now(UTC), board.places.sites[site].id
    state: Any = "free" if turn // TURNS_A_SECOND % 2 else "occupied"
    return SpotSeen(
        device=f"cam-{name}", site=name, spot=board.places.spot_ids[spot], state=state, seq=turn, at=now, raw_at=now, received_at=now,
        id=msgspec.json.encode(turn).rjust(16, b"0"),
    )  # fmt: skip


if __name__ == "__main__":
    uvloop.run(main())
