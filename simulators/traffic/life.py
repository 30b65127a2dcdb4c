"""What really happens: cars that come, find a place or none, and leave. Pure, and the same for the same seed.

Nothing here is told to anybody: what devices see of it is `witness`, what they say of it is `street`.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from simulators.traffic import cars
from simulators.traffic.cars import Car
from simulators.traffic.demand import HOUR, STAY_MIN_S, Demand, kind_of
from simulators.traffic.dice import Dice
from simulators.traffic.places import Place

OPENING_HOURS = 8  # How far back those came who are parked when the simulation begins.
CHAIN_SHARE, CHAIN_WAIT_S = 0.06, (600, 2400)  # Cars that drive on to another place, and how long they are on the road.
ACCOUNTS_SHARE_MAX = 0.3
ACCOUNT_REST_S = 900
BEHIND_S = 3  # Cars pass a gate one behind the other.
GONE, COMES, DRIVES_ON, RESTED = range(4)


@dataclass(slots=True)
class Stay:
    """One stay of one car, as it is. `spot` is the bay's number at its site, -1 behind gates."""

    number: int
    car: Car
    site: int
    spot: int
    entered_at: int
    left_at: int
    gone: bool = False  # It has left by now.


class Happening(NamedTuple):
    at: int
    what: Literal["arrives", "leaves"]
    stay: Stay


@dataclass(slots=True)
class _Room:
    """What is free at one site, and the dice that are thrown for it."""

    dice: Dice
    free: list[int] = field(default_factory=list)
    freed_at: dict[int, int] = field(default_factory=dict)
    inside: int = 0
    last_in: int = 0
    last_out: int = 0


