"""The HTTP door: mounts every house's routes, finds out who asks, and maps errors to RFC 9457 in one place."""

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
import structlog
from aiohttp import web
from multidict import CIMultiDict
from prometheus_client import Counter, Histogram

from foundation import postgres
from foundation.caller import Caller
from foundation.errors import Away, NotAllowed, NotFound, NotLoggedIn, Problem, TooBig, WrongType
from foundation.http import Call, Raw, Reply, Route, Who, decode_body, decode_query
from onelot.quick import PACKED, PACKED_FROM_BYTES, Answer, Questions, Runner, pack
from onelot.uploads import Uploads
from services.identity import door
from services.identity.who_is import Known

log = structlog.get_logger()

BODY_BYTES_MAX = 256 * 1024
UPLOAD_SECONDS_MAX = 120.0  # A body that a handler reads itself has arrived by then.
REQUESTS_SECONDS_MAX = 2.0  # What is being answered when the city ends has so long.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; "
    "worker-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(self), camera=(self), microphone=(), payment=(), usb=()",
}
_NO_STORE = {"Cache-Control": "no-store"}
_JSON = {**SECURITY_HEADERS, **_NO_STORE, "Content-Type": "application/json"}
_PLAIN_JSON = CIMultiDict(_JSON)  # Most answers: put together once.
REQUESTS = Counter("onelot_http_requests_total", "Requests", ["route", "status"])
SECONDS = Histogram("onelot_http_seconds", "Time to answer", ["route"], buckets=(0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2, 10))

QUESTIONS = web.AppKey("questions", Questions)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def mount(app: web.Application, routes: Sequence[Route], known: Known, *, secure: bool) -> None:
    """Add the routes of all houses; what is not one of them answers 404 as a problem, too."""
    uploads = Uploads()
    for route in routes:
        if route.quick is not None:
            app[QUESTIONS].add(route.path, _question(route, route.quick))
        if route.method == "GET":
            app.router.add_get(route.path, _handler(route, known, uploads, secure))  # HEAD, too.
        else:
            app.router.add_route(route.method, route.path, _handler(route, known, uploads, secure))


def application() -> web.Application:
    app = web.Application(middlewares=[_answer_problems], client_max_size=BODY_BYTES_MAX, handler_args={"access_log": None})
    app.on_response_prepare.append(_guard)
    app[QUESTIONS] = Questions(_JSON)
    return app


