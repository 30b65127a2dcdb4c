"""Stays from evidence, rule by rule, and the same for any order of hearing."""

import itertools
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.plates import near_plates
from parking.sessions import model
from parking.sessions.model import Plate, Presence, Seen, Session, Stay

T0 = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
X, Y, NEAR_X = (Plate(text, "blue", text.encode(), text.encode()) for text in ("豫A8B012", "豫A12345", "豫A88012"))
NAMES = {"X": X, "Y": Y, "N": NEAR_X, "-": None}

# Readings `second what [plate]`, then the stays `entered-left plate why`; * is no end.
SPOTS = [
    ("a car comes and goes", "0 occ X, 3600 free", "0-3600 X"),
    ("a car is still here", "0 occ X", "0-* X"),
    ("free first tells of no stay", "0 free, 60 occ X, 90 free", "60-90 X"),
    ("said again", "0 occ X, 60 occ X, 90 free, 120 free", "0-90 X"),
    ("a blink is no departure", "0 occ X, 7230 free, 7250 occ X, 10800 free", "0-10800 X"),
    ("a blink of just the time that a departure needs", "0 occ X, 100 free, 160 occ X, 300 free", "0-300 X"),
    ("away for longer is another stay", "0 occ X, 100 free, 161 occ X, 300 free", "0-100 X; 161-300 X"),
    ("the next car at once, read", "0 occ X, 100 free, 110 occ Y, 300 free", "0-100 X; 110-300 Y"),
    ("the next car at once, read late", "0 occ X, 100 free, 110 occ -, 130 occ Y, 300 free", "0-100 X; 110-300 Y"),
    ("the same car back from a blink, read late", "0 occ X, 100 free, 110 occ -, 130 occ X, 300 free", "0-300 X"),
    ("an unread car in a gap may be the next one", "0 occ X, 100 free, 110 occ -, 300 free", "0-100 X unread_return; 110-300 - no_plate"),
    ("an unread car that is still here", "0 occ X, 100 free, 160 occ -", "0-100 X unread_return; 160-* - no_plate"),
    ("an unread car that came later is the next one", "0 occ X, 100 free, 161 occ -, 300 free", "0-100 X; 161-300 - no_plate"),
    ("unread blinks of one car", "0 occ X, 100 free, 110 occ -, 200 free, 205 occ -, 900 occ X, 950 free", "0-950 X"),
    ("unread between two sightings is the same", "0 occ X, 100 free, 110 occ -, 200 free, 210 occ X, 300 free", "0-300 X"),
    ("unread, then away for longer", "0 occ X, 50 free, 60 occ -, 70 free, 131 occ X", "0-50 X unread_return; 60-70 - no_plate; 131-* X"),
    ("unread between two is a third", "0 occ X, 50 free, 60 occ -, 70 free, 80 occ Y", "0-50 X unread_return; 60-70 - no_plate; 80-* Y"),
    ("a car after an unread one pays from its own entry", "0 occ -, 100 free, 110 occ X, 300 free", "0-100 - no_plate; 110-300 X"),
    ("a blink of an unread car", "0 occ -, 100 free, 110 occ -, 300 free", "0-300 - no_plate"),
    ("a car after an unread one that blinked", "0 occ -, 100 free, 110 occ -, 130 occ X, 300 free", "0-100 - no_plate; 110-300 X"),
    ("another car after one that came back", "0 occ X, 10 free, 20 occ -, 30 occ X, 40 occ Y", "0-30 X exit_missing; 40-* Y"),
    ("misread as it came back", "0 occ X .9, 100 free, 110 occ N .7, 300 free", "0-300 X plate_corrected"),
    ("a missed exit ends at the last proof", "0 occ X, 50 occ X, 100 occ -, 200 occ Y, 300 free", "0-50 X exit_missing; 200-300 Y"),
    ("never read", "0 occ -, 100 free", "0-100 - no_plate"),
    ("read in the end", "0 occ -, 50 occ X, 100 free", "0-100 X"),
    ("read so late that it may be the next car", "0 occ -, 900 occ X, 990 free", "0-0 - exit_missing no_plate; 900-990 X"),
    ("a surer reading names the car", "0 occ N .7, 50 occ X .9, 100 free", "0-100 X plate_corrected"),
    ("a less sure reading does not", "0 occ X .9, 50 occ N .7, 100 free", "0-100 X plate_corrected"),
    ("said again of the same moment is a correction", "0 occ X, 0 occ Y, 100 free", "0-100 Y"),
    ("taken back at the same moment", "0 occ X, 0 free", ""),
    ("free of the same second as its beginning is zero long", "0 occ X, 0 free @other", "0-0 X"),
]
GATES = [
    ("in and out", "0 in X, 3600 out X", "0-3600 X"),
    ("still inside", "0 in X", "0-* X"),
    ("two cameras see one car", "0 in X, 5 in X @other, 3600 out X", "0-3600 X"),
    ("a car trembles at the line", "0 in X, 1 out X, 2 in X, 3600 out X", "0-3600 X"),
    ("in and back out is nothing", "0 in X, 8 out X", ""),
    ("a short stay is one", "0 in X, 11 out X", "0-11 X"),
    ("out and back in goes on", "0 in X, 3600 out X, 3605 in X, 7200 out X", "0-7200 X"),
    ("a missed exit", "0 in X, 3600 in X, 7200 out X", "0-0 X exit_missing; 3600-7200 X"),
    ("a missed entry", "3600 out X", "3600-3600 X entry_missing"),
    ("a car that stands at the exit is seen for minutes", "0 in X, 3600 out X, 3650 out X, 3700 out X, 3750 out X", "0-3600 X"),
    ("both lost", "0 in X, 3600 in X, 7200 out X, 9000 out X", "0-0 X exit_missing; 3600-7200 X; 9000-9000 X entry_missing"),
]


