"""Faults that real systems had, made tiny: one test for each case, named after it."""

import os
import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from parking.tariffs import calendar, read_ocpi, read_tariff
from parking.tariffs.check_tariff import check_tariff
from parking.tariffs.errors import TariffFaults
from parking.tariffs.model import CITY, PermitSpan, Stay, Tariff
from parking.tariffs.price_stay import Payment, due_after_prepayment, price_stay

REPOSITORY = Path(__file__).parents[3]
HEAD = 'code: small\nversion: 1\neffective: {from: "2020-01-01T00:00+08:00"}\n'
LOT = """
free: {minutes: 15, mode: threshold}
leave_within_minutes: 15
permits: {}
windows: [{name: all, steps: [{until: 60, per: 60, price: 500}, {per: 30, price: 300}]}]
"""
NIGHTS = """
windows:
  - {{name: weeknight, days: [mon, tue, wed, thu, fri], from: "20:00", to: "07:00", {0} steps: [{{per: 60, price: 100}}]}}
  - {{name: weekend, days: [sat, sun], from: "20:00", to: "07:00", {0} steps: [{{per: 60, price: 300}}]}}
  - {{name: free, steps: [{{per: 0, price: 0}}]}}
"""


def tariff(body: str) -> Tariff:
    read = read_tariff.read_tariff(HEAD + body)
    assert check_tariff(read, calendar.official()) == []
    return read


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CITY)


def fee(of: Tariff, entry: str, exit: str, days: calendar.Calendar | None = None) -> int:
    return price_stay(of, Stay(at(entry), at(exit)), days or calendar.official()).total


@pytest.mark.parametrize(("word", "monday", "saturday"), [("start", 600, 200), ("instant", 200, 600)])
def test_night_window_belongs_to_its_evening(word: str, monday: int, saturday: int) -> None:
    nights = tariff(NIGHTS.format(f"days_of: {word},"))

    assert fee(nights, "2026-03-02T02:00", "2026-03-02T04:00") == monday
    assert fee(nights, "2026-03-07T02:00", "2026-03-07T04:00") == saturday


def test_night_window_without_the_word_for_its_day_is_refused() -> None:
    with pytest.raises(TariffFaults) as refused:
        read_tariff.read_tariff(HEAD + NIGHTS.format(""))

    first = refused.value.faults[0]
    assert (first.line, first.pointer) == (6, "/windows/0")
    assert "'weeknight' crosses midnight" in first.message and "days_of" in first.message


def test_open_ended_windows_meet_at_midnight() -> None:
    halves = tariff(
        'windows: [{name: a, to: "05:00", steps: [{per: 60, price: 450}]}, {name: b, from: "05:00", steps: [{per: 60, price: 650}]}]'
    )

    published = [(window["from"], window["to"]) for window in msgspec.json.decode(read_tariff.canonical_json(halves))["windows"]]
    assert published == [("00:00", "05:00"), ("05:00", "24:00")]
    assert fee(halves, "2026-03-09T23:00", "2026-03-10T01:00") == 1100
    assert fee(halves, "2026-03-10T04:00", "2026-03-10T06:00") == 1100


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("dayOfWeek", "unknown restriction 'dayOfWeek'; did you mean 'day_of_week'?"),
        ("day_of_weeks", "'day_of_week'?"),
        ("max_duration", "'max_duration' is not taken over"),
    ],
)
def test_camel_case_days_ignored(wrong: str, named: str) -> None:
    with pytest.raises(TariffFaults, match="restriction") as refused:
        read_ocpi.read_ocpi_elements(ocpi(wrong, "SATURDAY"), code="foreign", version=1, effective_from=at("2026-01-01"))

    assert len(refused.value.faults) == 2
    assert named in refused.value.faults[0].message


def test_camel_case_days_ignored_nor_a_day_that_is_none() -> None:
    with pytest.raises(TariffFaults, match="unknown value 'SATERDAY'; did you mean 'SATURDAY'"):
        read_ocpi.read_ocpi_elements(ocpi("day_of_week", "SATERDAY"), code="foreign", version=1, effective_from=at("2026-01-01"))


def test_camel_case_days_spelt_rightly_are_understood() -> None:
    foreign = read_ocpi.read_ocpi_elements(ocpi("day_of_week", "SATURDAY"), code="foreign", version=1, effective_from=at("2026-01-01"))

    assert check_tariff(foreign, calendar.official()) == []
    assert fee(foreign, "2026-03-07T10:00", "2026-03-07T11:00") == 600
    assert fee(foreign, "2026-03-06T10:00", "2026-03-06T11:00") == 800


def ocpi(key: str, saturday: str) -> str:
    weekdays = '"MONDAY","TUESDAY","WEDNESDAY","THURSDAY","FRIDAY"'
    element = '{{"price_components":[{{"type":"TIME","price":{}}}],"restrictions":{{"{}":[{}]}}}}'
    weekend = f'"{saturday}","SUNDAY"'
    return f'{{"elements":[{element.format("8.00", key, weekdays)},\n{element.format("6.00", key, weekend)}]}}'


def test_two_matching_windows_are_not_added() -> None:
    ordered = tariff("""
windows:
  - {name: mondays, days: [mon], steps: [{per: 60, price: 2500}]}
  - {name: noon, from: "12:00", to: "13:00", steps: [{per: 60, price: 1500}]}
  - {name: otherwise, steps: [{per: 60, price: 800}]}
""")

    assert fee(ordered, "2026-03-09T12:00", "2026-03-09T13:00") == 2500
    assert fee(ordered, "2026-03-10T12:00", "2026-03-10T13:00") == 1500
    assert fee(ordered, "2026-03-10T11:30", "2026-03-10T12:30") == 2300


