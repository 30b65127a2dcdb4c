"""Read our GeoJSON strictly: what is right is taken, and every wrong feature is refused by its row with the reason."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

import msgspec

from citymap.errors import NothingReadable
from citymap.model import CLASSES, COUNTED_BY, TYPES, Bounds, Name, Site, Spot

CAPACITY_MAX: Final = 100_000
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_SPOT_KEYS: Final = frozenset(("kind", "site", "class"))
_SITE_KEYS: Final = frozenset(("kind", "name", "type", "operator", "counted_by", "zone", "tariff", "capacity")) | frozenset(
    ("max_height_cm", "max_stay_s", "opening_hours", "entrances")
)
_OF_THE_AREA: Final = frozenset(("area_class", "demand", "weight"))  # For whoever simulates a city; the map has no use for them.


class Refused(msgspec.Struct, frozen=True):
    """A feature that was not taken; `row` counts the features from 1."""

    row: int
    id: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Read:
    sites: list[Site]
    spots: list[Spot]
    refused: list[Refused]


class _Wrong(Exception):
    """What is wrong with a feature: a code and a sentence."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class _PlainPoint(msgspec.Struct, gc=False):
    type: Literal["Point"]
    coordinates: tuple[float, float]


class _PlainProperties(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    kind: Literal["spot"]
    site: str
    spot_class: Literal["standard", "electric", "accessible", "family", "loading", "motorcycle"] = msgspec.field(
        default="standard", name="class"
    )


class _PlainSpot(msgspec.Struct, gc=False):
    """A spot about which nothing is odd: most of a large file, so it is read the short way. Whatever else comes is looked at closely."""

    type: Literal["Feature"]
    id: Annotated[str, msgspec.Meta(pattern=rf"\A{_ID.pattern}\Z")]
    geometry: _PlainPoint
    properties: _PlainProperties


class _Collection(msgspec.Struct):
    type: Literal["FeatureCollection"]
    features: list[msgspec.Raw]


_plain: Final = msgspec.json.Decoder(_PlainSpot)


@dataclass(slots=True)
class _Reader:
    bounds: Bounds
    known: Mapping[str, bool]
    sites: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    spots: dict[str, tuple[int, Spot]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)


def read_sites(text: bytes, bounds: Bounds, known: Mapping[str, bool] | None = None) -> Read:
    """Sites, spots and refusals of a FeatureCollection (contract 3). Raises NothingReadable.

    `known` are the sites that are registered already: spots may belong to them; the value says whether the site has spots.
    """
    reader = _Reader(bounds, known or {})
    for row, raw in enumerate(_features(text), 1):
        spot = _plain_spot(reader, raw)
        if spot is not None:
            reader.spots[spot.id] = row, spot
        else:
            _try(reader, row, _decoded(raw))
    _drop_orphans(reader)
    with_spots = {spot.site for _, spot in reader.spots.values()} | {site for site, has in reader.known.items() if has}
    sites = [_finished(fields, with_spots) for _, fields in reader.sites.values()]
    return Read(sites, [spot for _, spot in reader.spots.values()], sorted(reader.refused, key=lambda one: one.row))


def _features(text: bytes) -> Sequence[msgspec.Raw]:
    try:
        return msgspec.json.decode(text.removeprefix(b"\xef\xbb\xbf"), type=_Collection).features
    except msgspec.ValidationError:
        raise NothingReadable("the file is not a GeoJSON FeatureCollection") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NothingReadable(f"the file is not JSON: {error}") from None


def _plain_spot(reader: _Reader, raw: msgspec.Raw) -> Spot | None:
    try:
        held = _plain.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    lon, lat = held.geometry.coordinates
    if held.id in reader.spots or not reader.bounds.hold(lon, lat):
        return None
    return Spot(id=held.id, site=held.properties.site, spot_class=held.properties.spot_class, lon=lon, lat=lat)


def _decoded(raw: msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NothingReadable(f"the file is not JSON: {error}") from None


def _try(reader: _Reader, row: int, feature: object) -> None:
    try:
        _take(reader, row, feature)
    except _Wrong as wrong:
        found = feature.get("id") if isinstance(feature, dict) else None
        reader.refused.append(Refused(row, found if isinstance(found, str) else "", wrong.code, wrong.detail))


def _take(reader: _Reader, row: int, feature: object) -> None:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise _Wrong("feature", "this is not a GeoJSON Feature")
    properties = feature.get("properties")
    if not isinstance(properties, dict):
        raise _Wrong("properties", "the feature has no properties")
    name = feature.get("id")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise _Wrong("id", "an id has 1 to 64 characters of A-Z a-z 0-9 . _ : - and begins with a letter or digit")
    kind = properties.get("kind")
    if kind == "site":
        _take_site(reader, row, name, properties, feature.get("geometry"))
    elif kind == "spot":
        _take_spot(reader, row, name, properties, feature.get("geometry"))
    else:
        raise _Wrong("kind", "kind is site or spot")


def _take_site(reader: _Reader, row: int, name: str, given: dict[str, Any], geometry: object) -> None:
    if name in reader.sites:
        raise _Wrong("duplicate_id", f"site {name} stands in this file already, in row {reader.sites[name][0]}")
    _only(given, _SITE_KEYS | _OF_THE_AREA)
    lon, lat = _point(geometry, reader.bounds)
    reader.sites[name] = (
        row,
        {
            "id": name,
            "name": _name(given.get("name")),
            "type": _one_of(given, "type", TYPES),
            "operator": _code(given, "operator", required=True),
            "counted_by": _one_of(given, "counted_by", COUNTED_BY) if "counted_by" in given else None,
            "capacity": _whole(given, "capacity", 0, CAPACITY_MAX) or 0,
            "lon": lon,
            "lat": lat,
            "tariff": _code(given, "tariff"),
            "zone": _code(given, "zone"),
            "max_height_cm": _whole(given, "max_height_cm", 50, 2000),
            "max_stay_s": _whole(given, "max_stay_s", 60, 366 * 86_400),
            "opening_hours": _text(given, "opening_hours", 200),
            "entrances": tuple(_entrances(given.get("entrances", []), reader.bounds)),
        },
    )


def _take_spot(reader: _Reader, row: int, name: str, given: dict[str, Any], geometry: object) -> None:
    if name in reader.spots:
        raise _Wrong("duplicate_id", f"spot {name} stands in this file already, in row {reader.spots[name][0]}")
    if not given.keys() <= _SPOT_KEYS:
        _only(given, _SPOT_KEYS)
    site = given.get("site")
    if not isinstance(site, str):
        raise _Wrong("site", "site is the id of the site this spot belongs to")
    spot_class = _one_of(given, "class", CLASSES) if "class" in given else "standard"
    lon, lat = _point(geometry, reader.bounds)
    reader.spots[name] = row, Spot(id=name, site=site, spot_class=spot_class, lon=lon, lat=lat)


def _drop_orphans(reader: _Reader) -> None:
    """Spots may stand before their site, so this is known at the end only."""
    for name, (row, spot) in list(reader.spots.items()):
        if spot.site not in reader.sites and spot.site not in reader.known:
            del reader.spots[name]
            reader.refused.append(Refused(row, name, "unknown_site", f"there is no site {spot.site}, or it was refused"))


def _finished(fields: dict[str, Any], with_spots: set[str]) -> Site:
    if fields["counted_by"] is None:
        fields["counted_by"] = "spots" if fields["id"] in with_spots else "gates"
    return Site(**fields)


def _only(given: dict[str, Any], keys: frozenset[str]) -> None:
    unknown = sorted(given.keys() - keys)
    if unknown:
        raise _Wrong("unknown_field", f"there is no property {unknown[0]}")


def _point(geometry: object, bounds: Bounds) -> tuple[float, float]:
    if not isinstance(geometry, dict) or geometry.get("type") != "Point":
        raise _Wrong("geometry", "the geometry is a Point")
    return _position(geometry.get("coordinates"), bounds, "geometry")


def _position(held: object, bounds: Bounds, code: str) -> tuple[float, float]:
    if not isinstance(held, list) or len(held) not in (2, 3) or not all(_is_number(one) for one in held):
        raise _Wrong(code, "coordinates are two numbers, longitude and latitude")
    lon, lat = float(held[0]), float(held[1])
    if not bounds.hold(lon, lat):
        raise _Wrong("outside_city", f"({lon}, {lat}) lies outside the city ({bounds.w}, {bounds.s}, {bounds.e}, {bounds.n})")
    return lon, lat


def _is_number(held: object) -> bool:
    return isinstance(held, int | float) and not isinstance(held, bool) and math.isfinite(held)


def _entrances(held: object, bounds: Bounds) -> Iterator[tuple[float, float]]:
    if not isinstance(held, list) or len(held) > 50:
        raise _Wrong("entrances", "entrances are a list of at most 50 positions")
    for one in held:
        yield _position(one, bounds, "entrances")


def _name(held: object) -> Name:
    if not isinstance(held, dict) or not held.keys() <= {"zh", "en"}:
        raise _Wrong("name", 'a name is {"zh": "…", "en": "…"}')
    zh, en = held.get("zh") or held.get("en"), held.get("en") or held.get("zh")
    if not isinstance(zh, str) or not isinstance(en, str) or not 1 <= len(zh) <= 200 or not 1 <= len(en) <= 200:
        raise _Wrong("name", "a name has 1 to 200 characters in zh or en")
    return Name(zh, en)


def _one_of(given: dict[str, Any], key: str, words: Sequence[str]) -> str:
    held = given.get(key)
    if not isinstance(held, str) or held not in words:
        raise _Wrong(key, f"{key} is one of {', '.join(words)}")
    return held


def _code(given: dict[str, Any], key: str, *, required: bool = False) -> str:
    held = given.get(key)
    if held is None and not required:
        return ""
    if not isinstance(held, str) or not _CODE.fullmatch(held):
        raise _Wrong(key, f"{key} is a code of 1 to 64 letters, digits, . _ : -")
    return held


def _text(given: dict[str, Any], key: str, length: int) -> str:
    held = given.get(key) or ""
    if not isinstance(held, str) or len(held) > length:
        raise _Wrong(key, f"{key} is a text of at most {length} characters")
    return held


def _whole(given: dict[str, Any], key: str, low: int, high: int) -> int | None:
    held = given.get(key)
    if held is None:
        return None
    if not isinstance(held, int) or isinstance(held, bool) or not low <= held <= high:
        raise _Wrong(key, f"{key} is a whole number from {low} to {high}")
    return held
