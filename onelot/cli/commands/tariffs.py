"""Tariffs, proved and published."""

from pathlib import Path

import click

from onelot.cli import connect
from onelot.cli.connect import Reached
from onelot.cli.errors import Failed
from onelot.cli.options import as_json, common, debugged, instant, say, settings_of
from onelot.config import Misused
from parking.sessions.rerun_bills import Rerun, rerun_bills
from parking.tariffs import price_stay, publish_tariff
from parking.tariffs.calendar import official
from parking.tariffs.errors import TariffFaults
from parking.tariffs.model import Stay, Tariff


@click.group()
def tariff() -> None:
    """Tariffs: check, publish, correct, price."""


def read_text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        raise Failed(f"{file} is not UTF-8 text") from None


def faults_of(file: Path, faults: TariffFaults) -> Failed:
    for fault in faults.faults:
        click.echo(f"{file}:{fault.line}: {fault.pointer or '/'}: {fault.message}", err=True)
    return Failed(f"{file} has {len(faults.faults)} fault{'s' if len(faults.faults) > 1 else ''}; nothing was published")


@tariff.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@debugged
def tariff_check(file: Path, **_: object) -> None:
    """Prove a tariff: unknown words, hours that nothing covers, windows out of reach, examples that fail."""
    try:
        found = publish_tariff.checked(read_text(file))
    except TariffFaults as faults:
        raise faults_of(file, faults) from None
    click.echo(f"{file}: {found.code} version {found.version} holds; {len(found.examples)} examples of its own agree")


@tariff.command("publish")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@common
@debugged
def tariff_publish(file: Path, **flags: object) -> None:
    """Publish a version; from then on it does not change."""
    text = read_text(file)

    async def work(city: Reached) -> tuple[Tariff, bool]:
        return await publish_tariff.publish_tariff(city.database, text, now=city.clock.city())

    try:
        found, fresh = connect.run(settings_of(**flags), work)
    except TariffFaults as faults:
        raise faults_of(file, faults) from None
    click.echo(f"{found.code} version {found.version} is {'published' if fresh else 'published already'}")


@tariff.command("correct")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would be given back, and change nothing.")
@common
@debugged
def tariff_correct(file: Path, dry_run: bool, **flags: object) -> None:
    """Say what a published version should have said; bills that cost less by it are lowered, none is raised."""
    text = read_text(file)

    async def work(city: Reached) -> tuple[Tariff, Rerun]:
        return await rerun_bills(city.database, text, now=city.clock.city(), dry_run=dry_run)

    try:
        found, rerun = connect.run(settings_of(**flags), work)
    except TariffFaults as faults:
        raise faults_of(file, faults) from None
    head = f"{found.code} version {found.version}: of {rerun.bills} bills"
    lower = "would cost less" if dry_run else "cost less now"
    click.echo(f"{head} {rerun.lowered} {lower}, {rerun.given_back / 100:.2f} yuan together")


@tariff.command("price")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from", "entry", required=True, help="Entry, e.g. 2026-03-02T09:00 (city time) or with an offset.")
@click.option("--to", "exit", required=True, help="Exit.")
@click.option("--colour", default="blue", help="Plate colour (blue).")
@click.option("--vehicle", default="small", help="Vehicle type (small).")
@as_json
@debugged
def tariff_price(file: Path, entry: str, exit: str, colour: str, vehicle: str, as_json: bool, **_: object) -> None:
    """What a stay would cost, line by line."""
    try:
        rule = publish_tariff.checked(read_text(file))
    except TariffFaults as faults:
        raise faults_of(file, faults) from None
    try:
        stay = Stay(instant(entry), instant(exit), plate_colour=colour, vehicle_type=vehicle)
    except ValueError as error:
        raise Misused(str(error)) from None
    price = price_stay.price_stay(rule, stay, official())
    lines = [
        f"{line.start:%m-%d %H:%M:%S} - {line.end:%m-%d %H:%M:%S}  {line.amount / 100:>9.2f}  {line.what_en}  {line.what_zh}"
        for line in price.lines
    ]
    say(price, [*lines, f"total {price.total / 100:.2f} yuan"], as_json=as_json)
