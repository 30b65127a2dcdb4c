"""What only a year of days can show is found before a tariff is published."""

from pathlib import Path
from time import perf_counter

from parking.tariffs import calendar, read_tariff
from parking.tariffs.check_tariff import check_tariff, overlapping_versions
from parking.tariffs.errors import Fault
from parking.tariffs.model import Tariff

HEAD = 'code: small\nversion: {}\neffective: {{from: "{}", to: {}}}\n'


def faults(body: str) -> list[Fault]:
    return check_tariff(tariff(body), calendar.official())


def tariff(body: str, version: int = 1, since: str = "2020-01-01T00:00+08:00", to: str = "null") -> Tariff:
    return read_tariff.read_tariff(HEAD.format(version, since, to) + body)


def test_an_hour_that_nothing_covers_is_found_with_its_day() -> None:
    (fault,) = faults(
        "windows:\n"
        '  - {name: day, from: "08:00", to: "20:00", steps: [{per: 60, price: 1}]}\n'
        '  - {name: night, from: "21:00", to: "08:00", steps: [{per: 60, price: 1}]}'
    )

    assert (fault.line, fault.pointer) == (5, "/windows")
    assert fault.message.startswith("no window covers 2024-01-01 from 20:00:00 to 21:00:00; ")


def test_a_hole_on_shifted_working_days_only_is_found() -> None:
    (fault,) = faults(
        "windows: ["
        "{name: weekdays, days: [mon, tue, wed, thu, fri], steps: [{per: 60, price: 1}]}, "
        "{name: rest, days: [rest], steps: [{per: 60, price: 1}]}]"
    )

    assert "2024-02-04" in fault.message  # A Sunday that is worked.


def test_a_hole_for_one_class_of_car_is_found() -> None:
    (fault,) = faults(
        "windows: ["
        "{name: large, vehicle: [large], steps: [{per: 60, price: 1}]}, "
        "{name: small, vehicle: [small], steps: [{per: 60, price: 1}]}]\n"
        "applies: {vehicle: [small, motorcycle]}"
    )[:1]

    assert "for motorcycle vehicles" in fault.message


def test_a_window_behind_others_is_found() -> None:
    (fault,) = faults(
        "windows:\n  - {name: all, steps: [{per: 60, price: 1}]}\n  - {name: never, days: [sun], steps: [{per: 60, price: 2}]}"
    )

    assert (fault.line, fault.pointer) == (6, "/windows/1")
    assert "'never' is never reached" in fault.message


def test_a_step_whose_counter_starts_anew_before_it_is_found() -> None:
    (fault,) = faults(
        "windows: ["
        '{name: noon, from: "12:00", to: "13:00", count: window, steps: ['
        "{until: 90, per: 30, price: 1}, {per: 30, price: 2}]}, "
        "{name: all, steps: [{per: 60, price: 1}]}]"
    )

    assert fault.pointer == "/windows/0/steps/1"


def test_an_example_that_fails_says_what_the_tariff_would_ask() -> None:
    (fault,) = faults(
        "windows: ["
        "{name: all, steps: [{per: 60, price: 400}]}]\n"
        "examples:\n"
        '  - {from: "2026-03-02T09:00+08:00", to: "2026-03-02T10:30+08:00", fen: 600}'
    )

    assert (fault.line, fault.pointer) == (6, "/examples/0")
    assert fault.message == "the example says 600 fen, the tariff 800 (all: 2 × 4.00 per hour 8.00)"


def test_overlapping_versions_and_equal_numbers_are_found() -> None:
    body = "windows: [{name: all, steps: [{per: 60, price: 400}]}]"
    first = tariff(body, 1, to='"2026-01-01T00:00+08:00"')
    second = tariff(body, 2, since="2026-01-01T00:00+08:00")
    third = tariff(body, 2, since="2027-01-01T00:00+08:00")

    assert overlapping_versions([second, first]) == []
    assert [fault.pointer for fault in overlapping_versions([first, second, third])] == ["/effective/from", "/version"]


def test_the_proof_of_a_rich_tariff_takes_less_than_a_second() -> None:
    window = (
        '  - {{name: w{0}, days: [{1}], season: {{from: "0{2}-01", through: "0{2}-28"}}, '
        'from: "{3:02d}:00", to: "{4:02d}:00", '
        "vehicle: [small, large], steps: [{{per: 15, price: 1}}]}}"
    )
    lines = [window.format(n, ("work", "rest", "sat")[n % 3], 1 + n % 9, n % 20, n % 20 + 2) for n in range(40)]
    rich = tariff("windows:\n" + "\n".join(lines) + "\n  - {name: all, steps: [{per: 60, price: 1}]}")

    began = perf_counter()
    check_tariff(rich, calendar.official())

    assert perf_counter() - began < 1.0


def test_the_shipped_files_are_sound() -> None:
    official = calendar.read_calendar((Path(calendar.__file__).parent / "holidays.yaml").read_bytes())

    assert official.years == {2024, 2025, 2026}
    assert all(day.weekday() >= 5 for day in official.work)
