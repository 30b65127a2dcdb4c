"""The board: the last word wins, silence is unknown, and the order of arrival says nothing."""

import random
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citymap.board import Board
from citymap.model import CLASS_NUMBER, micros
from citymap.places import of_spots
from foundation.events import Event
from tests.citymap.city import GRACE, T0, at, board, counted, freshness, heard, numbers, passed, places, seen, shown, site

LOT_8 = site("lot-8", counted_by="gates", capacity=50)
LOT_9 = site("lot-9", counted_by="counter", capacity=300)


def test_a_new_spot_is_unknown_and_a_seen_one_is_what_was_seen() -> None:
    lot = board()
    assert numbers(lot) == [0, 0, 3, 0]

    changed = lot.apply([seen("free"), seen("occupied", spot="lot-7-002"), seen("out_of_order", spot="lot-7-003")])

    assert numbers(lot) == [1, 1, 0, 1]
    assert (len(changed.sites), len(changed.spots)) == (1, 3)
    assert lot.as_of[0] == micros(T0)


def test_late_older_reading_becomes_latest() -> None:
    lot = board()
    lot.apply([seen("occupied", at(68), seq=501, received=at(69))])

    changed = lot.apply([seen("free", at(2), seq=500, received=at(70))])

    assert shown(lot) == "occupied"
    assert lot.as_of[0] == micros(at(68))
    assert not changed.spots and not changed.sites


def test_equal_times_are_ordered_by_seq_then_by_device() -> None:
    lot = board()
    lot.apply([seen("free", seq=2), seen("occupied", seq=1)])
    assert shown(lot) == "free"

    lot.apply([seen("occupied", seq=2, device="cam-2"), seen("out_of_order", seq=2, device="cam-0")])
    assert shown(lot) == "occupied"


def test_a_reading_of_an_unknown_spot_changes_nothing_but_presence() -> None:
    lot = board()

    lot.apply([seen("free", spot="lot-7-999")])

    assert numbers(lot) == [0, 0, 3, 0]
    assert freshness(lot) == "live"


def test_the_same_reading_twice_counts_once() -> None:
    lot = board(LOT_8, site())
    story = [counted(40), passed("in", at(1)), seen("free"), passed("in", at(1)), seen("free"), counted(40)]

    lot.apply(story)
    lot.apply(story)

    assert numbers(lot, "lot-8") == [9, 41, 0, 0]
    assert numbers(lot) == [1, 0, 2, 0]


def test_more_capacity_than_spots_is_unknown_and_more_spots_than_capacity_are_the_capacity() -> None:
    lot = board(site("lot-7", capacity=10), site("lot-6", capacity=2))

    lot.apply([seen("free")])

    assert (numbers(lot), lot.capacity[1]) == ([1, 0, 9, 0], 10)
    assert (numbers(lot, "lot-6"), lot.capacity[0]) == ([0, 0, 3, 0], 3)
    assert lot.class_capacity[1].tolist() == [9, 1, 0, 0, 0, 0]
    assert lot.class_unknown[1].tolist() == [8, 1, 0, 0, 0, 0]


# Gates and counters


def test_gates_are_unknown_until_somebody_counts() -> None:
    lot = board(LOT_8)
    lot.apply([passed("in", at(5)), passed("in", at(6), plate="豫A00002")])
    assert numbers(lot, "lot-8") == [0, 0, 50, 0]

    lot.apply([counted(40)])
    assert numbers(lot, "lot-8") == [8, 42, 0, 0]

    lot.apply([counted(41, at(5.5))])
    assert numbers(lot, "lot-8") == [8, 42, 0, 0]


def test_jitter_counts_in_and_out() -> None:
    lot = board(LOT_8)

    lot.apply([counted(40), passed("in", at(10)), passed("out", at(11.2)), passed("in", at(11.9))])
    assert numbers(lot, "lot-8") == [9, 41, 0, 0]

    lot.apply([passed("out", at(3610))])
    assert numbers(lot, "lot-8") == [10, 40, 0, 0]


def test_the_same_direction_again_within_a_minute_is_the_same_car() -> None:
    lot = board(LOT_8)
    lot.apply([counted(40), passed("in", at(10)), passed("in", at(50), lane="2")])
    assert numbers(lot, "lot-8") == [9, 41, 0, 0]

    lot.apply([passed("in", at(50 + 61))])
    assert numbers(lot, "lot-8") == [8, 42, 0, 0]


def test_every_unread_car_counts() -> None:
    lot = board(LOT_8)

    lot.apply([counted(40), passed("in", at(10), plate=""), passed("in", at(12), plate="")])

    assert numbers(lot, "lot-8") == [8, 42, 0, 0]


