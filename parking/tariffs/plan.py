"""Turn a tariff into what the evaluator runs on, once per tariff and class of car: seconds, tiers, and the windows of each day."""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from parking.tariffs.calendar import BIT_OF, PROVISIONAL, Calendar
from parking.tariffs.model import DAY_SECONDS, NEW_ENERGY_COLOURS, Condition, Discount, Step, Tariff, Text, Window

ENDLESS = 1 << 60
NOBODY = -1  # The window of a second that nothing covers.
_OFFICIAL_WORDS = BIT_OF["work"] | BIT_OF["rest"] | BIT_OF["holiday"]


class Tier(NamedTuple):
    """A step in seconds. It is charged once more than `after` seconds of it have passed; `net` is its price before caps."""

    until: int
    per: int
    after: int
    price: int
    net: int
    once: str


class Rule(NamedTuple):
    """A window in seconds; `saturated` is where its counter stops mattering."""

    name: str
    start: int
    length: int
    counter: str
    run: bool
    cap: int | None
    tiers: tuple[Tier, ...]
    saturated: int
    tail: int


class Segment(NamedTuple):
    """Seconds `[start, end)` of a day that belong to one window; `owner` is 0, or -1 when the occurrence began the day before."""

    start: int
    end: int
    window: int
    owner: int


@lru_cache(maxsize=4096)
def plan_of(tariff: Tariff, vehicle: str, colour: str, held: frozenset[str]) -> "Plan":
    """The plan for a class of car; `held` names the permits in force at entry that a condition asks for."""
    return Plan(tariff, vehicle, colour, held)


class Plan:
    """Derived from a tariff and a class of car; what it remembers are answers that never change."""

    def __init__(self, tariff: Tariff, vehicle: str, colour: str, held: frozenset[str]) -> None:
        def meets(condition: Condition) -> bool:
            return _meets(condition, vehicle, colour, held)

        self.tariff = tariff
        self.windows = tariff.windows
        self.before = [discount for discount in tariff.discounts if discount.stage == "before_caps" and meets(discount.condition)]
        self.after = [discount for discount in tariff.discounts if discount.stage == "after_caps" and meets(discount.condition)]
        self.free_seconds = 60 * _free_minutes(tariff, colour, meets)
        self.rules = tuple(_rule(window, self.before) for window in tariff.windows)
        self.saturated = max((rule.saturated for rule in self.rules), default=0)
        self.permit_bits = _bits_of(tariff.windows, tariff.permits.windows) if tariff.permits else 0
        self.fits = tuple(_fits(window, vehicle, colour) for window in tariff.windows)
        self.by_official = any(window.days and any(BIT_OF[word] & _OFFICIAL_WORDS for word in window.days) for window in tariff.windows)
        self.has_seasons = any(window.season for window in tariff.windows)
        self._every_day = _segments(self.windows, self.fits, self.fits) if not any(w.days or w.season for w in self.windows) else None
        self.texts: dict[tuple[int, int, int], Text] = {}  # Lines' words by window, tier and number of steps.
        self._days: dict[tuple[int, int, int], tuple[Segment, ...]] = {}
        self._pairs: dict[tuple[tuple[bool, ...], tuple[bool, ...]], tuple[Segment, ...]] = {}
        self._made: dict[tuple[Segment, ...], tuple[Segment, ...]] = {}  # So that equal days answer with one object.

    def segments(self, day: int, calendar: Calendar) -> tuple[Segment, ...]:
        """The windows of the local day with this ordinal. Equal days answer with the same object."""
        if self._every_day is not None:
            return self._every_day
        key = (calendar.kind(day - 1), calendar.kind(day), day if self.has_seasons else 0)
        known = self._days.get(key)
        if known is None:
            if len(self._days) > 20_000:  # Seasons make every day its own; decades of them are plenty.
                self._days.clear()
            known = self._days[key] = self._segments_of(self._active(day - 1, key[0]), self._active(day, key[1]))
        return known

    def provisional(self, first: int, last: int, calendar: Calendar) -> bool:
        """Whether a day of `[first - 1, last]` was judged without its official list, where the tariff asks for one."""
        return self.by_official and any(calendar.kind(day) & PROVISIONAL for day in range(first - 1, last + 1))

    def bits_of(self, names: tuple[str, ...] | None) -> int:
        return _bits_of(self.windows, names)

    def _segments_of(self, yesterday: tuple[bool, ...], today: tuple[bool, ...]) -> tuple[Segment, ...]:
        known = self._pairs.get((yesterday, today))
        if known is None:
            made = _segments(self.windows, yesterday, today)
            known = self._pairs[(yesterday, today)] = self._made.setdefault(made, made)
        return known

    def _active(self, day: int, kind: int) -> tuple[bool, ...]:
        when = date.fromordinal(day)
        month_day = (when.month, when.day)
        return tuple(
            fits
            and (window.days is None or any(kind & BIT_OF[word] for word in window.days))
            and (window.season is None or window.season.holds(month_day))
            for window, fits in zip(self.windows, self.fits, strict=True)
        )


