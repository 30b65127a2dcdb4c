"""The servers a city needs when nobody gives it any: PostgreSQL and Valkey, ours from start to stop, never outliving us."""

import asyncio
import functools
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from onelot import child_process, data_directory, postgres_server, valkey_server
from onelot.child_process import Child, Identity
from onelot.data_directory import DataDirectory, State
from onelot.data_directory import EmbeddedRefused as EmbeddedRefused

DATABASE = "onelot"
PORTS = range(20000, 30000)  # Below the ports the kernel lends to outgoing connections: a remembered one stays free.
_lent: set[int] = set()  # At most all of them.


@dataclass(frozen=True, slots=True)
class Addresses:
    """`postgres_url` is what the city works as (no DDL), `owner_url` what migrations run as: the same when an outside server was given."""

    postgres_url: str = field(repr=False)  # They hold passwords.
    owner_url: str = field(repr=False)
    redis_url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Servers(Addresses):
    """Running servers; `died` gets one sentence when one of them ends unasked."""

    died: asyncio.Future[str]
    postgres: Child | None
    redis: Child | None
    place: DataDirectory


def _silent(_: str) -> None: ...


async def start(
    data: Path,
    *,
    postgres_url: str | None = None,
    redis_url: str | None = None,
    progress: Callable[[str], None] = _silent,
    postgres_settings: Mapping[str, str] | None = None,
) -> Servers:
    """Claim the data directory and start what no URL was given for. Call it from the main thread. Raises EmbeddedRefused."""
    place = data_directory.claim(data)
    children: list[Child] = []
    try:
        state = choose(place, postgres=postgres_url is None, redis=redis_url is None)
        died: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        postgres = redis = None
        if postgres_url is None:
            identity = Identity(state.identity or "")
            port = state.postgres_port or 0
            postgres = await postgres_server.start(place, port, identity, settings=postgres_settings or {}, progress=progress)
            children.append(postgres)
            await postgres_server.prepare(place, port, identity)
        if redis_url is None:
            redis = await valkey_server.start(place, state.redis_port or 0, progress=progress)
            children.append(redis)
    except BaseException:
        await _end(children)
        place.release()
        raise
    here = addresses(place.path, state)
    for child in children:
        child.ended.add_done_callback(functools.partial(_tell, died, child))
    return Servers(
        postgres_url=postgres_url or here.postgres_url,
        owner_url=postgres_url or here.owner_url,
        redis_url=redis_url or here.redis_url,
        died=died,
        postgres=postgres,
        redis=redis,
        place=place,
    )


async def stop(servers: Servers) -> None:
    """End both, PostgreSQL by fast shutdown, within 7 s whatever they do; then give the data directory free."""
    servers.died.cancel()
    await _end([child for child in (servers.postgres, servers.redis) if child])
    servers.place.release()


def running(data: Path) -> Addresses | None:
    """Where the city's embedded servers of this data directory listen, for a command beside it; None when no city runs there."""
    data = data.absolute()
    return addresses(data, data_directory.read_state(data)) if data_directory.is_claimed(data) else None


def choose(place: DataDirectory, *, postgres: bool, redis: bool) -> State:
    """What the first start decides and later ones keep: as whom PostgreSQL runs, and on which ports."""
    state = place.state()
    if postgres:
        identity = state.identity or postgres_server.choose_identity(place).value
        state = msgspec.structs.replace(state, identity=identity, postgres_port=state.postgres_port or free_port())
    if redis:
        state = msgspec.structs.replace(state, redis_port=state.redis_port or free_port(state.postgres_port))
    place.remember(state)
    return state


def free_port(*taken: int | None) -> int:
    """Never the same twice: whoever asked first may not be listening there yet."""
    for port in random.sample(PORTS, 200):
        if port not in taken and port not in _lent and child_process.port_is_free(port):
            _lent.add(port)
            return port
    raise EmbeddedRefused(f"No free port was found between {PORTS.start} and {PORTS.stop} on 127.0.0.1.")


def addresses(path: Path, state: State) -> Addresses:
    """The URLs of the embedded servers, whether they run or not; empty where the directory never had one."""
    known = data_directory.read_secrets(path)

    def postgres(role: str, secret: str) -> str:
        return f"postgresql://{role}:{known[secret]}@127.0.0.1:{state.postgres_port}/{DATABASE}" if secret in known else ""

    return Addresses(
        postgres_url=postgres("onelot_app", "postgres_app"),
        owner_url=postgres("onelot", "postgres_owner"),
        redis_url=f"redis://:{known['redis']}@127.0.0.1:{state.redis_port}/0" if "redis" in known else "",
    )


def _tell(died: asyncio.Future[str], child: Child, ended: asyncio.Future[int]) -> None:
    if not died.done() and not ended.cancelled():
        status = ended.result()
        how = f"with status {status}" if status >= 0 else f"by signal {-status}"
        died.set_result(f"{child.name} ended {how}: {child_process.last_line(child.last_words())} (the whole story is in {child.log}).")


async def _end(children: list[Child]) -> None:
    stops: list[Coroutine[None, None, None]] = [
        valkey_server.stop(child) if child.name == valkey_server.NAME else postgres_server.stop(child) for child in children
    ]
    await asyncio.gather(*stops)
