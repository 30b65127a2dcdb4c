"""The whole demo is killed in the middle of a run, platform and strangers; a second start goes on, and nothing is lost."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from onelot.embedded import free_port

ROOT = Path(__file__).resolve().parents[2]
MINUTES, SPEED = 60, 120


async def test_a_demo_that_was_killed_goes_on_and_nothing_is_lost(tmp_path: Path) -> None:
    where = {"ONELOT_DATA_DIR": str(tmp_path / "data"), "ONELOT_HTTP_PORT": str(free_port()), "ONELOT_MQTT_PORT": str(free_port())}
    demo = started(tmp_path, where)
    try:
        await until(lambda: said(tmp_path).count("cars are parked") == 1, tmp_path, 60)
        await asyncio.sleep(10)  # A third of the run.
        kill(demo)
        demo = started(tmp_path, where)
        await until(lambda: (tmp_path / "report.json").exists(), tmp_path, 100)
        report = json.loads((tmp_path / "report.json").read_text())
    finally:
        kill(demo)

    assert "going on with the run that was there" in said(tmp_path)
    assert report["verdict"] == "right" and report["differences"]["all"] == 0, report["examples"]
    assert report["stays"]["finished"] == report["stays"]["billed"] > 5
    assert report["messages"]["lost"] == report["messages"]["doubled"] == report["messages"]["unacknowledged"] == 0


def started(place: Path, where: dict[str, str]) -> "subprocess.Popen[bytes]":
    given = {name: value for name, value in os.environ.items() if not name.startswith("ONELOT_")}
    words = [
        "demo",
        "--bays",
        "600",
        "--minutes",
        str(MINUTES),
        "--speed",
        str(SPEED),
        "--accounts",
        "8",
        "--report",
        str(place / "report.json"),
    ]
    with (place / "demo.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "onelot", *words], env=given | where | {"PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, cwd=place, start_new_session=True,
        )  # fmt: skip


def said(place: Path) -> str:
    return (place / "demo.log").read_text()


def kill(demo: "subprocess.Popen[bytes]") -> None:
    """As the power goes: all at once, and nobody is told."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(demo.pid, signal.SIGKILL)
    demo.wait()


async def until(true: Callable[[], bool], place: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, said(place)
        await asyncio.sleep(0.2)
