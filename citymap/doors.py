"""Where people come out of sites, by cells: what lies about a point is put together once for all who ask from the same cell."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from citymap.grid import Cells, Floats, Grid, Ints, distances

BLOCKS_MAX: Final = 4096  # Of some kilobytes each: the cells of a city from which people ask in an hour.


class Block(NamedTuple):
    """The doors of some cells in order of site; `first` is where each site's doors begin, None when each has one."""

    cells: Cells
    numbers: Ints
    lon: Floats
    lat: Floats
    sites: Ints
    first: Ints | None


class Doors:
    """Door `n` is one of the site `owner[n]`, at `lon[n]`, `lat[n]`; doors are numbered in order of site."""

    def __init__(self, points: Sequence[tuple[int, float, float]]) -> None:
        table = np.array(points, np.float64).reshape(-1, 3)
        self.owner = table[:, 0].astype(np.int64)
        self.lon, self.lat = np.ascontiguousarray(table[:, 1]), np.ascontiguousarray(table[:, 2])
        self._grid = Grid(self.lon, self.lat)
        self._blocks: dict[Cells, Block] = {}

    def about(self, lon: float, lat: float, radius_m: float) -> Block:
        """All doors within a radius, and some beyond it."""
        cells = self._grid.cells_around(lon, lat, radius_m)
        return self._blocks.get(cells) or self._made(cells)

    def _made(self, cells: Cells) -> Block:
        if len(self._blocks) >= BLOCKS_MAX:
            del self._blocks[next(iter(self._blocks))]
        numbers = np.sort(self._grid.points(cells))
        sites, first = np.unique(self.owner[numbers], return_index=True)
        block = Block(cells, numbers, self.lon[numbers], self.lat[numbers], sites, None if len(sites) == len(numbers) else first)
        self._blocks[cells] = block
        return block


def walked(block: Block, lon: float, lat: float) -> tuple[Floats, Floats]:
    """Metres to each door of a block, and to the nearest one of each of its sites."""
    each = distances(lon, lat, block.lon, block.lat)
    return each, each if block.first is None else np.minimum.reduceat(each, block.first)


def nearest(block: Block, each: Floats, places: Ints) -> list[int]:
    """The nearest door of the sites at these places of a block; of equally near ones the first."""
    if block.first is None:
        found: list[int] = block.numbers.take(places).tolist()
        return found
    ends = np.append(block.first[1:], len(each))
    spans = ((int(block.first[place]), int(ends[place])) for place in places.tolist())
    return [int(block.numbers[begin + int(each[begin:end].argmin())]) for begin, end in spans]
