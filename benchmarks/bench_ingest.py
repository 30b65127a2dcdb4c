"""Durable ingest of the listener against mosquitto passing the same messages to a bare subscriber, in turns, by the same load."""

import asyncio
import contextlib
import json
import shutil
import socket
import statistics
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.databases import own_database
from benchmarks.rows import Row, cannot, compared, measured
from foundation import postgres

NAMES = (
    "ingest.listener_window20_vs_broker",
    "ingest.listener_window1_vs_broker",
    "ingest.cpu_us_window20",
    "ingest.cpu_us_window1",
    "ingest.latency_p50_ms",
    "ingest.latency_p99_ms",
)
ROUNDS = 5
GATEWAYS = 2  # Processes at one port, as a city runs them; the broker and its subscriber are two as well.
MESSAGES = {20: 200_000, 1: 60_000}  # Two seconds and more of each.
PACED_RATE, PACED_MESSAGES = 500, 3_000
PATIENCE_SECONDS = 60.0


Cpu = dict[str, float]  # Microseconds of CPU a message, by process.


@dataclass(frozen=True, slots=True)
class Gateway:
    """Processes at one port."""

    port: int
    devices: list[dict[str, Any]]
    processes: list[asyncio.subprocess.Process]

    @property
    def numbers(self) -> list[int]:
        return [process.pid for process in self.processes]


@dataclass(slots=True)
class Turns:
    """Messages a second and CPU of all turns of one side."""

    rates: list[float] = field(default_factory=list)
    cpu: list[Cpu] = field(default_factory=list)

    def add(self, turn: tuple[float, Cpu]) -> None:
        self.rates.append(turn[0])
        self.cpu.append(turn[1])

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    def median_cpu(self) -> Cpu:
        return {who: statistics.median([turn[who] for turn in self.cpu]) for who in self.cpu[0]} if self.cpu else {}


async def measure(postgres_url: str, place: Path) -> list[Row]:
    """Messages a second: acknowledged and on disk by us, against handed through by the broker."""
    broker = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
    rows: list[Row] = []
    async with own_database(postgres_url, "ingest") as url, _gateway(url) as gateway:
        for window in (20, 1):
            ours, theirs = await _in_turns(gateway, url, broker, window, place)
            rows += _rows(window, ours, theirs)
        paced, _ = await _load(gateway.port, gateway.devices, place, PACED_MESSAGES, 20, PACED_RATE)
        await _end(gateway)
        stored = await _stored(url)
    sent = ROUNDS * sum(MESSAGES.values()) + PACED_MESSAGES
    note = f"at {PACED_RATE} a second, from due to acknowledged on disk; {stored:,} of {sent:,} messages of all rounds stored"
    return [
        *sorted(rows, key=lambda row: NAMES.index(row["name"])),
        measured("ingest.latency_p50_ms", paced["latency_p50_ms"], "ms", note),
        measured("ingest.latency_p99_ms", paced["latency_p99_ms"], "ms", note),
    ]


def _rows(window: int, ours: Turns, theirs: Turns) -> list[Row]:
    name, cpu_name = f"ingest.listener_window{window}_vs_broker", f"ingest.cpu_us_window{window}"
    cpu, peer = ours.median_cpu(), theirs.median_cpu()
    shares = ", ".join(f"{who} {used:.1f}" for who, used in cpu.items())
    if not theirs.rates:
        return [cannot(name, "msg/s", "no mosquitto", goal=1.0), measured(cpu_name, sum(cpu.values()), "us", shares)]
    turns = " ".join(f"{mine / other:.2f}" for mine, other in zip(ours.rates, theirs.rates, strict=True))
    note = (
        f"200 connections, {window} in flight, QoS 1, one reading each, on disk by {GATEWAYS} gateways at one port; "
        f"peer: mosquitto to one bare subscriber; turns {turns}"
    )
    shares += "; peer: " + ", ".join(f"{who} {used:.1f}" for who, used in peer.items())
    return [
        compared(name, ours.rate, theirs.rate, "msg/s", note, goal=1.0),
        measured(cpu_name, sum(cpu.values()), "us", f"CPU a message: {shares}"),
    ]


async def _in_turns(gateway: Gateway, url: str, broker: str | None, window: int, place: Path) -> tuple[Turns, Turns]:
    ours, theirs = Turns(), Turns()
    for _ in range(ROUNDS):
        ours.add(await _to_gateway(gateway, url, MESSAGES[window], window, place))
        if broker:
            theirs.add(await _through_broker(broker, gateway.devices, place, MESSAGES[window], window))
    return ours, theirs


