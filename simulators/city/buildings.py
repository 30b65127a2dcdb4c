"""Houses on the blocks of the inner city, for the map alone: rows in estates, thicker ones in the old town and the offices."""

import math
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

from simulators.city.build_city import City
from simulators.city.skeleton import Floats
from simulators.city.streets import Block, mixed, uniform

FOOTPRINTS: Final = {  # Length and depth of a house, gap beside and behind it, in metres.
    "oldtown": (34.0, 15.0, 7.0, 9.0), "core": (46.0, 15.0, 9.0, 16.0), "inner": (54.0, 15.0, 12.0, 22.0), "cbd": (44.0, 38.0, 18.0, 22.0),
    "newtown": (48.0, 18.0, 26.0, 38.0),
}  # fmt: skip
WITHIN_M: Final = 6_500.0  # From the centre; farther out the map shows blocks only.
EDGE_M: Final = 5.0
LEFT_OUT: Final = 0.18  # Yards, gardens and what is being built.


def buildings_of(city: City) -> npt.NDArray[np.object_]:
    """Footprints that lie whole on their block and clear of the lots on it."""
    found = [
        houses
        for block in city.fabric.blocks
        if city.bones.zones[block.zone].kind in FOOTPRINTS and _near(block) and len(houses := _houses(city, block))
    ]
    shapes: npt.NDArray[np.object_] = np.concatenate(found)
    lots = [site.ground for site in city.sites if site.ground is not None and site.kind == "surface"]
    hit = np.unique(shapely.STRtree(shapes).query(lots, predicate="intersects")[1])
    return np.delete(shapes, hit)


def _near(block: Block) -> bool:
    middle = block.shape.centroid
    return math.hypot(middle.x, middle.y) <= WITHIN_M


def _houses(city: City, block: Block) -> npt.NDArray[np.object_]:
    long, deep, beside, behind = FOOTPRINTS[city.bones.zones[block.zone].kind]
    corners = shapely.get_coordinates(shapely.oriented_envelope(block.shape))
    side = corners[1] - corners[0]
    turn = math.atan2(side[1], side[0])
    turn -= round(turn / (math.pi / 2)) * (math.pi / 2)  # Along the block, and as near to east and west as that allows.
    middle, reach = corners[:4].mean(axis=0), float(np.hypot(*(corners[2] - corners[0]))) / 2
    key = np.rint(np.abs(middle) * 4).astype(np.int64).astype(np.uint64)
    u, v = np.meshgrid(np.arange(-reach, reach, long + beside), np.arange(-reach, reach, deep + behind))
    dice = uniform(mixed(np.arange(3 * u.size, dtype=np.uint64) + (key[0] << np.uint64(20)) + key[1])).reshape(3, -1)
    size = np.column_stack([long * (0.6 + 0.4 * dice[0]), deep * (0.8 + 0.4 * dice[1])])
    quads = _quads(np.column_stack([u.ravel(), v.ravel()]), size, turn, middle)
    inner = shapely.buffer(block.shape, -EDGE_M, join_style="mitre")
    shapely.prepare(inner)
    inside = shapely.contains_xy(inner, quads[:, :, 0], quads[:, :, 1]).all(axis=1) & (dice[2] >= LEFT_OUT)
    shapes: npt.NDArray[np.object_] = shapely.polygons(quads[inside])
    return shapes


def _quads(at: Floats, size: Floats, turn: float, middle: Floats) -> Floats:
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    local = at[:, None, :] + signs * size[:, None, :] / 2
    c, s = math.cos(turn), math.sin(turn)
    return np.stack([middle[0] + c * local[..., 0] - s * local[..., 1], middle[1] + s * local[..., 0] + c * local[..., 1]], axis=-1)
