"""All stays of a month at once cost what each of them costs alone."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parking.tariffs import calendar, read_tariff
from parking.tariffs.errors import NothingCovers
from parking.tariffs.model import CITY, Stay, Tariff
from parking.tariffs.price_many import fees_of
from parking.tariffs.price_stay import fee_of, price_stay
from tests.parking.tariffs.test_pricing_properties import MONDAY, NAMED, any_tariff, stays

OFFICIAL = calendar.official()
HEAD = 'code: small\nversion: 1\neffective: {from: "2020-01-01T00:00+08:00"}\n'
many_stays = st.lists(st.one_of(stays(permits=False), stays(permits=False, lasting=st.integers(0, 20 * 86_400))), max_size=12)


@given(any_tariff, many_stays)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_fees_at_once_are_the_fees_of_each(tariff: Tariff, stays: list[Stay]) -> None:
    for colour in ("blue", "green"):
        alike = [stay for stay in stays if stay.plate_colour == colour]
        entries, exits = (np.array([int(getattr(s, name).timestamp()) for s in alike], np.int64) for name in ("entry", "exit"))

        fees = fees_of(tariff, entries, exits, OFFICIAL, plate_colour=colour)

        assert fees.tolist() == [price_stay(tariff, stay, OFFICIAL).total for stay in alike]


@given(any_tariff, stays())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_fee_without_lines_is_the_total_with_them(tariff: Tariff, stay: Stay) -> None:
    assert fee_of(tariff, stay, OFFICIAL) == price_stay(tariff, stay, OFFICIAL).total


NIGHTS = """caps: {day: 300, period: calendar}
windows:
  - {name: night, from: "23:00", to: "07:00", count: window, round: down, steps: [{per: 120, price: 100}]}
  - {name: free, steps: [{per: 0, price: 0}]}"""


@pytest.mark.parametrize("tariff", [*NAMED, read_tariff.read_tariff(HEAD + NIGHTS)], ids=lambda tariff: tariff.code)
def test_a_week_of_named_stays_at_once_costs_what_each_of_them_costs(tariff: Tariff) -> None:
    hours = (0.2, 0.5, 1, 2.5, 7, 11, 26, 50, 75)
    starts = [MONDAY + timedelta(minutes=97 * n) for n in range(104)]
    week = [Stay(start, start + timedelta(hours=length)) for start in starts for length in hours]
    entries, exits = (np.array([int(getattr(s, name).timestamp()) for s in week], np.int64) for name in ("entry", "exit"))

    assert fees_of(tariff, entries, exits, OFFICIAL).tolist() == [fee_of(tariff, stay, OFFICIAL) for stay in week]


def test_what_no_stay_can_be_is_refused() -> None:
    tariff = read_tariff.read_tariff(HEAD + "windows: [{name: all, steps: [{per: 60, price: 1}]}]")

    with pytest.raises(ValueError, match="ends after it begins"):
        fees_of(tariff, np.array([1_800_000_000]), np.array([1_700_000_000]), OFFICIAL)
    with pytest.raises(ValueError, match="every entry"):
        fees_of(tariff, np.array([1_800_000_000]), np.array([], np.int64), OFFICIAL)


def test_a_second_that_nothing_covers_is_never_free_here_either() -> None:
    holed = read_tariff.read_tariff(HEAD + 'windows: [{name: day, from: "08:00", to: "20:00", steps: [{per: 60, price: 1}]}]')
    entry = datetime(2026, 3, 2, 19, tzinfo=CITY)
    seconds = [int(instant.timestamp()) for instant in (entry, entry + timedelta(hours=2))]

    with pytest.raises(NothingCovers):
        fees_of(holed, np.array(seconds[:1]), np.array(seconds[1:]), OFFICIAL)