async def _to_gateway(gateway: Gateway, url: str, messages: int, window: int, place: Path) -> tuple[float, Cpu]:
    server = await _server_processes(url)
    before = _used(gateway.numbers), _used(server)
    result, load_cpu = await _load(gateway.port, gateway.devices, place, messages, window, 0)
    after = _used(gateway.numbers), _used(server)
    assert not result["refused"] and not result["unacknowledged"], result
    each = [1e6 * (late - early) / messages for early, late in zip(before, after, strict=True)]
    return result["messages_per_s"], {"gateway": each[0], "PostgreSQL": each[1], "load": load_cpu}


def _used(processes: Sequence[int]) -> float:
    """Seconds of CPU so far, of all threads."""
    total = 0
    for process in processes:
        for thread in Path(f"/proc/{process}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):  # It may have ended.
                total += int(thread.read_text().split()[0])
    return total / 1e9


async def _server_processes(url: str) -> list[int]:
    """Of PostgreSQL: the gateway's connections, and who writes for them. The server is on this machine, as all of this is."""
    owner = await postgres.connection(url)
    try:
        return [row["pid"] for row in await owner.fetch("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")]
    finally:
        await owner.close()


async def _load(
    port: int, devices: list[dict[str, Any]], place: Path, messages: int, window: int, rate: float
) -> tuple[dict[str, Any], float]:
    """What it reports, and its own CPU a message."""
    cards = place / "devices.json"
    cards.write_text(json.dumps(devices))
    words = ["--host", "127.0.0.1", "--port", str(port), "--devices", str(cards), "--messages", str(messages), "--window", str(window)]
    words += ["--rate", str(rate)] if rate else []
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.mqtt_load", *words, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    result = dict(json.loads(out))
    return result, result["cpu_us"]


async def _through_broker(broker: str, devices: list[dict[str, Any]], place: Path, messages: int, window: int) -> tuple[float, Cpu]:
    """Messages a second as the subscriber counts them, from the first to the last."""
    port = _free_port()
    settings = place / "mosquitto.conf"
    settings.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 1000\n"
        "persistence false\nlog_type error\n"
    )
    process = await asyncio.create_subprocess_exec(broker, "-c", str(settings), stderr=asyncio.subprocess.DEVNULL)
    try:
        await _answers(port)
        counting = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.bare_subscriber", str(port), str(messages), stdout=asyncio.subprocess.PIPE
        )
        assert counting.stdout is not None
        assert await asyncio.wait_for(counting.stdout.readline(), 10) == b"ready\n"
        before = _used([process.pid])
        (_, load_cpu), counted = await asyncio.gather(_load(port, devices, place, messages, window, 0), _last_word(counting.stdout))
        used = 1e6 * (_used([process.pid]) - before) / messages
        await counting.wait()
        return messages / counted["seconds"], {"mosquitto": used, "subscriber": counted["cpu_us"], "load": load_cpu}
    finally:
        process.terminate()
        await process.wait()


async def _last_word(stream: asyncio.StreamReader) -> dict[str, float]:
    return dict(json.loads(await asyncio.wait_for(stream.readline(), PATIENCE_SECONDS)))


@contextlib.asynccontextmanager
async def _gateway(url: str) -> AsyncIterator[Gateway]:
    processes: list[asyncio.subprocess.Process] = []
    try:
        said = await _one_more(processes, url, 0)
        for _ in range(GATEWAYS - 1):
            await _one_more(processes, url, said["port"])
        yield Gateway(said["port"], said["devices"], processes)
    finally:
        for process in processes:
            if process.returncode is None:
                process.terminate()
                await process.wait()


async def _one_more(processes: list[asyncio.subprocess.Process], url: str, port: int) -> dict[str, Any]:
    """What it says of itself."""
    pipe, words = asyncio.subprocess.PIPE, (url, str(port))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.gateway_process", *words, stdin=pipe, stdout=pipe, limit=1 << 20
    )
    processes.append(process)
    assert process.stdout is not None
    return dict(json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE_SECONDS)))


async def _end(gateway: Gateway) -> None:
    for process in gateway.processes:
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)


async def _stored(url: str) -> int:
    owner = await postgres.connection(url)
    try:
        return int(await owner.fetchval("SELECT count(*) FROM journal.reading WHERE kind = 'spot'"))
    finally:
        await owner.close()


async def _answers(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