def conditions_of(tariff: Tariff) -> list[Condition]:
    return [extra.condition for extra in tariff.free.extra] + [discount.condition for discount in tariff.discounts]


def _free_minutes(tariff: Tariff, colour: str, meets: Callable[[Condition], bool]) -> int:
    free = tariff.free
    more = free.new_energy_extra if colour in NEW_ENERGY_COLOURS else 0
    return free.minutes + more + sum(extra.minutes for extra in free.extra if meets(extra.condition))


def _meets(condition: Condition, vehicle: str, colour: str, held: frozenset[str]) -> bool:
    if condition.of == "energy":
        return ("new" if colour in NEW_ENERGY_COLOURS else "fuel") in condition.among
    if condition.of == "plate":
        return colour in condition.among
    if condition.of == "vehicle":
        return vehicle in condition.among
    return not held.isdisjoint(condition.among)


def _fits(window: Window, vehicle: str, colour: str) -> bool:
    return (window.vehicle is None or vehicle in window.vehicle) and (window.plate is None or colour in window.plate)


def _bits_of(windows: tuple[Window, ...], names: tuple[str, ...] | None) -> int:
    return sum(1 << place for place, window in enumerate(windows) if names is None or window.name in names)


def _rule(window: Window, before: list[Discount]) -> Rule:
    percents = [discount.percent for discount in before if discount.windows is None or window.name in discount.windows]
    tiers = tuple(_tier(step, window, percents) for step in window.steps)
    saturated = max((tier.until for tier in tiers if tier.until < ENDLESS), default=0)
    return Rule(
        window.name, window.start, window.length, window.count, window.edge == "run", window.cap, tiers, saturated, 60 * window.tail
    )


def _tier(step: Step, window: Window, percents: list[int]) -> Tier:
    per = 60 * step.per
    after = per - 1 if window.round == "down" and per else min(60 * window.tail, max(per - 1, 0))
    net = step.price
    for percent in percents:
        net = net * (100 - percent) // 100
    return Tier(ENDLESS if step.until is None else 60 * step.until, per, after, step.price, net, step.once)


def _segments(windows: tuple[Window, ...], yesterday: tuple[bool, ...], today: tuple[bool, ...]) -> tuple[Segment, ...]:
    """Cut a day wherever a window begins or ends and give each piece to the first window that holds it."""
    cuts = sorted({0, DAY_SECONDS} | {window.start for window in windows} | {window.end for window in windows})
    pieces: list[Segment] = []
    for start, end in pairwise(cuts):
        window, owner = _first_match(windows, start, yesterday, today)
        if pieces and pieces[-1][2:] == (window, owner):
            pieces[-1] = pieces[-1]._replace(end=end)
        else:
            pieces.append(Segment(start, end, window, owner))
    return tuple(pieces)


def _first_match(windows: tuple[Window, ...], second: int, yesterday: tuple[bool, ...], today: tuple[bool, ...]) -> tuple[int, int]:
    for place, window in enumerate(windows):
        crosses = window.end <= window.start
        if today[place] and window.start <= second < (DAY_SECONDS if crosses else window.end):
            return place, 0
        if crosses and second < window.end and (today if window.days_of == "instant" else yesterday)[place]:
            return place, -1
    return NOBODY, 0