async def _guard(_: web.Request, response: web.StreamResponse) -> None:
    """Every answer is guarded, ours and aiohttp's alike."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)


def _question(route: Route, quick: Callable[[Any], bytes]) -> Answer:
    """A route that nobody need be known for, decoded and counted as all are."""
    seconds, requests = SECONDS.labels(route.path), REQUESTS.labels(route.path, 200)
    assert route.query is not None and route.who is Who.ANYBODY
    kind = route.query

    def answer(said: Mapping[str, str]) -> bytes:
        began = time.perf_counter()
        body = quick(decode_query(said, kind))
        seconds.observe(time.perf_counter() - began)
        requests.inc()
        return body

    return answer


def _handler(route: Route, known: Known, uploads: Uploads, secure: bool) -> Handler:
    seconds, requests = SECONDS.labels(route.path), {status: REQUESTS.labels(route.path, status) for status in (route.status, 200)}

    async def handle(request: web.Request) -> web.StreamResponse:
        began = time.perf_counter()
        caller = await _caller(request, route, known, secure)
        call = await _call(request, route, caller)
        with uploads.place(call.me.person) if route.takes else contextlib.nullcontext():
            answer = await route.handle(call)
        seconds.observe(time.perf_counter() - began)
        reply = answer if isinstance(answer, Reply) else Reply(answer, route.status)
        (requests.get(reply.status) or REQUESTS.labels(route.path, reply.status)).inc()
        return _packed(_response(reply), request) if route.quick is not None else _response(reply)

    return handle


def _packed(response: web.Response, request: web.Request) -> web.Response:
    """As the quick way does it."""
    body = response.body
    if isinstance(body, bytes) and len(body) >= PACKED_FROM_BYTES and "gzip" in request.headers.get("Accept-Encoding", "").lower():
        response.body = pack(body)
        response.headers.update(PACKED)
    return response


async def _caller(request: web.Request, route: Route, known: Known, secure: bool) -> Caller | None:
    """Who asks. A write looks again, since rights are judged at the act. Raises NotLoggedIn and NotAllowed."""
    credential = door.credential_of(request.headers, secure=secure)
    if not door.may_write(request.method, request.headers, credential):
        raise NotAllowed(f"a page says {door.PAGE_HEADER}: {door.PAGE_WORD} with what it changes")
    fresh = request.method not in door.SAFE_METHODS
    caller = await known.who_is(credential.token, fresh=fresh) if credential else None
    if route.who is not Who.ANYBODY and caller is None:
        raise NotLoggedIn
    if caller is not None and caller.unsure and not route.unsure:
        if route.who is Who.ANYBODY:
            return None
        raise NotAllowed("this number was not used for long; prove that its name is yours", needs="L2")
    if caller is not None and not _may(caller, route.who):
        raise NotAllowed
    return caller


def _may(caller: Caller, who: Who) -> bool:
    if who in (Who.ANYBODY, Who.PERSON):
        return True
    if who is Who.CITY:
        return caller.steers()
    return caller.has("admin") or (who is not Who.ADMIN and caller.has(str(who)))


async def _call(request: web.Request, route: Route, caller: Caller | None) -> Call:
    raw = b"" if route.takes or not request.body_exists else await _read(request)
    path = dict(request.match_info)
    if path and any("\x00" in part for part in path.values()):
        raise NotFound
    query = decode_query(request.query, route.query) if route.query else None
    body = None
    if route.body is not None and not route.raw_body:
        if raw and request.content_type not in ("application/json", "application/merge-patch+json"):
            raise WrongType
        body = decode_body(raw, route.body)
    address = request.remote or ""
    asked = f"{request.method} {request.path}"
    return Call(path, query, body, caller, request.headers, raw, address, asked, functools.partial(_read_up_to, request))


async def _read(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise TooBig(f"a body has {BODY_BYTES_MAX} bytes at most") from None


async def _read_up_to(request: web.Request, most: int) -> bytes:
    """Never more in memory than may be; what says beforehand that it is larger is not begun."""
    if (request.content_length or 0) > most:
        raise TooBig(f"this may have {most} bytes at most")
    held = bytearray()
    try:
        async with asyncio.timeout(UPLOAD_SECONDS_MAX):
            async for chunk in request.content.iter_any():
                held += chunk
                if len(held) > most:
                    raise TooBig(f"this may have {most} bytes at most")
    except web.RequestPayloadError:
        raise BadRequest("it was cut off on its way; send it again") from None
    except TimeoutError:
        raise BadRequest(f"it did not arrive within {UPLOAD_SECONDS_MAX:.0f} seconds; try again where the network is better") from None
    return bytes(held)


def _response(reply: Reply) -> web.Response:
    if not reply.headers and type(reply.body) is not Raw and reply.body is not None:
        return web.Response(body=_json(reply.body), status=reply.status, headers=_PLAIN_JSON)
    headers = _NO_STORE | dict(reply.headers)
    if reply.body is None:
        return web.Response(status=reply.status, headers=headers)
    if isinstance(reply.body, Raw):
        packed = {"Content-Encoding": "gzip"} if reply.body.packed else {}
        return web.Response(body=reply.body.content, status=reply.status, content_type=reply.body.kind, headers={**headers, **packed})
    return web.Response(body=_json(reply.body), status=reply.status, content_type="application/json", headers=headers)


def _json(body: object) -> bytes:
    return bytes(body) if isinstance(body, msgspec.Raw) else msgspec.json.encode(body)


def problem_response(problem: Problem, more: Mapping[str, str]) -> web.Response:
    headers = _NO_STORE | dict(more)
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(problem.retry_after_s)
    body = msgspec.json.encode(problem.body())
    return web.Response(body=body, status=problem.status, content_type="application/problem+json", headers=headers)


@web.middleware
async def _answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error as a problem: ours as it is, aiohttp's by its status, PostgreSQL away as 503, the rest as 500 and a log line."""
    try:
        return await handler(request)
    except Problem as problem:
        return _counted(request, problem)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return _counted(request, _BY_STATUS.get(error.status, NotFound)(error.reason), allowed)
    except postgres.AWAY as error:
        log.warning("request_without_database", error=type(error).__name__, route=_name(request))
        return _counted(request, Away("the database is away for a moment", retry_after_s=2))
    except Exception as error:
        log.exception("request_failed", route=_name(request), error=type(error).__name__)
        return _counted(request, Problem())


class MethodNotAllowed(Problem):
    status, slug, title = 405, "method-not-allowed", "This path does not know that method"


class BadRequest(Problem):
    status, slug, title = 400, "bad-request", "This is not a request we can read"


_NO_MORE: Mapping[str, str] = {}
_BY_STATUS: Mapping[int, type[Problem]] = {400: BadRequest, 404: NotFound, 405: MethodNotAllowed, 413: TooBig, 415: WrongType}


def _name(request: web.Request) -> str:
    """The route's own path, never the asked one: ids stay out of logs and metrics."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "none"


def _counted(request: web.Request, problem: Problem, more: Mapping[str, str] = _NO_MORE) -> web.Response:
    REQUESTS.labels(_name(request), problem.status).inc()
    return problem_response(problem, more)


@contextlib.asynccontextmanager
async def serve(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Listen while the block runs; answers the port. Raises OSError when it is taken."""
    questions = app.get(QUESTIONS) or Questions(_JSON)  # A simulated party's door has none.
    runner = Runner(app, questions, access_log=None, handle_signals=False, shutdown_timeout=REQUESTS_SECONDS_MAX)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, reuse_address=True)
        await site.start()
        sockets = site._server.sockets if site._server else []  # type: ignore[attr-defined]  # aiohttp has no public way to the chosen port
        yield sockets[0].getsockname()[1] if sockets else port
    finally:
        await runner.cleanup()
