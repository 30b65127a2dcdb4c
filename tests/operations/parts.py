"""A city in parts: each a process of its own against given servers, as on several machines."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from onelot.embedded import free_port
from simulators.one_car import eventually

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Part:
    """One process."""

    name: str
    http: int
    mqtt: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


@dataclass
class Parts:
    """A data directory, the URLs of the servers, and the processes on them."""

    data: Path
    postgres_url: str
    redis_url: str
    running: list[Part] = field(default_factory=list)

    def environment(self, **more: str) -> dict[str, str]:
        given = {name: value for name, value in os.environ.items() if not name.startswith("ONELOT_")}
        where = {"ONELOT_DATA_DIR": str(self.data), "ONELOT_POSTGRES_URL": self.postgres_url, "ONELOT_REDIS_URL": self.redis_url}
        return given | {"PYTHONPATH": str(ROOT)} | where | more

    def start(self, name: str, **more: str) -> Part:
        http, mqtt = free_port(), free_port()
        environment = self.environment(**{"ONELOT_HTTP_PORT": str(http), "ONELOT_MQTT_PORT": str(mqtt)} | more)
        log = self.data.parent / f"{name}-{http}.log"
        with log.open("wb") as out:
            process = subprocess.Popen([sys.executable, "-m", "onelot", "run", name], env=environment, stdout=out, stderr=out)
        self.running.append(Part(name, http, mqtt, process, log))
        return self.running[-1]

    async def begun(self, name: str, **more: str) -> Part:
        """Started, and ready."""
        part = self.start(name, **more)
        await self.ready(part)
        return part

    async def ready(self, part: Part) -> None:
        async def ready() -> dict[str, bool] | None:
            assert part.process.poll() is None, part.log.read_text()
            if part.name == "outside":
                return {"ready": True} if (self.data / "outside.json").exists() else None
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with aiohttp.ClientSession() as http, http.get(part.url + "/readyz") as answer:
                    return {"ready": True} if answer.status == 200 else None
            return None

        await eventually(ready, f"a ready {part.name}", 150)  # Seven processes at once, on a machine that may be busy.

    async def say(self, *words: str) -> str:
        """A command beside the parts."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "onelot", *words, env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, error = await process.communicate()
        assert process.returncode == 0, error.decode()
        return out.decode()

    async def ask(self, statement: str, *values: object) -> list[Any]:
        connection = await asyncpg.connect(self.postgres_url)
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    def end(self) -> None:
        for part in self.running:
            if part.process.poll() is None:
                part.process.kill()
                part.process.wait()