@pytest.mark.parametrize(
    ("base", "direction", "expected"), [(0, "out", [50, 0, 0, 0]), (50, "in", [0, 50, 0, 0]), (99, "in", [0, 50, 0, 0])]
)
def test_what_is_shown_stays_between_nothing_and_the_capacity(base: int, direction: str, expected: list[int]) -> None:
    lot = board(LOT_8)

    lot.apply([counted(base), passed(direction, at(10))])  # type: ignore[arg-type]

    assert numbers(lot, "lot-8") == expected


def test_a_counter_says_the_number_and_its_latest_word_wins() -> None:
    lot = board(LOT_9)

    lot.apply([counted(212, at(60), place="lot-9", seq=2), counted(100, at(60), place="lot-9", seq=1), passed("in", at(70), place="lot-9")])

    assert numbers(lot, "lot-9") == [88, 212, 0, 0]


def test_two_free_of_one_disabled_bay() -> None:
    """A counter counts all bays together: how many of them the one accessible bay is, it cannot know. The total stays of use, the class
    is in doubt, and never are more of it free than there are."""
    lot = Board(of_spots([site("lot-21", counted_by="counter", capacity=36)], [("lot-21-001", "lot-21", 2, 113.665, 34.752)]), micros(T0))

    lot.apply([counted(27, place="lot-21")])

    accessible = CLASS_NUMBER["accessible"]
    assert numbers(lot, "lot-21") == [9, 27, 0, 0]
    assert (lot.class_capacity[0, accessible], lot.class_free[0, accessible], lot.class_unknown[0, accessible]) == (1, 0, 1)
    lot.apply([counted(0, at(60), place="lot-21"), seen("free", at(61), spot="lot-21-001", place="lot-21")])
    assert lot.class_free[0, accessible] + lot.class_unknown[0, accessible] == 1
    assert lot.capacity[0] == 36, "nobody's count makes bays"


def test_capacity_zero_reads_as_room() -> None:
    lot = board(site("lot-8", counted_by="counter"))
    lot.apply([counted(0, capacity=0)])
    assert numbers(lot, "lot-8") == [-1, -1, -1, -1]
    assert lot.capacity[0] == 0

    lot.apply([counted(10, at(60), capacity=30)])
    assert numbers(lot, "lot-8") == [20, 10, 0, 0]


def test_a_site_without_a_heard_device_has_no_number() -> None:
    lot = board(LOT_8)
    lot.apply([counted(40), passed("in", at(1))])

    lot.tick(micros(at(602)))

    assert freshness(lot, "lot-8") == "silent"
    assert numbers(lot, "lot-8") == [0, 0, 50, 0]


def test_folding_what_nothing_can_precede_changes_no_number() -> None:
    lot = board(LOT_8)
    lot.apply([counted(10)])
    for hour in range(100):
        lot.apply([passed("in", at(3600 * hour + 1), plate=f"豫A{hour:05d}")])
        if hour % 3 == 0:
            lot.apply([passed("out", at(3600 * hour + 1800), plate=f"豫A{hour:05d}")])
    before = numbers(lot, "lot-8")

    lot._fold()

    assert len(lot.inside[0].passages) < 110
    assert lot.inside[0].occupied() == 10 + 100 - 34
    assert numbers(lot, "lot-8") == before


# Presence


def test_a_device_that_says_nothing_for_ten_minutes_is_silent_and_comes_back() -> None:
    lot = board()
    lot.apply([heard(T0), seen("occupied"), seen("free", spot="lot-7-002")])
    lot.tick(micros(at(599)))
    assert numbers(lot) == [1, 1, 1, 0]

    changed = lot.tick(micros(at(600)))
    assert numbers(lot) == [0, 0, 3, 0]
    assert (freshness(lot), len(changed.spots)) == ("silent", 2)
    assert lot.as_of[0] == micros(T0)

    lot.apply([heard(at(700))])
    assert numbers(lot) == [1, 1, 1, 0]
    assert freshness(lot) == "live"


def test_a_lost_device_is_silent_after_a_minute() -> None:
    lot = board()
    lot.apply([heard(T0), seen("occupied"), heard(at(100), connected=False)])
    lot.tick(micros(at(159)))
    assert shown(lot) == "occupied"

    lot.tick(micros(at(160)))

    assert shown(lot) == "unknown"


@pytest.mark.parametrize("turned", [False, True])
def test_will_of_old_connection_after_takeover(turned: bool) -> None:
    lot = board()
    lot.apply([heard(T0, name="A")])
    story: list[Event] = [heard(at(300.05), name="B"), heard(at(300.2), connected=False, name="A")]
    lot.apply(reversed(story) if turned else story)
    lot.apply([seen("occupied", at(301), seq=812)])

    lot.tick(micros(at(500)))
    assert (shown(lot), lot.as_of[0], freshness(lot)) == ("occupied", micros(at(301)), "live")

    lot.apply([heard(at(510), connected=False, name="B")])
    lot.tick(micros(at(571)))
    assert (shown(lot), freshness(lot)) == ("unknown", "silent")


