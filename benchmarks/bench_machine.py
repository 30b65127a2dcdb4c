"""What this machine is, since hosts differ two- to threefold: a fixed CPU loop, and flushes to disk a second."""

import os
import time
from pathlib import Path

from benchmarks.rows import Row, measured

NAMES = ("machine.loop_ms", "machine.fsync_per_s")
FLUSHES = 300


async def measure(postgres_url: str, place: Path) -> list[Row]:
    """Two rows to read the others by; neither has a goal."""
    loops = sorted(_loop_ms() for _ in range(5))
    note = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} when it began"
    return [
        measured("machine.loop_ms", loops[2], "ms", f"a million additions in Python, median of 5; {note}"),
        measured("machine.fsync_per_s", _flushes(place / "flush"), "1/s", "8 kB written and fdatasynced, one after the other"),
    ]


def _loop_ms() -> float:
    began, total = time.perf_counter(), 0
    for number in range(1_000_000):
        total += number
    return 1000 * (time.perf_counter() - began)


def _flushes(file: Path) -> float:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    try:
        began = time.perf_counter()
        for _ in range(FLUSHES):
            os.pwrite(descriptor, bytes(8192), 0)
            os.fdatasync(descriptor)
        return FLUSHES / (time.perf_counter() - began)
    finally:
        os.close(descriptor)
        file.unlink()
