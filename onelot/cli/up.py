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
from onelot import asyncapi, embedded, http, own_pages, page, processes, wiring
from onelot.cli.connect import DOORS, Doors, save_doors
from onelot.cli.errors import Failed
from onelot.config import Settings
from onelot.outside import Outside, simulated
from onelot.wiring import City
from services.identity import door

log = structlog.get_logger()

# Gone within 15 s: two for requests, these for devices, one and a half for loops, two for the pool, six and a half for the servers.
DRAIN_SECONDS, HANG_UP_SECONDS = 2.0, 2.5
HTTP_DOOR, MQTT_DOOR = "http", "mqtt"
Story = Callable[[City, Doors, Console], Awaitable[None]]


def run(settings: Settings, *, story: Story | None = None) -> int:
    """Until Ctrl-C or SIGTERM; answers the exit status."""
    uvloop.run(_run(settings, story))
    return 0


def followers(keys: seal.Keys, clock: Clock) -> list[Follower]:
    return wiring.followers(keys, clock)


async def _run(settings: Settings, story: Story | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    _refuse_taken_ports(settings)
    async with contextlib.AsyncExitStack() as stack:
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
        await _until(stop, run.supervisor, servers.died, _told(story, city, doors, console))


def _refuse_taken_ports(settings: Settings) -> None:
    """Before any server is started; a port that is taken meanwhile is refused when its door opens."""
    for kind, host, port in ((HTTP_DOOR, settings.http_host, settings.http_port), (MQTT_DOOR, settings.mqtt_host, settings.mqtt_port)):
        try:
            socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
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
async def running(settings: Settings, postgres_url: str, redis_url: str, outside: Outside) -> AsyncIterator[Running]:
    """Build, start and open a city on servers that are there; afterwards close, drain and stop it, whatever happened."""
    async with wiring.build(settings, postgres_url=postgres_url, redis_url=redis_url, outside=outside) as city:
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


async def _until(stop: asyncio.Event, supervisor: Supervisor, died: "asyncio.Future[str]", story: Awaitable[None]) -> None:
    """Until somebody asks us to end, or a part dies: then raises, since half a city is worse than none."""
    waiting = [asyncio.ensure_future(one) for one in (stop.wait(), supervisor.death(), _death_of(died), story)]
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _death_of(died: "asyncio.Future[str]") -> None:
    raise Failed(await asyncio.shield(died))


async def _drain(city: City, supervisor: Supervisor) -> None:
    """Stop intake, let what was taken reach the journal, stop the loops."""
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(HANG_UP_SECONDS):
            await city.listener.drain(DRAIN_SECONDS)
    await supervisor.stop()


@contextlib.asynccontextmanager
async def _open(app: web.Application, city: City, supervisor: Supervisor, outside: Outside) -> AsyncIterator[Doors]:
    """Open both doors and say where they are."""
    settings = city.settings
    routes = [*city.routes, *own_pages.routes(city.clock, supervisor, city.facts_heard)]
    http.mount(app, routes, city.known, secure=door.is_secure(settings.url))
    app.router.add_get("/api/v1/live", live(city.fanout))
    app.on_shutdown.append(partial(_end_sockets, city))
    async with contextlib.AsyncExitStack() as stack:
        try:
            await city.listener.start()
        except OSError as error:
            raise _taken(MQTT_DOOR, settings.mqtt_host, settings.mqtt_port, error) from None
        devices = asyncapi.document(settings.mqtt_host, city.listener.port, settings.city)
        own_pages.mount_documents(app, routes, devices, url=settings.url)
        page.mount(app)
        try:
            port = await stack.enter_async_context(http.serve(app, settings.http_host, settings.http_port))
        except OSError as error:
            raise _taken(HTTP_DOOR, settings.http_host, settings.http_port, error) from None
        doors = Doors(
            os.getpid(), settings.city, settings.door(port), settings.mqtt_host, city.listener.port,
            outside.phones_url, outside.phones_key, outside.departments_url, outside.departments_key, outside.bank_url,
        )  # fmt: skip
        save_doors(settings.data_dir, doors)
        stack.callback((settings.data_dir / DOORS).unlink, missing_ok=True)
        yield doors


async def _end_sockets(city: City, _: web.Application) -> None:
    city.fanout.end()
