"""What belongs to no house: health, clock, metrics, and the documents that describe the doors."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec
from aiohttp import web
from prometheus_client import generate_latest

from foundation import journal
from foundation.clock import Clock, rfc3339
from foundation.errors import NotFound
from foundation.http import Call, Reply, Route
from foundation.tasks import Supervisor
from onelot import openapi

RETRY_SECONDS = "2"
Handler = Callable[[web.Request], Awaitable[web.Response]]


class ClockView(msgspec.Struct, frozen=True):
    """Both clocks: city time for what happens, wall time for tokens and limits."""

    city: str
    wall: str
    speed: float


class Alive(msgspec.Struct, frozen=True):
    status: str = "ok"


class Ready(msgspec.Struct, frozen=True):
    """`late` names the loops whose last round is too long ago; the status is then 503. `facts_heard` is a position in the journal:
    what was told up to it is in every answer."""

    ready: bool
    late: list[str]
    stuck: dict[str, int]
    facts_heard: int


class ProblemKind(msgspec.Struct, frozen=True):
    type: str
    title: str
    status: int
    about: str


def routes(clock: Clock, supervisor: Supervisor, facts_heard: Callable[[], int]) -> list[Route]:
    async def get_clock(_: Call) -> ClockView:
        return ClockView(rfc3339(clock.city()), rfc3339(clock.wall()), clock.speed)

    async def healthz(_: Call) -> Alive:
        return Alive()

    async def readyz(_: Call) -> Reply:
        late = supervisor.late()
        ready = Ready(not late, late, journal.stuck_here(), facts_heard())
        return Reply(ready, 503 if late else 200, {"Retry-After": RETRY_SECONDS} if late else {})

    async def problem(call: Call) -> ProblemKind:
        found = openapi.problems().get(call.path["slug"])
        if found is None:
            raise NotFound
        return ProblemKind(f"/problems/{found.slug}", found.title, found.status, (found.__doc__ or "").strip())

    return [
        Route("GET", "/api/v1/clock", get_clock, "City time and wall time", answer=ClockView),
        Route("GET", "/healthz", healthz, "Whether the process answers", answer=Alive),
        Route("GET", "/readyz", readyz, "Whether every loop turns", answer=Ready),
        Route("GET", "/problems/{slug}", problem, "What a kind of problem means", answer=ProblemKind),
    ]


def mount_metrics(app: web.Application) -> None:
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), content_type="text/plain", charset="utf-8")

    app.router.add_get("/metrics", metrics)


def mount_documents(app: web.Application, everything: Sequence[Route], device_document: object, *, url: str) -> None:
    """OpenAPI, AsyncAPI and the reference for people."""
    app.router.add_get("/openapi.json", _document(openapi.document(everything, url)))
    app.router.add_get("/asyncapi.json", _document(device_document))
    app.router.add_get("/docs", _text(openapi.page(everything), "text/html"))
    app.router.add_get("/docs/style.css", _text(openapi.STYLE, "text/css"))


def _document(body: object) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body)

    return answer


def _text(body: str, kind: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type=kind)

    return answer
