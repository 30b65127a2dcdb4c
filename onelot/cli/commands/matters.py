"""Matters: begun, checked, tested, published."""

from pathlib import Path

import click

from onelot.cli import connect
from onelot.cli.connect import Reached
from onelot.cli.errors import Failed
from onelot.cli.options import common, debugged, settings_of
from services.catalog import new_matter, publish_matter
from services.catalog.errors import MatterFaults
from services.catalog.model import Matter
from services.catalog.prove_matter import prove

folder_argument = click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))


@click.group()
def matter() -> None:
    """Matters of the city's services: new, check, test, publish."""


def faults_of(folder: Path, faults: MatterFaults) -> Failed:
    for fault in faults.faults:
        click.echo(f"{folder / fault.file}:{fault.line}: {fault.message}")
    return Failed(f"{folder} has {faults}; nothing was published")


def proved(folder: Path) -> tuple[Matter, list[str]]:
    try:
        return prove(publish_matter.files_of(folder))
    except MatterFaults as faults:
        raise faults_of(folder, faults) from None


@matter.command("new")
@click.argument("folder", type=click.Path(path_type=Path))
@debugged
def matter_new(folder: Path, **_: object) -> None:
    """Begin a matter in a folder of its own, from one that holds."""
    for name in new_matter.new_matter(folder):
        click.echo(str(folder / name))
    click.echo(f"Now make it yours, file by file, and ask `onelot matter check {folder}` as often as you like.")


@matter.command("check")
@folder_argument
@debugged
def matter_check(folder: Path, **_: object) -> None:
    """Prove a matter: every fault as FILE:LINE: what is wrong."""
    found, tests = proved(folder)
    click.echo(f"{folder}: {found.code} holds; {len(tests)} tests of its own agree")


@matter.command("test")
@folder_argument
@debugged
def matter_test(folder: Path, **_: object) -> None:
    """Run a matter's own tests and name each."""
    found, tests = proved(folder)
    for name in tests:
        click.echo(f"ok  {name}")
    click.echo(f"{found.code}: {len(tests)} tests passed")


@matter.command("publish")
@folder_argument
@common
@debugged
def matter_publish(folder: Path, **flags: object) -> None:
    """Publish a version: new cases begin with it, running ones keep theirs."""
    files = publish_matter.files_of(folder)

    async def work(city: Reached) -> tuple[Matter, str, bool]:
        return await publish_matter.publish_matter(city.database, files, now=city.clock.city())

    try:
        found, version, fresh = connect.run(settings_of(**flags), work)
    except MatterFaults as faults:
        raise faults_of(folder, faults) from None
    click.echo(f"{found.code} {version[:12]} is {'published' if fresh else 'published already'}")
