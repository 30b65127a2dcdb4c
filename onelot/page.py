"""The page: what `make web` built, read and compressed once. Only its own paths answer with it, and an asset that is not there is a 404."""

import gzip
import hashlib
import json
import mimetypes
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from aiohttp import web

from foundation.errors import NotFound

DIST = Path(str(resources.files("web"))) / "dist"
FOREVER = "public, max-age=31536000, immutable"  # An asset's name carries its content's hash.
ASK_AGAIN = "no-cache"
TEXT = frozenset({".css", ".html", ".js", ".json", ".mjs", ".svg", ".txt"})
_PARAMETER = re.compile(r":(\w+)")

Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Held:
    """A file in memory, and compressed where that helps."""

    plain: bytes
    packed: bytes | None
    kind: str
    etag: str
    caching: str


ASSETS, LICENCES = "/assets/{name}", "/LICENSES.txt"


def paths(dist: Path = DIST) -> list[str]:
    """Everything the page is served at."""
    return [*_pages(dist), ASSETS, LICENCES]


def _pages(dist: Path) -> list[str]:
    return list(_begins_with(dist))


def _begins_with(dist: Path) -> dict[str, str]:
    """The page's paths, each with the header that names the files it begins with. The routes' tables write `/sites/:site`, aiohttp wants
    `/sites/{site}`."""
    files = json.loads((dist / "routes.json").read_bytes())
    return {_PARAMETER.sub(r"{\1}", path): ", ".join(map(_link, names)) for path, names in files.items()}


def _link(name: str) -> str:
    return f"</{name}>; rel=preload; as=style; crossorigin" if name.endswith(".css") else f"</{name}>; rel=modulepreload"


def mount(app: web.Application, dist: Path = DIST) -> None:
    """Add the page's paths and its files."""
    index = _held(dist / "index.html", ASK_AGAIN)
    for path, link in _begins_with(dist).items():
        app.router.add_get(path, _file(index, {"Link": link}))
    app.router.add_get(LICENCES, _file(_held(dist / "LICENSES.txt", ASK_AGAIN)))
    assets = {file.name: _held(file, FOREVER) for file in sorted((dist / "assets").iterdir())}

    async def asset(request: web.Request) -> web.Response:
        found = assets.get(request.match_info["name"])
        if found is None:
            raise NotFound
        return _answer(request, found)

    app.router.add_get(ASSETS, asset)


def _held(file: Path, caching: str) -> Held:
    plain = file.read_bytes()
    packed = gzip.compress(plain, 6, mtime=0) if file.suffix in TEXT else None
    kind = "text/javascript" if file.suffix in (".js", ".mjs") else mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return Held(plain, packed, kind, f'"{hashlib.sha256(plain).hexdigest()[:32]}"', caching)


def _file(held: Held, more: Mapping[str, str] = MappingProxyType({})) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        return _answer(request, held, more)

    return answer


def _answer(request: web.Request, held: Held, more: Mapping[str, str] = MappingProxyType({})) -> web.Response:
    headers = {"Cache-Control": held.caching, "ETag": held.etag, "Vary": "Accept-Encoding", **more}
    if held.etag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    if held.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=held.packed, headers={**headers, "Content-Encoding": "gzip", "Content-Type": _said(held)})
    return web.Response(body=held.plain, headers={**headers, "Content-Type": _said(held)})


def _said(held: Held) -> str:
    return f"{held.kind}; charset=utf-8" if held.kind.startswith("text/") else held.kind
