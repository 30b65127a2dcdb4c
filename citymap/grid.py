"""Points sorted by cells of 250 m, so that a search touches what is near; an occupancy change never touches this."""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CELL_M: Final = 250.0
EARTH_M: Final = 6_371_008.8
METRES_PER_DEGREE: Final = math.radians(1) * EARTH_M
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
        found = self._cells(w, s, e, n)
        lon, lat = self.lon[found], self.lat[found]
        return np.sort(found[(lon >= w) & (lon <= e) & (lat >= s) & (lat <= n)])

    def around(self, lon: float, lat: float, radius_m: float) -> tuple[Ints, Floats]:
        """The points within a radius, and how many metres away each is."""
        dy = 1.001 * radius_m / METRES_PER_DEGREE
        dx = dy / max(0.01, math.cos(math.radians(min(89.0, abs(lat) + dy))))
        found = self._cells(lon - dx, lat - dy, lon + dx, lat + dy)
        distance = distances(lon, lat, self.lon[found], self.lat[found])
        near = distance <= radius_m
        return found[near], distance[near]

    def _cells(self, w: float, s: float, e: float, n: float) -> Ints:
        """The points of all cells that a box touches: each row of cells is one slice."""
        left, right = self._column(w), self._column(e)
        low, high = self._row(s), self._row(n)
        if right < 0 or left >= self.columns or high < 0 or low >= self.rows or left > right or low > high:
            return np.empty(0, np.int64)
        left, right = max(left, 0), min(right, self.columns - 1)
        first = np.arange(max(low, 0), min(high, self.rows - 1) + 1) * self.columns
        begins, ends = self.start[first + left], self.start[first + right + 1]
        return np.concatenate(
            [self.order[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True) if end > begin] or [self.order[:0]]
        )

    def _column(self, lon: float) -> int:
        return math.floor((lon - self._w) / self._dx)

    def _row(self, lat: float) -> int:
        return math.floor((lat - self._s) / self._dy)


def distances(lon: float, lat: float, lons: Floats, lats: Floats) -> Floats:
    """Metres on the sphere from a point to points; the plane between them is exact to 0.01 % within 10 km."""
    dy = (lats - lat) * METRES_PER_DEGREE
    dx = (lons - lon) * METRES_PER_DEGREE * np.cos(np.radians((lats + lat) / 2))
    return np.hypot(dx, dy)
