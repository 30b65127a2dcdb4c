"""ParkAPI GeoJSON, of version 3 (`uid`, single bays too) and of version 1 (`total`, `aux`), in our words."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from shapely.errors import ShapelyError
from shapely.geometry import shape

from citymap.grid import METRES_PER_DEGREE
from citymap.translate import NotTaken, Translated, code_of, feature, id_of, position

TYPES: Final = {
    "CAR_PARK": "structure", "UNDERGROUND": "underground", "ON_STREET": "on_street", "OFF_STREET_PARKING_GROUND": "surface",
    "OTHER": "surface",
    "Parkhaus": "structure", "Tiefgarage": "underground", "Parkplatz": "surface", "Parkscheinautomat": "on_street",
    "unbekannt": "surface",
}  # fmt: skip
CLASSES: Final = {
    "CHARGING": "electric", "DISABLED": "accessible", "FAMILY": "family", "WOMEN": "family", "LOADING": "loading", "DELIVERY": "loading",
    "MOTORCYCLE": "motorcycle",
}  # fmt: skip
FOR_BICYCLES: Final = frozenset(("TWO_TIER", "SHED", "STANDS", "BUILDING", "WALL_LOOPS", "SAFE_WALL_LOOPS", "LOCKERS", "LOCKBOX", "FLOOR"))
OF_THE_SAME_SITE_M: Final = 250.0  # A bay carries its site's name and about its point.


@dataclass(frozen=True, slots=True)
class Place:
    """A site that a bay may belong to."""

    id: str
    name: str
    lon: float
    lat: float


def is_parkapi(features: Sequence[object]) -> bool:
    """By the words of the first features: ours say `kind`."""
    for one in features[:20]:
        properties = one.get("properties") if isinstance(one, dict) else None
        if isinstance(properties, dict):
            if "kind" in properties:
                return False
            if properties.keys() & {"uid", "aux", "total", "purpose"} or properties.get("type") == "city":
                return True
    return False


def read_parkapi(features: Sequence[object], places: Iterable[Place], *, prefix: str = "", operator: str = "") -> Translated:
    """`places` are the sites that are registered already; bays of a site that nobody knows make one of their own."""
    found = Translated()
    sites = list(places)
    bays: list[tuple[int, dict[str, Any]]] = []
    for row, one in enumerate(features, 1):
        try:
            properties = _properties(one)
            if _is_bay(properties):
                bays.append((row, properties))
            else:
                site = _site(properties, *_point(one), prefix, operator)
                found.add(row, site)
                sites.append(Place(site["id"], site["properties"]["name"]["en"], *site["geometry"]["coordinates"]))
        except NotTaken as why:
            found.refuse(row, _said_id(one), why)
    _add_bays(found, features, bays, sites, prefix, operator)
    return found


def _properties(one: object) -> dict[str, Any]:
    properties = one.get("properties") if isinstance(one, dict) else None
    if not isinstance(properties, dict):
        raise NotTaken("feature", "this is not a feature with properties")
    if properties.get("type") == "city":
        raise NotTaken("not_a_site", "this feature is the city itself and no place to park")
    if properties.get("purpose") not in (None, "CAR") or properties.get("type") in FOR_BICYCLES:
        raise NotTaken("not_for_cars", f"{properties.get('purpose') or properties.get('type')} is not for cars")
    return properties


def _is_bay(properties: Mapping[str, Any]) -> bool:
    """Sites say how many they hold, bays whom they are for."""
    return not properties.keys() & {"capacity", "total"} and bool(properties.keys() & {"restrictions", "restricted_to"})


def _said_id(one: object) -> str:
    properties = one.get("properties") if isinstance(one, dict) else None
    held = _identity(properties) if isinstance(properties, dict) else None
    return held if isinstance(held, str) else ""


def _identity(properties: Mapping[str, Any]) -> object:
    """`uid`, or in version 1 the identifier of its source, or its name."""
    if properties.get("uid") is not None:
        return properties["uid"]
    aux = properties.get("aux")
    if isinstance(aux, str):
        try:
            aux = msgspec.json.decode(aux)
        except msgspec.DecodeError:
            aux = None
    return (aux.get("identifier") if isinstance(aux, dict) else None) or properties.get("name")


def _text(properties: Mapping[str, Any], key: str) -> str:
    held = properties.get(key)
    return held.strip() if isinstance(held, str) else ""


def _named(properties: Mapping[str, Any], prefix: str) -> str:
    held = _identity(properties)
    if isinstance(held, int | float) and not isinstance(held, bool):
        raise NotTaken("id", f"the id {held} is written as a number and may have lost digits on its way; write it as text")
    if not isinstance(held, str) or not held.strip():
        raise NotTaken("id", "there is no uid")
    return id_of(held.strip(), prefix)


def _point(one: Any) -> tuple[float, float]:  # a feature whose properties were read
    """Where it is; of an area, a point inside."""
    geometry = one.get("geometry")
    if isinstance(geometry, dict) and geometry.get("type") == "Point":
        held = geometry.get("coordinates")
        return position(*held[:2]) if isinstance(held, list) and len(held) >= 2 else position(None, None)
    try:
        inside = shape(geometry).representative_point()
        return position(inside.x, inside.y)
    except (ShapelyError, AttributeError, TypeError, ValueError, KeyError, IndexError):
        raise NotTaken("geometry", "there is no point, line or area") from None


def _site(properties: Mapping[str, Any], lon: float, lat: float, prefix: str, operator: str) -> dict[str, Any]:
    name = _text(properties, "name") or _text(properties, "address")
    kind = properties.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise NotTaken("type", f"the type {kind} is none of {', '.join(sorted(TYPES))}")
    return feature(
        "site",
        _named(properties, prefix),
        lon,
        lat,
        name={"zh": name, "en": name},
        type=TYPES[kind],
        operator=operator or code_of(_text(properties, "operator_name")) or code_of(prefix) or "parkapi",
        counted_by="counter",  # Its source counts the whole of it; single bays with sensors are some of them.
        capacity=properties.get("capacity", properties.get("total")),
        max_height_cm=properties.get("max_height"),
        max_stay_s=properties.get("max_stay"),
        opening_hours=_text(properties, "opening_hours"),
    )


def _add_bays(
    found: Translated, features: Sequence[Any], bays: Sequence[tuple[int, dict[str, Any]]], sites: list[Place], prefix: str, operator: str
) -> None:
    made: set[str] = set()
    for row, properties in bays:
        try:
            lon, lat = _point(features[row - 1])
            name = _named(properties, prefix)
            site = _site_of(properties, lon, lat, sites)
            if site is None:
                site = _make_site(found, row, properties, lon, lat, sites, prefix, operator)
                made.add(site)
            found.add(row, feature("spot", name, lon, lat, site=site, **{"class": _class(properties)}))
        except NotTaken as why:
            found.refuse(row, _said_id(features[row - 1]), why)
    if made:
        found.notes.append(
            f"{len(made)} sites were made of their bays, since no site of their name was known: {', '.join(sorted(made)[:10])}"
        )


def _site_of(properties: Mapping[str, Any], lon: float, lat: float, sites: Iterable[Place]) -> str | None:
    """The nearest site of the bay's name; one with an id of its own goes before one that was made of bays."""
    name = _text(properties, "name") or _text(properties, "address")
    near = [(one.id.startswith("bays-") or ":bays-" in one.id, _metres(one, lon, lat), one.id) for one in sites if one.name == name]
    near = [one for one in near if one[1] <= OF_THE_SAME_SITE_M]
    return min(near)[2] if near else None


def _metres(place: Place, lon: float, lat: float) -> float:
    return METRES_PER_DEGREE * math.hypot((place.lon - lon) * math.cos(math.radians(lat)), place.lat - lat)


def _make_site(
    found: Translated, row: int, properties: Mapping[str, Any], lon: float, lat: float, sites: list[Place], prefix: str, operator: str
) -> str:
    name = _text(properties, "name") or _text(properties, "address")
    if not name:
        raise NotTaken("name", "a bay says by its name which site it belongs to, and this one says nothing")
    site = _site({**properties, "uid": f"bays-{name}", "name": name}, lon, lat, prefix, operator)
    site["properties"]["counted_by"] = "spots"
    found.add(row, site)
    sites.append(Place(site["id"], name, lon, lat))
    return str(site["id"])


def _class(properties: Mapping[str, Any]) -> str:
    held = properties.get("restrictions") or properties.get("restricted_to") or []
    for one in held if isinstance(held, list) else []:
        kind = one.get("type") if isinstance(one, dict) else one
        if isinstance(kind, str) and kind in CLASSES:
            return CLASSES[kind]
    return "standard"
