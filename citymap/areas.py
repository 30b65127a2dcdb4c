"""Boxes that people ask for: read at the door, measured before they cost anything."""

import math

from citymap.grid import METRES_PER_DEGREE
from citymap.model import Bounds
from foundation.errors import Invalid, invalid


def bounds_of(held: tuple[float, float, float, float], pointer: str) -> Bounds:
    """A box in the order west, south, east, north. Raises Invalid."""
    box = Bounds(*held)
    if not all(math.isfinite(edge) for edge in held) or not (-180 <= box.w <= box.e <= 180 and -90 <= box.s <= box.n <= 90):
        raise _wrong_box(pointer)
    return box


def _wrong_box(pointer: str) -> Invalid:
    return invalid(pointer, "bbox", "a box is west, south, east, north in degrees, west before east and south before north")


def square_kilometres(box: Bounds) -> float:
    high, wide = (box.n - box.s) * METRES_PER_DEGREE, (box.e - box.w) * METRES_PER_DEGREE * math.cos(math.radians((box.s + box.n) / 2))
    return high * wide / 1e6
