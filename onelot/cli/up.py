"""Run a city in one process: servers, migrations, loops and doors up in order, and down again in the other."""

import asyncio
import contextlib
import errno
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

import structlog
import uvloop
from aiohttp import web
from rich.console import Console

from citymap.live import live
from foundation import migrate, seal
from foundation.clock import Clock
from foundation.journal import Follower
from foundation.tasks import Supervisor, settle_memory
from onelot import asyncapi, basemap, embedded, http, own_pages, page, processes, wiring
from onelot.cli.connect import Doors, save_doors
from onelot.cli.errors import Failed
from onelot.config import Settings
from onelot.outside import Outside, simulated
from onelot.wiring import PARTS, City
from services.identity import door

log = structlog.get_logger()

# Gone within 15 s: two for requests, these for devices, one and a half for loops, two for the pool, six and a half for the servers.
DRAIN_SECONDS, HANG_UP_SECONDS, LEAVE_SECONDS = 2.0, 2.5, 0.5
HTTP_DOOR, MQTT_DOOR = "http", "mqtt"
Story = Callable[[City, Doors, Console], Awaitable[None]]


def run(settings: Settings, *, story: Story | None = None, beside: contextlib.AbstractAsyncContextManager[None] | None = None) -> int:
    """Until Ctrl-C or SIGTERM, with what goes on `beside` it from the first moment on; answers the exit status."""
    uvloop.run(_run(settings, story, beside))
    return 0


def followers(keys: seal.Keys, clock: Clock) -> list[Follower]:
    return wiring.followers(keys, clock)


async def _run(settings: Settings, story: Story | None, beside: contextlib.AbstractAsyncContextManager[None] | None) -> None:
    stop = asked_to_end()
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    refuse_taken_ports(settings)
    async with contextlib.AsyncExitStack() as stack:
        if beside is not None:
            await stack.enter_async_context(beside)
        servers = await embedded.start(
            settings.data_dir, postgres_url=settings.postgres_url or None, redis_url=settings.redis_url or None, progress=_say(console)
        )
        stack.push_async_callback(embedded.stop, servers)
        with _step(console, "schema"):
            await migrate.migrate(servers.owner_url)
        outside = await stack.enter_async_context(simulated(servers.place))
        with _step(console, "city"):
            run = await stack.enter_async_context(running(settings, servers.postgres_url, servers.redis_url, outside))
        city, doors = run.city, run.doors
        settle_memory()
        console.print(
            f"[bold]OneLot[/bold] {settings.city}: {doors.http_url}  devices: mqtt://{doors.mqtt_host}:{doors.mqtt_port}  Ctrl-C ends it"
        )
        await until(stop, run.supervisor, death_of(servers.died), _told(story, city, doors, console))


