"""Draw the reference city into a file: a program of its own, since drawing takes memory that living does not."""

import sys
from pathlib import Path

from simulators.city.build_city import build_city
from simulators.city.write_files import write_city


def draw(seed: int, bays: int, place: Path) -> None:
    """Whole or not at all."""
    new = place.with_suffix(".new")
    write_city(build_city(seed, bays), new)
    new.replace(place)


if __name__ == "__main__":
    draw(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
