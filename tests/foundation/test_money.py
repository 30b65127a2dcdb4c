"""Money is an integer of fen: what only looks like one is refused, and no function guesses a unit from a size."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation import money
from foundation.money import Amount


def read(text: str) -> int | None:
    return money.fen_of(msgspec.json.decode(text, type=Amount).amount)


@given(st.integers(1, money.FEN_MAX))
def test_whole_fen_are_taken_as_they_are(fen: int) -> None:
    assert read(f'{{"amount": {fen}, "currency": "CNY"}}') == fen
    assert msgspec.json.decode(msgspec.json.encode(money.money(fen))) == {"amount": fen, "currency": "CNY"}


@pytest.mark.parametrize(
    "amount",
    ["1.0", '"100"', "0", "-1", "1e2", "100.00", "0.5", "null", "true", "[1]", "{}", str(money.FEN_MAX + 1), "9" * 30, "1E400", '"１００"'],
)
def test_what_is_no_whole_number_of_fen_is_refused(amount: str) -> None:
    assert read(f'{{"amount": {amount}, "currency": "CNY"}}') is None


@pytest.mark.parametrize(
    "body", ['{"amount": 1}', '{"amount": 1, "currency": "USD"}', '{"currency": "CNY"}', '{"amount": 1, "currency": "CNY", "unit": 1}']
)
def test_amount_without_its_currency_or_with_more_is_refused(body: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(body)
