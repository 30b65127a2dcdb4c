"""Sites and spots from a file into the city."""

import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import click

from citymap import cities
from citymap.import_file import FORMATS, Asked, import_file
from citymap.import_sites import Report
from onelot.cli import connect
from onelot.cli.connect import Reached
from onelot.cli.errors import Failed
from onelot.cli.options import as_json, common, debugged, say, settings_of

BYTES_MAX = 512 * 1024 * 1024


def plain(file: Path) -> IO[bytes]:
    return file.open("rb")


OPENERS: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".xz": lzma.open}


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "kind", type=click.Choice(FORMATS), help="onelot, parkapi or csv (as the file itself shows).")
@click.option("--map", "mapping", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="What a table's columns are, as YAML.")
@click.option(
    "--source", default="", help="Who lists these sites (a foreign file's name): what it leaves out next time is said, and stays."
)
@click.option("--prefix", default="", help="Before every id of a foreign file, when two sources use the same ids.")
@click.option("--operator", default="", help="The operator of all sites of a ParkAPI file (as the file says).")
@click.option("--anywhere", is_flag=True, help="Take sites outside of the city's bounds, too.")
@common
@as_json
@debugged
def import_command(
    file: Path,
    kind: str | None,
    mapping: Path | None,
    source: str,
    prefix: str,
    operator: str,
    anywhere: bool,
    as_json: bool,
    **flags: object,
) -> None:  # fmt: skip
    """Bring in sites and spots of our GeoJSON, ParkAPI GeoJSON or a table with --map; what is refused is listed by row.

    A file may be packed (.gz, .xz)."""
    text = read_packed(file)
    rules = mapping.read_bytes() if mapping else b""
    kind = kind or ("csv" if rules else "")
    asked = Asked(format=kind, mapping=rules, source=source, stem=file.name.split(".")[0], prefix=prefix, operator=operator)

    async def work(city: Reached) -> Report:
        bounds = cities.EVERYWHERE if anywhere else cities.bounds_of_city(await city_name(city))
        return await import_file(city.database, text, asked, bounds=bounds, now=city.clock.city())

    report = connect.run(settings_of(**flags), work)
    say(report, lines_of(report), as_json=as_json)


def lines_of(report: Report) -> list[str]:
    lines = [f"{report.created} created, {report.changed} changed, {report.same} same, {len(report.refused)} refused", *report.notes]
    lines += [f"  row {one.row} {one.id}: {one.code}: {one.detail}" for one in report.refused]
    if report.refused and all(one.code in ("outside_city", "unknown_site") for one in report.refused):
        lines.append("nothing else was wrong: start a city of that name with --city, or take them with --anywhere")
    return lines


def read_packed(file: Path) -> bytes:
    """Raises Failed for what is packed and cannot be unpacked, or is larger than any city."""
    opened = OPENERS.get(file.suffix, plain)
    try:
        with opened(file) as held:
            text: bytes = held.read(BYTES_MAX + 1)
    except (lzma.LZMAError, zlib.error, gzip.BadGzipFile, EOFError) as error:
        raise Failed(f"{file} cannot be unpacked: {error}") from None
    if len(text) > BYTES_MAX:
        raise Failed(f"{file} holds more than {BYTES_MAX // 2**20} MB")
    return text


async def city_name(city: Reached) -> str:
    row = await city.database.row(connect.load_city)
    return str(row["name"]) if row else ""
