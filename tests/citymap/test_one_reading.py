"""One reading's way through the map: journal, board, socket."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from citymap.fanout import Fanout
from citymap.follow import BoardFollower
from citymap.import_sites import import_sites
from citymap.live import live
from foundation import events, ids
from foundation.clock import Clock
from foundation.postgres import Database
from tests.citymap.city import CITY, T0, a_site, a_spot, file, seen

Run = Callable[[Callable[[], None]], Coroutine[Any, Any, None]]


@contextlib.asynccontextmanager
async def running(*runs: Run) -> Any:
    tasks = [asyncio.create_task(run(lambda: None)) for run in runs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_is_committed_is_told_to_who_watches_there(db: Database) -> None:
    await import_sites(db, file(a_site(), a_spot()), bounds=CITY, now=T0)
    follower = BoardFollower(db, Clock())
    await follower.start()
    out, app = Fanout(follower, Clock()), web.Application()
    app.router.add_get("/api/v1/live", live(out))
    async with running(follower.run, out.run), TestClient(TestServer(app)) as client, client.ws_connect("/api/v1/live") as socket:
        await socket.send_json({"subscribe": {"bbox": [113.66, 34.75, 113.67, 34.76], "level": "spots"}})
        first = json.loads((await socket.receive(5)).data)

        now = Clock().city()
        await append(db, events.told(seen("occupied", now), now))
        told = json.loads((await socket.receive(5)).data)

    assert [one["state"] for one in first["spots"]] == ["unknown"]
    assert (told["type"], told["seq"]) == ("delta", 2)
    assert [(one["id"], one["state"]) for one in told["spots"]] == [("lot-7-001", "occupied")]


async def append(db: Database, told: events.Told) -> None:
    row = ([told.at.date()], [ids.new_id().bytes], [told.at], [told.kind], [told.key], [told.body])
    async with db.pool.acquire() as connection:
        await connection.fetch("SELECT * FROM journal.append_readings($1, $2, $3, $4, $5, $6)", *row)
    db.bell.ring("reading")
