"""Price a month of bills at once: the same fees as `price_stay`, for all stays of one class of car together, in numpy.

This is what makes it cheap to re-run every bill ever issued before a release, and to ask what a draft would have cost.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from parking.tariffs.calendar import Calendar
from parking.tariffs.errors import NothingCovers
from parking.tariffs.model import DAY_SECONDS, MAX_STAY_DAYS, Tariff
from parking.tariffs.plan import ENDLESS, NOBODY, Plan, plan_of
from parking.tariffs.price_stay import WALL_OF_EPOCH

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
MAX_STAYS = 200_000  # In one piece: bounds the memory of the columns to some hundred MB.
_NEVER = -(1 << 40)
_STAY, _DAY, _WINDOW = range(3)


def fees_of(
    tariff: Tariff, entries: Ints, exits: Ints, calendar: Calendar, *, plate_colour: str = "blue", vehicle_type: str = "small"
) -> Ints:
    """Fees in fen of stays `[entry, exit)` in Unix seconds: each a visit of its own, without permits. Raises NothingCovers."""
    _check(entries, exits)
    plan = plan_of(tariff, vehicle_type, plate_colour, frozenset())
    fees = [_fees(plan, entries[n : n + MAX_STAYS], exits[n : n + MAX_STAYS], calendar) for n in range(0, len(entries), MAX_STAYS)]
    return np.concatenate(fees) if fees else np.zeros(0, np.int64)


def _fees(plan: Plan, entries: Ints, exits: Ints, calendar: Calendar) -> Ints:
    fees = np.zeros(len(entries), np.int64)
    charged = np.flatnonzero((exits - entries > plan.free_seconds) | ((plan.free_seconds == 0) & (exits > entries)))
    if not len(charged):
        return fees
    walk = _Walk(plan, entries[charged] + WALL_OF_EPOCH, exits[charged] + WALL_OF_EPOCH, calendar)
    for rows, totals in walk.run():
        fees[charged[rows]] = totals
    return _reduced(plan, fees)


def _reduced(plan: Plan, totals: Ints) -> Ints:
    caps = plan.tariff.caps
    if caps.stay is not None:
        totals = np.minimum(totals, caps.stay)
    for discount in plan.after:
        totals = totals * (100 - discount.percent) // 100
    return totals - totals % plan.tariff.round_total


class _Rules:
    """The plan's windows and tiers as tables, by window and (where `per` and so on) by tier."""

    def __init__(self, plan: Plan) -> None:
        tiers = max(len(rule.tiers) for rule in plan.rules)
        padded = [[*rule.tiers, *[rule.tiers[-1]] * (tiers - len(rule.tiers))] for rule in plan.rules]
        self.tiers = tiers
        self.until, self.per, self.after, self.net = (
            np.array([[getattr(tier, name) for tier in row] for row in padded], np.int64) for name in ("until", "per", "after", "net")
        )
        self.once = np.array([[("occurrence", "day", "stay").index(tier.once) for tier in row] for row in padded])
        self.run = np.array([rule.run for rule in plan.rules])
        self.counter = np.array([("stay", "day", "window").index(rule.counter) for rule in plan.rules])
        self.cap = np.array([ENDLESS if rule.cap is None else rule.cap for rule in plan.rules], np.int64)
        self.any_cap = any(rule.cap is not None for rule in plan.rules)


