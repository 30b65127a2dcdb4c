"""Single rules of pricing that tables do not tell: versions, chains, classes of car, edges, words."""

from datetime import UTC, date, datetime, timedelta
from time import perf_counter

import pytest

from benchmarks.step_walking import price_by_steps
from parking.tariffs import calendar, read_tariff, words
from parking.tariffs.errors import NothingCovers, NoVersionInForce
from parking.tariffs.model import CITY, Line, PermitSpan, Price, Stay, Tariff, Visit
from parking.tariffs.price_stay import applies_to, price_across, price_stay

HOURLY = "windows: [{name: all, count: window, steps: [{per: 60, price: %d}]}]"


def tariff(body: str, *, since: str = "2020-01-01T00:00+08:00", to: str = "null", version: int = 1) -> Tariff:
    return read_tariff.read_tariff(f'code: small\nversion: {version}\neffective: {{from: "{since}", to: {to}}}\n{body}')


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=CITY)


def price(of: Tariff, entry: str, exit: str, **more: object) -> Price:
    return price_stay(of, Stay(at(entry), at(exit), **more), calendar.official())  # type: ignore[arg-type]


def fee(of: Tariff, entry: str, exit: str, **more: object) -> int:
    return price(of, entry, exit, **more).total


def versions(pin: str, free: str = "") -> list[Tariff]:
    old = tariff(f"pin: {pin}\n{free}\n" + HOURLY % 400, to='"2026-03-02T12:00+08:00"')
    return [old, tariff(f"pin: {pin}\n{free}\n" + HOURLY % 600, since="2026-03-02T12:00+08:00", version=2)]


@pytest.mark.parametrize(("pin", "fen"), [("entry", 1600), ("change", 2000)])
def test_a_change_inside_a_stay_is_priced_as_the_version_at_entry_says(pin: str, fen: int) -> None:
    across = price_across(versions(pin), Stay(at("03-02T10:00"), at("03-02T14:00")), calendar.official())

    assert across.total == fen
    assert sum(line.amount for line in across.lines) == fen


@pytest.mark.parametrize(("mode", "exit", "fen"), [("threshold", "12:05", 0), ("threshold", "12:06", 1000), ("deduct", "12:30", 600)])
def test_free_minutes_are_judged_once_across_a_change(mode: str, exit: str, fen: int) -> None:
    across = versions("change", f"free: {{minutes: 15, mode: {mode}}}")

    price = price_across(across, Stay(at("03-02T11:50"), at(f"03-02T{exit}")), calendar.official())

    assert price.total == fen
    assert [line.end for line in price.lines if line.kind == "time"][-1] == at(f"03-02T{exit}")


def test_an_instant_without_a_version_is_said() -> None:
    with pytest.raises(NoVersionInForce):
        price_across(versions("entry")[1:], Stay(at("03-01T10:00"), at("03-01T14:00")), calendar.official())


def test_a_second_that_nothing_covers_is_never_free() -> None:
    holed = tariff('windows: [{name: day, from: "08:00", to: "20:00", steps: [{per: 60, price: 100}]}]')

    with pytest.raises(NothingCovers):
        price(holed, "03-02T19:00", "03-02T20:30")


def test_a_stay_that_ends_before_it_begins_or_has_no_offset_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="before it begins"):
        Stay(at("03-02T10:00"), at("03-02T09:00"))
    with pytest.raises(ValueError, match="offset"):
        Stay(datetime(2026, 3, 2), at("03-02T09:00"))
    with pytest.raises(ValueError, match="1992"):
        Stay(datetime(1970, 1, 1, tzinfo=UTC), at("03-02T09:00"))


def test_the_exempt_pay_nothing_and_have_their_line() -> None:
    exempt = price(tariff(HOURLY % 400), "03-02T10:00", "03-02T14:00", exempt=True)

    assert exempt.total == 0
    assert [(line.kind, line.amount) for line in exempt.lines] == [("time", 0)]


