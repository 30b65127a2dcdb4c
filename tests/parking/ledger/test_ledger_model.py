"""Division that loses nothing, digests that tell requests apart, and an order that may be cut into runs."""

import dataclasses
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.ledger import model
from parking.ledger.model import Settlement

ONE = Settlement(
    id=uuid.UUID(int=1),
    session=uuid.UUID(int=2),
    wallet=1,
    receivable=2,
    payable=3,
    deferred=4,
    amount=100,
    owed=0,
    at=datetime(2026, 3, 2, tzinfo=UTC),
)


def test_weights_with_many_digits_lose_a_fen() -> None:
    """The parts are floored and the rest is named: nothing is lost and nobody favoured."""
    weights = ["1.2043478260869"] * 5 + ["1.113043478260", "1", "1", "1"]

    parts, remainder = model.split_by_weights(500003, weights)

    assert parts == [59416] * 5 + [54912] + [49335] * 3
    assert (sum(parts), remainder) == (499997, 6)


@given(st.integers(0, 10**12), st.lists(st.decimals(0, 1000, places=13).map(str), min_size=1, max_size=20))
def test_parts_and_remainder_are_the_whole_and_no_part_is_favoured(amount: int, weights: list[str]) -> None:
    if all(float(weight) == 0 for weight in weights):
        weights = [*weights, "1"]

    parts, remainder = model.split_by_weights(amount, weights)

    assert sum(parts) + remainder == amount
    assert 0 <= remainder < len(weights)
    assert all(part == 0 for part, weight in zip(parts, weights, strict=True) if float(weight) == 0)


@pytest.mark.parametrize("weight", [1.5, 1, None])
def test_a_weight_that_is_not_text_is_refused(weight: object) -> None:
    with pytest.raises(TypeError):
        model.split_by_weights(100, [weight])  # type: ignore[list-item]


@pytest.mark.parametrize("weights", [[], ["0"], ["-1", "2"], ["nan"], ["inf"], ["one"], ["1e400"], ["1" * 60]])
def test_weights_that_mean_nothing_are_refused(weights: list[str]) -> None:
    with pytest.raises(ValueError):
        model.split_by_weights(100, weights)


def test_a_digest_covers_the_request_and_not_the_state_of_the_books() -> None:
    same = [dataclasses.replace(ONE, owed=5), dataclasses.replace(ONE, at=datetime(2027, 1, 1, tzinfo=UTC))]
    other = [
        dataclasses.replace(ONE, **change)
        for change in (
            {"session": uuid.UUID(int=9)},
            {"wallet": None},
            {"receivable": 9},
            {"payable": 9},
            {"deferred": 9},
            {"amount": 9},
            {"collect": False},
            {"fee_bp": 9},
            {"before": uuid.UUID(int=9)},
        )
    ]

    assert {one.digest() for one in same} == {ONE.digest()}
    assert len({one.digest() for one in [ONE, *other]}) == len(other) + 1


@pytest.mark.parametrize("change", [{"amount": 10**13}, {"owed": -1}, {"fee_bp": 10_001}])
def test_a_settlement_out_of_range_cannot_be_built(change: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        dataclasses.replace(ONE, **change)


def settlements(amounts: list[int], wallets: list[int | None]) -> list[Settlement]:
    return [
        dataclasses.replace(ONE, id=uuid.UUID(int=place), session=uuid.UUID(int=place), amount=amount, wallet=wallet)
        for place, (amount, wallet) in enumerate(zip(amounts, wallets, strict=True))
    ]


def test_strangers_are_settled_in_two_runs() -> None:
    assert model.runs_of(settlements([1, -1, 2, 0, -2], [1, 2, 3, 4, None])) == [[0, 2], [1, 4]]


def test_one_wallet_on_both_sides_keeps_the_order() -> None:
    assert model.runs_of(settlements([1, 5, -1, 0, -3, 2], [1, 2, 1, 1, 3, 2])) == [[0, 1], [2, 4], [5]]


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(1, 40)), max_size=300))
def test_runs_hold_every_movement_once_and_never_too_many(asked: list[tuple[int, int]]) -> None:
    batch = settlements([amount for amount, _ in asked], [wallet for _, wallet in asked])

    runs = model.runs_of(batch)

    assert sorted(place for run in runs for place in run) == [place for place, one in enumerate(batch) if one.amount]
    assert all(0 < len(run) <= model.BATCH_MAX and len({batch[place].amount > 0 for place in run}) == 1 for run in runs)


def test_an_id_that_stands_twice_is_booked_where_it_stands_first() -> None:
    one, other = settlements([1, 2], [1, 2])

    assert model.runs_of([one, other, one, dataclasses.replace(one, amount=-1)]) == [[0, 1]]
