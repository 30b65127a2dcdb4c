"""One contender of the race for `near`, as a process of its own: ours, or a handler over Redis or PostGIS that answers the same body.

Each has its fixed facts and its price list in memory, asks its index and its live numbers as it must, ranks by the same cost, and
takes 5,000 changes a second from `POST /begin` on: a free place more or less, and since when. Its first line of output is its port.
"""

import asyncio
import collections
import contextlib
import functools
import heapq
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
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
from citymap.model import BY_SPOTS
from citymap.near_bytes import NearItem, NearSite
from foundation import clock
from foundation.clock import Clock, rfc3339
from foundation.events import SpotSeen
from foundation.http import Page
from foundation.money import Money
from foundation.postgres import Database
from foundation.tasks import settle_memory
from onelot import http
from services.identity.who_is import Known

BATCHES_A_SECOND: Final = 20
FACILITIES: Final = 5_016  # 1,200 lots and 3,816 stretches of road: what a search of a large city has to choose from.
RADIUS_M, LIMIT, STAY_S = 1000.0, 20, 3600
FREE, AS_OF = "free", "as_of"  # Redis: site -> free places, and since when, as it is told.
PLACES: Final = "places"

Hit = tuple[int, float, int, str]  # A site with metres, free places, and since when.
Near = Callable[[float, float], Awaitable[list[Hit]]]  # In any order.
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

    def sites(self, number: int) -> dict[str, int]:
        """By how much the free places of sites change in a batch; the next second takes it back."""
        batch, sign = self.batches[number % len(self.batches)], 1 if number // len(self.batches) % 2 == 0 else -1
        places, state = self.board.places, self.board.spot_state
        changed: collections.Counter[str] = collections.Counter()
        for spot in batch:
            changed[places.sites[int(places.spot_site[spot])].id] += sign * (1 if state[spot] else -1)
        return changed


