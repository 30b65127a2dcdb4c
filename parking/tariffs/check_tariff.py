"""Prove a tariff before it is published: every second covered, every window reached, its own examples kept."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, product

from parking.tariffs.calendar import Calendar
from parking.tariffs.errors import Fault, NothingCovers
from parking.tariffs.model import CITY, DAY_SECONDS, PLATE_COLOURS, VEHICLE_TYPES, Example, PermitSpan, Stay, Tariff
from parking.tariffs.plan import NOBODY, Plan, plan_of
from parking.tariffs.price_stay import price_stay
from parking.tariffs.words import yuan

MAX_YEARS = 4
_LONG_AGO, _FAR_AWAY = datetime(1992, 1, 2, tzinfo=UTC), datetime(9990, 1, 1, tzinfo=UTC)


def check_tariff(tariff: Tariff, calendar: Calendar) -> list[Fault]:
    """All faults that reading the file cannot see; an empty list means it may be published."""
    days = _days_to_prove(tariff, calendar)
    faults = [*_unknown_names(tariff), *_hours(tariff, calendar, days), *_steps_out_of_reach(tariff)]
    if not faults:  # A price under a broken tariff would only repeat what is said already.
        faults += _examples(tariff, calendar)
    return faults


def overlapping_versions(versions: Sequence[Tariff]) -> list[Fault]:
    """Versions of one code that are in force at one instant, or that share a number."""
    faults: list[Fault] = []
    for code in sorted({tariff.code for tariff in versions}):
        line = sorted((tariff for tariff in versions if tariff.code == code), key=lambda tariff: tariff.effective_from)
        for before, after in pairwise(line):
            if before.effective_to is None or before.effective_to > after.effective_from:
                faults.append(
                    _at(after, "/effective/from", f"version {after.version} of {code} begins while version {before.version} is in force")
                )
        numbers = [tariff.version for tariff in line]
        faults += [Fault(0, "/version", f"version {n} of {code} is there twice") for n in sorted(set(numbers)) if numbers.count(n) > 1]
    return faults


def _days_to_prove(tariff: Tariff, calendar: Calendar) -> list[int]:
    """The years whose official lists are known, and the first one without, as far as the version is in force."""
    start, end = tariff.effective_from.astimezone(CITY).date(), tariff.effective_to
    last = end.astimezone(CITY).date() if end else date.max
    years = sorted({*calendar.years, max(calendar.years, default=start.year - 1) + 1})[-MAX_YEARS:]
    days = [day for year in years for day in _year(year) if start.toordinal() <= day <= last.toordinal()]
    return days or [day for day in range(start.toordinal(), start.toordinal() + 366) if day <= last.toordinal()]


def _year(year: int) -> range:
    return range(date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal() + 1)


def _hours(tariff: Tariff, calendar: Calendar, days: list[int]) -> list[Fault]:
    reached = set[int]()
    faults: list[Fault] = []
    for vehicle, colour in _classes(tariff):
        plan = plan_of(tariff, vehicle, colour, frozenset())
        holes = list(_holes(plan, calendar, days, reached))
        if holes:
            day, start, end = holes[0]
            whom = f" for {vehicle} vehicles with {colour} plates" if len(_classes(tariff)) > 1 else ""
            seconds = sum(end - start for _, start, end in holes)
            first = f"{date.fromordinal(day).isoformat()} from {_clock(start)} to {_clock(end)}"
            faults.append(_at(tariff, "/windows", f"no window covers {first}{whom}; {seconds} s in all that was looked at"))
    for place, window in enumerate(tariff.windows):
        if place not in reached:
            faults.append(
                _at(tariff, f"/windows/{place}", f"window {window.name!r} is never reached: windows before it take all its hours")
            )
    return faults


def _holes(plan: Plan, calendar: Calendar, days: list[int], reached: set[int]) -> Iterator[tuple[int, int, int]]:
    for day in days:
        for start, end, window, _ in plan.segments(day, calendar):
            if window == NOBODY:
                yield day, start, end
            else:
                reached.add(window)


def _classes(tariff: Tariff) -> list[tuple[str, str]]:
    """The classes of car between which the tariff's windows tell."""
    vehicles = tariff.applies.vehicle or VEHICLE_TYPES
    colours = tariff.applies.plate or PLATE_COLOURS
    if all(window.vehicle is None for window in tariff.windows):
        vehicles = vehicles[:1]
    if all(window.plate is None for window in tariff.windows):
        colours = colours[:1]
    return list(product(vehicles, colours))


def _unknown_names(tariff: Tariff) -> list[Fault]:
    names = {window.name for window in tariff.windows}
    asked = [("/permits/windows", tariff.permits.windows if tariff.permits else None)]
    asked += [(f"/discounts/{place}/windows", discount.windows) for place, discount in enumerate(tariff.discounts)]
    return [_at(tariff, pointer, f"there is no window {name!r}") for pointer, listed in asked for name in listed or () if name not in names]


def _steps_out_of_reach(tariff: Tariff) -> list[Fault]:
    """A tier that begins only after its counter has started anew."""
    faults: list[Fault] = []
    for place, window in enumerate(tariff.windows):
        lasts = {"window": window.length, "day": DAY_SECONDS}.get(window.count)
        for number, (before, _) in enumerate(pairwise(window.steps), start=1):
            if lasts is not None and before.until is not None and 60 * before.until >= lasts:
                pointer = f"/windows/{place}/steps/{number}"
                faults.append(
                    _at(tariff, pointer, f"step {number + 1} of window {window.name!r} is never reached: its counter starts anew before")
                )
    return faults


def _examples(tariff: Tariff, calendar: Calendar) -> list[Fault]:
    faults: list[Fault] = []
    for place, example in enumerate(tariff.examples):
        pointer = f"/examples/{place}"
        try:
            price = price_stay(tariff, _stay_of(example), calendar)
        except (NothingCovers, ValueError) as wrong:
            faults.append(_at(tariff, pointer, f"the example cannot be priced: {wrong}"))
            continue
        if price.total != example.fen:
            derived = "; ".join(
                f"{line.what_en} {yuan(line.amount) if line.amount >= 0 else '-' + yuan(-line.amount)}" for line in price.lines
            )
            faults.append(_at(tariff, pointer, f"the example says {example.fen} fen, the tariff {price.total} ({derived})"))
    return faults


def _stay_of(example: Example) -> Stay:
    permits = (PermitSpan(_LONG_AGO, _FAR_AWAY),) if example.permit else ()
    return Stay(example.start, example.end, example.colour, example.vehicle, permits)


def _clock(seconds: int) -> str:
    return str(timedelta(seconds=seconds)) if seconds < DAY_SECONDS else "24:00:00"


def _at(tariff: Tariff, pointer: str, message: str) -> Fault:
    return Fault(tariff.places.get(pointer, 0), pointer, message)
