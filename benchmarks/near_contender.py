"""One contender of the race for `near`, as a process of its own: ours, or a handler over Redis or PostGIS that answers the same body.

Each has its fixed facts in memory, asks its index and its live numbers as it must, ranks by the same cost, and takes 5,000 changes a
second from `POST /begin` on. Its first line of output is its port.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

import asyncpg
import msgspec
import numpy as np
import redis.asyncio
import uvloop
from aiohttp import web

from benchmarks.bench_board import CHANGES, SPOTS, made_board
from citymap import http as citymap_http
from citymap import near, opening_hours, views
from citymap.board import Board
from citymap.follow import BoardFollower
from citymap.http import NearItem, NearSite
from citymap.model import BY_SPOTS
from citymap.near import NoPricing
from foundation import clock
from foundation.clock import Clock
from foundation.events import SpotSeen
from foundation.http import Page
from foundation.postgres import Database
from onelot import http
from services.identity.who_is import Known

BATCHES_A_SECOND: Final = 20
FACILITIES: Final = 5_016  # 1,200 lots and 3,816 stretches of road: what a search of a large city has to choose from.
RADIUS_M, LIMIT, STAY_S = 1000.0, 20, 3600
COUNTS: Final = "counts"  # Redis: site -> free places.
PLACES: Final = "places"

Near = Callable[[float, float], Awaitable[list[tuple[int, float, int]]]]  # Sites with metres and free places, in any order.
Change = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Changes:
    """The same changes for everybody: spots that are taken and left, turn about."""

    board: Board
    batches: list[list[int]]

    @classmethod
    def made(cls, board: Board) -> "Changes":
        random = np.random.default_rng(100)
        return cls(board, [random.integers(0, SPOTS, CHANGES // BATCHES_A_SECOND).tolist() for _ in range(BATCHES_A_SECOND)])

    def bodies(self) -> list[list[bytes]]:
        return [[self._body(spot) for spot in batch] for batch in self.batches]

    def _body(self, spot: int) -> bytes:
        site = self.board.places.sites[int(self.board.places.spot_site[spot])].id
        at = datetime.now(UTC)
        name, state = self.board.places.spot_ids[spot], "free" if self.board.spot_state[spot] else "occupied"
        told = SpotSeen(
            device=f"cam-{site}", site=site, spot=name, state=cast(Any, state), seq=1, at=at, raw_at=at, received_at=at, id=bytes(16)
        )
        return msgspec.json.encode(told)

    def sites(self, number: int) -> list[tuple[str, int]]:
        """Sites and by how much their free places change in a batch; the next second takes it back."""
        batch, sign = self.batches[number % len(self.batches)], 1 if number // len(self.batches) % 2 == 0 else -1
        places, state = self.board.places, self.board.spot_state
        return [(places.sites[int(places.spot_site[spot])].id, sign * (1 if state[spot] else -1)) for spot in batch]


# Ours


def ours(board: Board) -> tuple[web.Application, Change]:
    """The real door, route and board; changes are decoded and applied as the follower does."""
    follower = BoardFollower(cast(Database, None), Clock())
    follower.board, follower.started = board, True
    app = http.application()
    routes = citymap_http.routes(follower, Clock(), NoPricing(), cast(Any, None))
    http.mount(app, [one for one in routes if one.path == "/api/v1/near"], Known(cast(Database, None), Clock()), secure=False)
    bodies, decoder = Changes.made(board).bodies(), msgspec.json.Decoder(SpotSeen)

    async def change(number: int) -> None:
        at, back = datetime.now(UTC), number // len(bodies) % 2
        events = [decoder.decode(body) for body in bodies[number % len(bodies)]]
        board.apply([msgspec.structs.replace(one, at=at, state=_other(one.state) if back else one.state) for one in events])

    return app, change


def _other(state: str) -> Any:
    return "free" if state == "occupied" else "occupied"


# The others


def peer(board: Board, ask: Near) -> web.Application:
    """A plain aiohttp handler, nothing checked: what somebody writes in an afternoon, with its fixed facts in memory."""
    app = web.Application()
    sites = [_site(board, number) for number in range(len(board.places.sites))]

    async def answer(request: web.Request) -> web.Response:
        found = await ask(float(request.query["lon"]), float(request.query["lat"]))
        body = msgspec.json.encode(Page(_ranked(board, sites, found)))
        return web.Response(body=body, content_type="application/json")

    app.router.add_get("/api/v1/near", answer)
    return app


def _site(board: Board, number: int) -> NearSite:
    held = board.places.sites[number]
    where = views.location(held.lon, held.lat, None)
    assert board.places.counted_by[number] == BY_SPOTS
    return NearSite(
        id=held.id, name=held.name, type=held.type, location=where, entrance=where, capacity=int(board.capacity[number]), free=0, unknown=0,
        as_of=views.as_of(int(board.as_of[number])), freshness="live", max_height_cm=held.max_height_cm,
    )  # fmt: skip


def _ranked(board: Board, sites: Sequence[NearSite], found: list[tuple[int, float, int]]) -> list[NearItem]:
    arrive = clock.local(datetime.now(UTC))
    fits = [
        (n, m, free) for n, m, free in found if free > 0 and opening_hours.is_open(board.places.sites[n].opening_hours, arrive) is not False
    ]
    walks = [metres * (near.DETOUR / near.WALK_M_PER_S) for _, metres, _ in fits]
    costs = [walk / 60.0 + 0.5 * near.UNPRICED_YUAN + 12.0 / (free + 2.0) for walk, (_, _, free) in zip(walks, fits, strict=True)]
    best = sorted(range(len(fits)), key=lambda place: (costs[place], fits[place][0]))[:LIMIT]
    return [_item(sites[fits[place][0]], fits[place][1], walks[place], fits[place][2]) for place in best]


def _item(site: NearSite, metres: float, walk: float, free: int) -> NearItem:
    why = ("free_places", "few_left", "price_unknown") if free <= 3 else ("free_places", "price_unknown")
    site = msgspec.structs.replace(site, free=free)
    return NearItem(site=site, distance_m=round(metres), walk_s=round(walk), price=None, p_free=None, why=why)


async def over_redis(board: Board, url: str) -> tuple[web.Application, Change]:
    client = redis.asyncio.from_url(url)
    numbers = board.places.site_number
    await client.geoadd(PLACES, [one for site in board.places.sites for one in (site.lon, site.lat, site.id)])
    await client.hset(COUNTS, mapping={site.id: int(board.shown[number, 0]) for number, site in enumerate(board.places.sites)})
    changes = Changes.made(board)

    async def ask(lon: float, lat: float) -> list[tuple[int, float, int]]:
        found: Any = await client.geosearch(PLACES, longitude=lon, latitude=lat, radius=RADIUS_M, unit="m", withdist=True)
        if not found:
            return []
        counts: Any = await client.hmget(COUNTS, [name for name, _ in found])
        return [(numbers[name.decode()], metres, int(count)) for (name, metres), count in zip(found, counts, strict=True)]

    async def change(number: int) -> None:
        async with client.pipeline(transaction=False) as pipe:
            for site, by in changes.sites(number):
                pipe.hincrby(COUNTS, site, by)
            await pipe.execute()

    return peer(board, ask), change


CREATE: Final = """
CREATE EXTENSION IF NOT EXISTS postgis;
CREATE TABLE place (number int PRIMARY KEY, id text UNIQUE, free int NOT NULL, at geography(Point) NOT NULL) WITH (fillfactor = 50);
CREATE INDEX place_at ON place USING gist (at);
"""
ASK: Final = """
SELECT number, ST_Distance(at, p, false) AS metres, free
  FROM place, (SELECT ST_SetSRID(ST_MakePoint($1, $2), 4326)::geography AS p) AS asked
 WHERE ST_DWithin(at, p, 1000, false) AND free > 0
