"""The judge itself: it sees what is lost, doubled, too high or taken from the wrong person, and blames only faults that touch it."""

import itertools
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from simulators.traffic import judge, report
from simulators.traffic.cars import Car
from simulators.traffic.faults import Knobs, Ledger
from simulators.traffic.judge import Difference, Told, Truth, Verdict, Witnesses
from simulators.traffic.life import Stay
from simulators.traffic.street import Account

T0 = int(datetime(2026, 3, 2, 1, 0, tzinfo=UTC).timestamp())
CAR = Car("豫A12345", "blue", "small")
GONE = Stay(0, CAR, 0, 0, T0, T0 + 3600, gone=True)
BILL = {"session": "s0", "total": {"amount": 500}, "paid": {"amount": 0}, "state": "open"}


def at(seconds: int) -> str:
    return datetime.fromtimestamp(T0 + seconds, UTC).isoformat()


def session(name: str = "s0", entered: int = 0, left: int | None = 3600, **more: Any) -> dict[str, Any]:
    state = "open" if left is None else "closed"
    said = {"id": name, "spot": "a-1", "plate": "豫A***45", "entered_at": at(entered), "left_at": None if left is None else at(left)}
    return said | {"state": state, "certainty": "sure", "why": []} | more


def judged(
    *sessions: dict[str, Any],
    bills: tuple[dict[str, Any], ...] = (BILL,),
    fault: str = "",
    clones: frozenset[int] = frozenset(),
    state: str = "free",
) -> Verdict:
    ledger = Ledger()
    if fault:
        ledger.add(fault, T0, "cam-1", [0])
    truth = Truth("lot", False, ["a-1"], [GONE], lambda came, left: 500)
    told = Told({"occupied": 0}, [{"id": "a-1", "state": state}], sessions, {bill["session"]: bill for bill in bills})
    return judge.judge(truth, told, Witnesses(ledger, lambda stay: "cam-1", {0, 1}, clones, lambda spot: "cam-1"))


def test_what_is_right_has_no_difference() -> None:
    found = judged(session())

    assert found.differences == [] and (found.stays, found.billed, found.above_zero, found.bays_wrong) == (1, 1, 1, 0)


@pytest.mark.parametrize(
    ("sessions", "bills", "lost", "doubled", "what"),
    [
        ((), (), 1, 0, {"not_seen"}),
        ((session(left=None),), (), 1, 0, {"still_open", "unbilled"}),
        ((session(), session("s1")), (BILL,), 0, 1, {"doubled"}),
        ((session(entered=5),), (BILL,), 1, 1, {"not_seen", "doubled"}),
        ((session(certainty="doubtful"),), (BILL,), 0, 0, {"doubtful"}),
    ],
)
def test_what_differs_without_a_fault_is_unexplained(
    sessions: tuple[dict[str, Any], ...], bills: tuple[dict[str, Any], ...], lost: int, doubled: int, what: set[str]
) -> None:
    found = judged(*sessions, bills=bills)

    assert (found.lost, found.doubled) == (lost, doubled)
    assert {one.what for one in found.unexplained} == what


def test_a_difference_is_explained_by_a_fault_that_touches_its_stay_and_by_no_other() -> None:
    touched, other = judged(session(left=None), bills=(), fault="missed_exit"), judged(session(left=None), bills=())

    assert touched.unexplained == [] and {tuple(one.by) for one in touched.differences} == {("missed_exit",)}
    assert len(other.unexplained) == 2


def test_a_fault_of_the_next_car_in_the_same_bay_may_explain_a_difference() -> None:
    ledger, truth = Ledger(), Truth("lot", False, ["a-1"], [GONE, Stay(1, CAR, 0, 0, T0 + 3620, T0 + 9000)], lambda came, left: 500)
    ledger.add("no_plate", T0 + 3620, "cam-1", [1])
    told = Told({"occupied": 1}, [{"id": "a-1", "state": "occupied"}], [session(left=None)], {})

    found = judge.judge(truth, told, Witnesses(ledger, lambda stay: "cam-1", {0, 1, 2}, frozenset(), lambda spot: "cam-1"))

    assert {one.what for one in found.differences} == {"still_open", "unbilled", "not_seen"} and found.unexplained == []


