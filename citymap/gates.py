"""How many cars are inside, from a count and the passages after it: the same number for any order of arrival."""

import itertools
from bisect import insort
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from citymap.model import NEVER

JITTER_US: Final = 10_000_000  # One pass may be seen to and fro for this long; what counts is its net direction.
REPEAT_US: Final = 60_000_000  # The same car cannot enter twice within this long.
LATEST_US: Final = 73 * 3_600_000_000  # Nothing older than 72 h is taken at the door: what is older than this can be folded.


class Count(NamedTuple):
    """A count, in the order that decides which is the last: (at, seq, device, id)."""

    at: int
    seq: int
    device: str
    id: bytes
    occupied: int
    capacity: int | None


class Passage(NamedTuple):
    """A car went in (+1) or out (-1); `vehicle` is its plate's token, empty when it was not read."""

    at: int
    id: bytes
    change: int
    vehicle: bytes


@dataclass(slots=True)
class Inside:
    """The last count of a site and the passages since. Passages wait for a first count as long as one may still come late.

    Passages of one plate are one car, whichever lane saw it: two cameras of a wide entrance do not make two cars.
    """

    count: Count | None = None
    passages: dict[bytes, Passage] = field(default_factory=dict)
    newest: int = NEVER
    _cars: dict[bytes, list[Passage]] = field(default_factory=dict)
    _net: int = 0

    def occupied(self) -> int | None:
        """Before any clamping; None while nobody has counted."""
        return None if self.count is None else self.count.occupied + self._net

    def as_of(self) -> int:
        return NEVER if self.count is None else max(self.count.at, self.newest)

    def counted(self, count: Count) -> bool:
        """Take a count; answers whether it is the last one now."""
        if self.count is not None and count[:4] <= self.count[:4]:
            return False
        self.count = count
        self._forget(count.at)
        return True

    def passed(self, passage: Passage) -> bool:
        """Take a passage; answers whether it says anything after the last count, and for the first time."""
        if passage.id in self.passages or (self.count is not None and passage.at <= self.count.at):
            return False
        self.passages[passage.id] = passage
        self.newest = max(self.newest, passage.at)
        car = self._cars.setdefault(passage.vehicle, [])
        if not passage.vehicle:
            car.append(passage)
            self._net += passage.change
            return True
        self._net -= _net_of(car, passage.vehicle)
        insort(car, passage)
        self._net += _net_of(car, passage.vehicle)
        return True

    def fold(self, horizon: int) -> int | None:
        """Take passages up to `horizon` into the count: none older can arrive any more. Without a count they only go. Answers
        the instant up to which they went; None when there was none."""
        cut = _quiet_cut(self._cars, horizon)
        if not any(passage.at <= cut for passage in self.passages.values()):
            return None
        if self.count is not None:
            folded = sum(_net_of([one for one in car if one.at <= cut], vehicle) for vehicle, car in self._cars.items())
            self.count = self.count._replace(at=cut, seq=-1, device="", id=b"", occupied=self.count.occupied + folded)
        self._forget(cut)
        return cut

    def _forget(self, until: int) -> None:
        kept = [passage for passage in self.passages.values() if passage.at > until]
        self.passages, self._cars, self._net, self.newest = {}, {}, 0, NEVER
        for passage in kept:
            self.passed(passage)


def _net_of(car: list[Passage], vehicle: bytes) -> int:
    """Of one car's passages in order of time; those of unread plates are each a car."""
    if not vehicle or len(car) == 1:
        return sum(passage.change for passage in car)
    total, before, before_at = 0, 0, NEVER
    for change, first, last in _passes(car):
        if change != before or first - before_at > REPEAT_US:
            total += change
        before, before_at = change, last
    return total


def _passes(car: list[Passage]) -> list[tuple[int, int, int]]:
    """(direction, first, last) of each pass: trembling is one pass in its net direction, or none."""
    passes: list[tuple[int, int, int]] = []
    start = 0
    for end in range(1, len(car) + 1):
        if end < len(car) and car[end].at - car[end - 1].at <= JITTER_US:
            continue
        net = sum(passage.change for passage in car[start:end])
        if net:
            passes.append((1 if net > 0 else -1, car[start].at, car[end - 1].at))
        start = end
    return passes


def _quiet_cut(cars: dict[bytes, list[Passage]], horizon: int) -> int:
    """The last instant up to `horizon` that parts no car's passages from those that belong to them."""
    pairs = sorted(
        (
            (one.at, two.at)
            for vehicle, car in cars.items()
            if vehicle
            for one, two in itertools.pairwise(car)
            if two.at - one.at <= REPEAT_US
        ),
        key=lambda pair: -pair[1],
    )
    for first, second in pairs:
        if first <= horizon < second:
            horizon = first - 1
    return horizon
