"""Read the bones of the city, drawn by hand in `skeleton.yaml`, into shapes in metres around its centre."""

import functools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
import yaml
from shapely.geometry import LineString, Polygon

HERE: Final = Path(__file__).parent
SKELETON, STATIONS = HERE / "skeleton.yaml", HERE / "stations.json"
WIDTHS: Final = {"motorway": 46.0, "ring": 50.0, "primary": 36.0, "secondary": 24.0, "local": 14.0}  # From kerb to kerb, in metres.
RAIL_HALF_M: Final = {"main": 14.0, "fast": 11.0}
STOPPING: Final = frozenset(("primary", "secondary", "local"))  # Where there is a kerb to stop at.

Floats = npt.NDArray[np.float64]
Name = tuple[str, str]  # Chinese, English


@dataclass(frozen=True, slots=True)
class Frame:
    """Metres east and north of a centre; flat, which over fifty kilometres is off by less than a lane."""

    lon: float
    lat: float

    @property
    def scale(self) -> tuple[float, float]:
        return 111_320.0 * math.cos(math.radians(self.lat)), 110_940.0

    def metres(self, degrees: Floats) -> Floats:
        return (degrees - (self.lon, self.lat)) * self.scale

    def degrees(self, metres: Floats) -> Floats:
        return metres / self.scale + (self.lon, self.lat)

    def lonlat(self, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(lon, lat) for lon, lat in self.degrees(np.array(points)).tolist()]


@dataclass(frozen=True, slots=True)
class Road:
    zh: str
    en: str
    kind: str
    line: LineString

    @property
    def width(self) -> float:
        return WIDTHS[self.kind]

    @property
    def name(self) -> Name:
        return self.zh, self.en


@dataclass(frozen=True, slots=True)
class Area:
    zh: str
    en: str
    shape: Polygon
    kind: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    zh: str
    en: str
    kind: str
    width: float
    line: LineString


@dataclass(frozen=True, slots=True)
class Place:
    zh: str
    en: str
    demand: str
    weight: float
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Skeleton:
    about: Name
    seed: int
    frame: Frame
    roads: tuple[Road, ...]
    rails: tuple[Line, ...]
    yards: tuple[Area, ...]
    rivers: tuple[Line, ...]
    waters: tuple[Area, ...]
    parks: tuple[Area, ...]
    zones: tuple[Area, ...]
    grounds: tuple[Area, ...]
    districts: tuple[Area, ...]
    places: tuple[Place, ...]
    stations: tuple[tuple[str, str, str, float, float], ...]  # zh, en, lines, x, y


@functools.cache
def load() -> Skeleton:
    held = yaml.load(SKELETON.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  # both are safe loaders
    frame = Frame(*_pair(held["centre"]))
    read = _Reader(frame)
    roads = [Road(zh, en, kind, read.line(points)) for zh, en, kind, points in held["roads"]]
    roads += [Road(zh, en, kind, read.circle(centre, radius)) for zh, en, kind, centre, radius in held["circles"]]
    waters = [Area(zh, en, read.area(points, smooth=True)) for zh, en, points in held["waters"]]
    return Skeleton(
        about=(held["about"]["zh"], held["about"]["en"]),
        seed=held["seed"],
        frame=frame,
        roads=tuple(roads),
        rails=tuple(Line(zh, en, kind, 2 * RAIL_HALF_M[kind], read.line(points)) for zh, en, kind, points in held["rails"]),
        yards=tuple(Area(zh, en, read.area(points)) for zh, en, points in held["yards"]),
        rivers=tuple(Line(zh, en, "river", float(width), read.line(points)) for zh, en, width, points in held["rivers"]),
        waters=(*waters, *(Area(zh, en, read.lake(*rest)) for zh, en, *rest in held["lakes"])),
        parks=tuple(Area(zh, en, read.area(points, smooth=True)) for zh, en, points in held["parks"]),
        zones=tuple(Area(zh, en, read.area(points), kind, code) for code, zh, en, kind, points in held["zones"]),
        grounds=tuple(Area(zh, en, read.area(points)) for zh, en, points in held["grounds"]),
        districts=tuple(_districts(held, read)),
        places=tuple(Place(zh, en, demand, float(weight), *read.point(at)) for zh, en, demand, weight, at in held["places"]),
        stations=tuple(
            (zh, en, lines, *read.point(f"{lon} {lat}")) for zh, en, lines, lon, lat in json.loads(STATIONS.read_text())["stations"]
        ),
    )


def _districts(held: dict[str, Any], read: "_Reader") -> list[Area]:
    corners = {number: f"{lon} {lat}" for number, lon, lat in (corner.split() for corner in held["corners"].split(","))}
    shapes = [
        (str(adcode), zh, en, code, read.area(", ".join(corners[one] for one in ring.split())))
        for adcode, zh, en, code, ring in held["districts"]
    ]
    # A district that lies within another is a hole in it.
    return [
        Area(
            zh,
            en,
            shapely.difference(shape, shapely.union_all([other for *_, other in shapes if shape.contains_properly(other)])),
            adcode,
            code,
        )
        for adcode, zh, en, code, shape in shapes
    ]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Texts of degrees into shapes of metres."""

    frame: Frame

    def point(self, text: str) -> tuple[float, float]:
        x, y = self.frame.metres(np.array([_pair(text)]))[0].tolist()
        return x, y

    def line(self, text: str) -> LineString:
        return LineString(rounded(self._points(text)))

    def area(self, text: str, *, smooth: bool = False) -> Polygon:
        points = self._points(text)
        return Polygon(rounded(np.vstack([points, points[:1]]), closed=True) if smooth else points)

    def circle(self, centre: str, radius: float) -> LineString:
        turn = np.linspace(0, 2 * math.pi, 73)
        return LineString(np.array(self.point(centre)) + radius * np.column_stack([np.cos(turn), np.sin(turn)]))

    def lake(self, centre: str, outer: float, island: float, wobble: float) -> Polygon:
        turn = np.linspace(0, 2 * math.pi, 97)[:-1]
        unit, at = np.column_stack([np.cos(turn), np.sin(turn)]), np.array(self.point(centre))
        wave = 1 + wobble * (0.6 * np.sin(3 * turn + 1.0) + 0.4 * np.sin(5 * turn))
        hole = [at + island * unit] if island else []
        return Polygon(at + (outer * wave)[:, None] * unit, hole)

    def _points(self, text: str) -> Floats:
        return self.frame.metres(np.array([_pair(one) for one in text.split(",")]))


def _pair(text: str) -> tuple[float, float]:
    lon, lat = text.split()
    return float(lon), float(lat)


def rounded(points: Floats, *, closed: bool = False) -> Floats:
    """Corners cut twice (Chaikin), so that what was drawn by hand does not look like it; ends stay, joints of a ring are cut too."""
    for _ in range(2):
        if len(points) < 3:
            return points
        start, stop = points[:-1], points[1:]
        cut = np.empty((2 * len(start), 2))
        reach = np.minimum(0.25, 220.0 / np.maximum(np.hypot(*(stop - start).T), 1.0))[:, None]  # Long straights stay straight.
        cut[0::2], cut[1::2] = start + reach * (stop - start), stop - reach * (stop - start)
        points = np.vstack([cut, cut[:1]]) if closed else np.vstack([points[:1], cut[1:-1], points[-1:]])
    return points