class PriceList:
    """Nine tariffs, by class of area and kind of place, remembered by minute as the real price list is."""

    edition = 0

    def __init__(self, board: Board) -> None:
        self._tariff = {site.id: number % 9 for number, site in enumerate(board.places.sites)}
        self._memo = functools.lru_cache(65_536)(self._price)

    def price(self, site: str, arrive: datetime, stay_s: int) -> int | None:
        return self._memo(self._tariff[site], arrive.replace(second=0, microsecond=0), stay_s)

    @staticmethod
    def _price(tariff: int, arrive: datetime, stay_s: int) -> int:
        hours = -(-stay_s // 3600)
        return 0 if tariff == 8 else 100 * (1 + tariff // 2) * hours + (200 if 7 <= clock.local(arrive).hour < 21 else 0)


# Ours


def ours(board: Board) -> tuple[web.Application, Change]:
    """The real door, route and board; changes are decoded and applied as the follower does."""
    follower = BoardFollower(cast(Database, None), Clock())
    follower.board, follower.started = board, True
    app = http.application()
    routes = citymap_http.routes(follower, Clock(), PriceList(board), cast(Any, None))
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
    sites, prices = [_site(board, number) for number in range(len(board.places.sites))], PriceList(board)

    async def answer(request: web.Request) -> web.Response:
        found = await ask(float(request.query["lon"]), float(request.query["lat"]))
        body = msgspec.json.encode(Page(_ranked(board, sites, prices, found)))
        return web.Response(body=body, content_type="application/json")

    app.router.add_get("/api/v1/near", answer)
    return app


def _site(board: Board, number: int) -> NearSite:
    held = board.places.sites[number]
    where = views.location(held.lon, held.lat, None)
    assert board.places.counted_by[number] == BY_SPOTS
    return NearSite(
        id=held.id, name=held.name, type=held.type, location=where, entrance=where, capacity=int(board.capacity[number]), free=0, unknown=0,
        as_of=None, freshness="live", max_height_cm=held.max_height_cm,
    )  # fmt: skip


def _ranked(board: Board, sites: Sequence[NearSite], prices: PriceList, found: list[Hit]) -> list[NearItem]:
    arrive, costs = clock.local(datetime.now(UTC)), []
    for number, metres, free, as_of in found:
        if free > 0 and opening_hours.is_open(board.places.sites[number].opening_hours, arrive) is not False:
            walk, fen = metres * (near.DETOUR / near.WALK_M_PER_S), prices.price(sites[number].id, arrive, STAY_S) or 0
            costs.append((walk / 60.0 + 0.5 * fen / near.FEN_PER_YUAN + 12.0 / (free + 2.0), number, metres, walk, fen, free, as_of))
    best = heapq.nsmallest(LIMIT, costs)
    return [_item(sites[number], metres, walk, fen, free, as_of) for _, number, metres, walk, fen, free, as_of in best]


def _item(site: NearSite, metres: float, walk: float, fen: int, free: int, as_of: str) -> NearItem:
    why = ("free_places", *(("few_left",) if free <= 3 else ()), *(("free_of_charge",) if fen == 0 else ()))
    site = msgspec.structs.replace(site, free=free, as_of=as_of)
    return NearItem(site=site, distance_m=round(metres), walk_s=round(walk), price=Money(fen), p_free=None, why=why)


def _since(board: Board) -> list[str]:
    return [views.as_of(at) or "" for at in board.as_of.tolist()]


async def over_redis(board: Board, url: str) -> tuple[web.Application, Change]:
    client = redis.asyncio.from_url(url)
    numbers, names = board.places.site_number, [site.id for site in board.places.sites]
    await client.geoadd(PLACES, [one for site in board.places.sites for one in (site.lon, site.lat, site.id)])
    await client.hset(FREE, mapping=dict(zip(names, board.shown[:, 0].tolist(), strict=True)))
    await client.hset(AS_OF, mapping=dict(zip(names, _since(board), strict=True)))
    changes = Changes.made(board)

    async def ask(lon: float, lat: float) -> list[Hit]:
        found: Any = await client.geosearch(PLACES, longitude=lon, latitude=lat, radius=RADIUS_M, unit="m", withdist=True)
        if not found:
            return []
        near_ones = [name for name, _ in found]
        async with client.pipeline(transaction=False) as pipe:
            pipe.hmget(FREE, near_ones)
            pipe.hmget(AS_OF, near_ones)
            frees, since = await pipe.execute()
        return [
            (numbers[name.decode()], metres, int(free), as_of.decode())
            for (name, metres), free, as_of in zip(found, frees, since, strict=True)
        ]

    async def change(number: int) -> None:
        told, now = changes.sites(number), rfc3339(datetime.now(UTC))
        async with client.pipeline(transaction=False) as pipe:
            for site, by in told.items():
                pipe.hincrby(FREE, site, by)
            pipe.hset(AS_OF, mapping=dict.fromkeys(told, now))
            await pipe.execute()

    return peer(board, ask), change


CREATE: Final = """
CREATE EXTENSION IF NOT EXISTS postgis;
CREATE TABLE place (
    number int PRIMARY KEY, id text UNIQUE, free int NOT NULL, as_of text NOT NULL, at geography(Point) NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX place_at ON place USING gist (at);
"""
ASK: Final = """
SELECT number, ST_Distance(at, p, false) AS metres, free, as_of
  FROM place, (SELECT ST_SetSRID(ST_MakePoint($1, $2), 4326)::geography AS p) AS asked
 WHERE ST_DWithin(at, p, 1000, false) AND free > 0
"""
CHANGE: Final = """
UPDATE place SET free = free + c.by, as_of = $3 FROM unnest($1::text[], $2::int[]) AS c(id, by) WHERE place.id = c.id
"""


async def over_postgis(board: Board, url: str) -> tuple[web.Application, Change]:
    pool = await asyncpg.create_pool(url, min_size=4, max_size=4)
    await pool.execute(CREATE)
    told = zip(board.places.sites, board.shown[:, 0].tolist(), _since(board), strict=True)
    rows = [(number, site.id, free, as_of, site.lon, site.lat) for number, (site, free, as_of) in enumerate(told)]
    await pool.executemany("INSERT INTO place VALUES ($1, $2, $3, $4, ST_SetSRID(ST_MakePoint($5, $6), 4326)::geography)", rows)
    await pool.execute("ANALYZE place")
    changes = Changes.made(board)

    async def ask(lon: float, lat: float) -> list[Hit]:
        return [(row[0], row[1], row[2], row[3]) for row in await pool.fetch(ASK, lon, lat)]

    async def change(number: int) -> None:
        told = changes.sites(number)
        await pool.execute(CHANGE, list(told), list(told.values()), rfc3339(datetime.now(UTC)))

    return peer(board, ask), change


async def main(kind: str, url: str) -> None:
    board = made_board(FACILITIES)
    app, change = ours(board) if kind == "ours" else await (over_redis if kind == "redis" else over_postgis)(board, url)
    begun = asyncio.Event()

    async def begin(_: web.Request) -> web.Response:
        begun.set()
        return web.Response()

    app.router.add_post("/begin", begin)
    async with (http.serve if kind == "ours" else _bare)(app, "127.0.0.1", 0) as port:
        settle_memory()
        print(port, flush=True)
        await begun.wait()
        await _change_for_ever(change)


@contextlib.asynccontextmanager
async def _bare(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """aiohttp as it is."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _change_for_ever(change: Change) -> None:
    loop = asyncio.get_running_loop()
    began, number = loop.time(), 0
    while True:
        await change(number)
        number += 1
        await asyncio.sleep(max(0.0, began + number / BATCHES_A_SECOND - loop.time()))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""))
