"""Measure against peers in the same run: a table for people, a list for machines."""

import importlib
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from onelot import embedded
from onelot.cli.errors import Failed

Row = dict[str, Any]
PARTS = ("machine", "ingest", "visible", "tariffs", "stays", "ledger", "auth", "services", "board", "near", "fanout", "web", "chaos")


async def run(only: str, file: Path | None) -> None:
    """Run the parts whose rows begin with `only`, print, and write."""
    console = Console(stderr=True, highlight=False)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="onelot-bench-") as place:
        servers = await embedded.start(Path(place) / "data")
        try:
            for part in PARTS:
                measure = _part(part)
                if any(name.startswith(only) for name in measure.names):
                    with console.status(f"{part} …"):
                        rows += [row for row in await _rows(measure, servers.owner_url, Path(place)) if row["name"].startswith(only)]
        finally:
            await embedded.stop(servers)
    if not rows:
        raise Failed(f"no row begins with {only}")
    Console(width=None if sys.stdout.isatty() else 160).print(_table(rows))
    if file is not None:
        file.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")


class _Measure:
    def __init__(self, names: tuple[str, ...], rows: Callable[[str, Path], Awaitable[list[Row]]]) -> None:
        self.names, self.rows = names, rows


async def _rows(measure: _Measure, url: str, place: Path) -> list[Row]:
    """A part that cannot run here says why in its rows and has no value; the others go on."""
    try:
        return await measure.rows(url, place)
    except Exception as error:
        why = f"cannot run here: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        nothing = dict.fromkeys(("value", "baseline", "ratio", "goal", "met"))
        return [{"name": name, "unit": "", "note": why, **nothing} for name in measure.names]


def _part(name: str) -> _Measure:
    """A file of benchmarks/; they are run from a checkout, not from a wheel."""
    try:
        module = importlib.import_module(f"benchmarks.bench_{name}")
    except ModuleNotFoundError as error:
        raise Failed(f"the benchmarks lie in the repository, not in the package ({error.name}); run this in a checkout") from None
    return _Measure(module.NAMES, module.measure)


def _table(rows: list[Row]) -> Table:
    table = Table("row", "ours", "peer", "ratio", "goal", "met", "note", box=None)
    for row in rows:
        unit = row["unit"]
        table.add_row(
            row["name"], _number(row["value"], unit), _number(row["baseline"], unit), _number(row["ratio"]), _number(row["goal"]),
            {True: "yes", False: "NO", None: ""}[row["met"]], row["note"],
        )  # fmt: skip
    return table


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return "-"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {unit}".strip()
