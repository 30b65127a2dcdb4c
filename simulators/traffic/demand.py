"""When cars come to a place and how long they stay: by the hour, the kind of place, the weather and what is on tonight. Pure."""

import importlib.resources
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

import msgspec

from simulators.traffic.dice import Dice
from simulators.traffic.places import Place

HOUR = 3600
CITY = timezone(timedelta(hours=8))
STAY_MIN_S, STAY_MAX_S = 150, 20 * HOUR


class _Kind(msgspec.Struct, frozen=True):
    arrivals: tuple[float, ...]
    stay: float
    long: float
    long_minutes: float


class _Hours(msgspec.Struct, frozen=True):
    arrivals: tuple[float, ...]
    stay_minutes: tuple[float, ...]


class _Measured(msgspec.Struct, frozen=True):
    first_hour: int
    workday: _Hours
    holiday: _Hours


class _Rain(msgspec.Struct, frozen=True):
    chance: float
    hours: tuple[int, int]
    types: dict[str, float]


class _Evening(msgspec.Struct, frozen=True):
    chance: float
    arrivals: float
    from_hour: int
    to_hour: int
    over_hour: int


class _Table(msgspec.Struct, frozen=True):
    measured: _Measured
    night: _Hours
    kinds: dict[str, _Kind]
    types: dict[str, float]
    rain: _Rain
    stadium_evening: _Evening


@cache
def table() -> _Table:
    text = importlib.resources.files("simulators.traffic").joinpath("demand.yaml").read_bytes()
    found: Any = msgspec.yaml.decode(text, type=_Table)
    return found  # type: ignore[no-any-return]  # msgspec types its YAML by Any


@dataclass(frozen=True, slots=True)
class Weather:
    """What a day brings: from when to when it rains, and whether the stadium plays. Hours are of the city's day."""

    rain: tuple[int, int] | None
    stadium: bool


class Demand:
    """Rates and stays of one city for one seed. Times are seconds since 1970."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._days: dict[int, Weather] = {}

    def weather(self, at: int) -> Weather:
        day = (at + 8 * HOUR) // (24 * HOUR)
        if day not in self._days:
            dice, rules = Dice(self._seed, "day", day), table()
            starts = dice.below(24)
            rain = (starts, starts + dice.between(*rules.rain.hours)) if dice.chance(rules.rain.chance) else None
            self._days[day] = Weather(rain, dice.chance(rules.stadium_evening.chance))
        return self._days[day]

    def rate(self, place: Place, at: int) -> float:
        """Cars an hour that would like to park there."""
        hour = at // HOUR * HOUR
        return _bare_rate(place.type, place.demand, hour) * place.room * place.weight * self._today(place, hour)

    def _today(self, place: Place, at: int) -> float:
        hour, weather, rules = hour_of(at), self.weather(at), table()
        factor = 1.0
        if weather.rain and weather.rain[0] <= hour < weather.rain[1]:
            factor *= rules.rain.types.get(place.type, 1.0)
        evening = rules.stadium_evening
        if weather.stadium and place.demand == "stadium" and evening.from_hour <= hour < evening.to_hour:
            factor *= evening.arrivals
        return factor

    def mean_stay(self, place: Place, at: int) -> float:
        """Seconds, of those who do not stay long."""
        return 60.0 * _measured(at)[1] * kind_of(place.demand).stay

    def stay(self, place: Place, at: int, dice: Dice) -> int:
        """Seconds that a car which comes now will stay."""
        rules, kind = table().stadium_evening, kind_of(place.demand)
        if place.demand == "stadium" and self.weather(at).stadium and rules.from_hour <= hour_of(at) < rules.to_hour:
            return max(STAY_MIN_S, (rules.over_hour - hour_of(at)) * HOUR - at % HOUR + dice.between(0, 2400))
        mean = 60.0 * kind.long_minutes if dice.chance(kind.long) else self.mean_stay(place, at)
        return max(STAY_MIN_S, min(STAY_MAX_S, round(dice.wait(mean))))


def kind_of(demand: str) -> _Kind:
    return table().kinds.get(demand) or table().kinds["mixed"]


def hour_of(at: int) -> int:
    return (at + 8 * HOUR) // HOUR % 24


@cache
def _bare_rate(type_: str, demand: str, at: int) -> float:
    return _measured(at)[0] * kind_of(demand).arrivals[hour_of(at) // 3] * table().types.get(type_, 1.0)


@cache
def _measured_at(hour: int, holiday: bool) -> tuple[float, float]:
    rules = table()
    slot = hour - rules.measured.first_hour
    hours = rules.measured.holiday if holiday else rules.measured.workday
    if 0 <= slot < len(hours.arrivals):
        return hours.arrivals[slot], hours.stay_minutes[slot]
    slot = (slot - len(hours.arrivals)) % 24 // 2
    return rules.night.arrivals[slot], rules.night.stay_minutes[slot]


def _measured(at: int) -> tuple[float, float]:
    """Arrivals an hour for each bay, and the mean stay in minutes."""
    return _measured_at(hour_of(at), datetime.fromtimestamp(at, CITY).weekday() >= 5)