def test_a_slow_line_explains_shifted_times_and_neither_a_loss_nor_a_higher_bill() -> None:
    def by_slow_line(*sessions: dict[str, Any], total: int) -> Verdict:
        ledger, truth = Ledger(), Truth("lot", False, ["a-1"], [GONE], lambda came, left: 500)
        ledger.touch(ledger.add("slow_line", T0, "cam-1", what="4 s"), 0)
        bills = {"s0": BILL | {"total": {"amount": total}}} if sessions else {}
        told = Told({"occupied": 0}, [{"id": "a-1", "state": "free"}], sessions, bills)
        return judge.judge(truth, told, Witnesses(ledger, lambda stay: "cam-1", {0, 1}, frozenset(), lambda spot: "cam-1"))

    shifted, dearer, lost = (
        by_slow_line(session(entered=4), total=400), by_slow_line(session(entered=4), total=900), by_slow_line(total=0),
    )  # fmt: skip

    assert shifted.unexplained == [] and {one.what for one in shifted.differences} == {"times_differ", "bill_lower"}
    assert [one.what for one in dearer.unexplained] == ["bill_higher"]
    assert [one.what for one in lost.unexplained] == ["not_seen"] and lost.lost == 1


def test_a_session_goes_to_the_stay_of_its_plate_before_any_other_is_looked_for() -> None:
    ledger, other = Ledger(), Car("豫A99999", "blue", "small")
    stays = [Stay(0, CAR, 0, -1, T0, T0 + 3600, gone=True), Stay(1, other, 0, -1, T0 + 2, T0 + 1800, gone=True)]
    ledger.add("clock_skew", T0, "gate", [0, 1], "+60 s")
    told = [session("mine", 1, 3601, spot=None), session("other", 3, 1801, spot=None, plate="豫A***99")]
    truth, by = Truth("lot", True, [], stays, lambda came, left: 0), Witnesses(ledger, lambda stay: "gate", set(), set(), lambda spot: "")

    matched, left = judge._match(truth, told, by)

    assert {number: row["id"] for number, row in matched.items()} == {0: "mine", 1: "other"} and left == []


def test_of_plates_that_look_the_same_each_session_goes_where_the_clock_has_put_it() -> None:
    ledger, twin = Ledger(), Car("豫A67845", "blue", "small")
    stays = [Stay(0, CAR, 0, -1, T0, T0 + 20_000), Stay(1, twin, 0, -1, T0 + 2400, T0 + 9000, gone=True)]
    ledger.add("clock_jump", T0 + 9500, "gate", [0, 1], "-2300 s")
    told = [session("first", 2300, None, spot=None), session("second", 4700, 9000, spot=None)]
    truth, by = Truth("lot", True, [], stays, lambda came, left: 0), Witnesses(ledger, lambda stay: "gate", set(), set(), lambda spot: "")

    matched, left = judge._match(truth, told, by)

    assert {number: row["id"] for number, row in matched.items()} == {0: "first", 1: "second"} and left == []


def test_a_bill_that_asks_too_much_and_money_that_was_taken_are_two_things() -> None:
    dear = BILL | {"total": {"amount": 900}}
    asked, taken = judged(session(), bills=(dear,)), judged(session(), bills=(dear | {"paid": {"amount": 900}},))

    assert (asked.too_high, asked.too_high_fen, asked.wrongly_taken_fen) == (1, 400, 0)
    assert (taken.too_high, taken.wrongly_taken, taken.wrongly_taken_fen) == (1, 1, 400)


