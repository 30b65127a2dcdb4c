"""The rules of a top-up, and yuan text into fen."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.payments import model
from parking.payments.model import State

SAID = st.sampled_from([State.ACCEPTED, State.PAID, State.FAILED, State.ABSENT, State.UNKNOWN])


@pytest.mark.parametrize(
    ("text", "fen"),
    [("1.00", 100), ("1", 100), ("0.20", 20), ("0.5", 50), ("0.05", 5), ("100", 10_000), ("99999.99", 9_999_999), ("0", 0)],
)
def test_small_amounts_guessed_to_be_fen(text, fen):
    """Yuan text is yuan, whatever its size."""
    assert model.fen_from_yuan_text(text) == fen


@pytest.mark.parametrize(
    "text", ["", ".5", "1.", "01", "1.005", "-1.00", "+1", "1e2", "1,00", " 1.00", "1.00\n", "１.00", "¥1", "nan", 1, 1.0, None, b"1", True]
)
def test_anything_but_a_decimal_text_is_refused(text):
    with pytest.raises(ValueError, match="not an amount in yuan"):
        model.fen_from_yuan_text(text)


@given(st.integers(0, 10**11 - 1))
def test_fen_survive_the_way_through_yuan_text(fen):
    assert model.fen_from_yuan_text(model.yuan_text(fen)) == fen


@given(st.lists(SAID), st.lists(SAID))
def test_whatever_is_said_around_a_success_the_end_is_paid(before, later):
    state = State.SUBMITTED
    for said in [*before, State.PAID, *later]:
        state = model.after(state, said) or state

    assert state is State.PAID


@given(st.lists(SAID.filter(lambda said: said is not State.PAID)))
def test_without_a_success_nothing_is_paid_and_unknown_is_never_taken_for_failed(news):
    state = State.SUBMITTED
    for said in news:
        state = model.after(state, said) or state

    assert state is not State.PAID
    assert state is not State.FAILED or State.FAILED in news


def test_what_may_have_been_heard_is_asked_about_and_never_submitted_again():
    submitted_from = {was for was, states in model.EDGES.items() if State.SUBMITTED in states}

    assert submitted_from == {State.CREATED, State.ABSENT}


def test_the_looks_at_an_unknown_payment_grow_and_never_end():
    waits = [model.next_look(State.UNKNOWN, polls) for polls in (1, 2, 3, 4, 5, 6, 7, 1000)]

    assert waits == [timedelta(seconds=s) for s in (2, 5, 15, 60, 600, 3600, 3600, 3600)]


def test_a_failure_is_looked_at_through_the_ladder_and_then_believed():
    waits = list(itertools.takewhile(lambda wait: wait is not None, (model.next_look(State.FAILED, polls) for polls in range(1, 100))))

    assert len(waits) == len(model.LOOKS)
    assert model.next_look(State.PAID, 1) is None
