"""Bays as a map draws them: tiles of places and angles that stand still, and beside them the states that change.

A tile is one of zoom 14 (about 2 km wide). Its bays are in order of their number on the board; two bits are the state of each.
Underground and in decks bays lie above one another: there the site's number speaks for them.
"""

import json
import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2s
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely

from citymap.grid import EARTH_M, Floats, Ints

if TYPE_CHECKING:
    from citymap.board import Board
    from citymap.places import Places

ZOOM: Final = 14
TILES: Final = 1 << ZOOM
STEPS: Final = 1 << 16  # Places in a tile: 3 cm apart.
OPEN_AIR: Final = frozenset(("on_street", "surface"))
MAGIC: Final = b"OLB1"
HEAD: Final = struct.Struct("<4sIII")  # magic, version, bays, bytes of the sites' ids behind the columns
TILE_HEAD: Final = struct.Struct("<HHII")  # x, y, version, how many follow
NEIGHBOUR_M_MAX: Final = 15.0
SIDE_BY_SIDE_M: Final = 4.2  # Nearer neighbours stand beside one another, those further off one behind the other.
FLAT: Final = 0.0


@dataclass(frozen=True, slots=True)
class Tile:
    """What stands still: the bays by their number on the board, the bytes that pages load, and the mark of both."""

    x: int
    y: int
    numbers: Ints
    version: int
    geometry: bytes


class BayTiles:
    """All tiles of one geometry; a tile is encoded when it is first asked for."""

    def __init__(self, places: "Places") -> None:
        self._places = places
        open_air = np.array([site.type in OPEN_AIR for site in places.sites], np.bool_)
        self._x, self._y = mercator(places.spot_lon, places.spot_lat)
        seen = np.nonzero(open_air[places.spot_site])[0] if len(places.sites) else np.empty(0, np.int64)
        key = self._y[seen].astype(np.int64) * TILES + self._x[seen].astype(np.int64)
        order = np.argsort(key, kind="stable")
        keys, first = np.unique(key[order], return_index=True)
        bounds = [*first.tolist(), len(order)]
        self._spots = {one: seen[order[bounds[place] : bounds[place + 1]]] for place, one in enumerate(keys.tolist())}
        self._tiles: dict[int, Tile] = {}

    def tile(self, x: int, y: int) -> Tile:
        """Every tile is there: most of the earth's have no bay."""
        key = y * TILES + x
        held = self._tiles.get(key)
        if held is None:
            numbers = self._spots.get(key, np.empty(0, np.int64))
            held = _encoded(self._places, x, y, numbers, self._x[numbers] - x, self._y[numbers] - y)
            if len(numbers):
                self._tiles[key] = held
        return held


def mercator(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """In tiles of the zoom, from the north-west corner of the map."""
    sine = np.sin(np.radians(lat))
    return (lon / 360.0 + 0.5) * TILES, (0.5 - np.log((1 + sine) / (1 - sine)) / (4 * math.pi)) * TILES


def _encoded(places: "Places", x: int, y: int, numbers: Ints, fx: Floats, fy: Floats) -> Tile:
    columns = [np.minimum(part * STEPS, STEPS - 1).astype("<u2").tobytes() for part in (fx, fy)]
    metres = 2 * math.pi * EARTH_M / TILES * math.cos(math.radians(_latitude(y)))
    columns.append((angles(fx * metres, fy * metres) / math.pi * 256).astype(np.int64).astype(np.uint8).tobytes())
    columns.append(places.spot_class[numbers].tobytes())
    sites, which = np.unique(places.spot_site[numbers], return_inverse=True)
    columns.append(which.astype("<u2").tobytes())
    ids = json.dumps([places.sites[site].id for site in sites.tolist()]).encode()
    body = b"".join((*columns, ids))
    version = int.from_bytes(blake2s(body, digest_size=4).digest(), "little")
    return Tile(x, y, numbers, version, HEAD.pack(MAGIC, version, len(numbers), len(ids)) + body)


def _latitude(y: int) -> float:
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * (y + 0.5) / TILES))))


def angles(x: Floats, y: Floats) -> Floats:
    """Which way the long side of each bay lies, in radians from east to south, from 0 to below pi.

    Nobody tells the angles of bays, but a row tells it: who stands beside the next lies across the row, who stands behind it along.
    """
    found = np.full(len(x), FLAT)
    if len(x) < 2:
        return found
    points = shapely.points(x, y)
    tree = shapely.STRtree(points)
    pairs, distance = tree.query_nearest(points, max_distance=NEIGHBOUR_M_MAX, return_distance=True, exclusive=True, all_matches=False)
    here, there = pairs
    along = np.arctan2(y[there] - y[here], x[there] - x[here])
    found[here] = np.mod(np.where(distance < SIDE_BY_SIDE_M, along + math.pi / 2, along), math.pi)
    return np.where(found >= math.pi, FLAT, found)


def states(board: "Board", tiles: Sequence[tuple[int, int]]) -> bytes:
    """Whole states of tiles: four bays a byte, the first in the lowest bits."""
    return b"".join(_states(board, board.places.bay_tiles.tile(x, y)) for x, y in tiles)


def _states(board: "Board", tile: Tile) -> bytes:
    shown = np.zeros(-(-len(tile.numbers) // 4) * 4, np.uint8)
    shown[: len(tile.numbers)] = board.spot_shown[tile.numbers]
    four = shown.reshape(-1, 4)
    packed = four[:, 0] | four[:, 1] << 2 | four[:, 2] << 4 | four[:, 3] << 6
    return TILE_HEAD.pack(tile.x, tile.y, tile.version, len(tile.numbers)) + packed.astype(np.uint8).tobytes()


def changes(board: "Board", spots: Iterable[int], tiles: Iterable[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Each tile in which something changed: place in the tile and state, as one number a bay."""
    changed = np.array(sorted(spots), np.int64)
    for x, y in tiles if len(changed) else ():
        tile = board.places.bay_tiles.tile(x, y)
        place = np.searchsorted(tile.numbers, changed)
        inside = np.append(tile.numbers, -1)[place] == changed
        if inside.any():
            entries = place[inside] << 2 | board.spot_shown[changed[inside]]
            yield (x, y), TILE_HEAD.pack(x, y, tile.version, len(entries)) + entries.astype("<u4").tobytes()