def test_money_for_a_clones_stay_is_taken_from_the_wrong_person_though_the_bill_is_right() -> None:
    paid = BILL | {"paid": {"amount": 500}}
    found = judged(session(), bills=(paid,), fault="cloned_plate", clones=frozenset({0}))

    assert (found.bills_wrong, found.wrongly_taken, found.wrongly_taken_fen) == (0, 1, 500)


def test_a_bay_is_blamed_on_its_camera_and_an_ending_is_the_worst_of_what_a_fault_touches() -> None:
    ledger = Ledger()
    ledger.add("missed_exit", T0, "cam-1", [0])
    ledger.add("duplicate", T0, "cam-1", [7])
    found = judged(session(left=None), bills=(), fault="missed_exit", state="occupied")

    assert found.bays_wrong == 1 and {one.what for one in found.differences} == {"bay_wrong", "still_open", "unbilled"}
    assert judge.endings(ledger, found.differences) == {
        "duplicate": {"injected": 1, "ended": {"all_right": 1}},
        "missed_exit": {"injected": 1, "ended": {"unbilled": 1}},
    }


@pytest.mark.parametrize(("answers", "asked"), [([3, 2, 1, 0], 4), ([3, 3, 3], 2)], ids=["catching-up", "standing-still"])
async def test_the_report_waits_as_long_as_the_platform_is_catching_up(
    monkeypatch: pytest.MonkeyPatch, answers: list[int], asked: int
) -> None:
    """A busy platform that has not come to a reading yet has not lost it."""
    clock, heard, none = itertools.count(0, 60), list[int](), cast(Any, None)

    async def sites(self: report.Inquiry) -> dict[str, Any]:
        return {}

    async def ask(self: report.Inquiry, sites: list[int], known: dict[str, Any]) -> list[Verdict]:
        heard.append(answers[len(heard)])
        return [Verdict(differences=[Difference("lot", "not_seen", [0], "", "", [])] * heard[-1])]

    monkeypatch.setattr(report, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(report, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(report.Inquiry, "_sites", sites)
    monkeypatch.setattr(report.Inquiry, "_ask_all", ask)
    life = cast(Any, SimpleNamespace(stays={}, places=[None]))

    verdict = await report.Inquiry(none, life, none, none, none, {}, lambda said: None).verdict()

    assert (len(heard), len(verdict.unexplained)) == (asked, answers[asked - 1])


def written(account: Account, *, unacknowledged: int = 0) -> report.Report:
    """Of a city in which nothing differs, whose gate's clock was wrong."""
    ledger = Ledger()
    ledger.add("clock_jump", T0, "gate", what="+900 s")
    witness, life = SimpleNamespace(ledger=ledger, knobs=Knobs(clock_jump=0.1)), SimpleNamespace(turned_away=0)
    return report.written(
        Verdict(), life=cast(Any, life), witness=cast(Any, witness), account=account, unacknowledged=unacknowledged, drivers=(0, []), run={}
    )  # fmt: skip


def test_only_a_wrong_clock_explains_that_a_message_was_refused() -> None:
    its_own, others = Account(), Account()
    its_own.refused["gate", "passage: 0x83"] = 3
    others.refused["gate", "passage: 0x83"] = 3
    others.refused["cam-1", "spots: 0x83"] = 2

    assert written(its_own)["verdict"] == "right" and written(its_own)["messages"]["refused"]["all"] == 3
    found = written(others)
    assert found["verdict"] == "WRONG"
    assert found["messages"]["refused"] == {
        "all": 5, "by": {"passage: 0x83": 3, "spots: 0x83": 2}, "unexplained": 2, "of": {"cam-1 spots: 0x83": 2}
    }  # fmt: skip


def test_a_run_that_ends_with_messages_unacknowledged_is_wrong() -> None:
    assert (written(Account())["verdict"], written(Account(), unacknowledged=1)["verdict"]) == ("right", "WRONG")
