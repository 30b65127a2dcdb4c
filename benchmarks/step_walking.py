"""The plain way to price a stay, one step after the other: what the engine is measured against and tested with.

Written from the rules alone and sharing nothing with the engine but the model: no day tables, no closed forms.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from parking.tariffs.calendar import Calendar
from parking.tariffs.model import CITY, NEW_ENERGY_COLOURS, Condition, PermitSpan, Stay, Tariff, Window

DAY = timedelta(days=1)


@dataclass
class Charge:
    """One step that has to be paid: where it is counted, and its price before and after discounts that come before the caps."""

    started: datetime
    window: int
    owner: date
    price: int
    net: int


@dataclass
class Started:
    window: int
    owner: date
    place: int
    counter: object
    at: datetime
    elapsed: int = 0
    charged: bool = False


@dataclass
class Counters:
    used: dict[object, int] = field(default_factory=dict)
    flats: set[object] = field(default_factory=set)
    step: Started | None = None
    charges: list[Charge] = field(default_factory=list)


def price_by_steps(tariff: Tariff, stay: Stay, calendar: Calendar) -> int:
    """The fee in fen of a stay without earlier visits."""
    return price_pieces(tariff, stay, [(local(stay.entry), local(stay.exit))], calendar)


def price_pieces(tariff: Tariff, stay: Stay, pieces: list[tuple[datetime, datetime]], calendar: Calendar) -> int:
    """The fee of one chain of visits."""
    with_permits = _fee(tariff, stay, pieces, calendar, stay.permits)
    return min(with_permits, _fee(tariff, stay, pieces, calendar, ())) if stay.permits else with_permits


def local(instant: datetime) -> datetime:
    return instant.astimezone(CITY).replace(microsecond=0)


def _fee(tariff: Tariff, stay: Stay, pieces: list[tuple[datetime, datetime]], calendar: Calendar, permits: tuple[PermitSpan, ...]) -> int:
    free = 60 * _free_minutes(tariff, stay)
    present = sum(int((end - start).total_seconds()) for start, end in pieces)
    if stay.exempt or present <= free:
        return 0
    skip = free if tariff.free.mode == "deduct" else 0
    paid, covered = Counters(), Counters()
    for start, end in pieces:
        at = min(end, start + timedelta(seconds=skip))
        skip -= int((at - start).total_seconds())
        while at < end:
            at = _one_step(tariff, stay, at, end, calendar, permits, paid, covered)
    return _reduced(tariff, stay, paid.charges, pieces[0][0])


def _one_step(
    tariff: Tariff,
    stay: Stay,
    at: datetime,
    end: datetime,
    calendar: Calendar,
    permits: tuple[PermitSpan, ...],
    paid: Counters,
    covered: Counters,
) -> datetime:
    place, owner = _window_at(tariff, stay, at, calendar)
    edges = [end, _next_edge(tariff, at), *(edge for permit in permits for edge in (local(permit.start), local(permit.end)) if edge > at)]
    counters = covered if _is_covered(tariff, permits, tariff.windows[place].name, at) else paid
    step = counters.step
    if step is not None and tariff.windows[step.window].edge == "cut" and (step.window, step.owner) != (place, owner):
        _finish(tariff, counters, step)
        step = None
    if step is None:
        window = tariff.windows[place]
        counter = _counter(window, place, owner, at)
        used = counters.used.get(counter, 0)
        number = next(n for n, tier in enumerate(window.steps) if tier.until is None or used < 60 * tier.until)
        if window.steps[number].per == 0:
            return _flat(tariff, stay, counters, place, owner, number, counter, at, min(edges))
        step = counters.step = Started(place, owner, number, counter, at)
    window = tariff.windows[step.window]
    per = 60 * window.steps[step.place].per
    until = min([*edges, at + timedelta(seconds=per - step.elapsed)])
    step.elapsed += int((until - at).total_seconds())
    due = step.elapsed == per if window.round == "down" else step.elapsed > 60 * window.tail
    if due and not step.charged:
        step.charged = True
        _charge(tariff, stay, counters, step.at, step.window, step.owner, step.place)
    if step.elapsed == per:
        _finish(tariff, counters, step)
    return until


def _flat(
    tariff: Tariff, stay: Stay, counters: Counters, place: int, owner: date, number: int, counter: object, at: datetime, edge: datetime
) -> datetime:
    tier = tariff.windows[place].steps[number]
    if tier.until is not None:
        edge = min(edge, at + timedelta(seconds=60 * tier.until - counters.used.get(counter, 0)))
        counters.used[counter] = counters.used.get(counter, 0) + int((edge - at).total_seconds())
    once = (place, number, {"occurrence": owner, "day": at.date(), "stay": None}[tier.once])
    if once not in counters.flats:
        counters.flats.add(once)
        _charge(tariff, stay, counters, at, place, owner, number)
    return edge


def _finish(tariff: Tariff, counters: Counters, step: Started) -> None:
    whole = 60 * tariff.windows[step.window].steps[step.place].per
    counters.used[step.counter] = counters.used.get(step.counter, 0) + (whole if step.charged else step.elapsed)
    counters.step = None


def _charge(tariff: Tariff, stay: Stay, counters: Counters, at: datetime, place: int, owner: date, number: int) -> None:
    price = net = tariff.windows[place].steps[number].price
    for discount in tariff.discounts:
        concerns = discount.windows is None or tariff.windows[place].name in discount.windows
        if discount.stage == "before_caps" and concerns and _meets(discount.condition, stay):
            net = net * (100 - discount.percent) // 100
    counters.charges.append(Charge(at, place, owner, price, net))


def _reduced(tariff: Tariff, stay: Stay, charges: list[Charge], entry: datetime) -> int:
    windows, days = dict[object, int](), dict[object, int]()
    total = 0
    for charge in charges:
        left = _up_to(tariff.windows[charge.window].cap, windows, (charge.window, charge.owner), charge.net)
        day = charge.started.date() if tariff.caps.period == "calendar" else (charge.started - entry) // DAY
        total += _up_to(tariff.caps.day, days, day, left)
    if tariff.caps.stay is not None:
        total = min(total, tariff.caps.stay)
    for discount in tariff.discounts:
        if discount.stage == "after_caps" and _meets(discount.condition, stay):
            total = total * (100 - discount.percent) // 100
    return total - total % tariff.round_total


def _up_to(cap: int | None, sums: dict[object, int], key: object, amount: int) -> int:
    if cap is None:
        return amount
    taken = min(amount, cap - sums.get(key, 0))
    sums[key] = sums.get(key, 0) + taken
    return taken


def _window_at(tariff: Tariff, stay: Stay, at: datetime, calendar: Calendar) -> tuple[int, date]:
    today, second = at.date(), 3600 * at.hour + 60 * at.minute + at.second
    for place, window in enumerate(tariff.windows):
        if window.vehicle is not None and stay.vehicle_type not in window.vehicle:
            continue
        if window.plate is not None and stay.plate_colour not in window.plate:
            continue
        crosses = window.end <= window.start
        began = today - DAY if crosses and second < window.end else today
        inside = second >= window.start or second < window.end if crosses else window.start <= second < window.end
        if inside and _is_day(window, today if window.days_of == "instant" else began, calendar):
            return place, began
    raise AssertionError(f"nothing covers {at.isoformat()}")


def _is_day(window: Window, day: date, calendar: Calendar) -> bool:
    if window.season is not None:
        first, last, this = window.season.first, window.season.last, (day.month, day.day)
        if not (first <= this <= last if first <= last else this >= first or this <= last):
            return False
    if window.days is None:
        return True
    words = {["mon", "tue", "wed", "thu", "fri", "sat", "sun"][day.weekday()]}
    if day in calendar.rest:
        words |= {"rest", "holiday"}
    elif day in calendar.work:
        words.add("work")
    else:
        words.add("rest" if day.weekday() >= 5 else "work")
    return not words.isdisjoint(window.days)


def _next_edge(tariff: Tariff, at: datetime) -> datetime:
    midnight = at.replace(hour=0, minute=0, second=0)
    seconds = {0, 86_400} | {window.start for window in tariff.windows} | {window.end for window in tariff.windows}
    return min(edge for edge in (midnight + timedelta(seconds=s) for s in seconds) if edge > at)


def _is_covered(tariff: Tariff, permits: tuple[PermitSpan, ...], name: str, at: datetime) -> bool:
    if tariff.permits is None or (tariff.permits.windows is not None and name not in tariff.permits.windows):
        return False
    return any(permit.start <= at < permit.end and (permit.windows is None or name in permit.windows) for permit in permits)


def _counter(window: Window, place: int, owner: date, at: datetime) -> object:
    return {"stay": "stay", "window": (place, owner), "day": at.date()}[window.count]


def _free_minutes(tariff: Tariff, stay: Stay) -> int:
    extra = sum(more.minutes for more in tariff.free.extra if _meets(more.condition, stay))
    return tariff.free.minutes + extra + (tariff.free.new_energy_extra if stay.plate_colour in NEW_ENERGY_COLOURS else 0)


def _meets(condition: Condition, stay: Stay) -> bool:
    held = {permit.name for permit in stay.permits if permit.start <= stay.entry < permit.end}
    values = {
        "energy": {"new" if stay.plate_colour in NEW_ENERGY_COLOURS else "fuel"},
        "plate": {stay.plate_colour},
        "vehicle": {stay.vehicle_type},
        "permit": held,
    }
    return not values[condition.of].isdisjoint(condition.among)
