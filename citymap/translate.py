"""Other people's rows in our words: each becomes a feature of our GeoJSON or a refusal, and keeps its number."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from citymap.model import Bounds
from citymap.read_sites import Read, Refused, read_sites

_STRANGE: Final = re.compile(r"[^A-Za-z0-9._:-]+")
_FITS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
NULL_ISLAND: Final = 0.5  # Degrees around (0, 0): where rows without a position end up.


class NotTaken(Exception):
    """Why a row is none of ours: a code and a sentence."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


@dataclass(slots=True)
class Translated:
    """Features in our words, the row of each, and what was refused before it became one."""

    features: list[dict[str, Any]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, row: int, feature: dict[str, Any]) -> None:
        self.features.append(feature)
        self.rows.append(row)

    def refuse(self, row: int, name: object, why: NotTaken) -> None:
        self.refused.append(Refused(row, name if isinstance(name, str) else "", why.code, why.detail))

    def read(self, bounds: Bounds, known: Mapping[str, bool]) -> Read:
        """Judged as our own files are; refusals name the row that they had in the file."""
        read = read_sites(msgspec.json.encode({"type": "FeatureCollection", "features": self.features}), bounds, known)
        refused = [msgspec.structs.replace(one, row=self.rows[one.row - 1]) for one in read.refused]
        return Read(read.sites, read.spots, sorted([*self.refused, *refused], key=lambda one: one.row))


def feature(kind: str, identity: str, lon: float, lat: float, /, **properties: object) -> dict[str, Any]:
    said = {key: value for key, value in properties.items() if value not in (None, "")}
    return {
        "type": "Feature",
        "id": identity,
        "geometry": {"type": "Point", "coordinates": [lon, lat]},
        "properties": {"kind": kind, **said},
    }


def id_of(text: str, source: str = "") -> str:
    """A foreign id as one of ours: as it is written when it fits, else with what keeps it apart from others that look alike."""
    whole = f"{source}:{text}" if source else text
    if _FITS.fullmatch(whole):
        return whole
    mark = hashlib.blake2b(whole.encode(), digest_size=4).hexdigest()
    plain = _STRANGE.sub("-", whole).strip("-._:")[:55]
    return f"{plain}-{mark}" if plain else f"x-{mark}"


def code_of(text: str) -> str:
    """A name of people or firms as a code."""
    return _STRANGE.sub("-", text.lower()).strip("-._:")[:64] if text.isascii() else id_of(text.lower())


def position(lon: object, lat: object) -> tuple[float, float]:
    """Raises NotTaken for what is no position, and for the place in the sea where rows without one lie."""
    if isinstance(lon, bool) or isinstance(lat, bool) or not isinstance(lon, int | float) or not isinstance(lat, int | float):
        raise NotTaken("geometry", "longitude and latitude are two numbers")
    if abs(lon) < NULL_ISLAND and abs(lat) < NULL_ISLAND:
        raise NotTaken("geometry", f"({lon}, {lat}) is where rows without a position lie")
    return float(lon), float(lat)
