"""What of a stay the city's pulse has counted, and by how much what is learnt changes it. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

STEP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Counted:
    """What is known of one stay; a void one neither arrived nor left. `billed` is in fen."""

    operator: str
    entered_at: datetime | None = None
    left_at: datetime | None = None
    billed: int = 0


class Beat(NamedTuple):
    """What passes in five minutes."""

    arrivals: int = 0
    departures: int = 0
    billed: int = 0


Place = tuple[datetime, str]  # The beginning of five minutes, and an operator.


def step_of(at: datetime) -> datetime:
    """The beginning of the five minutes in which `at` lies."""
    return datetime.fromtimestamp(at.timestamp() // STEP.total_seconds() * STEP.total_seconds(), UTC)


def differences(before: Mapping[UUID, Counted], after: Mapping[UUID, Counted]) -> dict[Place, Beat]:
    """What to add where, so that the sums count `after` instead of `before`; money is not in it, since it stays where it was booked."""
    sums: dict[Place, list[int]] = defaultdict(lambda: [0, 0])
    for sign, held in ((-1, before), (1, after)):
        for counted in held.values():
            for what, at in enumerate((counted.entered_at, counted.left_at)):
                if at is not None:
                    sums[step_of(at), counted.operator][what] += sign
    return {place: Beat(arrivals, departures) for place, (arrivals, departures) in sums.items() if arrivals or departures}


def billed(counted: Counted, total: int) -> tuple[Counted, int]:
    """The stay with what its bill now says, and the difference to what was booked before."""
    return replace(counted, billed=total), total - counted.billed


def summed(*beats: Iterable[tuple[Place, Beat]]) -> dict[Place, Beat]:
    sums: dict[Place, Beat] = {}
    for some in beats:
        for place, beat in some:
            sums[place] = Beat(*(one + other for one, other in zip(sums.get(place, Beat()), beat, strict=True)))
    return sums
