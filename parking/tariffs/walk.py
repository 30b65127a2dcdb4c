"""Walk a car's presence through the windows of its tariff, equal steps at once, and keep what each piece of it cost."""

from typing import NamedTuple, TypeVar

import msgspec

from parking.tariffs.calendar import Calendar
from parking.tariffs.errors import NothingCovers
from parking.tariffs.model import DAY_SECONDS
from parking.tariffs.plan import ENDLESS, NOBODY, Plan, Rule, Tier

# Seconds here are those of the city's wall clock, counted from the proleptic day 0: `ordinal * 86400 + second of the day`.
ALWAYS = -(1 << 40)  # Stands for the day in the key of what belongs to the whole stay.
# What a counter or a paid flat belongs to: (window, or below 0 for no window's own; day or ALWAYS; tier of a flat, else -1).
Key = tuple[int, int, int]
_STAY: Key = (-1, ALWAYS, -1)
K = TypeVar("K")


class Run(msgspec.Struct, frozen=True, gc=False):
    """Seconds `[start, end)` in one tier of one window occurrence: `steps` steps were paid in it, together `gross` fen."""

    start: int
    end: int
    window: int
    owner: int
    tier: int
    steps: int
    gross: int
    cover: int  # Which permit covers it, -1 for none.


class Repeat(msgspec.Struct, frozen=True, gc=False):
    """`times` equal days `[start, end)`: together `gross` fen, of which caps took some."""

    start: int
    end: int
    times: int
    gross: int
    over_window: int
    over_day: int


class Sums(NamedTuple):
    """Sums in fen: full prices, what is left of them after window and day caps, and what was taken off on the way."""

    gross: int
    total: int
    discounted: int
    over_window: int
    over_day: int


class Begun:
    """A step that is not over. It goes on as long as its window occurrence does (`run`: in any window), also after a pause."""

    __slots__ = ("bucket", "charged", "counter", "elapsed", "owner", "tier", "window")

    def __init__(self, window: int, owner: int, tier: int, counter: Key, bucket: int) -> None:
        self.window, self.owner, self.tier, self.counter, self.bucket = window, owner, tier, counter, bucket
        self.elapsed = 0
        self.charged = False