"""
CHANGE: Final = """
UPDATE place SET free = free + c.by FROM (SELECT id, sum(by)::int AS by FROM unnest($1::text[], $2::int[]) AS c(id, by) GROUP BY id) c
 WHERE place.id = c.id
"""


async def over_postgis(board: Board, url: str) -> tuple[web.Application, Change]:
    pool = await asyncpg.create_pool(url, min_size=4, max_size=4)
    await pool.execute(CREATE)
    rows = [(number, site.id, int(board.shown[number, 0]), site.lon, site.lat) for number, site in enumerate(board.places.sites)]
    await pool.executemany("INSERT INTO place VALUES ($1, $2, $3, ST_SetSRID(ST_MakePoint($4, $5), 4326)::geography)", rows)
    await pool.execute("ANALYZE place")
    changes = Changes.made(board)

    async def ask(lon: float, lat: float) -> list[tuple[int, float, int]]:
        return [(row[0], row[1], row[2]) for row in await pool.fetch(ASK, lon, lat)]

    async def change(number: int) -> None:
        told = changes.sites(number)
        await pool.execute(CHANGE, [site for site, _ in told], [by for _, by in told])

    return peer(board, ask), change


async def main(kind: str, url: str) -> None:
    board = made_board(FACILITIES)
    app, change = ours(board) if kind == "ours" else await (over_redis if kind == "redis" else over_postgis)(board, url)
    begun = asyncio.Event()

    async def begin(_: web.Request) -> web.Response:
        begun.set()
        return web.Response()

    app.router.add_post("/begin", begin)
    async with http.serve(app, "127.0.0.1", 0) as port:
        print(port, flush=True)
        await begun.wait()
        await _change_for_ever(change)


async def _change_for_ever(change: Change) -> None:
    loop = asyncio.get_running_loop()
    began, number = loop.time(), 0
    while True:
        await change(number)
        number += 1
        await asyncio.sleep(max(0.0, began + number / BATCHES_A_SECOND - loop.time()))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""))
