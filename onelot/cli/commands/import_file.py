"""Sites and spots from a file into the city."""

from pathlib import Path

import click

from citymap import import_sites
from citymap.model import Bounds
from onelot.cli import connect
from onelot.cli.connect import Reached
from onelot.cli.options import as_json, common, debugged, say, settings_of

CITY_BOUNDS = {"zhengzhou": Bounds(112.70, 34.26, 114.24, 34.99)}
EVERYWHERE = Bounds(-180.0, -85.0, 180.0, 85.0)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--anywhere", is_flag=True, help="Take sites outside of the city's bounds, too.")
@common
@as_json
@debugged
def import_command(file: Path, anywhere: bool, as_json: bool, **flags: object) -> None:
    """Bring in sites and spots from a GeoJSON file; what is refused is listed by row."""
    text = file.read_bytes()

    async def work(city: Reached) -> import_sites.Report:
        bounds = EVERYWHERE if anywhere else CITY_BOUNDS.get(await city_name(city), EVERYWHERE)
        return await import_sites.import_sites(city.database, text, bounds=bounds, now=city.clock.city())

    report = connect.run(settings_of(**flags), work)
    lines = [f"{report.created} created, {report.changed} changed, {report.same} same, {len(report.refused)} refused"]
    say(report, lines + [f"  row {one.row} {one.id}: {one.code}: {one.detail}" for one in report.refused], as_json=as_json)


async def city_name(city: Reached) -> str:
    row = await city.database.row(connect.load_city)
    return str(row["name"]) if row else ""
