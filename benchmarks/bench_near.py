"""`near` over HTTP against handlers over Redis and PostGIS that answer the same body: requests for each second of CPU, theirs with their
server's."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import asyncpg
import numpy as np

from benchmarks.bench_board import made_places
from benchmarks.near_contender import FACILITIES
from benchmarks.postgis_server import NoPostgis, postgis_server
from benchmarks.rows import Row, cannot, compared
from onelot import embedded

CONNECTIONS, SECONDS, TURNS, POINTS, PROVED = 16, 3.0, 3, 8_000, 40
ROOT: Final = Path(__file__).resolve().parents[1]
TICKS: Final = os.sysconf("SC_CLK_TCK")
REDIS_GOAL, POSTGIS_GOAL = 4.0, 3.0
NAMES = ("citymap.near_vs_redis", "citymap.near_vs_postgis")


@dataclass(frozen=True, slots=True)
class Contender:
    """A process that answers, and whose CPU counts."""

    port: int
    pids: Callable[[], list[int]]

    def cpu(self) -> float:
        return sum(map(cpu_of, self.pids()))


async def measure(postgres_url: str, place: Path) -> list[Row]:
    paths = paths_near(POINTS)
    async with contextlib.AsyncExitStack() as stack:
        servers = await embedded.start(place / "near", postgres_url=postgres_url)
        stack.push_async_callback(embedded.stop, servers)
        assert servers.redis is not None
        valkey = servers.redis.process.pid
        ours = await stack.enter_async_context(contender("ours", "", list))
        theirs = await stack.enter_async_context(contender("redis", servers.redis_url, lambda: [valkey]))
        rows = [await race("citymap.near_vs_redis", ours, theirs, paths, REDIS_GOAL)]
    return [*rows, await _postgis(paths)]


async def _postgis(paths: Sequence[str]) -> Row:
    try:
        async with contextlib.AsyncExitStack() as stack:
            url = await stack.enter_async_context(postgis_server())
            connection = await asyncpg.connect(url)
            try:
                postmaster = int((await connection.fetchval("SELECT pg_read_file('postmaster.pid')")).split()[0])
            finally:
                await connection.close()
            theirs = await stack.enter_async_context(contender("postgis", url, lambda: children_of(postmaster)))
            ours = await stack.enter_async_context(contender("ours", "", list))
            return await race("citymap.near_vs_postgis", ours, theirs, paths, POSTGIS_GOAL)
    except NoPostgis as error:
        return cannot("citymap.near_vs_postgis", "requests/CPU s", str(error), goal=POSTGIS_GOAL)


async def race(name: str, ours: Contender, theirs: Contender, paths: Sequence[str], goal: float) -> Row:
    """In turns, each with its 5,000 changes a second all the time; the best turn of each counts."""
    agreed = await prove(ours, theirs, paths[:PROVED])
    async with aiohttp.ClientSession() as http:
        for one in (ours, theirs):
            async with http.post(f"http://127.0.0.1:{one.port}/begin") as answer:
                assert answer.status == 200
    turns = [(await asked(ours, paths), await asked(theirs, paths)) for _ in range(TURNS)]
    (mine, latency), (other, their_latency) = (max(turn[place] for turn in turns) for place in (0, 1))
    note = f"p50 {latency:.1f} ms against {their_latency:.1f} ms, {CONNECTIONS} connections; {agreed:.0%} of places agree"
    return compared(name, mine, other, "requests/CPU s", note, goal=goal)


async def prove(ours: Contender, theirs: Contender, paths: Sequence[str]) -> float:
    """The same question has the same answer, but for distances that Redis rounds: the share of sites that stand at the same place.
    What is said of a site is the same to the letter."""
    same = total = 0
    async with aiohttp.ClientSession() as http:
        for path in paths:
            mine, other = [await _items(http, one, path) for one in (ours, theirs)]
            total += len(mine)
            same += sum(a["site"]["id"] == b["site"]["id"] for a, b in zip(mine, other, strict=True))
            told = {one["site"]["id"]: one for one in other}
            assert all(_alike(one, told.get(one["site"]["id"], one)) for one in mine), "another body"
    assert same > 0.95 * total, f"only {same} of {total} places agree"
    return same / total


def _alike(mine: dict[str, Any], other: dict[str, Any]) -> bool:
    measured = ("distance_m", "walk_s")
    close = all(abs(mine[name] - other[name]) <= 2 + mine[name] / 200 for name in measured)
    return close and all(mine[name] == other[name] for name in mine.keys() | other.keys() if name not in measured)


async def _items(http: aiohttp.ClientSession, one: Contender, path: str) -> list[dict[str, Any]]:
    async with http.get(f"http://127.0.0.1:{one.port}{path}") as answer:
        items: list[dict[str, Any]] = (await answer.json())["items"]
        return items


async def asked(one: Contender, paths: Sequence[str]) -> tuple[float, float]:
    """Requests for each second of its CPU, and the median latency in milliseconds."""
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    before = one.cpu()
    await asyncio.gather(*(_ask(one.port, paths[number::CONNECTIONS], end, times) for number in range(CONNECTIONS)))
    return len(times) / (one.cpu() - before), 1000 * float(np.median(times))


async def _ask(port: int, paths: Sequence[str], end: float, times: list[float]) -> None:
    """A client as lean as can be, since it shares the machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    requests = [f"GET {path} HTTP/1.1\r\nHost: near\r\n\r\n".encode() for path in paths]
    number = 0
    while (began := time.perf_counter()) < end:
        writer.write(requests[number % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
        times.append(time.perf_counter() - began)
        number += 1
    writer.close()


def paths_near(count: int) -> list[str]:
    """Somewhere within a walk of doors of the made-up city, each time elsewhere: where somebody asks, something is near."""
    places, random = made_places(FACILITIES), np.random.default_rng(3)
    sites = [places.sites[number] for number in random.integers(0, len(places.sites), count).tolist()]
    aside = random.normal(0, 0.003, (count, 2)).tolist()
    return [
        f"/api/v1/near?lon={site.lon + east:.6f}&lat={site.lat + north:.6f}&radius=1000&limit=20&stay_s=3600"
        for site, (east, north) in zip(sites, aside, strict=True)
    ]


@contextlib.asynccontextmanager
async def contender(kind: str, url: str, more: Callable[[], list[int]]) -> AsyncIterator[Contender]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.near_contender", kind, url, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            port = json.loads(await process.stdout.readline())
        yield Contender(port, lambda: [process.pid, *more()])
    finally:
        process.kill()
        await process.wait()


def cpu_of(pid: int) -> float:
    """Seconds of a process, in its own code and in the kernel for it."""
    with contextlib.suppress(FileNotFoundError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    return 0.0


def children_of(pid: int) -> list[int]:
    return [pid, *(int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split())]