def test_a_stay_of_no_length_costs_nothing_and_has_no_lines() -> None:
    assert price(tariff(HOURLY % 400), "03-02T10:00", "03-02T10:00") == Price(0, (), False)


def test_lines_read_like_the_published_rule() -> None:
    lot = tariff(
        "windows: [{name: day, steps: [{until: 60, per: 60, price: 500}, {per: 30, price: 300}]}]\ncaps: {day: 1000, period: calendar}"
    )

    first, second, cap = price(lot, "03-02T09:00", "03-02T11:10").lines

    assert first == Line(
        "time", at("03-02T09:00"), at("03-02T10:00"), "白天 首小时：1 × 5.00元/小时", "day first hour: 1 × 5.00 per hour", 500
    )
    assert second == Line(
        "time", at("03-02T10:00"), at("03-02T11:10"), "白天 1小时后：3 × 3.00元/30分钟", "day after 1 h: 3 × 3.00 per 30 min", 900
    )
    assert cap == Line("cap", at("03-02T09:00"), at("03-02T11:10"), "当日封顶10.00元", "at most 10.00 a day", -400)


def test_a_tariff_without_words_of_its_own_says_its_rule() -> None:
    said = words.of_tariff(tariff("free: {minutes: 15}\n" + HOURLY % 400 + "\ncaps: {day: 3000, period: calendar}"))

    assert said.zh == "15分钟内（含）免费，超过则全程计费；all 00:00–24:00：4.00元/小时；当日封顶30.00元。"
    assert (
        said.en == "15 min free (included); longer stays count from the first second; all 00:00–24:00: 4.00 per hour; at most 30.00 a day."
    )


def test_windows_of_a_class_of_car_are_its_own() -> None:
    classes = tariff(
        "windows: [{name: large, vehicle: [large], steps: [{per: 60, price: 900}]}, {name: all, steps: [{per: 60, price: 400}]}]"
    )

    assert fee(classes, "03-02T10:00", "03-02T11:00", vehicle_type="large") == 900
    assert fee(classes, "03-02T10:00", "03-02T11:00", vehicle_type="unknown") == 400


@pytest.mark.parametrize(("minutes", "fen"), [(10, 0), (15, 0), (16, 400), (60, 400), (75, 400), (76, 800)])
def test_a_tail_of_a_step_is_not_charged(minutes: int, fen: int) -> None:
    tailed = tariff("windows: [{name: all, tail: 15, steps: [{per: 60, price: 400}]}]")
    exit = at("03-02T10:00") + timedelta(minutes=minutes)

    assert price_stay(tailed, Stay(at("03-02T10:00"), exit), calendar.official()).total == fen


def test_deducted_free_minutes_never_count() -> None:
    deducting = tariff("free: {minutes: 30, mode: deduct}\n" + HOURLY % 400)

    assert fee(deducting, "03-02T10:00", "03-02T11:30") == 400
    assert fee(deducting, "03-02T10:00", "03-02T11:31") == 800
    assert [line.amount for line in price(deducting, "03-02T10:00", "03-02T11:30").lines] == [0, 400]


def test_deducted_free_minutes_are_shared_by_a_chain() -> None:
    shared = tariff("""free: {minutes: 15, mode: deduct}
reentry: {gap_minutes: 15}
windows: [{name: all, steps: [{per: 5, price: 100}]}]""")

    assert fee(shared, "03-02T09:15", "03-02T09:25", earlier=(Visit(at("03-02T09:00"), at("03-02T09:10")),)) == 100


def test_a_permit_that_would_raise_the_fee_is_left_aside() -> None:
    falling = tariff("""permits: {windows: [early]}
windows:
  - {name: early, to: "09:00", steps: [{per: 60, price: 0}]}
  - {name: late, from: "09:00", steps: [{until: 60, per: 60, price: 500}, {per: 60, price: 100}]}""")
    always = PermitSpan(at("01-01T00:00"), at("12-31T00:00"))

    # Covered time uses up no tier, so that the dear first hour would begin at nine.
    assert fee(falling, "03-02T08:00", "03-02T10:00", permits=(always,)) == fee(falling, "03-02T08:00", "03-02T10:00") == 100


