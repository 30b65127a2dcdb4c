"""A tariff file is read strictly: what is not understood is refused, by its line and by its name."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from parking.tariffs import calendar, read_tariff
from parking.tariffs.errors import TariffFaults
from parking.tariffs.model import CITY, Season, Step

NAMED = sorted((Path(__file__).parent / "named").glob("*.yaml"))
SCHEMA = json.loads((Path(read_tariff.__file__).parent / "tariff.schema.json").read_bytes())
GOOD = """code: good
version: 3
effective: {from: 2026-01-01T00:00+08:00, to: 2027-01-01T00:00:00+08:00}
free: {minutes: 15, mode: threshold}
windows:
  - name: day
    days: [work]
    from: 07:30
    to: 20:00
    steps:
      - {until: 60, per: 30, price: 250}
      - {per: 30, price: 300}
  - name: else
    steps: [{per: 0, price: 100}]
caps: {day: 5000, period: rolling}
discounts:
  - {if: energy, is: new, percent: 50}
permits: {windows: [day]}
examples:
  - {from: "2026-03-02T09:00+08:00", to: "2026-03-02T10:00+08:00", fen: 500}
"""


def test_what_was_written_is_what_is_read() -> None:
    good = read_tariff.read_tariff(GOOD)

    day, other = good.windows
    assert (day.start, day.end, other.start, other.end) == (27_000, 72_000, 0, 86_400)
    assert day.steps == (Step(30, 250, 60), Step(30, 300))
    assert good.effective_from == datetime(2026, 1, 1, tzinfo=CITY)
    assert good.in_force_at(datetime(2026, 12, 31, 23, 59, 59, tzinfo=CITY)) and not good.in_force_at(datetime(2027, 1, 1, tzinfo=CITY))


@pytest.mark.parametrize(
    ("old", "new", "line", "pointer", "says"),
    [
        ("free:", "freee:", 4, "/freee", "unknown key 'freee'; did you mean 'free'?"),
        ("minutes: 15", "minuts: 15", 4, "/free/minuts", "did you mean 'minutes'?"),
        ("days:", "dayOfWeek:", 7, "/windows/0/dayOfWeek", "unknown key 'dayOfWeek'"),
        ("[work]", "[werk]", 7, "/windows/0/days/0", "unknown value 'werk'; did you mean 'work'?"),
        ("[work]", "[]", 7, "/windows/0/days", "would match nothing"),
        ("[work]", "work", 7, "/windows/0/days", "a list is expected"),
        ("07:30", "25:30", 8, "/windows/0/from", "not a time of the day"),
        ("07:30", "7.30", 8, "/windows/0/from", "not a time of the day"),
        ("07:30", "20:00", 6, "/windows/0", "no length"),
        ("price: 250", "price: 2.50", 11, "/windows/0/steps/0/price", "a whole number is expected here, not '2.50'"),
        ("price: 250", "price: -250", 11, "/windows/0/steps/0/price", "not between"),
        ("price: 250", 'price: "250"', 11, "/windows/0/steps/0/price", "a whole number"),
        ("until: 60, ", "", 11, "/windows/0/steps/0", "each but the last needs an until"),
        ("{per: 30, price: 300}", "{per: 30, price: 300, until: 90}", 12, "/windows/0/steps/1", "the last step has no until"),
        ("{per: 30, price: 300}", "{per: 30}", 12, "/windows/0/steps/1", "'price' is missing"),
        ("name: else", "name: day", 13, "/windows/1", "a window before has the name 'day'"),
        ("windows: [day]", "windows: [dya]", 18, "/permits/windows/0", "unknown value 'dya'; did you mean 'day'?"),
        ("period: rolling", "period: daily", 15, "/caps/period", "unknown value 'daily'"),
        ("is: new", "is: green", 17, "/discounts/0/is", "unknown value 'green'"),
        ("percent: 50", "percent: 150", 17, "/discounts/0/percent", "not between"),
        ("version: 3", "version: three", 2, "/version", "a whole number"),
        ("version: 3", "version: 3\nversion: 4", 3, "/version", "stands here twice"),
        ("2026-01-01T00:00+08:00,", "2026-01-01T00:00,", 3, "/effective/from", "needs its offset"),
        ("2027-01-01T00:00:00+08:00", "2025-01-01T00:00+08:00", 3, "/effective/to", "ends before it begins"),
        ("fen: 500", "fen: 500, color: blue", 20, "/examples/0/color", "did you mean 'colour'?"),
        ("code: good\n", "", 1, "", "the key 'code' is missing"),
        ("code: good", "code: 2026", 1, "/code", "text is expected"),
        ("mode: threshold", "mode: off", 4, "/free/mode", "unknown value 'off'"),
        ("[{per: 0, price: 100}]", "[{per: 60, price: 100, once: stay}]", 14, "/windows/1/steps/0", "flat price"),
    ],
)
def test_every_fault_is_told_with_its_place(old: str, new: str, line: int, pointer: str, says: str) -> None:
    assert old in GOOD

    with pytest.raises(TariffFaults) as refused:
        read_tariff.read_tariff(GOOD.replace(old, new, 1))

    fault = next(fault for fault in refused.value.faults if says in fault.message)
    assert (fault.line, fault.pointer) == (line, pointer)


def test_all_faults_are_told_at_once_in_their_order() -> None:
    with pytest.raises(TariffFaults) as refused:
        read_tariff.read_tariff(GOOD.replace("free:", "fre:").replace("work", "werk").replace("percent: 50", "percent: x"))

    assert [fault.line for fault in refused.value.faults] == [4, 7, 17]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"a",
        b"\xff\xfe",
        b"a: [",
        b"a: &x [1]\nb: *x",
        b"[" * 100,
        b"\t",
        b"? [a]\n: 1",
        b"a: !!python/object:os.system x",
        b"x: " + b"y" * 300_000,
    ],
)
def test_what_is_no_tariff_at_all_is_refused_and_nothing_else_happens(text: bytes) -> None:
    with pytest.raises(TariffFaults):
        read_tariff.read_tariff(text)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_file_damaged_anywhere_is_read_or_refused_but_never_trips(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(GOOD) - 1))
    damaged = GOOD[:place] + data.draw(st.text(max_size=3)) + GOOD[place + data.draw(st.integers(0, 4)) :]

    try:
        read = read_tariff.read_tariff(damaged)
    except TariffFaults as refused:
        assert refused.faults
    else:
        assert read_tariff.read_tariff(read_tariff.canonical_json(read)) == read


def test_one_tariff_has_one_digest_however_it_is_written() -> None:
    rewritten = GOOD.replace("07:30", '"7:30"').replace("2026-01-01T00:00+08:00", "2025-12-31T16:00Z").replace("is: new", "is: [new]")

    assert read_tariff.sha256_of(read_tariff.read_tariff(rewritten)) == read_tariff.sha256_of(read_tariff.read_tariff(GOOD))
    assert read_tariff.sha256_of(read_tariff.read_tariff(GOOD.replace("price: 250", "price: 251"))) != read_tariff.sha256_of(
        read_tariff.read_tariff(GOOD)
    )


def test_a_day_is_the_city_s_own_day_where_nothing_else_is_said() -> None:
    published = json.loads(read_tariff.canonical_json(read_tariff.read_tariff(GOOD.replace(", period: rolling", ""))))

    assert published["caps"] == {"day": 5000, "period": "calendar", "stay": None, "of": "visit"}


def test_a_season_may_run_over_the_new_year() -> None:
    winter = Season((11, 1), (3, 31))

    assert [winter.holds(day) for day in ((10, 31), (11, 1), (12, 31), (2, 29), (3, 31), (4, 1))] == [False, True, True, True, True, False]


@pytest.mark.parametrize(
    "text",
    [
        "calendars: [{year: 2026, source: x, rest: [soon]}]",
        "calendars: [{year: 2026}]",
        "calendrs: []",
        "calendars: [{year: 2026, source: x, rest: [2026-05-05/2026-05-01]}]",
    ],
)
def test_a_calendar_is_read_as_strictly(text: str) -> None:
    with pytest.raises(TariffFaults):
        calendar.read_calendar(text)


@pytest.mark.parametrize("path", NAMED, ids=lambda path: path.stem)
def test_the_schema_takes_the_named_tariffs_and_their_published_form(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_bytes()), SCHEMA)
    jsonschema.validate(json.loads(read_tariff.canonical_json(read_tariff.read_tariff(path.read_bytes()))), SCHEMA)


def test_the_schema_and_the_reader_know_the_same_keys() -> None:
    objects = {name: tuple(shape["properties"]) for name, shape in SCHEMA["$defs"].items() if "properties" in shape}

    assert objects | {"tariff": tuple(SCHEMA["properties"])} == read_tariff.KEYS
    assert all(shape["additionalProperties"] is False for shape in [SCHEMA, *_objects(SCHEMA["$defs"])])


def _objects(definitions: dict[str, dict[str, object]]) -> Iterator[dict[str, object]]:
    return (shape for shape in definitions.values() if "properties" in shape)