# With what the device's own clock showed (r), by how much earlier (e) or later (l) it may have been, and a clock that was never set (!).
CLOCKS = [
    ("a slower line after a new connection", "0 occ X r0, 3605 free r3600", "0-3600 X"),
    ("a faster one", "5 occ X r0, 3600 free r3600", "5-3600 X"),
    ("a clock that was set in between", "0 occ X r0, 3600 free r600", "0-3600 X clock_unsure"),
    ("a coming that waited while the clock was set", "0 occ X l3000, 3600 free", "3000-3600 X clock_unsure"),
    ("a going that waited while the clock was set", "0 occ X, 3600 free e3000", "0-600 X clock_unsure"),
    ("little leeway is no doubt", "0 occ X l2, 3600 free e3", "2-3597 X"),
    ("it came no later than it went", "0 occ X l3000, 1000 free", "1000-1000 X clock_unsure"),
    ("it went no earlier than it came", "0 occ X, 1000 free e3000", "0-0 X clock_unsure"),
    ("it is still here", "0 occ X l3000", "3000-* X clock_unsure"),
    ("a going that was heard of when nobody knows", "0 occ X, 3600 free !", "0-3600 X no_clock"),
    ("a coming that was heard of", "0 occ X !, 3600 free", "0-3600 X"),
    ("a going that waited, and is taken for one before its coming", "0 free l900, 300 occ X, 9000 free", "300-900 X clock_unsure"),
    (
        "the next car's coming that waited as well",
        "0 free l900, 60 occ Y l900, 300 occ X, 9000 free",
        "60-60 Y clock_unsure exit_missing; 300-900 X clock_unsure",
    ),
    ("what waited and was before it all the same", "0 free l200, 300 occ X, 9000 free", "300-9000 X"),
    ("the next car came when it came", "0 occ X l900, 300 occ Y, 600 free", "0-0 X clock_unsure exit_missing; 300-600 Y"),
]


def readings(text: str) -> list[Seen]:
    return [reading(number, *one.split()) for number, one in enumerate(text.split(", ")) if one]


def reading(number: int, second: str, what: str, *more: str) -> Seen:
    plate = next((NAMES[word] for word in more if word in NAMES), None)
    confidence = next((float(word) for word in more if word.startswith(".")), None)
    device = next((word for word in more if word.startswith("@")), "one")
    said: model.What = {"occ": "occupied", "free": "free", "in": "in", "out": "out"}[what]  # type: ignore[assignment]
    clock = {word[0]: timedelta(seconds=int(word[1:])) for word in more if word[0] in "rel"}
    early, late, raw_at = clock.get("e", timedelta(0)), clock.get("l", timedelta(0)), T0 + clock["r"] if "r" in clock else None
    return Seen(
        bytes([number]), T0 + timedelta(seconds=int(second)), number, device, said, plate, confidence, raw_at=raw_at,
        no_clock="!" in more, early=early, late=late,
    )  # fmt: skip


def told(stays: list[Stay]) -> str:
    return "; ".join(one_told(stay) for stay in stays)