@pytest.mark.parametrize(("once", "second_day", "third_day"), [("chain", 0, 0), ("day", 400, 0), ("rolling", 400, 400)])
def test_free_minutes_are_given_as_often_as_the_tariff_says(once: str, second_day: int, third_day: int) -> None:
    given = tariff(f"free: {{minutes: 30, once_per: {once}}}\n" + HOURLY % 400)
    first = Visit(at("03-02T20:00"), at("03-02T20:10"))

    assert fee(given, "03-02T22:00", "03-02T22:10", earlier=(first,)) == second_day
    assert fee(given, "03-03T10:00", "03-03T10:10", earlier=(first,)) == third_day
    assert fee(given, "03-03T20:00", "03-03T20:10", earlier=(first,)) == 0


def test_new_energy_and_card_holders_have_more_free_minutes() -> None:
    generous = tariff("free: {minutes: 15, new_energy_extra: 60, extra: [{if: permit, is: disabled, minutes: 225}]}\n" + HOURLY % 400)
    card = PermitSpan(at("01-01T00:00"), at("12-31T00:00"), name="disabled")

    assert fee(generous, "03-02T10:00", "03-02T11:15", plate_colour="green") == 0
    assert fee(generous, "03-02T10:00", "03-02T11:15") == 800
    assert fee(generous, "03-02T10:00", "03-02T14:00", permits=(card,)) == 0


def test_a_visit_of_another_lot_is_no_part_of_the_chain() -> None:
    lot = tariff("free: {minutes: 15}\nreentry: {gap_minutes: 15, same: lot}\n" + HOURLY % 400)
    before = Visit(at("03-02T10:00"), at("03-02T10:14"), "lot-1")

    assert fee(lot, "03-02T10:20", "03-02T10:34", earlier=(before,), site="lot-1") == 400
    assert fee(lot, "03-02T10:20", "03-02T10:34", earlier=(before,), site="lot-2") == 0


@pytest.mark.parametrize(
    ("of", "period", "second", "third"), [("visit", "calendar", 800, 800), ("plate", "calendar", 200, 800), ("plate", "rolling", 200, 400)]
)
def test_a_day_cap_may_count_all_visits_of_a_plate(of: str, period: str, second: int, third: int) -> None:
    capped = tariff(f"caps: {{day: 1000, period: {period}, of: {of}}}\n" + HOURLY % 400)
    visits = [Visit(at("03-02T10:00"), at("03-02T12:00")), Visit(at("03-02T20:00"), at("03-02T22:00"))]

    assert fee(capped, "03-02T20:00", "03-02T22:00", earlier=tuple(visits[:1])) == second
    assert fee(capped, "03-03T09:00", "03-03T11:00", earlier=tuple(visits)) == third


@pytest.mark.parametrize(("once", "one_night", "two_nights"), [("occurrence", 500, 1000), ("day", 1000, 1500), ("stay", 500, 500)])
def test_a_night_flat_is_paid_as_often_as_the_tariff_says(once: str, one_night: int, two_nights: int) -> None:
    flat = tariff(f"""windows:
  - {{name: night, from: "20:00", to: "08:00", steps: [{{per: 0, price: 500, once: {once}}}]}}
  - {{name: free, steps: [{{per: 0, price: 0}}]}}""")

    assert fee(flat, "03-02T21:00", "03-03T07:00") == one_night
    assert fee(flat, "03-02T21:00", "03-04T07:00") == two_nights


def test_rounding_goes_down_and_has_its_line() -> None:
    rounded = tariff("round_total: 100\n" + HOURLY % 450)

    assert [(line.kind, line.amount) for line in price(rounded, "03-02T10:00", "03-02T11:00").lines] == [("time", 450), ("rounding", -50)]


