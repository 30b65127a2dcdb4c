"""Price a stay: the pure function that every quote, bill, appeal and re-run calls. Same inputs, same bytes, for ever."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from parking.tariffs import words
from parking.tariffs.calendar import Calendar
from parking.tariffs.errors import NoVersionInForce
from parking.tariffs.model import CITY, DAY_SECONDS, Line, LineKind, PermitSpan, Price, Stay, Tariff, Text, Visit
from parking.tariffs.plan import Plan, conditions_of, plan_of
from parking.tariffs.walk import Repeat, Run, Sums, Walk, days_alike, windows_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSET = datetime(1992, 1, 1, tzinfo=CITY).utcoffset()  # One offset for every stay a `Stay` can hold (model.py).
assert _OFFSET is not None
WALL_OF_EPOCH = _EPOCH.toordinal() * DAY_SECONDS + int(_OFFSET.total_seconds())
_NOTHING: frozenset[str] = frozenset()
_LONG = 7 * DAY_SECONDS  # Shorter stays are told day by day.


class Payment(msgspec.Struct, frozen=True):
    """What was paid in advance: fen, and when."""

    at: datetime
    amount: int


class Due(msgspec.Struct, frozen=True):
    """Always whole minus paid: `due` is still to be asked for, `over` was paid too much; `leave_until` ends the time to leave."""

    whole: Price
    paid: int
    due: int
    over: int
    leave_until: datetime | None


class Cover(NamedTuple):
    """Wall seconds in which a permit frees the windows of these bits."""

    start: int
    end: int
    bits: int
    what: Text


class Spent(NamedTuple):
    """A chain of visits, walked: its runs, what remains after every reduction, and what each of them took."""

    runs: list[Run | Repeat]
    walk: Walk | None  # None where all of it is free.
    covers: Sequence[Cover]
    total: int
    reductions: list[tuple[LineKind, Text, int]]  # Of the whole chain, after window and day caps.


Span = tuple[int, int]


class Days(NamedTuple):
    """What other visits of the plate left in the days' buckets, where the day's cap counts them together."""

    sums: dict[int, int] = {}  # noqa: RUF012 - never written to: walks begin with a copy.
    anchor: int | None = None
    end: int = 0  # Where the last bucket ends that they were charged in.

    def anchor_of(self, start: int) -> int:
        return start if self.anchor is None or start >= self.end else self.anchor


_NO_DAYS = Days()


def price_stay(tariff: Tariff, stay: Stay, calendar: Calendar) -> Price:
    """The fee of this stay with its lines. Visits in `stay.earlier` that belong to its chain are counted together with it,
    and what they cost by themselves is taken off. Raises NothingCovers for a tariff that has a hole.
    """
    return _price(tariff, stay, calendar, None)


def fee_of(tariff: Tariff, stay: Stay, calendar: Calendar) -> int:
    """The total of `price_stay` in fen, without its lines: for ranking lots and for re-running a month of bills."""
    if stay.exempt:
        return 0
    plan = _plan(tariff, stay)
    chain, free, days = _history(plan, stay, calendar)
    covers = _covers(plan, stay.permits) if stay.permits else ()
    total = _best(plan, calendar, [*chain, (wall(stay.entry), wall(stay.exit))], free, covers, days).total
    return total - _best(plan, calendar, chain, free, covers, days).total if chain else total


def price_chain(tariff: Tariff, stays: Sequence[Stay], calendar: Calendar) -> Price:
    """All visits of one car in their order, each knowing those before it; their lines tile each visit."""
    prices = list[Price]()
    before: tuple[Visit, ...] = ()
    for stay in sorted(stays, key=lambda stay: stay.entry):
        prices.append(price_stay(tariff, msgspec.structs.replace(stay, earlier=before), calendar))
        before = (*before, Visit(stay.entry, stay.exit, stay.site))
    return _joined(prices)


def price_across(versions: Sequence[Tariff], stay: Stay, calendar: Calendar) -> Price:
    """Price by the version in force at entry; where it says `pin: change`, each version prices its own part of the stay.

    Tiers and caps of a part begin anew with its version. The free minutes are judged once, on the whole stay, by the version
    at entry. Raises NoVersionInForce where no version covers an instant that is needed.
    """
    tariff = version_in_force(versions, stay.entry)
    plan = _plan(tariff, stay)
    chain, free, _ = _history(plan, stay, calendar)
    present = sum(end - start for start, end in chain) + wall(stay.exit) - wall(stay.entry)
    if tariff.free.mode == "threshold" or present <= free:
        free = free if present <= free else 0
    parts = list[Price]()
    while tariff.pin == "change" and tariff.effective_to is not None and tariff.effective_to < stay.exit and present > free:
        part = msgspec.structs.replace(stay, exit=tariff.effective_to)
        parts.append(_price(tariff, part, calendar, free))
        free = max(0, free - sum(end - start for start, end in chain) - wall(part.exit) + wall(part.entry))
        stay, chain = msgspec.structs.replace(stay, entry=tariff.effective_to, earlier=()), []
        present = wall(stay.exit) - wall(stay.entry)
        tariff = version_in_force(versions, stay.entry)
    return _joined([*parts, _price(tariff, stay, calendar, free)])


def version_in_force(versions: Sequence[Tariff], instant: datetime) -> Tariff:
    """Raises NoVersionInForce; overlapping versions are refused when they are published."""
    for tariff in versions:
        if tariff.in_force_at(instant):
            return tariff
    raise NoVersionInForce(f"no version is in force at {instant.isoformat()}")


def due_after_prepayment(tariff: Tariff, stay: Stay, payments: Sequence[Payment], calendar: Calendar) -> Due:
    """What is due at `stay.exit` after payments in advance: whole minus paid. Who leaves within `leave_within_minutes` (bound
    included) of a payment that settled everything until then owes nothing for these minutes.
    """
    paid = sum(payment.amount for payment in payments)
    leave = timedelta(minutes=tariff.leave_within_minutes)
    whole, leave_until = price_stay(tariff, stay, calendar), None
    for payment in sorted(payments, key=lambda payment: payment.at):
        if not leave or not stay.entry <= payment.at <= stay.exit:
            continue
        until_then = price_stay(tariff, msgspec.structs.replace(stay, exit=payment.at), calendar)
        if sum(other.amount for other in payments if other.at <= payment.at) < until_then.total:
            continue
        leave_until = payment.at + leave
        if stay.exit <= leave_until and until_then.total < whole.total:
            whole = _leaving(until_then, payment.at, stay.exit)
    return Due(whole, paid, max(0, whole.total - paid), max(0, paid - whole.total), leave_until)


def applies_to(tariff: Tariff, *, lot: str, vehicle_type: str, plate_colour: str) -> bool:
    applies = tariff.applies
    asked = ((applies.lots, lot), (applies.vehicle, vehicle_type), (applies.plate, plate_colour))
    return all(among is None or value in among for among, value in asked)


def wall(instant: datetime) -> int:
    """Whole seconds of the city's wall clock since the proleptic day 0; fractions are dropped."""
    since = instant - _EPOCH
    return since.days * DAY_SECONDS + since.seconds + WALL_OF_EPOCH


