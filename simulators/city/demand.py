"""Why people drive somewhere: the pull of places on every point of the city, its price class and what it is used for."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

from simulators.city.skeleton import Floats, Skeleton

BASE: Final = {  # Cars that want to stand in a block of a kind of zone when no place of note is near.
    "oldtown": 1000.0, "core": 850.0, "cbd": 1500.0, "inner": 430.0, "newtown": 300.0,
    "hightech": 170.0, "suburb": 130.0, "industrial": 110.0, "town": 170.0,
}  # fmt: skip
USES: Final = {  # Shares of homes, offices and a mixture in blocks that are near no place of note.
    "oldtown": (0.35, 0.15), "core": (0.45, 0.30), "cbd": (0.05, 0.85), "inner": (0.60, 0.15), "newtown": (0.50, 0.30),
    "hightech": (0.30, 0.55), "suburb": (0.70, 0.08), "industrial": (0.15, 0.65), "town": (0.50, 0.12),
}  # fmt: skip
NEAR_M: Final = 420.0
CLASS_M: Final = (3_600.0, 9_000.0)  # Price classes end this far from the centre.


@dataclass(frozen=True, slots=True)
class Pull:
    """For each point: how many cars want to be there, the closest place that counts (-1: none), and how far it is."""

    strength: Floats
    place: npt.NDArray[np.int64]
    distance: Floats


def pull_at(bones: Skeleton, points: Floats, kinds: list[str]) -> Pull:
    spots = np.array([(place.x, place.y) for place in bones.places])
    weight = np.array([place.weight for place in bones.places])
    away = np.hypot(points[:, None, 0] - spots[None, :, 0], points[:, None, 1] - spots[None, :, 1])
    near = (weight * np.exp(-((away / NEAR_M) ** 2))).sum(axis=1)
    reach = away / (220.0 + 0.16 * weight)  # A hospital of two thousand beds fills more streets than a temple.
    place = reach.argmin(axis=1)
    rows = np.arange(len(points))
    place = np.where(reach[rows, place] <= 1.0, place, -1)
    return Pull(np.array([BASE[kind] for kind in kinds]) + 3.0 * near, place, away[rows, place])


def use_of(bones: Skeleton, place: int, kind: str, chance: float) -> str:
    """What a site is used for: that of its place, else by the zone's habit."""
    if place >= 0:
        return bones.places[place].demand
    homes, offices = USES[kind]
    return "residential" if chance < homes else "office" if chance < homes + offices else "mixed"


def class_of(x: float, y: float, kind: str) -> int:
    """Price class 1 to 3, from the centre outwards; the business districts are dear wherever they lie."""
    away = math.hypot(x, y)
    if kind == "cbd" or away < CLASS_M[0]:
        return 1
    return 2 if away < CLASS_M[1] and kind != "town" else 3


def district_of(bones: Skeleton, points: Floats) -> npt.NDArray[np.int64]:
    """The district of each point, by its place in the skeleton; the closest one where borders, being coarse, leave a gap."""
    nearest: npt.NDArray[np.int64] = shapely.STRtree([district.shape for district in bones.districts]).nearest(shapely.points(points))
    return nearest
