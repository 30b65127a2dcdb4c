"""Ten thousand live sockets on one core, each hearing a change a second: how long from the change to the client, and what it costs."""

import asyncio
import base64
import os
import re
import struct
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from benchmarks.bench_board import made_board
from benchmarks.bench_near import ROOT, cpu_of
from benchmarks.fanout_server import areas
from benchmarks.rows import Row, measured

SOCKETS, SECONDS, WARM_SECONDS, AT_ONCE = 10_000, 10.0, 2.0, 100
GOAL_MS: Final = 1000.0
NAMES = ("citymap.fanout10000_p99_ms",)
_AS_OF: Final = re.compile(rb'"as_of":"([^"]+)","freshness')


class Watcher(asyncio.Protocol):
    """A browser as lean as can be: it upgrades, subscribes, answers pings, and notes when each delta came."""

    def __init__(self, box: tuple[float, float, float, float], heard: list[tuple[float, bytes]]) -> None:
        self._box, self._heard = box, heard
        self._held = b""
        self._open = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /api/v1/live HTTP/1.1\r\nHost: live\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._held += data
        if not self._open:
            head, found, self._held = self._held.partition(b"\r\n\r\n")
            if not found:
                self._held = head
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self._open = True
            self._send(0x81, msgspec.json.encode({"subscribe": {"bbox": self._box, "level": "sites"}}))
        while (frame := self._frame()) is not None:
            self._take(*frame)

    def _frame(self) -> tuple[int, bytes] | None:
        held = self._held
        if len(held) < 2:
            return None
        size, begin = held[1], 2
        if size == 126:
            size, begin = int.from_bytes(held[2:4]), 4
        elif size == 127:
            size, begin = int.from_bytes(held[2:10]), 10
        if len(held) < begin + size:
            return None
        self._held = held[begin + size :]
        return held[0] & 0x0F, held[begin : begin + size]

    def _take(self, kind: int, body: bytes) -> None:
        if kind == 9:
            self._send(0x8A, body)
        elif body.startswith(b'{"type":"delta"'):
            self._heard.append((time.time(), body))
        elif not self.ready.done():
            self.ready.set_result(None)

    def _send(self, kind: int, body: bytes) -> None:
        """Masked, as a client must; by zeros, as a client may."""
        head = bytes((kind, 0x80 | len(body))) if len(body) < 126 else struct.pack("!BBH", kind, 0xFE, len(body))
        self._transport.write(head + bytes(4) + body)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("the socket was closed"))

    def close(self) -> None:
        self._transport.abort()


async def measure(_: str, __: Path) -> list[Row]:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.fanout_server", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    heard: list[tuple[float, bytes]] = []
    watchers: list[Watcher] = []
    try:
        assert server.stdout is not None and server.stdin is not None
        async with asyncio.timeout(60):
            port = int(await server.stdout.readline())
        await _connect(port, heard, watchers)
        server.stdin.write(b"begin\n")
        await asyncio.sleep(WARM_SECONDS)
        heard.clear()
        before, began = cpu_of(server.pid), time.perf_counter()
        await asyncio.sleep(SECONDS)
        share = (cpu_of(server.pid) - before) / (time.perf_counter() - began)
        return [_row(list(heard), share)]
    finally:
        for watcher in watchers:
            watcher.close()
        server.kill()
        await server.wait()


async def _connect(port: int, heard: list[tuple[float, bytes]], watchers: list[Watcher]) -> None:
    boxes, loop = areas(made_board()), asyncio.get_running_loop()
    for first in range(0, SOCKETS, AT_ONCE):
        made = [Watcher(boxes[number % len(boxes)], heard) for number in range(first, first + AT_ONCE)]
        watchers += made
        await asyncio.gather(*(loop.create_connection(lambda one=one: one, "127.0.0.1", port) for one in made))  # type: ignore[misc]  # mypy cannot infer a default
        async with asyncio.timeout(30):
            await asyncio.gather(*(one.ready for one in made))


def _row(heard: list[tuple[float, bytes]], share: float) -> Row:
    """From the instant that the changed site carries to its arrival; a delta's newest entry is the change."""
    told = [(at, max(said)) for at, body in heard if (said := _AS_OF.findall(body))]  # A beat to whoever hears nothing says nothing.
    delays = np.array([1000 * (at - datetime.fromisoformat(said.decode()).timestamp()) for at, said in told])
    p50, p99 = np.percentile(delays, (50, 99))
    each = len(told) / SOCKETS / SECONDS
    note = f"p50 {p50:.0f} ms; each socket heard {each:.2f} deltas a second; the server used {share:.2f} of a core, the client is beside it"
    return measured(NAMES[0], round(float(p99), 1), "ms", note, goal=GOAL_MS)
