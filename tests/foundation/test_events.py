"""Every event comes back from the journal as it went in, is told apart by its kind, and stands in the book of events."""

import types
import typing
import uuid
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation import describe_events, events
from foundation.events import Event, Fact, Reading

EVENTS = (*events.READINGS, *events.FACTS)
BOOK = Path(__file__).resolve().parents[2] / "docs" / "events.md"
LEAVES: dict[object, st.SearchStrategy[object]] = {
    str: st.text(st.characters(exclude_categories=["Cs"])),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    bytes: st.binary(),
    uuid.UUID: st.uuids(),
    datetime: st.datetimes(timezones=st.just(UTC)),
    type(None): st.none(),
}


def values_of(kind: object) -> st.SearchStrategy[object]:
    """Any value of a field's type."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return st.sampled_from(inner)
    if origin in (types.UnionType, typing.Union):
        return st.one_of(*map(values_of, inner))
    if origin is tuple:
        return st.lists(values_of(inner[0]), max_size=3).map(tuple)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return st.builds(kind, **{one.name: values_of(one.type) for one in msgspec.structs.fields(kind)})
    return LEAVES[kind]


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.kind)
def test_event_comes_back_as_it_went_in(kind: type[Event]) -> None:
    @settings(max_examples=30, deadline=None, database=None)
    @given(values_of(kind))
    def comes_back(event: Event) -> None:
        told = events.told(event, datetime(2026, 3, 2, tzinfo=UTC))

        assert events.decode(told.kind, told.body) == event
        assert (told.kind, told.key) == (kind.kind, event.key)
        assert isinstance(told.key, str)

    comes_back()


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.kind)
def test_event_says_what_it_is(kind: type[Event]) -> None:
    assert kind.__doc__
    assert kind.__doc__ != (Fact.__doc__ if issubclass(kind, Fact) else Reading.__doc__)
    assert len(describe_events.page().split(f"`{kind.kind}`: {kind.__name__}\n")) == 2


def test_kinds_are_told_apart() -> None:
    assert len({kind.kind for kind in EVENTS}) == len(EVENTS)


def test_every_event_that_is_declared_stands_in_the_lists() -> None:
    declared = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event) and hasattr(kind, "kind")]

    assert set(declared) == set(EVENTS)
    assert [kind for kind in declared if kind in events.FACTS] == list(events.FACTS)  # In the order of the story.


def test_event_of_a_newer_program_is_not_taken_for_another() -> None:
    with pytest.raises(KeyError):
        events.decode("of_tomorrow", "{}")


def test_field_that_a_newer_program_added_does_no_harm() -> None:
    assert events.decode("tariff_published", '{"code":"a","version":1,"sha256":"","more":1}').key == "a"


def test_book_of_events_is_fresh() -> None:
    assert BOOK.read_text("utf-8") == describe_events.page(), "run `python -m foundation.describe_events > docs/events.md`"
