"""Where a city lies: what an import takes, and what it refuses as outside."""

from typing import Final

from citymap.model import Bounds

EVERYWHERE: Final = Bounds(-180.0, -85.0, 180.0, 85.0)
BOUNDS: Final = {
    "zhengzhou": Bounds(112.70, 34.26, 114.24, 34.99),
    "ulm": Bounds(9.75, 48.25, 10.20, 48.55),
    "koeln": Bounds(6.75, 50.80, 7.20, 51.10),
    "melbourne": Bounds(144.40, -38.30, 145.60, -37.40),
}


def bounds_of_city(city: str) -> Bounds:
    """Of a city that we know by name; another one lies where its operator says."""
    return BOUNDS.get(city, EVERYWHERE)
