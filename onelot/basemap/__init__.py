"""The map beneath the map: the reference city's vector tiles and its list of places, served as files with ranges and ETags."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import web

HERE: Final = Path(__file__).parent
TILES, PLACES = HERE / "city.pmtiles", HERE / "places.json"
CACHED_SECONDS: Final = 300  # After an upgrade pages see the new map within minutes; the ETag spares what has not changed.


def mount(app: web.Application) -> None:
    """`/basemap/city.pmtiles` (a reader asks for ranges of it) and `/basemap/places.json`."""
    app.router.add_get("/basemap/city.pmtiles", _file(TILES, "application/vnd.pmtiles"))
    app.router.add_get("/basemap/places.json", _file(PLACES, "application/json"))


def _file(path: Path, kind: str) -> Callable[[web.Request], Awaitable[web.FileResponse]]:
    async def answer(_: web.Request) -> web.FileResponse:
        return web.FileResponse(path, headers={"Content-Type": kind, "Cache-Control": f"public, max-age={CACHED_SECONDS}"})

    return answer