def test_holiday_belongs_to_next_year() -> None:
    rest = [date(2026, 12, 31), date(2027, 1, 1), date(2027, 1, 2)]
    of_2027 = calendar.calendar_of(rest, [date(2027, 1, 9)], [2027])
    days = tariff("windows: [{name: work, days: [work], steps: [{per: 60, price: 600}]}, {name: rest, steps: [{per: 60, price: 100}]}]")

    assert fee(days, "2026-12-31T10:00", "2026-12-31T11:00", of_2027) == 100
    assert fee(days, "2027-01-09T10:00", "2027-01-09T11:00", of_2027) == 600
    assert fee(days, "2026-12-30T23:30", "2026-12-31T00:30", of_2027) == 700


def test_holiday_belongs_to_next_year_and_the_days_it_changes_are_told() -> None:
    before = calendar.official()
    after = calendar.calendar_of(
        before.rest | {date(2026, 12, 31), date(2027, 1, 1)}, before.work | {date(2027, 1, 9)}, before.years | {2027}
    )
    eve = Stay(at("2026-12-31T10:00"), at("2026-12-31T11:00"))
    days = tariff("windows: [{name: work, days: [work], steps: [{per: 60, price: 600}]}, {name: rest, steps: [{per: 60, price: 100}]}]")

    assert calendar.changed_days(before, after) == [date(2026, 12, 31), date(2027, 1, 1), date(2027, 1, 9)]
    assert before.version != after.version
    assert (price_stay(days, eve, before).total, price_stay(days, eve, before).provisional) == (600, True)
    assert (price_stay(days, eve, after).total, price_stay(days, eve, after).provisional) == (100, False)


def test_holiday_named_as_rest_and_as_work_is_refused() -> None:
    twice = 'calendars: [{year: 2027, source: test, rest: ["2027-01-01/2027-01-03"], work: ["2027-01-02"]}]'

    with pytest.raises(TariffFaults, match="2027-01-02 is named both as rest and as work"):
        calendar.read_calendar(twice)


CARD = PermitSpan(at("2026-06-07T00:00"), at("2026-07-07T00:00"), name="monthly card")


@pytest.mark.parametrize(
    ("entry", "exit", "fen"),
    [
        ("2026-07-06T20:00", "2026-07-06T22:00", 0),
        ("2026-07-06T23:00", "2026-07-07T01:00", 500),
        ("2026-06-06T23:30", "2026-06-07T00:30", 500),
    ],
)
def test_card_valid_through_its_last_day(entry: str, exit: str, fen: int) -> None:
    price = price_stay(tariff(LOT), Stay(at(entry), at(exit), permits=(CARD,)), calendar.official())

    assert price.total == fen
    covered = [(line.start, line.end) for line in price.lines if line.kind == "permit"]
    assert covered == [(max(at(entry), CARD.start), min(at(exit), CARD.end))]
    assert sum(line.amount for line in price.lines) == fen


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles"])
def test_card_valid_through_its_last_day_wherever_the_server_stands(zone: str) -> None:
    tests = [str(Path(__file__).parent / name) for name in ("test_cases_from_the_field.py", "test_worked_examples.py")]
    command = [sys.executable, "-m", "pytest", "-q", "-k", "(card or holiday or example) and not wherever", *tests]

    done = subprocess.run(command, cwd=REPOSITORY, env={**os.environ, "TZ": zone}, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stdout


def test_second_payment_contains_the_first() -> None:
    stay = Stay(at("2026-03-02T08:00"), at("2026-03-02T12:00"))
    paid = [Payment(at("2026-03-02T10:00"), 1100)]

    due = due_after_prepayment(tariff(LOT), stay, paid, calendar.official())

    assert (due.whole.total, due.paid, due.due, due.over) == (2300, 1100, 1200, 0)
    assert len({(line.start, line.end) for line in due.whole.lines}) == len(due.whole.lines)


@pytest.mark.parametrize(("minutes", "due"), [(0, 0), (15, 0), (16, 300)])
def test_who_paid_in_advance_has_its_minutes_to_leave(minutes: int, due: int) -> None:
    paid_at = at("2026-03-02T10:00")
    stay = Stay(at("2026-03-02T08:00"), paid_at + timedelta(minutes=minutes))

    asked = due_after_prepayment(tariff(LOT), stay, [Payment(paid_at, 1100)], calendar.official())

    assert asked.due == due
    assert asked.leave_until == paid_at + timedelta(minutes=15)
    assert sum(line.amount for line in asked.whole.lines) == asked.whole.total
    assert [line.end for line in asked.whole.lines if line.kind == "time"][-1] == stay.exit


def test_who_paid_too_little_in_advance_has_no_minutes_to_leave() -> None:
    stay = Stay(at("2026-03-02T08:00"), at("2026-03-02T10:10"))

    asked = due_after_prepayment(tariff(LOT), stay, [Payment(at("2026-03-02T10:00"), 800)], calendar.official())

    assert (asked.due, asked.leave_until) == (600, None)


def test_who_paid_too_much_in_advance_is_told() -> None:
    stay = Stay(at("2026-03-02T08:00"), at("2026-03-02T10:00"))

    asked = due_after_prepayment(tariff(LOT), stay, [Payment(at("2026-03-02T08:30"), 3000)], calendar.official())

    assert (asked.due, asked.over) == (0, 1900)
