"""Run one part of a city as a process of its own, against servers that are there already."""

import asyncio
import contextlib
import os
import socket

import uvloop
from rich.console import Console

from foundation import migrate
from foundation.tasks import settle_memory
from onelot import data_directory, outside
from onelot.cli import up
from onelot.cli.connect import Doors, save_doors
from onelot.config import LOOPBACK, Misused, Settings
from onelot.data_directory import DataDirectory
from onelot.outside import Outside
from onelot.wiring import PARTS

OUTSIDE = "outside"  # The simulated parties, for rehearsals.
WORDS = ("gateway", "work", "web", OUTSIDE)
SPEAK_TO_NOBODY = frozenset({"gateway"})


def run(settings: Settings, part: str) -> int:
    """Until Ctrl-C or SIGTERM; answers the exit status. Raises Misused when a server's URL is missing."""
    for name in ("postgres_url", "redis_url"):
        if part in PARTS and not getattr(settings, name):
            raise Misused(f"`onelot run {part}` starts no servers of its own; say where the city's are with ONELOT_{name.upper()}")
    parties = outside.load(settings.data_dir) if part in PARTS - SPEAK_TO_NOBODY else outside.nobody()
    uvloop.run(_run(settings, part, parties))
    return 0


async def _run(settings: Settings, part: str, parties: Outside) -> None:
    stop, console = up.asked_to_end(), Console(stderr=True, highlight=False, soft_wrap=True)
    if part in PARTS:
        up.refuse_taken_ports(settings, frozenset({part}))
    place = data_directory.share(settings.data_dir)
    try:
        await (_simulate(settings, place, stop, console) if part == OUTSIDE else _run_part(settings, part, parties, stop, console))
    finally:
        place.release()


async def _run_part(settings: Settings, part: str, parties: Outside, stop: asyncio.Event, console: Console) -> None:
    await migrate.migrate(settings.postgres_url)
    async with up.running(settings, settings.postgres_url, settings.redis_url, parties, frozenset({part})) as run:
        settle_memory()
        devices = f"  devices: mqtt://{run.doors.mqtt_host}:{run.doors.mqtt_port}" if part == "gateway" else ""
        console.print(f"[bold]OneLot[/bold] {settings.city}, {part}: {run.doors.http_url}{devices}  Ctrl-C ends it")
        await up.until(stop, run.supervisor)


async def _simulate(settings: Settings, place: DataDirectory, stop: asyncio.Event, console: Console) -> None:
    """Phones, departments and a bank for parts on this machine, or for those that reach it by its name."""
    name = settings.http_host if settings.http_host in LOOPBACK else socket.gethostname()
    async with contextlib.AsyncExitStack() as stack:
        parties = await stack.enter_async_context(outside.simulated(place, host=settings.http_host, name=name))
        outside.save(place.path, parties)
        doors = Doors(
            os.getpid(), "", "", "", 0,
            parties.phones_url, parties.phones_key, parties.departments_url, parties.departments_key, parties.bank_url,
        )  # fmt: skip
        stack.callback(save_doors(place.path, doors, alone=False).unlink, missing_ok=True)
        stack.callback((place.path / outside.FILE).unlink, missing_ok=True)
        console.print(f"[bold]OneLot[/bold] simulated phones, departments and bank; {place.path / outside.FILE} says where  Ctrl-C ends it")
        await stop.wait()
