"""The page's server for a browser that is measured: the reference city's size on the real board, door, socket, page and basemap.

Standard output: its port. From a line of input on, 50 bays of the whole city change each tenth of a second.
"""

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any, Final, cast

import msgspec
import numpy as np
import uvloop

from benchmarks.bench_board import SPOTS, made_board
from benchmarks.near_contender import PriceList
from citymap import http as citymap_http
from citymap.board import Board
from citymap.fanout import Fanout
from citymap.follow import BoardFollower
from citymap.live import live
from citymap.model import micros
from citymap.views import NoLabels
from foundation.clock import Clock
from foundation.events import SpotSeen
from foundation.postgres import Database
from foundation.tasks import Supervisor, settle_memory
from onelot import basemap, http, own_pages, page
from services.identity.who_is import Known

CHANGES: Final = 50
TURN_SECONDS: Final = 0.1


async def main() -> None:
    board, clock = made_board(now=datetime.now(UTC), dense=True), Clock()
    follower = BoardFollower(cast(Database, None), clock)
    follower.board, follower.started = board, True
    fanout, app = Fanout(follower, clock), http.application()
    routes = [
        *citymap_http.routes(follower, clock, PriceList(board), NoLabels()),
        *own_pages.routes(clock, cast(Supervisor, None), lambda: 0),
    ]
    http.mount(app, routes, Known(cast(Database, None), clock), secure=False)
    app.router.add_get("/api/v1/live", live(fanout))
    page.mount(app)
    basemap.mount(app)
    async with http.serve(app, "127.0.0.1", 0) as port:
        settle_memory()
        print(port, flush=True)
        telling = asyncio.ensure_future(fanout.run(lambda: None))
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        await _change(board, follower)
        telling.cancel()


async def _change(board: Board, follower: BoardFollower) -> None:
    """For ever; every device speaks now and then, as they all do."""
    random, loop, turn = np.random.default_rng(11), asyncio.get_running_loop(), 0
    began = loop.time()
    while True:
        spots, now = random.integers(0, SPOTS, CHANGES).tolist(), datetime.now(UTC)
        follower._pending.add(board.apply([_seen(board, spot, turn, now) for spot in spots]))
        follower._pending.add(board.tick(micros(now)) if turn % 10 == 0 else type(follower._pending)())
        turn += 1
        await asyncio.sleep(max(0.0, began + turn * TURN_SECONDS - loop.time()))


def _seen(board: Board, spot: int, turn: int, now: datetime) -> SpotSeen:
    site = board.places.sites[int(board.places.spot_site[spot])].id
    state: Any = "occupied" if board.spot_state[spot] == 0 else "free"
    told = msgspec.json.encode((turn, spot)).rjust(16, b"0")[-16:]
    return SpotSeen(
        device=f"cam-{site}",
        site=site,
        spot=board.places.spot_ids[spot],
        state=state,
        seq=turn,
        at=now,
        raw_at=now,
        received_at=now,
        id=told,
    )


if __name__ == "__main__":
    uvloop.run(main())
