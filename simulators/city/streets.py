"""Fill the city between its main roads: blocks by halving what the roads leave, and the streets between them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from simulators.city import names
from simulators.city.skeleton import WIDTHS, Area, Floats, Skeleton


@dataclass(frozen=True, slots=True)
class Weave:
    """How the streets of a kind of zone are woven: the area of a block in square metres, how uneven the cuts, how crooked."""

    block: float
    uneven: float
    crooked: float
    secondary_from: float = 160_000.0  # Faces larger than this are cut by a secondary street.


WEAVES: Final = {
    "oldtown": Weave(11_000, 0.16, 0.09, 60_000),
    "core": Weave(19_000, 0.12, 0.04, 110_000),
    "inner": Weave(30_000, 0.10, 0.03, 170_000),
    "cbd": Weave(17_000, 0.04, 0.0, 90_000),
    "newtown": Weave(62_000, 0.04, 0.0, 260_000),
    "suburb": Weave(52_000, 0.10, 0.03, 300_000),
    "hightech": Weave(75_000, 0.06, 0.0, 320_000),
    "industrial": Weave(110_000, 0.08, 0.0, 380_000),
    "town": Weave(34_000, 0.12, 0.05, 160_000),
}
CUTS_MAX: Final = 14
FACE_M2_MIN, THICK_M_MIN = 2_500.0, 12.0
_POLYGON: Final = 3


@dataclass(frozen=True, slots=True)
class Street:
    """A generated street within one face."""

    kind: str
    line: LineString
    face: int

    @property
    def width(self) -> float:
        return WIDTHS[self.kind]

    @property
    def name(self) -> tuple[str, str]:
        """Drawn by where it is, so that the same street has the same name in every part of the city that is built."""
        (x1, y1), (x2, y2) = self.line.coords[0], self.line.coords[-1]
        where = np.array([abs(round((x1 + x2) * 4)) * 1_000_003 + abs(round((y1 + y2) * 4))], np.int64).astype(np.uint64)
        return names.street_name(float(uniform(where)[0]), eastward=abs(x2 - x1) > abs(y2 - y1), kind=self.kind)


@dataclass(frozen=True, slots=True)
class Block:
    """Land between streets, its edge is the kerb."""

    shape: Polygon
    zone: int  # Its place among the zones of the skeleton.
    face: int


@dataclass(frozen=True, slots=True)
class Fabric:
    faces: tuple[Polygon, ...]
    blocks: tuple[Block, ...]
    streets: tuple[Street, ...]


def weave(bones: Skeleton, within: BaseGeometry | None = None) -> Fabric:
    """Blocks and streets of the city, or of those faces whose middle lies within a shape: a face is woven alike in both."""
    faces = [(shape, zone) for shape, zone in _faces(bones) if within is None or within.contains(shape.representative_point())]
    blocks: list[Block] = []
    streets: list[Street] = []
    pieces = _Pieces.of([shape for shape, _ in faces], [WEAVES[bones.zones[zone].kind] for _, zone in faces], bones.seed)
    for depth in range(CUTS_MAX + 1):
        long, wide, along, middle = _extents(pieces.shape)
        whole = (depth == CUTS_MAX) | (wide < 45.0)
        whole |= (shapely.area(pieces.shape) <= pieces.weave[:, 0] * (0.75 + 0.85 * pieces.chance(1))) & (long < 3.2 * wide)
        blocks += [Block(shape, faces[face][1], face) for shape, face in zip(pieces.shape[whole], pieces.face[whole].tolist(), strict=True)]
        pieces, long, wide, along, middle = pieces[~whole], long[~whole], wide[~whole], along[~whole], middle[~whole]
        if not len(pieces.shape):
            break
        found, pieces = _cut(pieces, long, wide, along, middle)
        streets += found
    return Fabric(tuple(shape for shape, _ in faces), tuple(blocks), tuple(streets))


def taken(bones: Skeleton) -> list[BaseGeometry]:
    """What nothing is built on: roads from kerb to kerb, rails, water, parks and reserved ground."""
    strips: list[BaseGeometry] = [shapely.buffer(road.line, road.width / 2, quad_segs=2, cap_style="flat") for road in bones.roads]
    strips += closed_ground(bones)
    return strips


def closed_ground(bones: Skeleton) -> list[BaseGeometry]:
    """Water, rails with their yards, parks, the airfield."""
    lines = [shapely.buffer(one.line, one.width / 2 + 6.0, quad_segs=2, cap_style="flat") for one in (*bones.rails, *bones.rivers)]
    areas: Sequence[Area] = (*bones.yards, *bones.waters, *bones.parks, *bones.grounds)
    return [*lines, *(area.shape for area in areas)]


def _faces(bones: Skeleton) -> Iterator[tuple[Polygon, int]]:
    """What the main roads leave of the built land. A face is all of the zone that has most of it: a border of zones is no street."""
    built = shapely.unary_union([zone.shape for zone in bones.zones])
    shown = [
        shapely.difference(zone.shape, shapely.unary_union([later.shape for later in bones.zones[number + 1 :]]))
        for number, zone in enumerate(bones.zones)
    ]  # Where zones overlap the later one has the ground.
    tree = shapely.STRtree(shown)
    for part in shapely.get_parts(shapely.difference(built, shapely.unary_union(taken(bones)))):
        if part.area >= FACE_M2_MIN and part.buffer(-THICK_M_MIN).area > 0:
            touched = np.sort(tree.query(part))
            shares = [part.intersection(shown[zone]).area for zone in touched.tolist()]
            yield part, int(touched[np.argmax(shares)])


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Ground that is being halved, all of one depth at once. `key` is a piece's own chance: it knows its face and its place there only."""

    shape: npt.NDArray[np.object_]
    face: npt.NDArray[np.int64]
    weave: Floats  # block, uneven, crooked, secondary_from
    key: npt.NDArray[np.uint64]

    @classmethod
    def of(cls, shapes: Sequence[Polygon], weaves: Sequence[Weave], seed: int) -> "_Pieces":
        middle = np.array([shape.representative_point().coords[0] for shape in shapes]).reshape(-1, 2)
        where = np.rint(middle).astype(np.int64).astype(np.uint64)
        key = mixed(mixed(where[:, 0] + np.uint64(seed)) ^ where[:, 1])
        weave_of = np.array([(one.block, one.uneven, one.crooked, one.secondary_from) for one in weaves]).reshape(-1, 4)
        return cls(np.array(shapes, object), np.arange(len(shapes)), weave_of, key)

    def __getitem__(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "_Pieces":
        return _Pieces(self.shape[which], self.face[which], self.weave[which], self.key[which])

    def chance(self, what: int) -> Floats:
        return uniform(self.key ^ np.uint64(what))


def _cut(pieces: _Pieces, long: Floats, wide: Floats, along: Floats, middle: Floats) -> tuple[list[Street], _Pieces]:
    """Halve each piece across its longer side: the streets that do it, and the pieces on both sides of them."""
    secondary = shapely.area(pieces.shape) > pieces.weave[:, 3]
    half = np.where(secondary, WIDTHS["secondary"], WIDTHS["local"]) / 2
    bend = (pieces.chance(2) + pieces.chance(3) + pieces.chance(4) - 1.5) * 2.0  # Close to a normal deviate.
    turn = along + math.pi / 2 + bend * pieces.weave[:, 2]
    at = middle + (long * (2 * pieces.chance(5) - 1) * pieces.weave[:, 1])[:, None] * np.column_stack([np.cos(along), np.sin(along)])
    line, first, second = _sides(at, turn, half, long + wide)
    cuts, of = shapely.get_parts(shapely.intersection(pieces.shape, line), return_index=True)
    keep = shapely.length(cuts) > 10.0
    streets = [
        Street("secondary" if big else "local", cut, face)
        for cut, big, face in zip(cuts[keep], secondary[of[keep]].tolist(), pieces.face[of[keep]].tolist(), strict=True)
    ]
    parts, origin = shapely.get_parts(
        shapely.intersection(np.concatenate([pieces.shape] * 2), np.concatenate([first, second])), return_index=True
    )
    keep = (shapely.get_type_id(parts) == _POLYGON) & (shapely.area(parts) >= FACE_M2_MIN / 3)
    parts, origin = parts[keep], origin[keep]
    left = pieces[origin % len(pieces.shape)]
    nth = np.arange(len(parts)) - np.searchsorted(origin, origin)  # Which part of its side: a concave piece falls into several.
    key = mixed(left.key + np.uint64(101) * (origin // len(pieces.shape) + 1).astype(np.uint64) + nth.astype(np.uint64))
    return streets, _Pieces(parts, left.face, left.weave, key)


def _extents(shapes: npt.NDArray[np.object_]) -> tuple[Floats, Floats, Floats, Floats]:
    """Length and width of the tightest box around each shape, the direction of its length, and its middle."""
    box = shapely.get_coordinates(shapely.oriented_envelope(shapes)).reshape(-1, 5, 2)
    first, second = box[:, 1] - box[:, 0], box[:, 2] - box[:, 1]
    lengths = np.hypot(first[:, 0], first[:, 1]), np.hypot(second[:, 0], second[:, 1])
    turned = lengths[0] < lengths[1]
    side = np.where(turned[:, None], second, first)
    return np.maximum(*lengths), np.minimum(*lengths), np.arctan2(side[:, 1], side[:, 0]), box[:, :4].mean(axis=1)


def _sides(at: Floats, turn: Floats, half: Floats, reach: Floats) -> tuple[npt.NDArray[np.object_], ...]:
    """Streets through points and the ground on both of their sides."""
    along = np.column_stack([np.cos(turn), np.sin(turn)]) * reach[:, None]
    across = np.column_stack([-np.sin(turn), np.cos(turn)])
    start, stop = at - along, at + along
    sides = []
    for sign in (1.0, -1.0):
        near, far = sign * half[:, None] * across, sign * reach[:, None] * across
        sides.append(shapely.polygons(np.stack([start + near, stop + near, stop + far, start + far], axis=1)))
    return shapely.linestrings(np.stack([start, stop], axis=1)), *sides


def mixed(key: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """splitmix64: numbers that know nothing of each other, whatever the order in which they are drawn."""
    key = key + np.uint64(0x9E3779B97F4A7C15)
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: npt.NDArray[np.uint64] = key ^ (key >> np.uint64(31))
    return mixed


def uniform(key: npt.NDArray[np.uint64]) -> Floats:
    """From 0 up to 1."""
    drawn: Floats = (mixed(key) >> np.uint64(11)).astype(np.float64) / float(1 << 53)
    return drawn
