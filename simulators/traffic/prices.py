"""What a stay costs by the text of its tariff alone, step by step: the simulator's own judge, sharing nothing with the platform.

It holds what published street and lot tariffs are made of and refuses everything else by name: a price that it only guesses
would prove nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from simulators.traffic.demand import CITY

DAY = timedelta(days=1)
_KNOWN = frozenset(
    ("code", "version", "effective", "pin", "free", "windows", "caps", "text", "examples", "round_total", "applies", "permits")
)
_KNOWN_WINDOW = frozenset(("name", "from", "to", "count", "round", "edge", "cap", "steps", "title"))


class CannotPrice(ValueError):
    """A tariff with words that the simulator has no arithmetic for."""


@dataclass(frozen=True, slots=True)
class Step:
    per: int  # Seconds; 0 for a flat price.
    price: int
    until: int | None
    once: str


@dataclass(frozen=True, slots=True)
class Window:
    start: int
    end: int
    by_window: bool
    cap: int | None
    steps: tuple[Step, ...]

    def holds(self, second: int) -> bool:
        return self.start <= second < self.end if self.start < self.end else second >= self.start or second < self.end

    def until(self, at: datetime) -> datetime:
        """When the occurrence that holds `at` ends."""
        midnight = at.replace(hour=0, minute=0, second=0)
        end = midnight + timedelta(seconds=self.end)
        return end if end > at else end + DAY

    def owner(self, at: datetime) -> datetime:
        """The day on which the occurrence began."""
        midnight = at.replace(hour=0, minute=0, second=0)
        return midnight if (at - midnight).total_seconds() >= self.start or self.start < self.end else midnight - DAY


@dataclass(frozen=True, slots=True)
class Tariff:
    code: str
    free: int
    windows: tuple[Window, ...]
    cap_day: int | None = None


@dataclass(slots=True)
class _Meter:
    """What one stay has used up and owes so far."""

    used: dict[object, int] = field(default_factory=dict)
    asked: dict[tuple[int, datetime], int] = field(default_factory=dict)
    flats: set[object] = field(default_factory=set)


def read_tariff(text: str) -> Tariff:
    """Raises CannotPrice."""
    held: Any = msgspec.yaml.decode(text)
    _refuse(held.keys() - _KNOWN, "a tariff")
    free = held.get("free", {})
    _refuse(free.keys() - {"minutes", "mode", "once_per"}, "free minutes")
    if free.get("mode", "threshold") != "threshold":
        raise CannotPrice(f"{held['code']}: free minutes that are never counted are not priced here")
    caps = held.get("caps") or {}
    if caps.get("stay") is not None or (caps.get("day") is not None):
        raise CannotPrice(f"{held['code']}: caps of a whole day or stay are not priced here")
    return Tariff(held["code"], 60 * free.get("minutes", 0), tuple(_window(one) for one in held["windows"]))


def _window(held: Mapping[str, Any]) -> Window:
    _refuse(held.keys() - _KNOWN_WINDOW, f"window {held.get('name')}")
    if held.get("round", "up") != "up" or held.get("edge", "cut") != "cut":
        raise CannotPrice(f"window {held.get('name')}: only steps that are rounded up and cut at the edge are priced here")
    count = held.get("count", "stay")
    if count not in ("stay", "window"):
        raise CannotPrice(f"window {held.get('name')}: steps counted by {count} are not priced here")
    steps = tuple(Step(60 * one["per"], one["price"], _seconds(one.get("until")), one.get("once", "occurrence")) for one in held["steps"])
    return Window(_clock(held.get("from", "00:00")), _clock(held.get("to", "24:00")), count == "window", held.get("cap"), steps)


def _refuse(strange: Any, what: str) -> None:
    if strange:
        raise CannotPrice(f"{what} says {', '.join(sorted(strange))}, for which there is no arithmetic here")


def _seconds(minutes: int | None) -> int | None:
    return None if minutes is None else 60 * minutes


def _clock(text: str) -> int:
    hours, minutes = text.split(":")
    return 3600 * int(hours) + 60 * int(minutes)


def price(tariff: Tariff, entered_at: int, left_at: int) -> int:
    """Fen for a stay from second to second."""
    if left_at - entered_at <= tariff.free:
        return 0
    at, end = datetime.fromtimestamp(entered_at, CITY), datetime.fromtimestamp(left_at, CITY)
    meter = _Meter()
    while at < end:
        at = _walk(tariff, meter, at, end)
    caps = {place: window.cap for place, window in enumerate(tariff.windows)}
    return sum(fen if (cap := caps[place]) is None else min(fen, cap) for (place, _), fen in meter.asked.items())


def _walk(tariff: Tariff, meter: _Meter, at: datetime, end: datetime) -> datetime:
    """One step further: asks for the step that begins at `at` and answers where it ends."""
    second = at.hour * 3600 + at.minute * 60 + at.second
    place = next(number for number, window in enumerate(tariff.windows) if window.holds(second))
    window = tariff.windows[place]
    owner, edge = window.owner(at), window.until(at)
    counter: object = (place, owner) if window.by_window else place
    used = meter.used.get(counter, 0)
    step = next(one for one in window.steps if one.until is None or used < one.until)
    if step.per == 0:
        once: Any = {"occurrence": owner, "day": at.date(), "stay": None}[step.once]
        until = edge if step.until is None else min(edge, at + timedelta(seconds=step.until - used))
        fen = 0 if (place, step, once) in meter.flats else step.price
        meter.flats.add((place, step, once))
    else:
        until, fen = min(edge, at + timedelta(seconds=step.per)), step.price
    meter.used[counter] = used + round((min(until, end) - at).total_seconds())
    meter.asked[place, owner] = meter.asked.get((place, owner), 0) + fen
    return until
