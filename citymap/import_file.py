"""Bring a file of whatever format into the city, and say what became of each row and of what the source no longer lists."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
import structlog

from citymap import store
from citymap.errors import NothingReadable
from citymap.import_sites import Progress, Report, save_read
from citymap.model import Bounds
from citymap.read_csv import read_csv, read_mapping
from citymap.read_parkapi import Place, is_parkapi, read_parkapi
from citymap.read_sites import Read, read_sites
from foundation.clock import rfc3339
from foundation.postgres import Database

log = structlog.get_logger()

FORMATS: Final = ("onelot", "parkapi", "csv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a file is to be read. Empty: as the file itself says."""

    format: str = ""
    mapping: bytes = b""
    source: str = ""  # Who lists these sites: what is missing in its next file is said, and stays.
    stem: str = ""  # The file's name, by which a foreign source goes that has no other.
    prefix: str = ""  # Before every id: ids of two sources may be alike.
    operator: str = ""


async def import_file(
    database: Database, text: bytes, asked: Asked, *, bounds: Bounds, now: datetime, progress: Progress | None = None
) -> Report:
    """Raises NothingReadable. As often as one likes: nothing is doubled, and nothing is retired by what a file leaves out."""
    kind, read, notes = await _read(database, text, asked, bounds)
    report = await save_read(database, read, now=now, progress=progress)
    source = asked.source or ("" if kind == "onelot" else asked.stem)
    missing = await _confirm(database, source, [site.id for site in read.sites], now) if source else []
    return msgspec.structs.replace(report, format=kind, notes=notes + missing)


async def _read(database: Database, text: bytes, asked: Asked, bounds: Bounds) -> tuple[str, Read, list[str]]:
    known = await store.known_sites(database)
    features = None if asked.format == "csv" else _features(text)
    kind = asked.format or ("csv" if features is None else "parkapi" if is_parkapi(features) else "onelot")
    if kind == "onelot":
        return kind, read_sites(text, bounds, known), []
    if kind == "csv":
        if not asked.mapping:
            raise NothingReadable("a table needs --map FILE, which says what its columns are (docs/howto/import-a-city.md)")
        found = read_csv(text, read_mapping(asked.mapping), prefix=asked.prefix)
    else:
        if features is None:
            raise NothingReadable("the file is not a GeoJSON FeatureCollection")
        places = [Place(row["id"], row["name"]["en"], row["lon"], row["lat"]) for row in await store.named_sites(database)]
        found = read_parkapi(features, places, prefix=asked.prefix, operator=asked.operator)
    return kind, found.read(bounds, known), found.notes


def _features(text: bytes) -> list[Any] | None:
    """The features of a collection; None for what is no JSON object, which may be a table."""
    if not text.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return None
    try:
        held: Any = msgspec.json.decode(text.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NothingReadable(f"the file is not JSON: {error}") from None
    features = held.get("features") if isinstance(held, Mapping) else None
    if not isinstance(features, list):
        raise NothingReadable("the file is not a GeoJSON FeatureCollection")
    return features


async def _confirm(database: Database, source: str, listed: list[str], now: datetime) -> list[str]:
    """Remember what a source lists. Absence in one answer is weak evidence: it is said and kept, and retires nothing."""
    row = await database.run(lambda tx: store.confirm_sites(tx, source, listed, now))
    if not row["missing"]:
        return []
    log.warning("source_lists_less", source=source, known=row["known"], listed=len(listed), missing=row["missing"])
    some = ", ".join(row["some"])
    return [
        f"{source} lists {row['known'] - row['missing']} of its {row['known']} sites; the other {row['missing']} stay as they are, "
        f"not confirmed since {rfc3339(row['since'])} at the earliest: {some}"
    ]