class _Walk:
    """The counters of walk.py, one column each. What happens to a stay here happens to it there, in the same order."""

    def __init__(self, plan: Plan, entry: Ints, exit: Ints, calendar: Calendar) -> None:
        self.rules = _Rules(plan)
        self.day_cap = plan.tariff.caps.day
        self.seg_end, self.seg_window, self.seg_owner = _timeline(plan, calendar, int(entry.min()), int(exit.max()))
        n, windows = len(entry), len(plan.rules)
        deducted = plan.free_seconds if plan.tariff.free.mode == "deduct" else 0
        self.row, self.t, self.exit, self.total = np.arange(n), entry + deducted, exit, np.zeros(n, np.int64)
        anchor = entry if plan.tariff.caps.period == "rolling" else np.zeros(n, np.int64)
        self.bucket_end = self.t - (self.t - anchor) % DAY_SECONDS + DAY_SECONDS
        self.day_sum = np.zeros(n, np.int64)
        self.used_stay, self.used_day, self.used_of_day = np.zeros(n, np.int64), np.zeros(n, np.int64), np.full(n, _NEVER)
        self.used_window, self.used_owner = np.zeros((n, windows), np.int64), np.full((n, windows), _NEVER)
        self.sum_window, self.sum_owner = np.zeros((n, windows), np.int64), np.full((n, windows), _NEVER)
        self.flat_paid = np.full((n, windows, self.rules.tiers), _NEVER)
        self.begun, self.charged = np.zeros(n, bool), np.zeros(n, bool)
        self.window, self.owner, self.tier = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.elapsed, self.began_day = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.began_bucket, self.began_sum = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.seg = np.searchsorted(self.seg_end, self.t, side="right")

    def run(self) -> Iterator[tuple[Ints, Ints]]:
        """Yields rows that are over with their totals, until all are."""
        while len(self.row):
            self._piece()
            over = self.t >= self.exit
            if over.any():
                yield self.row[over], self.total[over]
                self._keep(~over)

    def _keep(self, mask: Bools) -> None:
        n = len(mask)
        for name, column in vars(self).items():
            if isinstance(column, np.ndarray) and not name.startswith("seg_") and len(column) == n:
                setattr(self, name, column[mask])

    def _piece(self) -> None:
        """Each stay takes what it can up to the end of its window segment, its day's bucket or itself."""
        window, owner = self.seg_window[self.seg], self.seg_owner[self.seg]
        end = np.minimum(np.minimum(self.seg_end[self.seg], self.exit), self.bucket_end)
        cut = self.begun & ~self.rules.run[self.window] & ((self.window != window) | (self.owner != owner))
        self._finish(np.flatnonzero(cut))
        fresh = np.flatnonzero(~self.begun)
        if len(fresh):
            self._take(fresh, window[fresh], owner[fresh], end[fresh])
        going = np.flatnonzero(self.begun & (self.t < end))
        if len(going):
            self._go_on(going, end[going])
        self.seg += self.t >= self.seg_end[self.seg]
        turned = self.t >= self.bucket_end
        self.bucket_end[turned] += DAY_SECONDS
        self.day_sum[turned] = 0

    def _take(self, rows: Ints, window: Ints, owner: Ints, end: Ints) -> None:
        """Whole steps of one tier, a flat price, or the beginning of a step."""
        if (window == NOBODY).any():
            raise NothingCovers("no window of the tariff covers a second of a stay")
        rules, t = self.rules, self.t[rows]
        used = self._used(rows, window, owner, t // DAY_SECONDS)
        tier = (used[:, None] >= rules.until[window]).sum(axis=1)
        until, per = rules.until[window, tier], rules.per[window, tier]
        flat = per == 0
        steps = np.minimum((end - t) // np.maximum(per, 1), -((used - until) // np.maximum(per, 1)))
        whole, begin = ~flat & (steps > 0), ~flat & (steps == 0)
        if whole.any():
            self._whole_steps(rows[whole], window[whole], owner[whole], tier[whole], steps[whole])
        if flat.any():
            left = until[flat] - used[flat]
            self._flat(rows[flat], window[flat], owner[flat], tier[flat], np.minimum(end[flat], t[flat] + left), until[flat] < ENDLESS)
        if begin.any():
            self._begin(rows[begin], window[begin], owner[begin], tier[begin])

    def _whole_steps(self, rows: Ints, window: Ints, owner: Ints, tier: Ints, steps: Ints) -> None:
        spent = steps * self.rules.per[window, tier]
        self._use(rows, window, owner, self.t[rows] // DAY_SECONDS, spent)
        self._charge(rows, window, owner, steps * self.rules.net[window, tier])
        self.t[rows] += spent

    def _flat(self, rows: Ints, window: Ints, owner: Ints, tier: Ints, stop: Ints, ends: Bools) -> None:
        day = self.t[rows] // DAY_SECONDS
        once = self.rules.once[window, tier]
        key = np.where(once == 0, owner, np.where(once == 1, day, 0))
        new = self.flat_paid[rows, window, tier] != key
        self.flat_paid[rows, window, tier] = key
        self._charge(rows[new], window[new], owner[new], self.rules.net[window[new], tier[new]])
        self._use(rows[ends], window[ends], owner[ends], day[ends], (stop - self.t[rows])[ends])
        self.t[rows] = stop

    def _begin(self, rows: Ints, window: Ints, owner: Ints, tier: Ints) -> None:
        self.begun[rows], self.charged[rows], self.elapsed[rows] = True, False, 0
        self.window[rows], self.owner[rows], self.tier[rows] = window, owner, tier
        self.began_day[rows] = self.t[rows] // DAY_SECONDS
        self.began_bucket[rows], self.began_sum[rows] = self.bucket_end[rows], self.day_sum[rows]

    def _go_on(self, rows: Ints, end: Ints) -> None:
        window, tier = self.window[rows], self.tier[rows]
        per = self.rules.per[window, tier]
        taken = np.minimum(per - self.elapsed[rows], end - self.t[rows])
        self.elapsed[rows] += taken
        self.t[rows] += taken
        due = rows[~self.charged[rows] & (self.elapsed[rows] > self.rules.after[window, tier])]
        if len(due):
            self.charged[due] = True
            self._charge_begun(due)
        self._finish(rows[self.elapsed[rows] == per])

    def _finish(self, rows: Ints) -> None:
        if len(rows):
            window = self.window[rows]
            spent = np.where(self.charged[rows], self.rules.per[window, self.tier[rows]], self.elapsed[rows])
            self._use(rows, window, self.owner[rows], self.began_day[rows], spent)
            self.begun[rows] = False

    def _used(self, rows: Ints, window: Ints, owner: Ints, day: Ints) -> Ints:
        of_day = np.where(self.used_of_day[rows] == day, self.used_day[rows], 0)
        of_window = np.where(self.used_owner[rows, window] == owner, self.used_window[rows, window], 0)
        return np.choose(self.rules.counter[window], [self.used_stay[rows], of_day, of_window])

    def _use(self, rows: Ints, window: Ints, owner: Ints, day: Ints, spent: Ints) -> None:
        """Add to the counter. Days and occurrences only go forward, so that the last one of each is all there is to keep."""
        counter = self.rules.counter[window]
        mine = counter == _STAY
        self.used_stay[rows[mine]] += spent[mine]
        mine = counter == _DAY
        if mine.any():
            which, today = rows[mine], day[mine]
            self.used_day[which] = np.where(self.used_of_day[which] == today, self.used_day[which], 0) + spent[mine]
            self.used_of_day[which] = today
        mine = counter == _WINDOW
        if mine.any():
            which, where, whose = rows[mine], window[mine], owner[mine]
            before = np.where(self.used_owner[which, where] == whose, self.used_window[which, where], 0)
            self.used_window[which, where] = before + spent[mine]
            self.used_owner[which, where] = whose

    def _charge(self, rows: Ints, window: Ints, owner: Ints, amount: Ints) -> None:
        amount = self._through_window(rows, window, owner, amount)
        if self.day_cap is not None:
            amount = np.minimum(amount, self.day_cap - self.day_sum[rows])
            self.day_sum[rows] += amount
        self.total[rows] += amount

    def _charge_begun(self, rows: Ints) -> None:
        """A step is counted where it began, though it may be charged after the day's turn; nothing is charged in between."""
        window = self.window[rows]
        amount = self._through_window(rows, window, self.owner[rows], self.rules.net[window, self.tier[rows]])
        if self.day_cap is not None:
            amount = np.minimum(amount, self.day_cap - self.began_sum[rows])
            same = self.began_bucket[rows] == self.bucket_end[rows]
            self.day_sum[rows[same]] += amount[same]
        self.total[rows] += amount

    def _through_window(self, rows: Ints, window: Ints, owner: Ints, amount: Ints) -> Ints:
        if not self.rules.any_cap:
            return amount
        before = np.where(self.sum_owner[rows, window] == owner, self.sum_window[rows, window], 0)
        after = np.minimum(self.rules.cap[window], before + amount)
        self.sum_window[rows, window], self.sum_owner[rows, window] = after, owner
        return after - before


def _timeline(plan: Plan, calendar: Calendar, first: int, last: int) -> tuple[Ints, Ints, Ints]:
    """Every window segment from the first to the last second that is asked for."""
    days = range(first // DAY_SECONDS, last // DAY_SECONDS + 1)
    pieces = [(day * DAY_SECONDS + s.end, s.window, day + s.owner) for day in days for s in plan.segments(day, calendar)]
    columns = np.array([*pieces, ((days[-1] + 2) * DAY_SECONDS, NOBODY, 0)], np.int64)
    return columns[:, 0].copy(), columns[:, 1].copy(), columns[:, 2].copy()


def _check(entries: Ints, exits: Ints) -> None:
    if len(entries) != len(exits):
        raise ValueError("every entry needs its exit")
    if len(entries) and ((exits < entries).any() or (entries < 694_224_000).any() or (exits - entries > MAX_STAY_DAYS * DAY_SECONDS).any()):
        raise ValueError("a stay begins in 1992 or later, ends after it begins and lasts at most ten years")
