"""City time runs at its speed from one instant on; wall time never does; both are read in the city's zone."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation import clock
from foundation.clock import Clock

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
walls = st.datetimes(datetime(2026, 3, 1), datetime(2026, 6, 1), timezones=st.just(UTC))


@given(walls, walls, st.sampled_from([0.5, 1.0, 10.0, 60.0, 3600.0]))
def test_city_time_goes_speed_times_as_fast_and_never_back(one: datetime, other: datetime, speed: float) -> None:
    city = Clock(speed, SINCE)

    passed = city.city_at(other) - city.city_at(one)

    assert abs(passed - (other - one) * speed) <= timedelta(microseconds=2)
    assert (city.city_at(one) <= city.city_at(other)) == (one <= other)
    assert city.city_at(SINCE) == SINCE


def test_speed_changes_city_time_only() -> None:
    fast = Clock(60.0, datetime.now(UTC) - timedelta(hours=1))

    assert abs(fast.wall() - datetime.now(UTC)) < timedelta(seconds=1)
    assert abs(fast.city() - fast.wall() - timedelta(hours=59)) < timedelta(seconds=60)
    assert abs(Clock().city() - Clock().wall()) < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 3, 2, 1, 0, 3, tzinfo=UTC), "2026-03-02T09:00:03+08:00"),
        (datetime(2026, 3, 2, 1, 0, 3, 120_000, tzinfo=UTC), "2026-03-02T09:00:03.120+08:00"),
        (datetime(2026, 12, 31, 16, tzinfo=UTC), "2027-01-01T00:00:00+08:00"),
    ],
)
def test_instants_are_written_in_the_citys_offset(at: datetime, text: str) -> None:
    assert clock.rfc3339(at) == text
    assert clock.local(at).utcoffset() == timedelta(hours=8)