def instant_of(second: int) -> datetime:
    return datetime.fromtimestamp(second - WALL_OF_EPOCH, CITY)


def _price(tariff: Tariff, stay: Stay, calendar: Calendar, free_seconds: int | None) -> Price:
    """`free_seconds` overrides the tariff's own, for a part of a stay whose free minutes were judged as a whole."""
    plan = _plan(tariff, stay)
    entry, exit = wall(stay.entry), wall(stay.exit)
    if stay.exempt:
        return _without_charge(stay, words.EXEMPT)
    chain, free, days = _history(plan, stay, calendar)
    covers = _covers(plan, stay.permits) if stay.permits else ()
    spent = _best(plan, calendar, [*chain, (entry, exit)], free if free_seconds is None else free_seconds, covers, days)
    asked = _best(plan, calendar, chain, free, covers, days).total if chain else 0
    day = (chain[0][0] if chain else entry) // DAY_SECONDS
    provisional = plan.by_official and plan.provisional(day, exit // DAY_SECONDS, calendar)
    return Price(spent.total - asked, _lines(plan, spent, entry, exit, asked, chain), provisional)


def _best(plan: Plan, calendar: Calendar, spans: list[Span], free: int, covers: Sequence[Cover], days: Days) -> Spent:
    """A permit never raises a fee: where falling tiers would make it so, it is left aside."""
    spent = _spend(plan, calendar, spans, free, covers, days)
    if not covers:
        return spent
    without = _spend(plan, calendar, spans, free, (), days)
    return without if without.total < spent.total else spent


def _spend(plan: Plan, calendar: Calendar, spans: list[Span], free: int, covers: Sequence[Cover], days: Days) -> Spent:
    tariff = plan.tariff
    anchor = days.anchor_of(spans[0][0]) if tariff.caps.period == "rolling" else 0
    if free:
        if sum(end - start for start, end in spans) <= free:
            return Spent([], None, covers, 0, [])
        if tariff.free.mode == "deduct":
            spans = _after(spans, free)
    runs: list[Run | Repeat] = []
    walk = Walk(plan, runs)
    walk.day_sums.update(days.sums)
    shadow = Walk(plan, runs) if covers else walk
    for start, end in spans:
        _walk_days(walk, shadow, calendar, start, end, anchor, covers)
    total, reductions = _reduced(plan, walk.sums())
    return Spent(runs, walk, covers, total, reductions)


def _walk_days(walk: Walk, shadow: Walk, calendar: Calendar, start: int, end: int, anchor: int, covers: Sequence[Cover]) -> None:
    """One day's bucket after the other. In a long stay, a day that leaves the counters as it found them is walked only once:
    days that begin in the same state and have the same windows are added up without walking.
    """
    known: dict[tuple[object, ...], Sums] | None = {} if end - start >= _LONG and not covers else None
    state: object = None
    while start < end:
        bucket = start - (start - anchor) % DAY_SECONDS
        stop = min(end, bucket + DAY_SECONDS)
        walk.bucket = shadow.bucket = bucket
        if known is None or stop - start < DAY_SECONDS:
            _walk_windows(walk, shadow, calendar, start, stop, covers)
            start = stop
            state = None
            continue
        state = walk.state_at(start) if state is None else state
        key = (state, *windows_of(walk.plan, calendar, start))
        if key in known:
            times = days_alike(walk.plan, calendar, start, (end - start) // DAY_SECONDS)
            walk.jump(start, times, known[key])
            start += times * DAY_SECONDS
            continue
        before = walk.sums()
        _walk_windows(walk, shadow, calendar, start, stop, covers)
        start = stop
        after = walk.state_at(start)
        if after == state:
            known[key] = walk.sums_since(before)
        state = after


def _walk_windows(walk: Walk, shadow: Walk, calendar: Calendar, start: int, stop: int, covers: Sequence[Cover]) -> None:
    plan = walk.plan
    day = start // DAY_SECONDS
    while start < stop:
        midnight = day * DAY_SECONDS
        for _, end, window, owner in plan.segments(day, calendar):
            end += midnight
            if end <= start:
                continue
            if end > stop:
                end = stop
            if covers:
                _walk_covered(walk, shadow, window, day + owner, start, end, covers)
            else:
                walk.segment(window, day + owner, start, end, -1)
            start = end
            if start == stop:
                return
        day += 1


def _walk_covered(walk: Walk, shadow: Walk, window: int, owner: int, start: int, end: int, covers: Sequence[Cover]) -> None:
    """Covered seconds are walked beside the paid ones: their price is shown and taken off, and they use up nothing."""
    while start < end:
        cover = next((n for n, c in enumerate(covers) if c.start <= start < c.end and c.bits >> window & 1), -1)
        stop = min([end, *(edge for c in covers for edge in (c.start, c.end) if edge > start)])
        (walk if cover < 0 else shadow).segment(window, owner, start, stop, cover)
        start = stop


def _reduced(plan: Plan, sums: Sums) -> tuple[int, list[tuple[LineKind, Text, int]]]:
    """Stay cap, then discounts in their order, each floored in the driver's favour, then rounding down."""
    tariff, total = plan.tariff, sums.total
    taken: list[tuple[LineKind, Text, int]] = []
    if sums.discounted:
        off = [words.of_discount(discount) for discount in plan.before]
        taken.append(("discount", Text("；".join(text.zh for text in off), "; ".join(text.en for text in off)), sums.discounted))
    cap = tariff.caps.stay
    if cap is not None and total > cap:
        taken.append(("cap", words.of_stay_cap(cap), total - cap))
        total = cap
    for discount in plan.after:
        left = total * (100 - discount.percent) // 100
        if left < total:
            taken.append(("discount", words.of_discount(discount), total - left))
        total = left
    if rest := total % tariff.round_total:
        taken.append(("rounding", words.ROUNDING, rest))
    return total - rest, taken


def _lines(plan: Plan, spent: Spent, entry: int, exit: int, asked: int, chain: list[Span]) -> tuple[Line, ...]:
    base = instant_of(entry)

    def at(second: int) -> datetime:
        return base + timedelta(0, second - entry)

    def line(kind: LineKind, start: int, end: int, what: Text, amount: int) -> Line:
        return Line(kind, at(start), at(end), what.zh, what.en, amount)

    if spent.walk is None:
        return (line("time", entry, exit, words.FREE_MINUTES, 0),) if entry < exit else ()
    own = [run for run in spent.runs if run.start >= entry] if chain else spent.runs
    merged = _merged(own)
    first = merged[0].start if merged else exit
    lines = [line("time", entry, first, words.FREE_MINUTES, 0)] if entry < first else []
    start = at(first)
    for run in merged:
        text, end = _text_of(plan, run), at(run.end)
        lines.append(Line("time", start, end, text.zh, text.en, run.gross))
        start = end
    lines += [line("permit", *span) for span in _permitted(spent, own)] if spent.covers else []
    lines += [line("cap", max(start, entry), min(end, exit), what, -over) for start, end, what, over in _capped(plan, spent, entry, exit)]
    lines += [line(kind, entry, exit, what, -amount) for kind, what, amount in spent.reductions]
    if chain:
        before = sum(run.gross for run in spent.runs if run.start < entry and not (isinstance(run, Run) and run.cover >= 0))
        if before != asked:
            lines.append(line("earlier", chain[0][0], chain[-1][1], words.EARLIER, before - asked))
    return tuple(lines)


def _merged(runs: Sequence[Run | Repeat]) -> list[Run | Repeat]:
    """One line for what is one thing to a driver: adjacent runs of one tier of one window occurrence."""
    merged: list[Run | Repeat] = []
    last: Run | Repeat | None = None
    for run in runs:
        if isinstance(run, Run) and isinstance(last, Run) and _is_one(last, run):
            last = Run(last.start, run.end, last.window, last.owner, last.tier, last.steps + run.steps, last.gross + run.gross, last.cover)
            merged[-1] = last
        else:
            merged.append(run)
            last = run
    return merged


def _is_one(last: Run, run: Run) -> bool:
    return (
        run.window == last.window
        and run.tier == last.tier
        and run.owner == last.owner
        and run.start == last.end
        and run.cover == last.cover
    )


def _text_of(plan: Plan, run: Run | Repeat) -> Text:
    if isinstance(run, Repeat):
        return words.of_repeat(run.times, run.gross)
    key = (run.window, run.tier, run.steps)
    text = plan.texts.get(key)
    if text is None:
        text = words.of_run(plan.windows[run.window], run.tier, run.steps)
        if len(plan.texts) < 10_000:  # Words that were said once are said again.
            plan.texts[key] = text
    return text


def _permitted(spent: Spent, own: Sequence[Run | Repeat]) -> list[tuple[int, int, Text, int]]:
    """Each unbroken time under one permit, with what it would have cost."""
    spans: list[tuple[int, int, int, int]] = []
    for run in own:
        if not isinstance(run, Run) or run.cover < 0:
            continue
        if spans and spans[-1][1] == run.start and spans[-1][2] == run.cover:
            start, _, cover, gross = spans.pop()
            spans.append((start, run.end, cover, gross + run.gross))
        else:
            spans.append((run.start, run.end, run.cover, run.gross))
    return [(start, end, spent.covers[cover].what, -gross) for start, end, cover, gross in spans if gross]


def _capped(plan: Plan, spent: Spent, entry: int, exit: int) -> list[tuple[int, int, Text, int]]:
    """Spans of window occurrences, days and rows of equal days, with what their caps took off; one line each."""
    walk, caps = spent.walk, plan.tariff.caps
    assert walk is not None
    capped: list[tuple[int, int, Text, int]] = []
    for (window, owner, _), over in walk.capped_window.items():
        start = owner * DAY_SECONDS + plan.rules[window].start
        capped.append((start, start + plan.rules[window].length, words.of_window_cap(plan.windows[window]), over))
    for bucket, over in walk.capped_day.items():
        assert caps.day is not None
        capped.append((bucket, bucket + DAY_SECONDS, words.of_day_cap(caps.day, caps.period), over))
    for run in spent.runs if len(spent.runs) and exit - entry >= _LONG else ():
        if isinstance(run, Repeat) and run.over_window:
            capped.append((run.start, run.end, words.of_repeated_window_cap(run.times), run.over_window))
        if isinstance(run, Repeat) and run.over_day:
            assert caps.day is not None
            capped.append((run.start, run.end, words.of_day_cap(caps.day, caps.period), run.over_day))
    # A cap that bit on an earlier visit of the chain still counts; it is named at this visit's beginning.
    return [(min(start, exit), max(end, entry), what, over) for start, end, what, over in capped]


def _history(plan: Plan, stay: Stay, calendar: Calendar) -> tuple[list[Span], int, Days]:
    """The earlier visits that count together with this stay, the free seconds they share, and what the day's cap has seen."""
    if not stay.earlier:
        return [], plan.free_seconds, _NO_DAYS
    chains = _chains(plan.tariff, stay)
    free = [plan.free_seconds if left else 0 for left in _free_is_left(plan.tariff, chains)]
    caps = plan.tariff.caps
    days = _days_before(plan, stay, calendar, chains, free) if caps.of == "plate" and caps.day is not None else _NO_DAYS
    return chains[-1][:-1], free[-1], days


def _chains(tariff: Tariff, stay: Stay) -> list[list[Span]]:
    """All earlier visits by chains; the last chain ends with a visit of no length where this stay begins."""
    entry = wall(stay.entry)
    within = tariff.reentry is not None and tariff.reentry.same == "lot"
    visits = sorted((wall(v.entry), wall(v.exit)) for v in stay.earlier if v.exit <= stay.entry and (not within or v.site == stay.site))
    chains: list[list[Span]] = []
    gap = 60 * tariff.reentry.gap_minutes if tariff.reentry else 0
    for span in [*visits, (entry, entry)]:
        if chains and span[0] - chains[-1][-1][1] < gap:
            chains[-1].append(span)
        else:
            chains.append([span])
    return chains


def _free_is_left(tariff: Tariff, chains: list[list[Span]]) -> list[bool]:
    """Which chains have free minutes: once a chain all, once a day or in 24 hours those before which no other took them."""
    left: list[bool] = []
    taken: int | None = None
    for chain in chains:
        start = chain[0][0]
        free = tariff.free.once_per == "chain" or taken is None or not _is_same(tariff, taken, start)
        left.append(free)
        taken = start if free else taken
    return left


def _is_same(tariff: Tariff, taken: int, start: int) -> bool:
    if tariff.free.once_per == "day":
        return start // DAY_SECONDS == taken // DAY_SECONDS
    return start - taken < DAY_SECONDS


def _days_before(plan: Plan, stay: Stay, calendar: Calendar, chains: list[list[Span]], free: list[int]) -> Days:
    days = _NO_DAYS
    covers = _covers(plan, stay.permits)
    for chain, seconds in zip(chains[:-1], free, strict=False):
        walk = _best(plan, calendar, chain, seconds, covers, days).walk
        if walk is not None:
            anchor = days.anchor_of(chain[0][0])
            days = Days(walk.day_sums, anchor, anchor - (anchor - chain[-1][1]) // DAY_SECONDS * DAY_SECONDS)
    return days


def _covers(plan: Plan, permits: Sequence[PermitSpan]) -> list[Cover]:
    spans = [(permit, plan.permit_bits & plan.bits_of(permit.windows)) for permit in permits]
    return [Cover(wall(permit.start), wall(permit.end), bits, words.of_permit(permit)) for permit, bits in spans if bits]


def _plan(tariff: Tariff, stay: Stay) -> Plan:
    return plan_of(tariff, stay.vehicle_type, stay.plate_colour, _held(tariff, stay) if stay.permits else _NOTHING)


def _held(tariff: Tariff, stay: Stay) -> frozenset[str]:
    """Names of permits in force at entry that a condition asks for."""
    asked = {name for condition in conditions_of(tariff) if condition.of == "permit" for name in condition.among}
    return frozenset(p.name for p in stay.permits if p.start <= stay.entry < p.end and p.name in asked)


def _after(spans: list[Span], free: int) -> list[Span]:
    """The spans without their first `free` seconds of presence."""
    left = list[Span]()
    for start, end in spans:
        begun = min(end, start + free)
        free -= begun - start
        if begun < end:
            left.append((begun, end))
    return left


def _without_charge(stay: Stay, why: Text) -> Price:
    start, end = instant_of(wall(stay.entry)), instant_of(wall(stay.exit))
    return Price(0, (Line("time", start, end, why.zh, why.en, 0),) if start < end else (), False)


def _joined(prices: Sequence[Price]) -> Price:
    lines = tuple(line for price in prices for line in price.lines)
    return Price(sum(price.total for price in prices), lines, any(price.provisional for price in prices))


def _leaving(until_then: Price, paid_at: datetime, exit: datetime) -> Price:
    start, end = instant_of(wall(paid_at)), instant_of(wall(exit))
    grace = Line("time", start, end, words.TIME_TO_LEAVE.zh, words.TIME_TO_LEAVE.en, 0)
    time = [line for line in until_then.lines if line.kind == "time"]
    return Price(until_then.total, (*time, grace, *until_then.lines[len(time) :]), until_then.provisional)