def asked_to_end() -> asyncio.Event:
    """Is set by Ctrl-C and SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def refuse_taken_ports(settings: Settings, parts: frozenset[str] = PARTS) -> None:
    """Before any server is started; a port that is taken meanwhile is refused when its door opens."""
    doors = [
        (HTTP_DOOR, settings.http_host, settings.http_port, False),
        (MQTT_DOOR, settings.mqtt_host, settings.mqtt_port, settings.mqtt_shared),
    ]
    for kind, host, port, shared in doors if "gateway" in parts else doors[:1]:
        try:
            socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, reuse_port=shared).close()
        except OSError as error:
            raise _taken(kind, host, port, error) from None


def _taken(kind: str, host: str, port: int, error: OSError) -> Failed:
    if error.errno == errno.EADDRINUSE:
        return Failed(f"port {port} is in use; choose another with --{kind}-port")
    return Failed(f"{host}:{port} cannot be listened at ({error.strerror or error}); choose another with --{kind}-host and --{kind}-port")


@dataclass(frozen=True, slots=True)
class Running:
    """A city whose loops turn and whose doors are open."""

    city: City
    supervisor: Supervisor
    app: web.Application
    doors: Doors


@contextlib.asynccontextmanager
async def running(
    settings: Settings, postgres_url: str, redis_url: str, outside: Outside, parts: frozenset[str] = PARTS
) -> AsyncIterator[Running]:
    """Build, start and open a city, or some parts of it, on servers that are there; afterwards close, drain and stop it, whatever
    happened."""
    async with wiring.build(settings, postgres_url=postgres_url, redis_url=redis_url, outside=outside, parts=parts) as city:
        supervisor = Supervisor()
        try:
            processes.start_all(city, supervisor)
            app = http.application()
            async with _open(app, city, supervisor, outside) as doors:
                yield Running(city, supervisor, app, doors)
        finally:
            await _drain(city, supervisor)


def _say(console: Console) -> Callable[[str], None]:
    return lambda step: console.print(f"  {step}", style="dim")


@contextlib.contextmanager
def _step(console: Console, name: str) -> Iterator[None]:
    """Says a step that took over a second, with its time."""
    began = time.monotonic()
    with console.status(f"{name} …"):
        yield
    if time.monotonic() - began > 1:
        console.print(f"  {name}: {time.monotonic() - began:.1f} s", style="dim")


async def _told(story: Story | None, city: City, doors: Doors, console: Console) -> None:
    if story is not None:
        await story(city, doors, console)
    await asyncio.Event().wait()


async def until(stop: asyncio.Event, supervisor: Supervisor, *others: Awaitable[object]) -> None:
    """Until somebody asks us to end, or a part dies: then raises, since half a city is worse than none."""
    waiting = [asyncio.ensure_future(one) for one in (stop.wait(), supervisor.death(), *others)]
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def death_of(died: "asyncio.Future[str]") -> None:
    raise Failed(await asyncio.shield(died))


async def _drain(city: City, supervisor: Supervisor) -> None:
    """Stop intake, let what was taken reach the journal, stop the loops."""
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(HANG_UP_SECONDS):
            await city.listener.drain(DRAIN_SECONDS)
    await supervisor.stop()
    if "gateway" in city.parts:
        await _leave(city)


async def _leave(city: City) -> None:
    """Tell the other gateways; they notice within seconds all the same, so a database that hangs is not waited for."""
    leaving = asyncio.ensure_future(city.ingest.speakers.twins.leave())
    await asyncio.wait({leaving}, timeout=LEAVE_SECONDS)
    leaving.cancel()
    leaving.add_done_callback(lambda task: task.cancelled() or task.exception())


@contextlib.asynccontextmanager
async def _open(app: web.Application, city: City, supervisor: Supervisor, outside: Outside) -> AsyncIterator[Doors]:
    """Open both doors and say where they are."""
    settings = city.settings
    async with contextlib.AsyncExitStack() as stack:
        mqtt_port = await _let_devices_in(city) if "gateway" in city.parts else settings.mqtt_port
        _mount(app, city, supervisor, mqtt_port)
        try:
            port = await stack.enter_async_context(http.serve(app, settings.http_host, settings.http_port))
        except OSError as error:
            raise _taken(HTTP_DOOR, settings.http_host, settings.http_port, error) from None
        doors = Doors(
            os.getpid(), settings.city, settings.door(port), settings.mqtt_host, mqtt_port,
            outside.phones_url, outside.phones_key, outside.departments_url, outside.departments_key, outside.bank_url,
        )  # fmt: skip
        stack.callback(save_doors(settings.data_dir, doors, alone=city.parts == PARTS).unlink, missing_ok=True)
        yield doors


async def _let_devices_in(city: City) -> int:
    """Opens the devices' door, once the other gateways know of this one; answers its port."""
    await city.ingest.speakers.twins.begin()
    try:
        await city.listener.start()
    except OSError as error:
        raise _taken(MQTT_DOOR, city.settings.mqtt_host, city.settings.mqtt_port, error) from None
    return city.listener.port


def _mount(app: web.Application, city: City, supervisor: Supervisor, mqtt_port: int) -> None:
    """All of the web door, or, where it is another process's, health and metrics alone."""
    settings, own = city.settings, own_pages.routes(city.clock, supervisor, city.facts_heard)
    routes = [*city.routes, *own] if "web" in city.parts else own
    http.mount(app, routes, city.known, secure=door.is_secure(settings.url))
    own_pages.mount_metrics(app)
    if "web" in city.parts:
        app.router.add_get("/api/v1/live", city.sockets.bound(live(city.fanout)))
        app.on_shutdown.append(partial(_end_sockets, city))
        own_pages.mount_documents(app, routes, asyncapi.document(settings.mqtt_host, mqtt_port, settings.city), url=settings.url)
        page.mount(app)
        basemap.mount(app)


async def _end_sockets(city: City, _: web.Application) -> None:
    city.fanout.end()
