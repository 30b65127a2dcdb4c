"""Where a car can stand: bays of 2.5 by 6 metres along kerbs, with gaps at corners and drives, and in rows with aisles on a block."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import Polygon

from simulators.city.skeleton import STOPPING, Floats, Road, Skeleton
from simulators.city.streets import Block, Fabric, Street, closed_ground, mixed, uniform

BAY_WIDE_M: Final = 2.5
BAY_LONG_M: Final = 6.0
CORNER_M: Final = 11.0  # Nobody stops nearer to a crossing.
KERB_PITCH_M: Final = 6.6
KERB_EDGE_M_MIN: Final = 2 * CORNER_M + 3 * KERB_PITCH_M
KERB_OFF_M: Final = 0.15 + BAY_WIDE_M / 2  # From the kerb into the street, to the middle of a bay.
STRETCH_M: Final = 650.0  # A main road is cut into sites of about this length.
ROW_PITCH_M, AISLE_M, EDGE_M = 2.6, 6.2, 10.5

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bays:
    """Bays by their middles and the direction of their long side."""

    x: Floats
    y: Floats
    angle: Floats

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, which: Ints | slice | npt.NDArray[np.bool_]) -> "Bays":
        return Bays(self.x[which], self.y[which], self.angle[which])

    def corners(self) -> Floats:
        """Four corners each, n x 4 x 2."""
        along = np.column_stack([np.cos(self.angle), np.sin(self.angle)]) * BAY_LONG_M / 2
        across = np.column_stack([-np.sin(self.angle), np.cos(self.angle)]) * BAY_WIDE_M / 2
        middle = np.column_stack([self.x, self.y])
        return np.stack([middle - along - across, middle + along - across, middle + along + across, middle - along + across], axis=1)

    def shapes(self) -> npt.NDArray[np.object_]:
        shapes: npt.NDArray[np.object_] = shapely.polygons(self.corners())
        return shapes


@dataclass(frozen=True, slots=True)
class Kerbs:
    """Straight edges of blocks at which cars may stand, by the stretch of street they are on."""

    start: Floats
    along: Floats
    length: Floats
    stretch: Ints
    key: npt.NDArray[np.uint64]
    streets: tuple[Street | Road, ...]  # One for each stretch.
    room: Ints  # Bays that fit, for each stretch.
    middle: Floats  # Of each stretch, n x 2.


def kerbs_of(bones: Skeleton, fabric: Fabric) -> Kerbs:
    """Every edge that is long enough, beside a street where one may stop."""
    start, stop = _edges(fabric.blocks)
    length = np.hypot(*(stop - start).T)
    keep = length >= KERB_EDGE_M_MIN
    start, stop, length = start[keep], stop[keep], length[keep]
    along = (stop - start) / length[:, None]
    middle = (start + stop) / 2
    lines, of, ways = _ways(bones, fabric)
    whole = np.array([one.line for one in ways], object)
    near = shapely.STRtree(lines).nearest(shapely.points(middle + 3.0 * _outward(along)))
    way = of[near]
    half = np.array([one.width for one in ways])[way] / 2
    beside = np.ones(len(near), bool)
    for reach in (CORNER_M, length / 2, length - CORNER_M):  # Along the whole edge: a street may also meet it head on.
        points = shapely.points(start + np.broadcast_to(reach, length.shape)[:, None] * along)
        beside &= shapely.distance(points, whole[way]) <= half + 3.0
    beside &= np.array([one.kind in STOPPING for one in ways])[way]
    start, length, along, way, middle = start[beside], length[beside], along[beside], way[beside], middle[beside]
    stretch, first = _stretches(way, ways, middle, len(bones.roads))
    key = mixed(np.rint(middle[:, 0] * 8).astype(np.int64).astype(np.uint64)) ^ np.rint(middle[:, 1] * 8).astype(np.int64).astype(np.uint64)
    room = np.bincount(stretch, _room(length, key)).astype(np.int64)
    middles = np.column_stack([np.bincount(stretch, middle[:, axis]) / np.bincount(stretch) for axis in (0, 1)])
    return Kerbs(start, along, length, stretch, key, tuple(ways[one] for one in way[first].tolist()), room, middles)


def _edges(blocks: Sequence[Block]) -> tuple[Floats, Floats]:
    """Of the outer rings, with the block on the left."""
    shapes = shapely.orient_polygons(np.array([block.shape for block in blocks], object))
    points, ring = shapely.get_coordinates(shapely.get_exterior_ring(shapes), return_index=True)
    same = ring[:-1] == ring[1:]
    return points[:-1][same], points[1:][same]


def _outward(along: Floats) -> Floats:
    return np.column_stack([along[:, 1], -along[:, 0]])


def _ways(bones: Skeleton, fabric: Fabric) -> tuple[npt.NDArray[np.object_], Ints, list[Street | Road]]:
    """Short lines for the search, to which way each belongs, and the ways: main roads first."""
    ways: list[Street | Road] = [*bones.roads, *fabric.streets]
    roads = [road.line for road in bones.roads]
    points, road = shapely.get_coordinates(roads, return_index=True)
    same = road[:-1] == road[1:]
    pieces = shapely.linestrings(np.stack([points[:-1][same], points[1:][same]], axis=1))
    streets = np.array([street.line for street in fabric.streets], object)
    of = np.concatenate([road[:-1][same], len(roads) + np.arange(len(streets))])
    return np.concatenate([pieces, streets]), of, ways


def _stretches(way: Ints, ways: Sequence[Street | Road], middle: Floats, roads: int) -> tuple[Ints, Ints]:
    """A number for each stretch, and an edge that lies on it; generated streets are one stretch, main roads are cut."""
    part = np.zeros(len(way), np.int64)
    for road in range(roads):
        here = way == road
        part[here] = shapely.line_locate_point(ways[road].line, shapely.points(middle[here])) // STRETCH_M
    _, first, stretch = np.unique(way * 1000 + part, return_index=True, return_inverse=True)
    return stretch.reshape(-1), first


def _room(length: Floats, key: npt.NDArray[np.uint64]) -> Ints:
    slots = ((length - 2 * CORNER_M) // KERB_PITCH_M).astype(np.int64)
    return slots - slots // _every(key)


def _every(key: npt.NDArray[np.uint64]) -> Ints:
    """A drive into the block interrupts the row after so many bays."""
    return 7 + (key % np.uint64(6)).astype(np.int64)


def kerb_bays(kerbs: Kerbs, stretches: Ints) -> tuple[Bays, Ints]:
    """The bays of some stretches, in order of stretch and along each edge, and the stretch of each."""
    edges = np.flatnonzero(np.isin(kerbs.stretch, stretches))
    edges = edges[np.argsort(kerbs.stretch[edges], kind="stable")]
    slots = ((kerbs.length[edges] - 2 * CORNER_M) // KERB_PITCH_M).astype(np.int64)
    edge = np.repeat(edges, slots)
    slot = np.arange(len(edge)) - np.repeat(np.cumsum(slots) - slots, slots)
    every = _every(kerbs.key[edge])
    keep = slot % every != every - 1
    edge, slot = edge[keep], slot[keep]
    spare = kerbs.length[edge] - 2 * CORNER_M - KERB_PITCH_M * ((kerbs.length[edge] - 2 * CORNER_M) // KERB_PITCH_M)
    reach = CORNER_M + spare / 2 + KERB_PITCH_M * (slot + 0.5)
    at = kerbs.start[edge] + reach[:, None] * kerbs.along[edge] + KERB_OFF_M * _outward(kerbs.along[edge])
    return Bays(at[:, 0], at[:, 1], np.arctan2(kerbs.along[edge, 1], kerbs.along[edge, 0])), kerbs.stretch[edge]


def free_of(bones: Skeleton, bays: Bays) -> npt.NDArray[np.bool_]:
    """Which bays lie on nothing closed, on no road without a kerb, and on no bay before them."""
    shapes = bays.shapes()
    fine = np.ones(len(bays), bool)
    strips = [shapely.buffer(road.line, road.width / 2 - 1.0, quad_segs=2) for road in bones.roads if road.kind not in STOPPING]
    tree = shapely.STRtree(shapes)
    fine[tree.query([*closed_ground(bones), *strips], predicate="intersects")[1]] = False
    one, other = tree.query(shapely.buffer(shapes, -0.05), predicate="intersects")
    later = np.unique(one[(one > other) & fine[other]])
    fine[later] = False
    return fine


@dataclass(frozen=True, slots=True)
class Ground:
    """What fits on a block: bays in rows, in a frame of its own."""

    bays: Bays
    u: Floats  # Along the rows, from the middle of the block.
    v: Floats
    block: Polygon
    turn: float
    middle: Floats

    def nearest(self, count: int, corner: tuple[float, float]) -> Bays:
        """The bays closest to a point of the frame, as a compact field, row by row."""
        away = np.maximum(np.abs(self.u - corner[0]), 0.8 * np.abs(self.v - corner[1]))
        chosen = np.argsort(away, kind="stable")[:count]
        return self.bays[chosen[np.lexsort((self.u[chosen], self.v[chosen]))]]

    def corner(self, chance: float) -> tuple[float, float]:
        """Near an end of the rows or in the middle of the block."""
        if not len(self.u):
            return 0.0, 0.0
        spot = (self.u.min(), 0.0, self.u.max())[int(chance * 3)]
        return float(spot), float(np.quantile(self.v, (0.15, 0.5, 0.85)[int(chance * 9) % 3]))


def ground_of(block: Polygon, most: int) -> Ground:
    """All bays that fit on a block, or a good part of them when it is far larger than `most`."""
    inner = shapely.buffer(block, -EDGE_M, join_style="mitre")
    box = shapely.get_coordinates(shapely.oriented_envelope(block))
    first, second = box[1] - box[0], box[2] - box[1]
    side = first if np.hypot(*first) >= np.hypot(*second) else second
    turn, middle = math.atan2(side[1], side[0]), box[:4].mean(axis=0)
    long, wide = max(np.hypot(*first), np.hypot(*second)), min(np.hypot(*first), np.hypot(*second))
    reach = math.sqrt(most * 40.0)  # Metres a side that hold so many with all aisles and corners.
    u, v = _rows(min(long, 1.6 * reach), min(wide, 1.6 * reach))
    c, s = math.cos(turn), math.sin(turn)
    x, y = middle[0] + c * u - s * v, middle[1] + s * u + c * v
    shapely.prepare(inner)
    inside = shapely.contains_xy(inner, x, y)
    bays = Bays(x[inside], y[inside], np.full(int(inside.sum()), turn + math.pi / 2))
    return Ground(bays, u[inside], v[inside], block, turn, middle)


def _rows(long: float, wide: float) -> tuple[Floats, Floats]:
    """Pairs of rows around an aisle, back to back with the next pair, and a cross aisle after every 16 bays."""
    slots = np.arange(int(long // ROW_PITCH_M))
    u = slots * ROW_PITCH_M + AISLE_M * (slots // 16)
    u = u[u < long] - min(float(u[-1]) if len(u) else 0.0, long) / 2
    pair = 2 * BAY_LONG_M + AISLE_M + 0.3
    starts = np.arange(0.0, wide, pair) - wide / 2
    v = np.concatenate([starts + BAY_LONG_M / 2, starts + BAY_LONG_M * 1.5 + AISLE_M])
    grid_u, grid_v = np.meshgrid(u, v)
    return grid_u.ravel(), grid_v.ravel()


def chances(seed: int, what: int, count: int) -> Floats:
    """Numbers from 0 up to 1 for a purpose."""
    base = mixed(np.array([seed + what * 7919], np.uint64))
    keys = np.add(base, np.arange(count, dtype=np.uint64), dtype=np.uint64)
    return uniform(keys)
