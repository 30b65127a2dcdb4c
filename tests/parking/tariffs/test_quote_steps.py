"""The staircase of a price: every step where it is, to the second, and none between."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.errors import Invalid
from parking.tariffs.book import Book
from parking.tariffs.http import steps_of
from parking.tariffs.model import Stay

BEGIN = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


class StairBook:
    """A price that rises by so much after so many seconds."""

    def __init__(self, rises: dict[int, int]) -> None:
        self.rises = rises

    def total(self, seconds: int) -> int:
        return sum(amount for after, amount in self.rises.items() if seconds > after)

    def knows(self, site: str) -> bool:
        return True

    def quote(self, site: str, stay: Stay) -> Any:
        total = self.total(int((stay.exit - stay.entry).total_seconds()))
        rule = SimpleNamespace(tariff=SimpleNamespace(code="c", version=1))
        return SimpleNamespace(price=SimpleNamespace(total=total, lines=(), provisional=False), rule=rule, sha256="")


@given(st.dictionaries(st.integers(0, 12 * 3600 - 1), st.integers(1, 3000), max_size=20))
def test_each_rise_is_a_step_and_nothing_else_is(rises: dict[int, int]) -> None:
    book = StairBook(rises)
    found = steps_of(cast(Book, book), Stay(BEGIN, BEGIN + timedelta(hours=12), site="lot-7"))

    told = {step.after_s: step.total.amount for step in found.steps}
    assert told == {0: book.total(1)} | {after: book.total(after + 1) for after in rises}


def test_longer_than_a_day_is_refused_by_name() -> None:
    with pytest.raises(Invalid) as refused:
        steps_of(cast(Book, StairBook({})), Stay(BEGIN, BEGIN + timedelta(hours=25), site="lot-7"))

    assert refused.value.errors[0].pointer == "?to"
