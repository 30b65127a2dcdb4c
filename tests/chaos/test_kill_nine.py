"""The short form of benchmarks/bench_chaos.py: a city killed with -9 three times, once while it was still starting."""

import tempfile
from pathlib import Path

import pytest

from benchmarks import bench_chaos


async def test_what_is_acknowledged_survives_kill_nine_once_and_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_chaos, "STILLBORN", 2)
    monkeypatch.setattr(bench_chaos, "LIFE_SECONDS", (0.3, 1.0))
    with tempfile.TemporaryDirectory(prefix="onelot-chaos-") as place:
        verdict = await bench_chaos.torment(Path(place), rounds=3)

    assert (verdict.lost, verdict.doubled) == (0, 0), verdict
    assert verdict.sound, verdict
    assert verdict.acknowledged > 300 and verdict.resent > 0
