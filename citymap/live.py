"""The live socket: say where you look, hear all of it, then whole states of what changes there."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, Literal

import msgspec
from aiohttp import WSMsgType, web

from citymap import bays
from citymap.areas import bounds_of, square_kilometres
from citymap.fanout import Area, Fanout, Watcher
from citymap.model import Bounds
from foundation.errors import Away, Problem, invalid
from foundation.http import decode_body
from foundation.websocket import Outgoing

SPOTS_AREA_KM2_MAX: Final = 4.0
TILES_MAX: Final = 16
NOWHERE: Final = Bounds(0.0, 0.0, 0.0, 0.0)  # Tiles say where.
MESSAGE_BYTES_MAX: Final = 4096
HEARTBEAT_SECONDS: Final = 20.0  # A client that does not answer one within half of it is gone.
MOVE_SECONDS: Final = 0.05  # A map that is dragged asks again and again; more often than this the answers would not be seen.


TileNumber = Annotated[int, msgspec.Meta(ge=0, lt=bays.TILES)]


class Subscribe(msgspec.Struct, frozen=True):
    """A box, or tiles of bays: `tiles` are x and y at zoom 14."""

    bbox: tuple[float, float, float, float] | None = None
    level: Literal["sites", "spots", "bays"] = "sites"
    tiles: tuple[tuple[TileNumber, TileNumber], ...] = ()


class Asked(msgspec.Struct, frozen=True):
    subscribe: Subscribe


def live(fanout: Fanout) -> Callable[[web.Request], Awaitable[web.WebSocketResponse]]:
    """The handler of GET /api/v1/live. It ends when the client does, or when the application closes its sockets."""

    async def watch_area(request: web.Request) -> web.WebSocketResponse:
        if not fanout.ready:
            raise Away("the map is still loading", retry_after_s=1)
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_SECONDS, compress=False, max_msg_size=MESSAGE_BYTES_MAX)
        await socket.prepare(request)
        transport = request.transport
        watcher = fanout.join(Outgoing(transport)) if transport is not None else None
        if watcher is None:
            await socket.close(code=1013, message=b"too many watchers")
            return socket
        try:
            await _listen(socket, fanout, watcher)
        finally:
            fanout.leave(watcher)
        return socket

    return watch_area


async def _listen(socket: web.WebSocketResponse, fanout: Fanout, watcher: Watcher) -> None:
    async for message in socket:
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            continue
        try:
            raw = message.data.encode() if isinstance(message.data, str) else bytes(message.data)
            fanout.look(watcher, area_of(raw))
        except Problem as problem:
            watcher.outgoing.send(msgspec.json.encode({"type": "error", "problem": problem.body()}))
        await asyncio.sleep(MOVE_SECONDS)


def area_of(raw: bytes) -> Area:
    """What a client asks to watch. Raises Invalid."""
    asked: Asked = decode_body(raw, Asked)
    if asked.subscribe.level == "bays":
        return _tiles_of(asked.subscribe)
    if asked.subscribe.bbox is None:
        raise invalid("/subscribe/bbox", "missing", "a box is four numbers: west, south, east, north")
    box = bounds_of(asked.subscribe.bbox, "/subscribe/bbox")
    if asked.subscribe.level == "spots" and square_kilometres(box) > SPOTS_AREA_KM2_MAX:
        raise invalid("/subscribe/bbox", "too_large", f"single spots are told for at most {SPOTS_AREA_KM2_MAX:g} km²; this is more")
    return Area(asked.subscribe.level, box)


def _tiles_of(asked: Subscribe) -> Area:
    if not 1 <= len(asked.tiles) <= TILES_MAX:
        raise invalid("/subscribe/tiles", "too_many", f"bays are told for 1 to {TILES_MAX} tiles of zoom {bays.ZOOM}")
    return Area("bays", NOWHERE, tuple(sorted(set(asked.tiles))))
