"""The command line as a person types it: in this process for words that end at once, in one of its own for a city."""

import asyncio
import concurrent.futures
import contextlib
import io
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import structlog

from onelot import __main__ as command
from onelot import embedded
from tests.onelot.town import free_port

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    error: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """What was said on standard error when that is one sentence of ours and nothing else; else nothing."""
        lines = self.error.strip().splitlines()
        return lines[0].removeprefix("onelot: ") if len(lines) == 1 and lines[0].startswith("onelot: ") else ""


def typed(*words: str, **environment: str) -> Said:
    """`onelot WORDS`, in a thread of this process: a new Python for each would take the tests minutes."""
    out, error, status = io.StringIO(), io.StringIO(), [0]

    def run() -> None:
        try:
            command.main()
        except SystemExit as ended:
            status[0] = int(ended.code or 0)

    kept, arguments, configured = dict(os.environ), sys.argv, structlog.get_config()
    for name in [name for name in os.environ if name.startswith("ONELOT_")]:
        del os.environ[name]
    os.environ.update(environment)
    sys.argv = ["onelot", *words]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error), unremembered():
            thread = threading.Thread(target=run)
            thread.start()
            thread.join(60)
    finally:
        structlog.configure(**configured)
        sys.argv = arguments
        os.environ.clear()
        os.environ.update(kept)
    assert not thread.is_alive(), f"{words} does not end"
    return Said(status[0], out.getvalue(), error.getvalue())


@contextlib.contextmanager
def unremembered() -> Iterator[None]:
    """Loggers remember how they were set up; those of this process go on to serve other tests."""
    before = structlog.configure

    def configure(**more: Any) -> None:
        before(**more | {"cache_logger_on_first_use": False})

    structlog.configure = configure
    try:
        yield
    finally:
        structlog.configure = before


class Shell:
    """A data directory and what runs on it."""

    def __init__(self, place: Path) -> None:
        self.data, self.log = place / "data", place / "up.log"
        self.environment = {
            "ONELOT_DATA_DIR": str(self.data),
            "ONELOT_HTTP_PORT": str(free_port()),
            "ONELOT_MQTT_PORT": str(free_port()),
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environment['ONELOT_HTTP_PORT']}"

    def say(self, *words: str) -> Said:
        return typed(*words, **self.environment)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        given = {name: value for name, value in os.environ.items() if not name.startswith("ONELOT_")}
        environment = given | self.environment | {"PYTHONPATH": str(ROOT)}
        with self.log.open("wb") as log:
            return subprocess.Popen([sys.executable, "-m", "onelot", *words], env=environment, stdout=log, stderr=log, cwd=self.data.parent)

    def up(self, *words: str) -> None:
        self.process = self.start("up", *words)
        end = time.monotonic() + 60
        while not self._ready():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.1)

    def _ready(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(self.url + "/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
        return False

    def end(self, number: int) -> tuple[int, float]:
        """Exit status and seconds."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> tuple[int, float]:
        assert self.process is not None
        began = time.monotonic()
        try:
            return self.process.wait(20), time.monotonic() - began
        finally:
            self.kill()

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process = None

    def postgres(self) -> int:
        """The process id of this city's PostgreSQL."""
        [file] = self.data.rglob("postmaster.pid")
        return int(file.read_text().split()[0])

    def last_words(self) -> str:
        return [line for line in self.log.read_text().splitlines() if line.startswith("onelot: ")][-1]

    def ask(self, statement: str, *values: object) -> list[Any]:
        """Rows of the running city's database, as its owner."""
        running = embedded.running(self.data)
        assert running is not None

        async def asked() -> list[Any]:
            connection = await asyncpg.connect(running.owner_url)
            try:
                return list(await connection.fetch(statement, *values))
            finally:
                await connection.close()

        return in_thread(asked)


def in_thread(work: Any) -> Any:
    """A coroutine in a loop of its own, out of the way of pytest's."""
    with concurrent.futures.ThreadPoolExecutor(1) as one:
        return one.submit(lambda: asyncio.run(work())).result(60)