def one_told(stay: Stay) -> str:
    left = "*" if stay.left_at is None else int((stay.left_at - T0).total_seconds())
    name = next(name for name, plate in NAMES.items() if plate == stay.plate)
    return " ".join([f"{int((stay.entered_at - T0).total_seconds())}-{left}", name, *sorted(stay.why)])


@pytest.mark.parametrize(("seen", "stays"), [row[1:] for row in SPOTS], ids=[row[0].replace(" ", "-") for row in SPOTS])
def test_stays_of_a_spot(seen: str, stays: str) -> None:
    assert told(model.stays_of(readings(seen), gated=False, near=near_plates)) == stays


@pytest.mark.parametrize(("seen", "stays"), [row[1:] for row in GATES], ids=[row[0].replace(" ", "-") for row in GATES])
def test_stays_of_a_plate_at_the_gates(seen: str, stays: str) -> None:
    assert told(model.stays_of(readings(seen), gated=True, near=near_plates)) == stays


@pytest.mark.parametrize(("seen", "stays"), [row[1:] for row in CLOCKS], ids=[row[0].replace(" ", "-") for row in CLOCKS])
def test_a_stay_is_as_long_as_the_clocks_prove(seen: str, stays: str) -> None:
    assert told(model.stays_of(readings(seen), gated=False, near=near_plates)) == stays


@st.composite
def evidence(draw: st.DrawFn, *, gated: bool) -> list[Seen]:
    """Anything that devices may say of one unit."""
    whats: list[model.What] = ["in", "out"] if gated else ["occupied", "free"]
    plates = [X] if gated else [X, Y, NEAR_X, None]
    found = []
    for number in range(draw(st.integers(1, 14))):
        at = T0 + timedelta(seconds=draw(st.sampled_from([0, 5, 20, 40, 600, 3600])) + draw(st.integers(0, 12)) * 10)
        what, device = draw(st.sampled_from(whats)), draw(st.sampled_from(["one", "other"]))
        plate = draw(st.sampled_from(plates)) if what != "free" else None
        found.append(Seen(bytes([number]), at, draw(st.integers(0, 2)), device, what, plate, draw(st.sampled_from([0.7, 0.9]))))
    return found


