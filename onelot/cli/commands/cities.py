"""Run a city, until it is told to end."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from foundation import logs
from onelot.cli import demo, living_city, parts, up
from onelot.cli.options import settings_of, with_flags
from onelot.cli.simulate import BAYS
from onelot.config import Misused


@click.command("up")
@with_flags
def up_command(**flags: object) -> None:
    """Run the platform alone, until Ctrl-C."""
    settings = settings_of(**flags)
    logs.set_up(debug=settings.debug)
    sys.exit(up.run(settings))


@click.command("demo")
@click.option("--one-car", is_flag=True, help="A small lot and one car that lives through it, told in five acts.")
@click.option("--bays", type=click.IntRange(300, BAYS), default=BAYS, help=f"A smaller reference city: its middle ({BAYS}).")
@click.option("--tariffs", type=click.Path(exists=True, file_okay=False, path_type=Path), help="With a city of your own: its tariffs.")
@click.option("--seed", type=int, default=1, help="The same seed is the same traffic (1).")
@click.option("--faults", default="none", help="all, none, or missed_exit=0.01,misread,…")
@click.option("--accounts", type=click.IntRange(0, 2000), default=60, help="Drivers with an account (60).")
@click.option("--minutes", type=click.FloatRange(0.1, 14_400), help="End the traffic after so long, in the city's time.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Then write the truth report there.")
@with_flags
def demo_command(one_car: bool, **flags: Any) -> None:
    """Run the platform, the reference city and its traffic. `--city FILE` takes any file that `import` takes instead."""
    more = {name: flags.pop(name) for name in ("bays", "tariffs", "seed", "faults", "accounts", "minutes", "report")}
    if flags["city"] and Path(flags["city"]).is_file():
        more["city_file"], flags["city"] = Path(flags["city"]).resolve(), None
    elif flags["city"] and {"/", "."} & set(flags["city"]):
        raise Misused(f"there is no file {flags['city']}; `--city` takes a file that `onelot import` takes, or the name of a city")
    settings = settings_of(**flags)
    logs.set_up(debug=settings.debug, quiet=not settings.debug)
    words = [word for name, value in more.items() if value is not None for word in (f"--{name.replace('_', '-')}", str(value))]
    if one_car:
        sys.exit(up.run(settings, story=demo.tell))
    drawing = None if "city_file" in more else living_city.Drawing(settings, more["seed"], more["bays"])
    story = partial(living_city.live, words=words, drawing=drawing)
    sys.exit(up.run(settings, story=story, beside=drawing.going() if drawing else None))


@click.command("run")
@click.argument("part", type=click.Choice(parts.WORDS))
@click.option("--mqtt-shared", is_flag=True, default=None, help="Let other gateways listen at the same port: one for each core.")
@with_flags
def run_command(part: str, **flags: object) -> None:
    """Run one part as a process of its own, against servers given by URLs. Parts: gateway (devices), work (followers, timers), web, and for
    rehearsals outside (simulated phones, departments and bank)."""
    settings = settings_of(**flags)
    logs.set_up(debug=settings.debug)
    sys.exit(parts.run(settings, part))