def test_after_a_restart_every_device_has_a_minute() -> None:
    lot = board(now=at(10_000))

    lot.apply([heard(T0), seen("free")])
    lot.tick(micros(at(10_059)))
    assert shown(lot) == "free"

    lot.tick(micros(at(10_060)))
    assert shown(lot) == "unknown"


def test_a_site_is_late_when_one_of_its_devices_is_silent_and_static_without_any() -> None:
    lot = board(site(), site("lot-6"))
    lot.apply([heard(T0), heard(T0, device="cam-2"), heard(at(500))])

    lot.tick(micros(at(700)))

    assert (freshness(lot), freshness(lot, "lot-6")) == ("late", "static")


def test_the_trend_is_of_the_last_quarter_of_an_hour() -> None:
    lot = board()
    lot.apply([seen("free", spot=f"lot-7-00{n}") for n in (1, 2, 3)])
    lot.tick(micros(at(60)))
    assert lot.trend(0) == "stable"

    lot.apply([seen("occupied", at(70))])
    lot.tick(micros(at(120)))
    assert lot.trend(0) == "falling"

    lot.apply([heard(at(1500))])
    lot.tick(micros(at(1500)))
    assert lot.trend(0) == "stable"


# Order


SITES = (site(), LOT_8, LOT_9)
moments = st.integers(0, 40).map(lambda step: at(step * 20))
spot_words = st.builds(
    seen,
    st.sampled_from(("free", "occupied", "unknown", "out_of_order")),
    moments,
    spot=st.sampled_from(("lot-7-001", "lot-7-002", "lot-7-003")),
    seq=st.integers(1, 3),
    device=st.sampled_from(("cam-1", "cam-2")),
)
gate_words = st.builds(
    passed, st.sampled_from(("in", "out")), st.integers(0, 400).map(lambda step: at(step * 2)), plate=st.sampled_from(("", "P1", "P2"))
)
count_words = st.builds(counted, st.integers(0, 60), moments, place=st.sampled_from(("lot-8", "lot-9")), seq=st.integers(1, 2))
presences = st.builds(heard, moments, connected=st.booleans(), device=st.sampled_from(("cam-1", "cam-2")), name=st.sampled_from("ABC"))
histories = st.lists(st.one_of(spot_words, gate_words, count_words, presences), max_size=40)


def told(history: Sequence[Event], cuts: int, shuffle: random.Random) -> Board:
    lot = Board(places(*SITES), micros(T0))
    parts = [history[n::cuts] for n in range(cuts)]
    for part in parts:
        lot.apply(part)
        lot.tick(micros(T0 + timedelta(seconds=shuffle.uniform(0, 500))))
    lot.tick(micros(T0 + GRACE + timedelta(seconds=900)))
    return lot


@settings(max_examples=200, deadline=None)
@given(histories, st.randoms(use_true_random=False))
def test_any_order_and_repetition_of_a_history_gives_the_same_board(history: list[Event], shuffle: random.Random) -> None:
    straight = told(history, 1, shuffle)

    mixed = [*history, *shuffle.sample(history, len(history) // 2)]
    shuffle.shuffle(mixed)
    other = told(mixed, shuffle.randint(1, 5), shuffle)

    assert other.picture() == straight.picture()


@settings(max_examples=100, deadline=None)
@given(histories)
def test_what_is_kept_step_by_step_is_what_a_recount_finds_and_sums_to_the_capacity(history: list[Event]) -> None:
    lot = Board(places(*SITES), micros(T0))
    for event in history:
        lot.apply([event])
    kept = lot.picture()
    assert lot.shown.sum(axis=1).tolist() == lot.capacity.tolist()
    assert lot.class_capacity.sum(axis=1).tolist() == lot.capacity.tolist()
    assert (lot.class_free >= 0).all() and (lot.class_free + lot.class_unknown <= lot.class_capacity).all()

    lot.recount()

    assert lot.picture() == kept


def test_what_is_known_goes_with_its_id_when_places_change() -> None:
    lot = board(site(), LOT_8)
    lot.apply([seen("free"), seen("occupied", spot="lot-7-002"), counted(40), heard(T0)])

    moved = lot.moved_to(places(site("lot-1"), site(), LOT_8, spots=4))

    assert numbers(moved) == [1, 1, 2, 0]
    assert numbers(moved, "lot-8") == [10, 40, 0, 0]
    assert numbers(moved, "lot-1") == [0, 0, 4, 0]
    moved.apply([seen("free", at(5), spot="lot-7-002")])
    assert numbers(moved) == [2, 0, 2, 0]
