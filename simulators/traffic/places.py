"""The city as a stranger may know it: the file that was imported, with what it says of the demand at each site."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

GATED = ("gates", "counter")


class _Properties(msgspec.Struct):
    kind: str = ""
    site: str = ""
    type: str = "surface"
    counted_by: str = ""
    tariff: str = ""
    capacity: int = 0
    area_class: int = 2
    demand: str = "mixed"
    weight: float = 1.0


class _Geometry(msgspec.Struct):
    coordinates: tuple[float, ...] = ()


class _Feature(msgspec.Struct):
    id: str
    properties: _Properties
    geometry: _Geometry


class _Collection(msgspec.Struct):
    """A city has hundreds of thousands of features: each is read by itself, and gone before the next."""

    features: list[msgspec.Raw]


@dataclass(slots=True)
class Place:
    """One site. `spots` are its bays, where a camera sees them; at a gated one only `capacity` matters."""

    id: str
    type: str
    counted_by: str
    tariff: str
    capacity: int
    demand: str = "mixed"
    weight: float = 1.0
    area_class: int = 2
    spots: list[str] = field(default_factory=list)
    lonlat: tuple[float, ...] = ()

    @property
    def gated(self) -> bool:
        return self.counted_by in GATED

    @property
    def room(self) -> int:
        """How many cars fit in."""
        return max(self.capacity, len(self.spots)) if self.gated else len(self.spots)


def read_places(text: bytes) -> list[Place]:
    """The sites of a file in the form of contract 3, in order of id; bays may stand before their site."""
    found: dict[str, Place] = {}
    spots: dict[str, list[str]] = {}
    decoder = msgspec.json.Decoder(_Feature)
    for raw in msgspec.json.decode(text, type=_Collection).features:
        one = decoder.decode(raw)
        if one.properties.kind == "site":
            found[one.id] = _place(one)
        elif one.properties.kind == "spot":
            spots.setdefault(one.properties.site, []).append(one.id)
    for place in found.values():
        mine = sorted(spots.get(place.id, ()))
        place.counted_by = place.counted_by or ("spots" if mine else "gates")
        place.capacity = max(place.capacity, len(mine))
        place.spots = [] if place.gated else mine
    return [found[site] for site in sorted(found)]


def _place(one: _Feature) -> Place:
    given = one.properties
    return Place(
        one.id, given.type, given.counted_by, given.tariff, given.capacity, given.demand, given.weight, given.area_class,
        lonlat=one.geometry.coordinates[:2],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Card:
    """What a device was given when it was added, and what it watches."""

    device: str
    password: str
    topic: str
    host: str
    port: int
    kind: str
    lanes: tuple[str, ...] = ()
    spots: tuple[str, ...] | None = None

    @property
    def site(self) -> str:
        return self.topic.split("/")[3]


SPOTS_OF_A_CAMERA = 100  # One edge box for so many bays: about 2,400 connections in a city of 1,200 sites.


def wishes_of(places: Sequence[Place]) -> list[dict[str, Any]]:
    """Which devices a city wants: cameras that share a site's bays; at gated sites a gate and a counter."""
    wishes: list[dict[str, Any]] = []
    for place in places:
        if place.gated:
            lanes = [str(lane) for lane in range(1, 2 + min(place.room // 300, 5))]
            wishes.append({"device": f"{place.id}-gate", "site": place.id, "kind": "gate", "lanes": lanes})
            wishes.append({"device": f"{place.id}-cnt", "site": place.id, "kind": "counter"})
            continue
        wishes += _cameras(place)
    return wishes


def _cameras(place: Place) -> list[dict[str, Any]]:
    boxes = max(1, -(-len(place.spots) // SPOTS_OF_A_CAMERA))
    return [
        {"device": f"{place.id}-cam-{box + 1}", "site": place.id, "kind": "camera", "spots": place.spots[box::boxes]}
        for box in range(boxes)
    ]


def read_cards(path: Path) -> list[Card]:
    """Cards as `onelot devices add --file … --cards FILE` leaves them: one JSON object a line."""
    return [msgspec.json.decode(line, type=Card) for line in path.read_bytes().splitlines() if line.strip()]
