"""Simulated traffic, and what came of it."""

import sys
from pathlib import Path

import click
import uvloop
from rich.console import Console

from foundation import logs
from onelot.cli import simulate
from onelot.cli.options import settings_of, with_flags
from onelot.cli.simulate import BAYS
from onelot.config import Misused
from simulators.traffic.faults import StrangeFault, knobs_of


@click.command("simulate")
@click.option(
    "--city-file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A city's file, in any form that `import` takes (the reference city).",
)
@click.option("--tariffs", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder with the tariffs of its sites.")
@click.option("--bays", type=click.IntRange(300, BAYS), default=BAYS, help="A smaller reference city: its middle.")
@click.option("--minutes", type=click.FloatRange(0.1, 14_400), help="How long, in the city's time (until Ctrl-C).")
@click.option("--seed", type=int, default=1, help="The same seed is the same traffic (1).")
@click.option("--faults", default="none", help="all, none, or missed_exit=0.01,misread,…")
@click.option("--accounts", type=click.IntRange(0, 2000), default=40, help="Drivers with an account (40).")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the truth report there, after --minutes.")
@with_flags
def simulate_command(
    file: Path | None, tariffs: Path | None, bays: int, minutes: float | None, seed: int, faults: str, accounts: int, report: Path | None,
    **flags: object,
) -> None:  # fmt: skip
    """Send simulated traffic to the running city, or to one of its own; hold the truth against it at the end."""
    settings = settings_of(**flags)
    logs.set_up(debug=settings.debug, quiet=not settings.debug)
    if report is not None and minutes is None:
        raise Misused("a report is written at the end: say --minutes as well")
    try:
        knobs = knobs_of(faults)
    except StrangeFault as error:
        raise Misused(str(error)) from None
    scenario = simulate.Scenario(file, simulate.tariffs_of(tariffs), bays, seed, minutes, knobs, accounts, report)
    found = uvloop.run(simulate.simulate(settings, scenario, Console(stderr=True, highlight=False, soft_wrap=True)))
    if found is not None:
        click.echo("\n".join(simulate.summary(found)))
        sys.exit(1 if found["verdict"] == "WRONG" else 0)
