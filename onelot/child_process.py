"""Start a server as a child that cannot outlive us, notice when it ends, and end it within a bound."""

import asyncio
import enum
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from onelot import data_directory, launch

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}  # Nothing of ours leaks into a server.
LOG_BYTES_MAX = 16 << 20  # Checked at each start; the one before is kept beside it.
LAST_WORDS_BYTES = 4096
PORT_SECONDS_MAX = 3


class Identity(enum.StrEnum):
    """As whom a server runs."""

    OURSELVES = "ourselves"
    NOBODY = "nobody"
    NAMESPACE = "namespace"


@dataclass(frozen=True, slots=True)
class Child:
    """`ended` gets the exit status (negative: the signal) once the process is gone."""

    name: str
    process: subprocess.Popen[bytes]
    ended: asyncio.Future[int]
    log: Path
    log_start: int

    def last_words(self) -> str:
        """What it wrote since its start, the end of it."""
        with self.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self.log_start, size - LAST_WORDS_BYTES))
            return log.read().decode(errors="replace")


def spawn(
    name: str, program: Sequence[str], *, log: Path, identity: Identity = Identity.OURSELVES, farewell: signal.Signals = signal.SIGKILL
) -> Child:
    """Start `program`; it gets the signal `farewell` when our main thread dies, and no Ctrl-C of our terminal."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("servers are started from the main thread: they die with the thread that started them")
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_suffix(".log.1"))
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as out:
        start = out.seek(0, os.SEEK_END)
        process = subprocess.Popen(
            launching(program, identity, farewell),
            env=ENVIRONMENT,
            cwd="/",  # Nobody may not read ours.
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    return Child(name, process, _watch(process), log, start)


def launching(program: Sequence[str], identity: Identity, farewell: signal.Signals) -> list[str]:
    """The command that turns a bare interpreter into `program`."""
    return [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), str(int(farewell)), identity.value, *program]


def _watch(process: subprocess.Popen[bytes]) -> asyncio.Future[int]:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()
    watched = os.pidfd_open(process.pid)

    def gone() -> None:
        unwatch()
        if not ended.done():
            ended.set_result(process.wait())

    def unwatch(*_: object) -> None:
        nonlocal watched
        if watched >= 0:
            loop.remove_reader(watched)
            os.close(watched)
            watched = -1

    loop.add_reader(watched, gone)
    ended.add_done_callback(unwatch)
    return ended


async def ready(child: Child, answers: Callable[[], Awaitable[bool]], stop: Callable[[Child], Awaitable[None]], *, seconds: int) -> bool:
    """True when it answers; False when it ended instead, or was ended for not answering in time."""
    try:
        for _ in range(seconds * 50):
            if child.ended.done():
                return False
            if await answers():
                return True
            await asyncio.sleep(0.02)
    except BaseException:
        await stop(child)
        raise
    await stop(child)
    return False


async def end(child: Child, *, first: signal.Signals, last: signal.Signals, seconds: float) -> None:
    """Ask with `first`; who is not gone in time gets `last`, who ignores even that is killed."""
    for ask, patience in ((first, seconds), (last, 1.0), (signal.SIGKILL, 1.0)):
        if child.ended.done():
            return
        child.process.send_signal(ask)
        await asyncio.wait([child.ended], timeout=patience)


def can(identity: Identity, *program: str) -> bool:
    """Whether a program runs well under that identity: asked by trying, since mounts and containers have rules of their own."""
    try:
        command = launching(program, identity, signal.SIGKILL)
        return subprocess.run(command, env=ENVIRONMENT, cwd="/", capture_output=True, check=False, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # As the servers do: a port that merely cools down is free.
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


async def wait_for_port(port: int, name: str, place: data_directory.DataDirectory) -> None:
    """A server of a run that was just killed may still be leaving: look once a second, then refuse."""
    for _ in range(PORT_SECONDS_MAX):
        if port_is_free(port):
            return
        await asyncio.sleep(1)
    if not port_is_free(port):
        raise data_directory.EmbeddedRefused(port_sentence(port, name, place))


def last_line(text: str) -> str:
    """The last line that tells of a failure, else the last one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["it said nothing"]
    telling = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "ERROR", "error:"))]
    return (telling or lines)[-1].rstrip(".")


def port_sentence(port: int, name: str, place: data_directory.DataDirectory) -> str:
    return (
        f"Port {port} on 127.0.0.1, where {name} of this city listens, is taken by another program: "
        f"end that program, or change the port in {place.path / data_directory.MARKER}."
    )
