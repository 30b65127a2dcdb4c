"""What keeps a city well: look at it, keep it, bring it back, measure it."""

import asyncio
import json
import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from onelot.cli import backup, bench, doctor
from onelot.cli.options import as_json, common, debugged, settings_of


@click.command("doctor")
@common
@as_json
@debugged
def doctor_command(as_json: bool, **flags: object) -> None:
    """Say what is wrong and what to do. Exit status 1 when something is."""
    found = asyncio.run(doctor.examine(settings_of(**flags)))
    if as_json:
        click.echo(json.dumps({"items": [msgspec.to_builtins(one) for one in found]}, ensure_ascii=False))
    else:
        table = Table("", "what", "finding", "what to do", box=None)
        for one in found:
            table.add_row("ok" if one.good else "!!", one.what, one.finding, "" if one.good else one.advice)
        Console().print(table)
    sys.exit(0 if all(one.good for one in found) else 1)


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@common
@debugged
def backup_command(file: Path, **flags: object) -> None:
    """Database and keys of the running city into one file, readable by its owner only."""
    size = asyncio.run(backup.backup(settings_of(**flags), file))
    click.echo(f"{file}: {size / 1e6:.1f} MB. It holds the keys: keep it as you keep them.")


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--erasures", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Who was erased; applied at the next start.")
@common
@debugged
def restore_command(file: Path, erasures: Path | None, **flags: object) -> None:
    """Bring a backup into a new data directory; then start the city there."""
    settings = settings_of(**flags)
    asyncio.run(backup.restore(settings, file, erasures))
    click.echo(f"restored into {settings.data_dir}; start it with `onelot up --data {settings.data_dir}`")


@click.command("bench")
@click.option("--only", default="", help="Rows whose name begins so.")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write the rows there, too.")
@debugged
def bench_command(only: str, file: Path | None, **_: object) -> None:
    """Measure against peers in the same run, and print the table."""
    asyncio.run(bench.run(only, file))
