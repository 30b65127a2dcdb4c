"""What holds for every tariff and every stay, tried on generated ones and on the named ones."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from benchmarks.step_walking import local, price_by_steps, price_pieces
from parking.tariffs import calendar, read_tariff
from parking.tariffs.model import (
    CITY,
    Caps,
    Condition,
    Discount,
    ExtraFree,
    Free,
    Permits,
    PermitSpan,
    Reentry,
    Season,
    Stay,
    Step,
    Tariff,
    Visit,
    Window,
)
from parking.tariffs.price_stay import Payment, due_after_prepayment, price_across, price_chain, price_stay

CALENDAR = calendar.official()
NAMED = [read_tariff.read_tariff(path.read_bytes()) for path in sorted((Path(__file__).parent / "named").glob("*.yaml"))]
SINCE = datetime(2020, 1, 1, tzinfo=CITY)
MONDAY = datetime(2026, 3, 2, tzinfo=CITY)
few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
many = settings(few, max_examples=200)
prices = st.integers(0, 12).map(lambda n: n * 125)
half_hours = st.integers(0, 48).map(lambda n: n * 1800)


@st.composite
def step_lists(draw: st.DrawFn) -> tuple[Step, ...]:
    steps, reached = [], 0
    for _ in range(draw(st.integers(0, 2))):
        reached += draw(st.sampled_from([20, 30, 60, 90, 300]))
        per = draw(st.sampled_from([0, 10, 15, 30, 45, 60, 120]))
        steps.append(Step(per, draw(prices), reached, draw(onces) if not per else "occurrence"))
    per = draw(st.sampled_from([0, 7, 15, 30, 60, 120, 1440]))
    return (*steps, Step(per, draw(prices), None, draw(onces) if not per else "occurrence"))


onces = st.sampled_from(["occurrence", "day", "stay"])


@st.composite
def windows(draw: st.DrawFn, name: str, *, all_day: bool = False) -> Window:
    start, end = (0, 86_400) if all_day else (draw(half_hours.filter(lambda s: s < 86_400)), draw(half_hours))
    end = 86_400 if end == 0 else end
    if start == end:
        start, end = 0, 86_400
    rounding = draw(st.sampled_from(["up", "up", "down"]))
    steps = draw(step_lists())
    shortest = min([step.per for step in steps if step.per], default=99)
    return Window(
        name,
        steps,
        start,
        end,
        days=None if all_day else draw(st.sampled_from([None, None, ("work",), ("rest",), ("holiday", "mon"), ("sat", "sun"), ("fri",)])),
        days_of=draw(st.sampled_from(["start", "instant"])),
        season=None if all_day else draw(st.sampled_from([None, None, None, Season((3, 3), (3, 6)), Season((11, 1), (3, 3))])),
        plate=None if all_day else draw(st.sampled_from([None, None, None, ("green",)])),
        count=draw(st.sampled_from(["stay", "window", "day"])),
        round=rounding,
        tail=draw(st.sampled_from([0, 0, 5])) if rounding == "up" and shortest > 5 else 0,
        edge=draw(st.sampled_from(["cut", "cut", "run"])),
        cap=draw(st.sampled_from([None, None, 0, 700, 2000])),
    )


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    listed = [draw(windows(f"w{place}")) for place in range(draw(st.integers(0, 3)))]
    listed.append(draw(windows("else", all_day=True)))
    names = [window.name for window in listed]
    energy = Condition("energy", ("new",))
    discounts = st.builds(
        Discount,
        st.sampled_from([energy, Condition("permit", ("card",))]),
        st.sampled_from([1, 33, 50, 100]),
        st.sampled_from(["before_caps", "after_caps"]),
    )
    return Tariff(
        "generated",
        1,
        SINCE,
        tuple(listed),
        free=Free(
            draw(st.sampled_from([0, 0, 10, 15, 60])),
            draw(st.sampled_from(["threshold", "deduct"])),
            draw(st.sampled_from([0, 60])),
            draw(st.sampled_from([(), (ExtraFree(Condition("permit", ("card",)), 45),)])),
        ),
        reentry=Reentry(30, "tariff"),
        caps=Caps(
            draw(st.sampled_from([None, 1500, 3000])),
            draw(st.sampled_from(["calendar", "rolling"])),
            draw(st.sampled_from([None, None, 4000])),
        ),
        discounts=tuple(draw(st.lists(discounts, max_size=2))),
        permits=draw(st.sampled_from([None, Permits(), Permits((names[0],))])),
        round_total=draw(st.sampled_from([1, 1, 50, 100])),
    )


any_tariff = st.one_of(tariffs(), st.sampled_from(NAMED))
lengths = st.one_of(st.integers(0, 6 * 3600), st.integers(0, 4 * 86_400), st.integers(0, 96).map(lambda n: n * 1800))


@st.composite
def stays(draw: st.DrawFn, *, permits: bool = True, lasting: st.SearchStrategy[int] = lengths) -> Stay:
    entry = MONDAY + timedelta(minutes=draw(st.integers(-20 * 1440, 6 * 1440)), seconds=draw(st.sampled_from([0, 0, 1, 59])))
    exit = entry + timedelta(seconds=draw(lasting))
    spans = []
    for _ in range(draw(st.integers(0, 2)) if permits else 0):
        start = entry + timedelta(minutes=draw(st.integers(-600, 2000)))
        spans.append(
            PermitSpan(
                start, start + timedelta(minutes=draw(st.integers(1, 2000))), draw(st.sampled_from([None, ("w0", "day")])), draw(names_of)
            )
        )
    return Stay(entry, exit, draw(st.sampled_from(["blue", "green"])), permits=tuple(spans))


names_of = st.sampled_from(["permit", "card"])


@given(any_tariff, stays())
@many
def test_the_engine_and_the_plain_walk_agree(tariff: Tariff, stay: Stay) -> None:
    assert price_stay(tariff, stay, CALENDAR).total == price_by_steps(tariff, stay, CALENDAR)


@given(any_tariff, stays(permits=False, lasting=st.integers(4 * 86_400, 40 * 86_400)))
@few
def test_long_stays_are_added_up_as_they_would_be_walked(tariff: Tariff, stay: Stay) -> None:
    price = price_stay(tariff, stay, CALENDAR)

    assert price.total == price_by_steps(tariff, stay, CALENDAR)
    assert sum(line.amount for line in price.lines) == price.total


@given(any_tariff, stays())
@many
def test_lines_tile_the_stay_and_add_up(tariff: Tariff, stay: Stay) -> None:
    price = price_stay(tariff, stay, CALENDAR)

    time = [line for line in price.lines if line.kind == "time"]
    edges = [stay.entry, *(line.end for line in time)] if stay.entry < stay.exit else [stay.exit]
    assert [line.start for line in time] == edges[:-1]
    assert edges[-1] == stay.exit
    assert all(line.start < line.end and line.amount >= 0 for line in time)
    assert all(line.amount < 0 for line in price.lines if line.kind != "time")
    assert all(stay.entry <= line.start <= line.end <= stay.exit and line.what_zh and line.what_en for line in price.lines)
    assert sum(line.amount for line in price.lines) == price.total >= 0


@given(any_tariff, stays(), lengths)
@many
def test_leaving_later_never_costs_less(tariff: Tariff, stay: Stay, more: int) -> None:
    later = msgspec.structs.replace(stay, exit=stay.exit + timedelta(seconds=more))

    assert price_stay(tariff, stay, CALENDAR).total <= price_stay(tariff, later, CALENDAR).total


@given(any_tariff, stays())
@few
def test_the_same_inputs_give_the_same_bytes(tariff: Tariff, stay: Stay) -> None:
    again = read_tariff.read_tariff(read_tariff.canonical_json(tariff))
    elsewhere = msgspec.structs.replace(stay, entry=stay.entry.astimezone(UTC), exit=stay.exit.astimezone(UTC))

    first = msgspec.json.encode(price_stay(tariff, stay, CALENDAR))

    assert msgspec.json.encode(price_stay(again, elsewhere, calendar.read_calendar(calendar_text()))) == first
    assert read_tariff.sha256_of(again) == read_tariff.sha256_of(tariff)


@given(any_tariff, stays())
@few
def test_day_caps_bound_the_fee(tariff: Tariff, stay: Stay) -> None:
    assume(tariff.caps.day is not None)
    assert tariff.caps.day is not None

    days = (local(stay.exit).date() - local(stay.entry).date()).days + 1

    assert price_stay(tariff, stay, CALENDAR).total <= tariff.caps.day * (days + 1)


@given(any_tariff, stays(permits=False), st.integers(1, 20))
@few
def test_moving_by_whole_weeks_without_holidays_changes_nothing(tariff: Tariff, stay: Stay, weeks: int) -> None:
    assume(all(window.season is None for window in tariff.windows))
    plain = calendar.calendar_of((), (), range(2020, 2030))
    moved = msgspec.structs.replace(stay, entry=stay.entry + timedelta(weeks=weeks), exit=stay.exit + timedelta(weeks=weeks))

    assert price_stay(tariff, moved, plain).total == price_stay(tariff, stay, plain).total


@given(any_tariff, stays())
@many
def test_permits_and_discounts_never_raise_a_fee(tariff: Tariff, stay: Stay) -> None:
    fee = price_stay(tariff, stay, CALENDAR).total

    assert fee <= price_stay(tariff, msgspec.structs.replace(stay, permits=()), CALENDAR).total
    assert fee <= price_stay(replace(tariff, discounts=(), round_total=1), stay, CALENDAR).total


@given(any_tariff, stays(), st.integers(0, 100))
@many
def test_permit_in_two_parts_is_one_permit(tariff: Tariff, stay: Stay, percent: int) -> None:
    whole = [PermitSpan(stay.entry, stay.exit, name="card")]
    middle = stay.entry + timedelta(seconds=(stay.exit - stay.entry).total_seconds() * percent // 100)
    parts = [PermitSpan(stay.entry, middle, name="card"), PermitSpan(middle, stay.exit, name="card")]
    one, two = [price_stay(tariff, msgspec.structs.replace(stay, permits=tuple(held)), CALENDAR) for held in (whole, parts)]

    assert sum(line.amount for line in one.lines) == one.total
    assert sum(line.amount for line in two.lines) == two.total
    assert one.total == two.total


@given(any_tariff, stays())
@few
def test_free_minutes_are_free(tariff: Tariff, stay: Stay) -> None:
    short = msgspec.structs.replace(stay, exit=min(stay.exit, stay.entry + timedelta(minutes=tariff.free.minutes)))

    assert price_stay(tariff, short, CALENDAR).total == 0


@st.composite
def visit_lists(draw: st.DrawFn) -> list[Stay]:
    first = draw(stays(permits=False, lasting=st.integers(0, 20 * 3600)))
    visits = [first]
    for _ in range(draw(st.integers(1, 3))):
        entry = visits[-1].exit + timedelta(seconds=draw(st.integers(0, 1799)))
        visits.append(msgspec.structs.replace(first, entry=entry, exit=entry + timedelta(seconds=draw(st.integers(0, 10 * 3600)))))
    return visits


@given(tariffs(), visit_lists())
@few
def test_a_chain_costs_what_its_presence_costs_and_every_visit_has_its_own_lines(tariff: Tariff, visits: list[Stay]) -> None:
    price = price_chain(tariff, visits, CALENDAR)

    pieces = [(local(visit.entry), local(visit.exit)) for visit in visits]
    assert price.total == price_pieces(tariff, visits[0], pieces, CALENDAR)
    assert sum(line.amount for line in price.lines) == price.total
    time = [line for line in price.lines if line.kind == "time"]
    assert sum((line.end - line.start for line in time), timedelta()) == sum((v.exit - v.entry for v in visits), timedelta())


@given(tariffs(), visit_lists(), st.integers(0, 40))
@few
def test_a_cap_of_the_plate_bounds_all_its_visits_and_raises_none(tariff: Tariff, visits: list[Stay], hours: int) -> None:
    caps = replace(tariff.caps, day=1500, of="plate")
    apart = [
        msgspec.structs.replace(v, entry=v.entry + timedelta(hours=n * hours), exit=v.exit + timedelta(hours=n * hours))
        for n, v in enumerate(visits)
    ]

    together = price_chain(replace(tariff, caps=caps), apart, CALENDAR)
    alone = price_chain(replace(tariff, caps=replace(caps, of="visit")), apart, CALENDAR)

    days = (local(apart[-1].exit).date() - local(apart[0].entry).date()).days + 1
    assert 0 <= together.total <= 1500 * (days + 1)
    assert together.total <= alone.total or caps.period == "rolling"
    assert sum(line.amount for line in together.lines) == together.total


@given(tariffs(), visit_lists())
@few
def test_no_visit_of_a_chain_pays_back(tariff: Tariff, visits: list[Stay]) -> None:
    earlier = tuple(Visit(visit.entry, visit.exit) for visit in visits[:-1])

    assert price_stay(tariff, msgspec.structs.replace(visits[-1], earlier=earlier), CALENDAR).total >= 0


@given(tariffs(), stays(), st.integers(0, 4 * 86_400), lengths)
@few
def test_leaving_later_never_costs_less_when_the_tariff_changes_inside_the_stay(tariff: Tariff, stay: Stay, after: int, more: int) -> None:
    change = stay.entry + timedelta(seconds=after + 1)
    versions = [replace(tariff, pin="change", effective_to=change), replace(tariff, version=2, effective_from=change, round_total=1)]
    later = msgspec.structs.replace(stay, exit=stay.exit + timedelta(seconds=more))

    price, longer = (price_across(versions, each, CALENDAR) for each in (stay, later))

    assert price.total <= longer.total
    assert sum(line.amount for line in longer.lines) == longer.total
    time = [line for line in longer.lines if line.kind == "time"]
    assert sum((line.end - line.start for line in time), timedelta()) == later.exit - later.entry


@given(any_tariff, stays(), st.lists(st.tuples(st.integers(0, 86_400), st.integers(0, 3000)), max_size=3), lengths)
@few
def test_what_is_due_after_paying_in_advance_only_grows_and_is_whole_minus_paid(
    tariff: Tariff, stay: Stay, paid: list[tuple[int, int]], more: int
) -> None:
    payments = [Payment(stay.entry + timedelta(seconds=after), amount) for after, amount in paid]
    later = msgspec.structs.replace(stay, exit=max(stay.exit, stay.entry + timedelta(seconds=86_400)) + timedelta(seconds=more))
    latest = msgspec.structs.replace(later, exit=later.exit + timedelta(seconds=more))

    due, dearer = (due_after_prepayment(tariff, each, payments, CALENDAR) for each in (later, latest))

    assert due.due - due.over == due.whole.total - due.paid
    assert due.whole.total <= price_stay(tariff, later, CALENDAR).total
    assert due.due <= dearer.due
    assert sum(line.amount for line in due.whole.lines) == due.whole.total


def calendar_text() -> bytes:
    return (Path(calendar.__file__).parent / "holidays.yaml").read_bytes()
