"""Durable ingest of the listener against mosquitto passing the same messages to a bare subscriber, in turns, by the same load."""

import asyncio
import contextlib
import json
import shutil
import socket
import statistics
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.databases import own_database
from benchmarks.rows import Row, cannot, compared, measured
from foundation import postgres

NAMES = (
    "ingest.listener_window20_vs_broker",
    "ingest.listener_window1_vs_broker",
    "ingest.cpu_us_per_message",
    "ingest.latency_p50_ms",
    "ingest.latency_p99_ms",
)
ROUNDS = 3
MESSAGES = {20: 40_000, 1: 20_000}
PACED_RATE, PACED_MESSAGES = 500, 3_000
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Gateway:
    port: int
    devices: list[dict[str, Any]]
    process: asyncio.subprocess.Process


async def measure(postgres_url: str, place: Path) -> list[Row]:
    """Messages a second: acknowledged and on disk by us, against handed through by the broker."""
    broker = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
    rows: list[Row] = []
    async with own_database(postgres_url, "ingest") as url, _gateway(url) as gateway:
        for window in (20, 1):
            name = f"ingest.listener_window{window}_vs_broker"
            ours, theirs = await _in_turns(gateway, broker, window, place)
            note = f"200 connections, {window} in flight, QoS 1, one reading each, on disk; peer: mosquitto to one bare subscriber"
            rows.append(
                compared(name, ours, theirs, "msg/s", note, goal=1.0) if theirs else cannot(name, "msg/s", "no mosquitto", goal=1.0)
            )
        paced = await _load(gateway.port, gateway.devices, place, PACED_MESSAGES, 20, PACED_RATE)
        cpu = await _cpu_seconds(gateway)
        stored = await _stored(url)
    sent = ROUNDS * sum(MESSAGES.values()) + PACED_MESSAGES
    note = f"at {PACED_RATE} a second, from due to acknowledged on disk; {stored:,} of {sent:,} messages of all rounds stored"
    return [
        *rows,
        measured("ingest.cpu_us_per_message", 1e6 * cpu / sent, "us", "the gateway's own CPU over all rounds, start included"),
        measured("ingest.latency_p50_ms", paced["latency_p50_ms"], "ms", note),
        measured("ingest.latency_p99_ms", paced["latency_p99_ms"], "ms", note),
    ]


async def _in_turns(gateway: Gateway, broker: str | None, window: int, place: Path) -> tuple[float, float]:
    ours, theirs = [], []
    for _ in range(ROUNDS):
        result = await _load(gateway.port, gateway.devices, place, MESSAGES[window], window, 0)
        assert not result["refused"] and not result["unacknowledged"], result
        ours.append(result["messages_per_s"])
        if broker:
            theirs.append(await _through_broker(broker, gateway.devices, place, MESSAGES[window], window))
    return statistics.median(ours), statistics.median(theirs) if theirs else 0.0


async def _load(port: int, devices: list[dict[str, Any]], place: Path, messages: int, window: int, rate: float) -> dict[str, Any]:
    cards = place / "devices.json"
    cards.write_text(json.dumps(devices))
    words = ["--host", "127.0.0.1", "--port", str(port), "--devices", str(cards), "--messages", str(messages), "--window", str(window)]
    words += ["--rate", str(rate)] if rate else []
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.mqtt_load", *words, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    return dict(json.loads(out))


async def _through_broker(broker: str, devices: list[dict[str, Any]], place: Path, messages: int, window: int) -> float:
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
        _, seconds = await asyncio.gather(_load(port, devices, place, messages, window, 0), _last_word(counting.stdout))
        await counting.wait()
        return messages / float(seconds)
    finally:
        process.terminate()
        await process.wait()


async def _last_word(stream: asyncio.StreamReader) -> float:
    return float(await asyncio.wait_for(stream.readline(), PATIENCE_SECONDS))


@contextlib.asynccontextmanager
async def _gateway(url: str) -> AsyncIterator[Gateway]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.gateway_process", url, stdin=pipe, stdout=pipe, limit=1 << 20
    )
    try:
        assert process.stdout is not None
        said = json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE_SECONDS))
        yield Gateway(said["port"], said["devices"], process)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _cpu_seconds(gateway: Gateway) -> float:
    """End it, and hear what it used."""
    assert gateway.process.stdin is not None and gateway.process.stdout is not None
    gateway.process.stdin.close()
    said = await asyncio.wait_for(gateway.process.stdout.readline(), PATIENCE_SECONDS)
    await gateway.process.wait()
    return float(json.loads(said)["cpu_s"])


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