class Walk:
    """The counters of one chain of visits. Paid and permitted time have one walk each: neither uses up the other's tiers."""

    __slots__ = (
        "begun",
        "bucket",
        "capped_day",
        "capped_window",
        "day_cap",
        "day_sums",
        "discounted",
        "flats",
        "gross",
        "over_day",
        "over_window",
        "plan",
        "rules",
        "runs",
        "total",
        "used",
        "window_sums",
    )

    def __init__(self, plan: Plan, runs: list[Run | Repeat]) -> None:
        self.plan = plan
        self.runs = runs
        self.used: dict[Key, int] = {}
        self.flats: set[Key] = set()
        self.begun: Begun | None = None
        self.bucket = 0  # Start of the day, calendar or rolling, that a step beginning now is counted in.
        self.rules = plan.rules
        self.day_cap = plan.tariff.caps.day
        self.gross = self.total = self.discounted = self.over_window = self.over_day = 0
        self.window_sums: dict[Key, int] = {}
        self.day_sums: dict[int, int] = {}
        self.capped_window: dict[Key, int] = {}
        self.capped_day: dict[int, int] = {}

    def segment(self, window: int, owner: int, start: int, end: int, cover: int) -> None:
        """Spend `[start, end)`, which lies in one occurrence of one window and in one day's bucket."""
        if self.begun is not None:
            start = self._go_on(window, owner, start, end, cover)
        if window == NOBODY and start < end:
            raise NothingCovers(f"no window of {self.plan.tariff.code} covers a second of the stay")
        rule = self.rules[window]
        while start < end:
            counter = _counter(rule, window, owner, start)
            used = self.used.get(counter, 0)
            place = _tier_at(rule, used)
            tier = rule.tiers[place]
            if not tier.per:
                stop = start + tier.until - used
                stop = stop if stop < end else end
                self._flat(window, owner, place, start, stop, cover)
                if tier.until != ENDLESS:  # Only a tier that ends needs to know how much of it is gone.
                    self.used[counter] = used + stop - start
                start = stop
            elif steps := min((end - start) // tier.per, -((used - tier.until) // tier.per)):
                stop = start + steps * tier.per
                self.used[counter] = used + steps * tier.per
                self._charge(steps, tier, window, owner, self.bucket)
                self.runs.append(Run(start, stop, window, owner, place, steps, steps * tier.price, cover))
                start = stop
            else:
                self.begun = Begun(window, owner, place, counter, self.bucket)
                start = self._go_on(window, owner, start, end, cover)

    def _go_on(self, window: int, owner: int, start: int, end: int, cover: int) -> int:
        """Spend the begun step's remaining seconds here, or cut it; returns where it ended."""
        begun = self.begun
        assert begun is not None
        rule = self.rules[begun.window]
        tier = rule.tiers[begun.tier]
        if not rule.run and (begun.window != window or begun.owner != owner):
            self._finish(begun, tier)
            return start
        stop = start + tier.per - begun.elapsed
        stop = stop if stop < end else end
        begun.elapsed += stop - start
        paid = not begun.charged and begun.elapsed > tier.after
        if paid:
            begun.charged = True
            self._charge(1, tier, begun.window, begun.owner, begun.bucket)
        self.runs.append(Run(start, stop, begun.window, begun.owner, begun.tier, int(paid), tier.price if paid else 0, cover))
        if begun.elapsed == tier.per:
            self._finish(begun, tier)
        return stop

    def _finish(self, begun: Begun, tier: Tier) -> None:
        """A paid step uses up its whole length of the tier, an unpaid one what passed of it."""
        self.used[begun.counter] = self.used.get(begun.counter, 0) + (tier.per if begun.charged else begun.elapsed)
        self.begun = None

    def _flat(self, window: int, owner: int, place: int, start: int, stop: int, cover: int) -> None:
        tier = self.rules[window].tiers[place]
        once = (window, owner, place)
        if tier.once == "day":
            once = (-2 - window, start // DAY_SECONDS, place)
        elif tier.once == "stay":
            once = (window, ALWAYS, place)
        steps = int(once not in self.flats)
        if steps:
            self.flats.add(once)
            self._charge(1, tier, window, owner, self.bucket)
        self.runs.append(Run(start, stop, window, owner, place, steps, steps * tier.price, cover))

    def _charge(self, steps: int, tier: Tier, window: int, owner: int, bucket: int) -> None:
        """Put the price of equal steps through the caps: window occurrence, then day, always in the order of time."""
        gross, amount = steps * tier.price, steps * tier.net
        self.gross += gross
        self.discounted += gross - amount
        cap = self.rules[window].cap
        if cap is not None:
            over = _over(self.window_sums, self.capped_window, (window, owner, -1), amount, cap)
            amount -= over
            self.over_window += over
        cap = self.day_cap
        if cap is not None:
            over = _over(self.day_sums, self.capped_day, bucket, amount, cap)
            amount -= over
            self.over_day += over
        self.total += amount

    def sums(self) -> Sums:
        return Sums(self.gross, self.total, self.discounted, self.over_window, self.over_day)

    def sums_since(self, before: Sums) -> Sums:
        return Sums(*(after - earlier for after, earlier in zip(self.sums(), before, strict=True)))

    def state_at(self, boundary: int) -> tuple[object, ...]:
        """What of the past still matters from here on, told relative to the boundary: equal states have equal futures."""
        day = boundary // DAY_SECONDS
        return (
            self._begun_at(boundary, day),
            frozenset((_moved(key, -day), self._saturated(key, spent)) for key, spent in self.used.items() if self._lives(key, boundary)),
            frozenset(_moved(key, -day) for key in self.flats if self._lives(key, boundary)),
            frozenset((_moved(key, -day), spent) for key, spent in self.window_sums.items() if self._lives(key, boundary)),
        )

    def jump(self, boundary: int, times: int, day: Sums) -> None:
        """Add so many days like one that was walked from the same state, and let what lives on move with the time."""
        gross, total, discounted, over_window, over_day = (times * amount for amount in day)
        self.runs.append(Repeat(boundary, boundary + times * DAY_SECONDS, times, gross, over_window, over_day))
        self.gross += gross
        self.total += total
        self.discounted += discounted
        self.over_window += over_window
        self.over_day += over_day
        self.used = {_moved(key, times): spent for key, spent in self.used.items() if self._lives(key, boundary)}
        self.flats = {_moved(key, times) for key in self.flats if self._lives(key, boundary)}
        self.window_sums |= {_moved(key, times): spent for key, spent in self.window_sums.items() if self._lives(key, boundary)}
        begun = self.begun
        if begun is not None:
            bucket = begun.bucket + times * DAY_SECONDS
            self.day_sums[bucket] = self.day_sums.get(begun.bucket, 0)
            begun.owner, begun.counter, begun.bucket = begun.owner + times, _moved(begun.counter, times), bucket

    def _begun_at(self, boundary: int, day: int) -> tuple[object, ...] | None:
        begun = self.begun
        if begun is None:
            return None
        room = (begun.bucket - boundary, self.day_sums.get(begun.bucket, 0)) if not begun.charged else None
        return (begun.window, begun.owner - day, begun.tier, begun.elapsed, begun.charged, _moved(begun.counter, -day), room)

    def _saturated(self, key: Key, spent: int) -> int:
        return min(spent, self.plan.saturated if key[0] < 0 else self.rules[key[0]].saturated)

    def _lives(self, key: Key, boundary: int) -> bool:
        window, day, _ = key
        if day == ALWAYS:
            return True
        if window < 0:
            return (day + 1) * DAY_SECONDS > boundary
        if self.begun is not None and self.begun.window == window and self.begun.owner == day:
            return True  # A step that runs over its window's end is still counted there.
        rule = self.rules[window]
        return day * DAY_SECONDS + rule.start + rule.length > boundary


def windows_of(plan: Plan, calendar: Calendar, start: int) -> tuple[int, int]:
    """Names the windows of the 24 hours from here on. Plans keep one object for equal days, for as long as they live."""
    day = start // DAY_SECONDS
    return id(plan.segments(day, calendar)), id(plan.segments(day + 1, calendar))


def days_alike(plan: Plan, calendar: Calendar, start: int, limit: int) -> int:
    """How many rows of 24 hours from here on, at most `limit`, have the windows of the first."""
    first = windows_of(plan, calendar, start)
    alike = 1
    while alike < limit and windows_of(plan, calendar, start + alike * DAY_SECONDS) == first:
        alike += 1
    return alike


def _counter(rule: Rule, window: int, owner: int, start: int) -> Key:
    if rule.counter == "stay":
        return _STAY
    return (window, owner, -1) if rule.counter == "window" else (-1, start // DAY_SECONDS, -1)


def _tier_at(rule: Rule, used: int) -> int:
    for place, tier in enumerate(rule.tiers):
        if used < tier.until:
            return place
    raise AssertionError("the last tier of a window has no end")


def _moved(key: Key, days: int) -> Key:
    return key if key[1] == ALWAYS else (key[0], key[1] + days, key[2])


def _over(sums: dict[K, int], capped: dict[K, int], key: K, amount: int, cap: int) -> int:
    """Add the amount to its sum up to the cap; returns what does not fit, and remembers it."""
    spent = sums.get(key, 0)
    over = spent + amount - cap
    if over <= 0:
        sums[key] = spent + amount
        return 0
    sums[key] = cap
    capped[key] = capped.get(key, 0) + over
    return over