@given(st.booleans().flatmap(lambda gated: st.tuples(st.just(gated), evidence(gated=gated))), st.randoms())
@settings(max_examples=300, deadline=None)
def test_any_order_and_repetition_gives_the_same_stays(case: tuple[bool, list[Seen]], chance: st.DataObject) -> None:
    gated, seen = case
    shuffled = [*seen, *seen[: len(seen) // 2]]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]

    assert model.stays_of(shuffled, gated=gated, near=near_plates) == model.stays_of(seen, gated=gated, near=near_plates)


@given(st.booleans().flatmap(lambda gated: st.tuples(st.just(gated), evidence(gated=gated))))
@settings(max_examples=300, deadline=None)
def test_stays_are_never_negative_nor_two_at_once(case: tuple[bool, list[Seen]]) -> None:
    gated, seen = case

    stays = model.stays_of(seen, gated=gated, near=near_plates)

    assert all(stay.left_at is None or stay.entered_at <= stay.proven_at <= stay.left_at for stay in stays)
    assert all(one.left_at is not None and one.left_at <= other.entered_at for one, other in itertools.pairwise(stays))
    assert len({stay.opened_by for stay in stays}) == len(stays)
    assert {stay.entered_at for stay in stays} <= {one.at for one in seen}  # Never an invented entry.


@given(st.booleans().flatmap(lambda gated: st.tuples(st.just(gated), evidence(gated=gated))), st.data())
@settings(max_examples=300, deadline=None)
def test_what_a_clock_leaves_open_only_shortens_stays(case: tuple[bool, list[Seen]], data: st.DataObject) -> None:
    gated, seen = case
    seconds = st.integers(0, 4000).map(lambda number: timedelta(seconds=number))
    unsure = [msgspec.structs.replace(one, early=data.draw(seconds), late=data.draw(seconds)) for one in seen]

    whole, proven = (model.stays_of(some, gated=gated, near=near_plates) for some in (seen, unsure))

    assert [one.opened_by for one in whole] == [one.opened_by for one in proven]
    for one, less in zip(whole, proven, strict=True):
        assert one.entered_at <= less.entered_at <= less.proven_at and (less.left_at is None) == (one.left_at is None)
        if one.left_at is not None and less.left_at is not None:
            assert less.proven_at <= less.left_at <= one.left_at


@given(evidence(gated=False))
@settings(max_examples=300, deadline=None)
def test_over_a_gap_nobody_stays_whose_plate_was_not_read_on_both_sides(seen: list[Seen]) -> None:
    """A driver is charged for what is proven: what stands in the bay unread after a gap may be another car."""
    said = {one.id: one for one in seen}

    for stay in model.stays_of(seen, gated=False, near=near_plates):
        read = [said[number].at for number in stay.evidence if said[number].plate is not None]
        if stay.plate is not None and stay.gaps:
            assert min(read) <= stay.gaps[0][0] and max(read) >= stay.gaps[-1][1]


def presence(number: int, site: str, entered: int, proven: int, left: int | None, unseen: bool = False) -> Presence:
    at = [T0 + timedelta(minutes=minute) if minute is not None else None for minute in (entered, proven, left)]
    assert at[0] is not None and at[1] is not None
    return Presence(model.UUID(int=number), f"{site}|{number}", site, at[0], at[1], at[2], exit_unseen=unseen)


# Stays `site entered proven left`, then for each `left why`, in minutes.
PLACES = [
    ("one after the other", "a 0 0 60, b 60 60 90", "60, 90"),
    ("a missed exit is inferred from the next entry", "a 0 30 *, b 60 60 90", "30 exit_missing_elsewhere, 90 earlier_exit_unseen"),
    ("nobody travels in no time", "a 0 30 *, b 34 34 90", "* two_places, 90 two_places"),
    ("but from spot to spot of one site", "a 0 30 *, a 31 31 90", "30 exit_missing_elsewhere, 90 earlier_exit_unseen"),
    (
        "the stay after the next is nobody's question any more",
        "a 0 30 *, b 60 60 90, a 99 99 120",
        "30 exit_missing_elsewhere, 90 earlier_exit_unseen, 120",
    ),
    ("a clone", "a 0 0 60, b 30 30 90", "60 two_places, 90 two_places"),
    (
        "a clone that stays, and a next day",
        "a 0 0 60, b 30 30 *, a 900 900 *",
        "60 two_places, 30 exit_missing_elsewhere two_places, * earlier_exit_unseen",
    ),
    ("out of one as into the next", "a 0 0 60, b 60 60 *", "60, *"),
    ("after one that ended since another car stood there", "a 0 0 0 unseen, b 60 60 90, b 99 99 *", "0, 90 earlier_exit_unseen, *"),
]


@pytest.mark.parametrize(("stays", "ends"), [row[1:] for row in PLACES], ids=[row[0].replace(" ", "-") for row in PLACES])
def test_a_plate_in_several_places(stays: str, ends: str) -> None:
    rows = [row.split() for row in stays.split(", ")]
    given = [presence(n, r[0], int(r[1]), int(r[2]), None if r[3] == "*" else int(r[3]), "unseen" in r) for n, r in enumerate(rows)]

    found = model.untangle(list(reversed(given)))

    said = [" ".join([str(int((p.left_at - T0).total_seconds() / 60)) if p.left_at else "*", *sorted(p.why)]) for p in found]
    assert ", ".join(said) == ends


def stored(number: int, opened_by: bytes, closed_by: bytes | None = None) -> Session:
    return Session(model.UUID(int=number), "u", "s", "u", opened_by, T0, T0, closed_by=closed_by)


def stay(opened_by: bytes, *evidence: bytes) -> Stay:
    return Stay(opened_by, T0, T0, None, evidence=frozenset({opened_by, *evidence}))


def test_a_stay_goes_on_as_the_session_it_was_opened_by() -> None:
    one, other = stored(1, b"1"), stored(2, b"2")

    assert model.recognise([stay(b"2"), stay(b"1", b"2")], [one, other]) == [other, one]


def test_a_stay_with_an_earlier_beginning_is_the_session_whose_ends_it_holds() -> None:
    before, closed = stored(1, b"5"), stored(2, b"7", b"9")

    assert model.recognise([stay(b"0", b"5"), stay(b"6", b"9")], [before, closed]) == [before, closed]


def test_two_halves_that_become_one_are_the_older_session() -> None:
    assert model.recognise([stay(b"1", b"2")], [stored(1, b"1"), stored(2, b"2")]) == [stored(1, b"1")]


def test_of_two_candidates_none_is_proposed() -> None:
    exit = stored(1, b"1").told_by(Stay(b"1", T0, T0, X, left_at=T0, why=frozenset({"entry_missing"})), gated=True).concluded(None, T0)
    one, other = model.UUID(int=7), model.UUID(int=8)

    assert exit.proposing([one]).candidate == one and "near_plate" in exit.proposing([one]).why
    assert exit.proposing([one]).proposing([one, other]) == exit
