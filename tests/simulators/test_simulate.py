"""A little city from the command line, once without faults and once with every one: the truth report against a real platform."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simulators.traffic.faults import NAMES

ROOT = Path(__file__).resolve().parents[2]
# A city begins when it is started, so the hour of the test decides how many come and go: the quietest of the week sees each of these.
MANY_SITES = 24
MANY_FAULTS = (
    "missed_exit=0.3,missed_entry=0.1,misread=0.12,no_plate=0.06,cloned_plate=0.05,duplicate=0.1,reorder=0.1,"
    "offline=0.3,dying=0.1,clock_skew=0.2,clock_jump=0.1"
)


def simulated(place: Path, *words: str, sites: int = 10) -> tuple[dict[str, Any], str]:
    """`onelot simulate` with a city of its own; its report, and what it said."""
    program = "import sys; sys.path.insert(0, sys.argv[1]); import little_city as it; from pathlib import *; it.written(Path(sys.argv[2]), "
    subprocess.run([sys.executable, "-c", f"{program}{sites})", str(Path(__file__).parent), str(place)], check=True)
    given = {name: value for name, value in os.environ.items() if not name.startswith("ONELOT_")} | {"PYTHONPATH": str(ROOT)}
    said = subprocess.run(
        [sys.executable, "-m", "onelot", "simulate", "--data", str(place / "none"), "--city-file", str(place / "city.geojson"),
         "--tariffs", str(place / "tariffs"), "--accounts", "12", "--report", str(place / "report.json"), *words],
        env=given, cwd=place, capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert (place / "report.json").exists(), said.stderr
    return json.loads((place / "report.json").read_text()), said.stdout + said.stderr


def test_without_faults_every_bay_and_bill_is_right_and_nothing_is_lost(tmp_path: Path) -> None:
    report, said = simulated(tmp_path, "--minutes", "60", "--speed", "240")

    assert report["verdict"] == "right" and report["differences"]["all"] == 0, said
    assert report["bays"] == {"compared": 150, "wrong": 0} and report["sites"] == {"compared": 5, "wrong": 0}
    assert report["bills"]["above_zero"] == report["bills"]["above_zero_in_truth"] > 8
    assert report["stays"]["finished"] == report["stays"]["billed"] > 12 and report["stays"]["doubtful"] == 0
    messages = report["messages"]
    assert messages["acknowledged"] > 500 and (messages["unacknowledged"], messages["lost"], messages["doubled"]) == (0, 0, 0)


def test_with_every_fault_each_difference_is_named_and_nobody_pays_more_than_the_truth(tmp_path: Path) -> None:
    report, said = simulated(tmp_path, "--minutes", "60", "--speed", "120", "--faults", MANY_FAULTS, sites=MANY_SITES)

    assert report["verdict"] == "differences explained by faults", said
    assert report["differences"]["all"] > 5 and report["differences"]["unexplained"] == 0
    assert report["drivers"]["charged_more_than_the_truth"] == report["drivers"]["wrongly_taken"] == 0
    assert report["messages"]["lost"] == report["messages"]["doubled"] == 0
    assert report["faults"].keys() >= set(NAMES)
    assert all(sum(one["ended"].values()) == one["injected"] for one in report["faults"].values())


@pytest.mark.parametrize(
    ("words", "says"), [(("--report", "r.json"), "--minutes"), (("--faults", "rainbow"), "there is no fault 'rainbow'")]
)
def test_wrong_use_is_told_in_one_sentence(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "onelot", "simulate", *words], capture_output=True, text=True, timeout=30, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip

    assert said.returncode == 2 and says in said.stderr and len(said.stderr.splitlines()) == 1
