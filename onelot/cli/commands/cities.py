"""Run a city, until it is told to end."""

import sys

import click

from foundation import logs
from onelot.cli import demo, up
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
