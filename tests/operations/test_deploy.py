"""What is deployed names what there is: metrics on the board, commands in units and containers, variables in their files."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from prometheus_client import REGISTRY

from onelot.cli import main, up
from onelot.cli.parts import WORDS
from onelot.config import Settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
VARIABLES = {f"ONELOT_{one.name.upper()}" for one in fields(Settings)}
NAME = re.compile(r"\b(?:onelot|process|python)_[a-z_]+\b")


def metrics() -> set[str]:
    """Every name that `/metrics` may show, of everything that a city imports."""
    assert up.run
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count", ""), "gauge": ("",)}
    return {family.name + suffix for family in REGISTRY.collect() for suffix in suffixes.get(family.type, ("",))}


def written(text: str) -> set[str]:
    """Metrics are `onelot_…` in small letters; labels and databases are not."""
    return {name for name in NAME.findall(text) if name not in ("onelot_app",)}


def expressions(held: Any) -> Iterator[str]:
    if isinstance(held, dict):
        yield from [held["expr"]] if isinstance(held.get("expr"), str) else []
        for one in held.values():
            yield from expressions(one)
    for one in held if isinstance(held, list) else ():
        yield from expressions(one)


def test_every_metric_is_documented_and_every_documented_one_is_there() -> None:
    said, there = written((ROOT / "docs" / "metrics.md").read_text()), metrics()
    ours = {name for name in there if name.startswith("onelot_") and not name.endswith(("_bucket", "_sum", "_count"))}

    assert said - there == set()
    assert ours - said == set()


@pytest.mark.parametrize("file", ["grafana/onelot.json", "prometheus/alerts.yaml"])
def test_boards_and_alarms_ask_for_metrics_that_there_are(file: str) -> None:
    asked = list(expressions(yaml.safe_load((DEPLOY / file).read_text())))

    assert len(asked) > 9
    assert {name for text in asked for name in written(text)} - metrics() == set()


def test_the_board_shows_every_metric_of_ours() -> None:
    board = (DEPLOY / "grafana" / "onelot.json").read_text()
    names = {name.removesuffix("_total") for name in written((ROOT / "docs" / "metrics.md").read_text()) if name.startswith("onelot_")}

    assert {name for name in names if name not in board} == {"onelot_part"}
    panels = json.loads(board)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_type_commands_that_there_are(unit: Path) -> None:
    text = unit.read_text()
    [line] = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    _, word, *rest = line.split()

    assert word in main.COMMANDS
    assert word != "run" or rest[0] in WORDS
    assert int(re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)[0]) > 15


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_units(unit: Path, tmp_path: Path) -> None:
    """With a program and a user that this machine has, or it would complain of those."""
    mine = tmp_path / unit.name.replace("@", "@1" if "@" in unit.name else "")
    text = unit.read_text().replace("/opt/onelot/bin/onelot", sys.executable).replace("User=onelot", "User=daemon")
    mine.write_text(text)
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", str(mine)], capture_output=True, text=True, timeout=60)

    assert [line for line in said.stderr.splitlines() if unit.name.split("@")[0].removesuffix(".service") in line] == []


def test_composed_parts_type_commands_and_variables_that_there_are() -> None:
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    ours = {name: one for name, one in composed["services"].items() if one.get("image") == "onelot"}

    assert set(ours) == set(WORDS)
    for one in ours.values():
        word, *rest = one["command"]
        assert word in main.COMMANDS and rest[0] in WORDS
        assert set(one["environment"]) <= VARIABLES
    volumes = {volume.split(":")[0] for one in composed["services"].values() for volume in one.get("volumes", ())}
    assert {name for name in volumes if not name.startswith("./")} == set(composed["volumes"])
    assert all((DEPLOY / name).exists() for name in volumes if name.startswith("./"))


def test_variables_of_units_are_ours() -> None:
    said = re.findall(r"^([A-Z_]+)=", (DEPLOY / "systemd" / "onelot.env.example").read_text(), re.MULTILINE)

    assert said and set(said) <= VARIABLES


def test_the_image_is_made_of_what_there_is() -> None:
    text = (DEPLOY / "Dockerfile").read_text()

    assert "requirements/run.txt" in text and (ROOT / "requirements" / "run.txt").exists()
    assert re.search(r"^wheel:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", ["operations.md", "howto/import-a-city.md"])
def test_flags_that_a_page_types_are_flags_of_their_command(page: str) -> None:
    wrong = []
    for typed in re.findall(r"(?:`|^ {4})onelot ([^`#\n]+)", (ROOT / "docs" / page).read_text(), re.MULTILINE):
        word, *rest = typed.split()
        command = main.commands()[word.rstrip(",")]
        if isinstance(command, click.Group) and rest and rest[0] in command.commands:
            command = command.commands[rest[0]]
        known = {flag for option in command.params for flag in option.opts}
        wrong += [typed for flag in rest if flag.startswith("--") and flag not in known]

    assert wrong == []
