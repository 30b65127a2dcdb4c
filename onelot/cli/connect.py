"""How a command reaches the city that runs at the data directory or behind the URLs."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import redis.asyncio
from redis.exceptions import RedisError

from foundation import journal, postgres, seal, sql
from foundation.bell import Bell
from foundation.clock import Clock
from foundation.postgres import Database
from gateway_mqtt import store as gateway
from onelot import embedded
from onelot.cli.errors import Failed
from onelot.config import Settings
from onelot.data_directory import write_private

Answer = TypeVar("Answer")
DOORS = "doors.json"
HEARD_SECONDS_MAX = 3.0  # Followers look once a second at least; a city that is slower is not waited for.
load_city = sql.load("foundation").load_city
count_refused, sum_devices = gateway.queries.count_refused, gateway.queries.sum_devices


@dataclass(frozen=True, slots=True)
class Doors:
    """Where a running city can be reached; written beside its data, readable by its owner only, since it holds keys."""

    pid: int
    city: str
    http_url: str
    mqtt_host: str
    mqtt_port: int
    phones_url: str
    phones_key: str
    departments_url: str
    departments_key: str
    bank_url: str


@dataclass(frozen=True, slots=True)
class Reached:
    """A running city, for one command."""

    database: Database
    keys: seal.Keys
    clock: Clock
    bell: Bell
    settings: Settings


def save_doors(data: Path, doors: Doors, *, alone: bool) -> Path:
    """One file of the whole city, or one of each process that runs a part of it."""
    here = f"doors.{socket.gethostname()}"  # Several machines may share a directory, and know nothing of each other's processes.
    place = data / (DOORS if alone else f"{here}.{doors.pid}.json")
    for left in data.glob(f"{here}.*.json"):  # By processes that were killed.
        if not _lives(left.name.split(".")[-2]):
            left.unlink(missing_ok=True)
    write_private(place, json.dumps(asdict(doors)).encode())
    return place


def load_doors(settings: Settings) -> Doors:
    """Of the city, or put together from its parts. Raises Failed when none runs there."""
    try:
        return Doors(**json.loads((settings.data_dir / DOORS).read_text()))
    except (OSError, ValueError, TypeError):
        parts = all_doors(settings)
    if not parts:
        raise Failed(_nobody(settings))
    said = [{name: value for name, value in asdict(one).items() if value} for one in parts]
    return Doors(**(asdict(parts[0]) | {name: value for one in reversed(said) for name, value in one.items()}))


def all_doors(settings: Settings) -> list[Doors]:
    """Of every process of the city at this data directory that lives, as far as this machine can know."""
    found = []
    for file in sorted(settings.data_dir.glob("doors*.json")):
        with contextlib.suppress(OSError, ValueError, TypeError):
            doors = Doors(**json.loads(file.read_text()))
            elsewhere = file.name != DOORS and not file.name.startswith(f"doors.{socket.gethostname()}.")
            found += [doors] if elsewhere or _lives(str(doors.pid)) else []
    return found


def _lives(pid: str) -> bool:
    return Path(f"/proc/{pid}").exists()


def _nobody(settings: Settings) -> str:
    return f"no city runs at {settings.data_dir}; start it with `onelot up`, or name another place with --data"


def addresses(settings: Settings) -> tuple[str, str]:
    """PostgreSQL and Redis of the city. Raises Failed."""
    here = None if settings.postgres_url and settings.redis_url else embedded.running(settings.data_dir)
    if here is None and not settings.postgres_url:
        raise Failed(_nobody(settings))
    return settings.postgres_url or (here.postgres_url if here else ""), settings.redis_url or (here.redis_url if here else "")


@contextlib.asynccontextmanager
async def reach(settings: Settings) -> AsyncIterator[Reached]:
    """The running city's database, keys and clock. Raises Failed."""
    postgres_url, redis_url = addresses(settings)
    client = redis.asyncio.Redis.from_url(redis_url, socket_connect_timeout=1, socket_timeout=2) if redis_url else None
    bell = Bell(client, settings.city)
    try:
        async with postgres.connect(postgres_url, bell=bell, size=4) as database:
            row = await database.row(load_city)
            if row is None:
                raise Failed(_nobody(settings))
            yield Reached(database, seal.Keys(settings.data_dir / "keys.json"), Clock(row["speed"], row["since"]), bell, settings)
            await _ring(client, row["name"])
            await _heard(database, settings)
    except postgres.AWAY as error:
        raise Failed(f"the city's PostgreSQL does not answer ({type(error).__name__}); is `onelot up` running?") from error
    finally:
        if client is not None:
            await client.aclose()


async def _ring(client: "redis.asyncio.Redis | None", city: str) -> None:
    """The city hears at once what a command has told; without Redis it looks within a second."""
    if client is not None:
        with contextlib.suppress(RedisError, OSError):
            await client.publish(f"onelot:{{{city}}}:bell", "fact")


async def _heard(database: Database, settings: Settings) -> None:
    """Wait a moment until the city has heard what the command told: whoever typed it may rely on it with the next word."""
    async with database.transaction() as tx:
        position, _ = await journal.newest(tx, "fact")
    with contextlib.suppress(aiohttp.ClientError, OSError, ValueError, KeyError, TimeoutError):
        async with asyncio.timeout(HEARD_SECONDS_MAX), aiohttp.ClientSession() as session:
            for doors in all_doors(settings):
                await _wait_for(session, doors.http_url, position)


async def _wait_for(session: aiohttp.ClientSession, url: str, position: int) -> None:
    while url:
        async with session.get(url + "/readyz") as answer:
            if (await answer.json())["facts_heard"] >= position:
                return
        await asyncio.sleep(0.02)


def run(settings: Settings, work: Callable[[Reached], Awaitable[Answer]]) -> Answer:
    """Do `work` with the running city."""

    async def reached() -> Answer:
        async with reach(settings) as city:
            return await work(city)

    return asyncio.run(reached())


def ask(
    url: str, key: str, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object = None
) -> Any:  # JSON of a simulator
    """Ask a simulated provider. Raises Failed when it does not answer."""

    async def asked() -> Any:
        timeout = aiohttp.ClientTimeout(total=10)
        async with (
            aiohttp.ClientSession(timeout=timeout, headers={"X-Api-Key": key}) as session,
            session.request(method, url + path, params=query, json=body) as answer,
        ):
            if answer.status >= 400:
                raise Failed(f"the simulated provider refused: {answer.status} {(await answer.text())[:200]}")
            return await answer.json() if answer.content_type == "application/json" else None

    return asyncio.run(asked())
