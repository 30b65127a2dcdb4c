"""Points sorted by cells of 250 m, so that a search touches what is near; an occupancy change never touches this."""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Cells = tuple[int, int, int, int]  # The first and last column, the first and last row; nothing when one runs backwards.

CELL_M: Final = 250.0
SQUARE_CELLS: Final = 4
EARTH_M: Final = 6_371_008.8
METRES_PER_DEGREE: Final = math.radians(1) * EARTH_M
_HALF_RADIANS: Final = math.radians(0.5)
CELLS_MAX: Final = 4_000_000  # A stray point far away must not make a grid of the country; cells grow instead.


class Grid:
    """Row-major cells in CSR order: the points of cell c are `order[start[c]:start[c + 1]]`."""

    def __init__(self, lon: Floats, lat: Floats) -> None:
        self.lon, self.lat = lon, lat
        self._w, self._s = (float(lon.min()), float(lat.min())) if len(lon) else (0.0, 0.0)
        middle = float(lat.mean()) if len(lat) else 0.0
        self._dx, self._dy = CELL_M / (METRES_PER_DEGREE * math.cos(math.radians(middle))), CELL_M / METRES_PER_DEGREE
        wide, high = self._extent()
        while wide * high > CELLS_MAX:
            self._dx, self._dy = 2 * self._dx, 2 * self._dy
            wide, high = self._extent()
        self.columns, self.rows = wide, high
        cell = ((lat - self._s) / self._dy).astype(np.int64) * wide + ((lon - self._w) / self._dx).astype(np.int64)
        self.order: Ints = np.argsort(cell, kind="stable")
        self.start: Ints = np.zeros(wide * high + 1, np.int64)
        np.cumsum(np.bincount(cell, minlength=wide * high), out=self.start[1:])

    def _extent(self) -> tuple[int, int]:
        if not len(self.lon):
            return 1, 1
        return int((self.lon.max() - self._w) / self._dx) + 1, int((self.lat.max() - self._s) / self._dy) + 1

    def box(self, w: float, s: float, e: float, n: float) -> Ints:
        """The points inside a box of degrees, edges included, by number, ascending."""
        found = self.points(self._cells(w, s, e, n))
        lon, lat = self.lon[found], self.lat[found]
        return np.sort(found[(lon >= w) & (lon <= e) & (lat >= s) & (lat <= n)])

    def cells_around(self, lon: float, lat: float, radius_m: float) -> Cells:
        """Cells that hold all points within a radius; the same for all who ask from the same square of up to a kilometre."""
        dy = 1.001 * radius_m / METRES_PER_DEGREE
        dx = dy / max(0.01, math.cos(math.radians(min(89.0, abs(lat) + dy))))
        wide, high = math.ceil(dx / self._dx), math.ceil(dy / self._dy)
        column, row, side = self._column(lon), self._row(lat), min(high, SQUARE_CELLS)
        left, low = column - column % side, row - row % side
        return self._inside(left - wide, left + side - 1 + wide, low - high, low + side - 1 + high)

    def points(self, cells: Cells) -> Ints:
        """The points of cells, in order of cell: each row of cells is one slice."""
        left, right, low, high = cells
        if left > right or low > high:
            return np.empty(0, np.int64)
        first = np.arange(low, high + 1) * self.columns
        begins, ends = self.start[first + left], self.start[first + right + 1]
        return np.concatenate(
            [self.order[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True) if end > begin] or [self.order[:0]]
        )

    def _cells(self, w: float, s: float, e: float, n: float) -> Cells:
        """Those that a box touches."""
        return self._inside(self._column(w), self._column(e), self._row(s), self._row(n))

    def _inside(self, left: int, right: int, low: int, high: int) -> Cells:
        return max(left, 0), min(right, self.columns - 1), max(low, 0), min(high, self.rows - 1)

    def _column(self, lon: float) -> int:
        return math.floor((lon - self._w) / self._dx)

    def _row(self, lat: float) -> int:
        return math.floor((lat - self._s) / self._dy)


def distances(lon: float, lat: float, lons: Floats, lats: Floats) -> Floats:
    """Metres on the sphere from a point to points; the plane between them is exact to 0.01 % within 10 km."""
    north = lats - lat
    middle = math.radians(lat)
    # The cosine of the latitude half way, as a line: what is missing is a ten-millionth within 10 km, and no cosine is asked for each.
    wide, narrower = METRES_PER_DEGREE * math.cos(middle), METRES_PER_DEGREE * math.sin(middle) * _HALF_RADIANS
    found: Floats = np.hypot(north * METRES_PER_DEGREE, (lons - lon) * (wide - north * narrower))
    return found