def test_summer_hours_are_a_season() -> None:
    summer = tariff("""
windows:
  - {name: summer, season: {from: "05-01", through: "09-30"}, from: "07:00", to: "21:00", steps: [{per: 60, price: 400}]}
  - {name: winter, season: {from: "10-01", through: "04-30"}, from: "08:00", to: "20:00", steps: [{per: 60, price: 300}]}
  - {name: free, steps: [{per: 0, price: 0}]}
""")

    assert fee(summer, "09-30T20:00", "09-30T21:00") == 400
    assert fee(summer, "10-01T20:00", "10-01T21:00") == 0
    assert fee(summer, "10-01T10:00", "10-01T11:00") == 300


def test_a_step_may_run_over_the_end_of_its_window() -> None:
    body = (
        "windows: ["
        '{name: day, from: "08:00", to: "22:00", edge: %s, steps: [{per: 60, price: 500}]}, '
        "{name: night, steps: [{per: 60, price: 100}]}]"
    )

    assert fee(tariff(body % "cut"), "03-02T21:30", "03-02T22:30") == 600
    assert fee(tariff(body % "run"), "03-02T21:30", "03-02T22:30") == 500


def test_a_year_without_its_official_list_is_provisional_where_the_tariff_asks_for_it() -> None:
    days = tariff("windows: [{name: work, days: [work], steps: [{per: 60, price: 600}]}, {name: rest, steps: [{per: 60, price: 100}]}]")
    far = Stay(datetime(2031, 3, 3, 10, tzinfo=CITY), datetime(2031, 3, 3, 11, tzinfo=CITY))

    assert price_stay(days, far, calendar.official()).provisional
    assert not price_stay(tariff(HOURLY % 400), far, calendar.official()).provisional
    assert not price(days, "03-03T10:00", "03-03T11:00").provisional


def test_the_shipped_calendar_knows_the_shifted_days() -> None:
    official = calendar.official()

    assert [official.is_rest(date(2026, 2, day)) for day in (14, 15, 21, 23, 24, 28)] == [False, True, True, True, False, False]
    assert official.is_rest(date(2025, 10, 8)) and not official.is_rest(date(2025, 9, 28))


def test_a_tariff_applies_to_what_it_names() -> None:
    named = tariff("applies: {lots: [lot-1], vehicle: [small]}\n" + HOURLY % 400)

    assert applies_to(named, lot="lot-1", vehicle_type="small", plate_colour="green")
    assert not applies_to(named, lot="lot-2", vehicle_type="small", plate_colour="green")
    assert not applies_to(named, lot="lot-1", vehicle_type="large", plate_colour="green")


def test_a_step_charged_after_midnight_is_counted_in_the_day_it_began_also_in_long_stays() -> None:
    nights = tariff("""caps: {day: 300, period: calendar}
windows:
  - {name: night, from: "23:00", to: "07:00", count: window, round: down, steps: [{per: 120, price: 100}]}
  - {name: free, steps: [{per: 0, price: 0}]}""")
    stay = Stay(at("03-02T23:00"), at("03-22T00:00"))

    # The step of 23:00 belongs to its evening: the first has room for it, every other evening's day is full.
    assert price_stay(nights, stay, calendar.official()).total == 100 + 19 * 300 == price_by_steps(nights, stay, calendar.official())


def test_months_are_priced_in_about_a_millisecond() -> None:
    body = (
        "caps: {day: 3000, period: rolling}\n"
        "windows: ["
        '{name: work, days: [work], from: "07:30", to: "20:00", steps: [{per: 15, price: 100}]}, '
        "{name: all, steps: [{per: 60, price: 50}]}]"
    )
    long = tariff(body)
    stay = Stay(at("03-02T10:00"), at("06-02T11:00"))
    price_stay(long, stay, calendar.official())

    best = min(_seconds(long, stay) for _ in range(20))

    assert best < 0.01  # Ten times what it takes, for a busy machine.


def _seconds(of: Tariff, stay: Stay) -> float:
    began = perf_counter()
    price_stay(of, stay, calendar.official())
    return perf_counter() - began
