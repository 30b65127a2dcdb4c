"""Run a city, until it is told to end."""

import sys

import click

from foundation import logs
from onelot.cli import demo, parts, up
from onelot.cli.options import settings_of, with_flags


@click.command("up")
@with_flags
def up_command(**flags: object) -> None:
    """Run the platform alone, until Ctrl-C."""
    settings = settings_of(**flags)
    logs.set_up(debug=settings.debug)
    sys.exit(up.run(settings))


@click.command("demo")
@with_flags
def demo_command(**flags: object) -> None:
    """Run the platform and let one car live through it."""
    settings = settings_of(**flags)
    logs.set_up(debug=settings.debug, quiet=not settings.debug)
    sys.exit(up.run(settings, story=demo.tell))


@click.command("run")
@click.argument("part", type=click.Choice(parts.WORDS))
@with_flags
def run_command(part: str, **flags: object) -> None:
    """Run one part as a process of its own, against servers given by URLs. Parts: gateway (devices), work (followers, timers), web, and for
    rehearsals outside (simulated phones, departments and bank)."""
    settings = settings_of(**flags)
    logs.set_up(debug=settings.debug)
    sys.exit(parts.run(settings, part))