class Life:
    """A city's traffic from `began_at` on, in seconds since 1970. `accounts` drivers have an account with us."""

    def __init__(self, places: Sequence[Place], *, seed: int, began_at: int, accounts: int = 0, remember: bool = True) -> None:
        self.places, self.seed, self.began_at = places, seed, began_at
        self.number_of = {place.id: number for number, place in enumerate(places)}
        self.parked = 0
        self._remember = remember  # Stays that are over, for whoever judges; an endless run would fill the memory with them.
        self.demand = Demand(seed)
        self.stays: dict[int, Stay] = {}
        self.turned_away = 0
        self._rooms = [_Room(Dice(seed, "site", place.id), list(range(len(place.spots)))) for place in places]
        self._dice = Dice(seed, "cars")
        self._resting = list(range(accounts))
        room = sum(place.room for place in places)
        self._account_share = min(ACCOUNTS_SHARE_MAX, 4.0 * accounts / max(room, 1))
        self._weights = _running([place.room * place.weight for place in places])
        self._cars = self._numbers = 0
        self._coming: list[tuple[int, int, int, Stay | Car | None]] = []

    def inside(self, site: int) -> int:
        return self._rooms[site].inside

    def open(self) -> list[Stay]:
        """Those who are parked when it begins, oldest first: by who came in the last hours and has not left."""
        for number, place in enumerate(self.places):
            for entered_at, left_at in sorted(_parked(self.demand, place, self._rooms[number].dice, self.began_at)):
                self._park(number, entered_at, left_at - entered_at, self._next_car())
            self._expect(number, self.began_at)
        return sorted(self.stays.values(), key=lambda one: (one.entered_at, one.number))

    def until(self, end: int) -> Iterator[Happening]:
        """What happens before `end`, in order."""
        while self._coming and self._coming[0][0] < end:
            at, what, number, who = heapq.heappop(self._coming)
            if what == GONE and isinstance(who, Stay):
                if self._leave(who):
                    yield Happening(at, "leaves", who)
            elif what == RESTED:
                self._resting.append(number)
            else:
                site = number if what == COMES else self._somewhere()
                stay = self._arrive(site, at, who if isinstance(who, Car) else None)
                if what == COMES:
                    self._expect(number, at)
                if stay is not None:
                    yield Happening(at, "arrives", stay)

    def _arrive(self, site: int, at: int, car: Car | None) -> Stay | None:
        seconds = self.demand.stay(self.places[site], at, self._rooms[site].dice)
        if not self._has_room(site):
            self.turned_away += 1
            return None
        return self._park(site, at, seconds, car or self._next_car())

    def _has_room(self, site: int) -> bool:
        room = self._rooms[site]
        return room.inside < self.places[site].room and (self.places[site].gated or bool(room.free))

    def _park(self, site: int, at: int, seconds: int, car: Car) -> Stay | None:
        room, place = self._rooms[site], self.places[site]
        spot = -1 if place.gated else _take(room, at)
        if room.inside >= place.room or (spot is None):
            return None
        if place.gated:
            at = room.last_in = max(at, room.last_in + BEHIND_S)
        room.inside += 1
        self.parked += 1
        stay = self.stays[self._numbers] = Stay(self._numbers, car, site, spot, at, at + seconds)
        self._numbers += 1
        heapq.heappush(self._coming, (stay.left_at, GONE, stay.number, stay))
        return stay

    def _leave(self, stay: Stay) -> bool:
        """Whether it has left; at a gate it may have to wait for the car before it."""
        room = self._rooms[stay.site]
        if stay.spot < 0 and stay.left_at < room.last_out + BEHIND_S:
            stay.left_at = room.last_out + BEHIND_S
            heapq.heappush(self._coming, (stay.left_at, GONE, stay.number, stay))
            return False
        room.last_out = stay.left_at
        room.inside -= 1
        self.parked -= 1
        stay.gone = True
        if not self._remember:
            del self.stays[stay.number]
        if stay.spot >= 0:
            room.free.append(stay.spot)
            room.freed_at[stay.spot] = stay.left_at
        if stay.car.account >= 0:
            heapq.heappush(self._coming, (stay.left_at + ACCOUNT_REST_S, RESTED, stay.car.account, None))
        elif self._dice.chance(CHAIN_SHARE):
            heapq.heappush(self._coming, (stay.left_at + self._dice.between(*CHAIN_WAIT_S), DRIVES_ON, stay.number, stay.car))
        return True

    def _next_car(self) -> Car:
        if self._resting and self._dice.chance(self._account_share):
            return cars.car_of_account(self._resting.pop(self._dice.below(len(self._resting))))
        self._cars += 1
        return cars.car_of(self._cars, self.seed)

    def _somewhere(self) -> int:
        aim, low, high = self._dice.unit() * self._weights[-1], 0, len(self._weights) - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._weights[middle] <= aim else (low, middle)
        return low

    def _expect(self, site: int, at: int) -> None:
        """When the next car comes: the rate holds for an hour, and what has not come by then is drawn anew."""
        place, dice, when = self.places[site], self._rooms[site].dice, float(at)
        while True:
            rate, edge = self.demand.rate(place, int(when)), (int(when) // HOUR + 1) * HOUR
            when = when + dice.wait(HOUR / rate) if rate > 0 else float(edge)
            if when < edge:
                break
            when = float(edge)
        heapq.heappush(self._coming, (int(when) + 1, COMES, site, None))


def _take(room: _Room, at: int) -> int | None:
    """A free bay; one that was left a moment ago is still being left."""
    if not room.free:
        return None
    place = room.dice.below(len(room.free))
    room.free[place], room.free[-1] = room.free[-1], room.free[place]
    if room.freed_at.get(room.free[-1], 0) + 1 >= at:
        return None
    return room.free.pop()


def _parked(demand: Demand, place: Place, dice: Dice, now: int) -> Iterator[tuple[int, int]]:
    """(came, will leave) of those who are still there, for each half hour of the last hours."""
    kind = kind_of(place.demand)
    for half in range(2 * OPENING_HOURS):
        start = now - (half + 1) * HOUR // 2
        expected = demand.rate(place, start) / 2
        for _ in range(dice.poisson(expected) if expected > 0 else 0):
            came = start + dice.below(HOUR // 2)
            mean = 60.0 * kind.long_minutes if dice.chance(kind.long) else demand.mean_stay(place, came)
            stay = max(STAY_MIN_S, round(dice.wait(mean)))
            if came + stay > now:
                yield came, came + stay


def _running(numbers: Sequence[float]) -> list[float]:
    total, found = 0.0, []
    for number in numbers:
        total += number
        found.append(total)
    return found
