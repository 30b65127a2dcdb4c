"""Hold what the platform says of one site against the truth, and name for each difference the faults that may have caused it. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from simulators.traffic.faults import SLOW_LINE, Fault, Ledger
from simulators.traffic.life import Stay

NEAR_S = 3  # What correcting a clock by whole seconds may leave.
SLOW_EXPLAINS = frozenset({"times_differ", "bill_lower"})  # A line that was slow shifts times; it loses nothing, and charges nobody more.
BLINK_S = 90  # How far beyond a stay evidence of it may lie.
# How bad it is for whom, the worst first: the name under which a fault is counted.
SEVERITY = (
    "bill_higher", "doubled", "bill_lower", "unbilled", "still_open", "not_seen", "never_there", "doubtful", "times_differ", "bay_wrong",
)  # fmt: skip
Row = Mapping[str, Any]


@dataclass(slots=True)
class Difference:
    """`what` the platform says otherwise about stays, or about a bay or a site; `by` are the kinds of faults that touch them."""

    site: str
    what: str
    stays: list[int]
    truth: str
    platform: str
    by: list[str]


@dataclass(slots=True)
class Verdict:
    """The sums of all sites."""

    bays: int = 0
    bays_wrong: int = 0
    sites: int = 0
    sites_wrong: int = 0
    stays: int = 0
    finished: int = 0
    billed: int = 0
    doubtful: int = 0
    stays_wrong: int = 0
    above_zero: int = 0
    above_zero_true: int = 0
    bills_wrong: int = 0
    too_high: int = 0
    too_high_fen: int = 0
    too_low: int = 0
    too_low_fen: int = 0
    wrongly_taken: int = 0
    wrongly_taken_fen: int = 0
    lost: int = 0
    doubled: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def unexplained(self) -> list[Difference]:
        return [one for one in self.differences if not one.by]

    def add(self, other: "Verdict") -> None:
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True, slots=True)
class Truth:
    """One site as it is."""

    id: str
    gated: bool
    spots: Sequence[str]
    stays: Sequence[Stay]
    price: Callable[[int, int], int]


@dataclass(frozen=True, slots=True)
class Told:
    """One site as the platform tells it."""

    site: Row
    spots: Sequence[Row]
    sessions: Sequence[Row]
    bills: Mapping[str, Row]  # By session.


@dataclass(frozen=True, slots=True)
class Witnesses:
    """What the simulation knows of how it was told."""

    ledger: Ledger
    device_of: Callable[[Stay], str]
    heard: frozenset[int] | set[int]
    clones: frozenset[int] | set[int]
    camera_of: Callable[[int], str]  # Of a bay's number at this site.


def judge(truth: Truth, told: Told, by: Witnesses) -> Verdict:
    """One site."""
    verdict = Verdict(stays=len(truth.stays), finished=sum(stay.gone for stay in truth.stays))
    if truth.gated:
        _judge_site(truth, told, by, verdict)
    else:
        _judge_bays(truth, told, by, verdict)
    matched, extra = _match(truth, told.sessions, by)
    for stay in truth.stays:
        _judge_stay(truth, told, by, verdict, stay, matched.get(stay.number))
    for session, stays in extra:
        _judge_extra(truth, told, by, verdict, session, stays, {stay.number for stay in truth.stays if stay.number in matched})
    _judge_money(truth, told, by, verdict, matched, extra)
    return verdict


# Bays and sites


def _judge_site(truth: Truth, told: Told, by: Witnesses, verdict: Verdict) -> None:
    verdict.sites = 1
    inside, says = sum(not stay.gone for stay in truth.stays), told.site["occupied"]
    if says != inside:
        verdict.sites_wrong = 1
        touched = [stay.number for stay in truth.stays if by.ledger.of_stay(stay.number)]
        kinds = by.ledger.kinds_of(touched)
        verdict.differences.append(Difference(truth.id, "site_wrong", touched[:50], f"{inside} inside", f"{says} inside", kinds))


def _judge_bays(truth: Truth, told: Told, by: Witnesses, verdict: Verdict) -> None:
    last: dict[int, list[Stay]] = defaultdict(list)
    for stay in truth.stays:
        last[stay.spot].append(stay)
    says = {spot["id"]: spot["state"] for spot in told.spots}
    verdict.bays = len(truth.spots)
    for number, name in enumerate(truth.spots):
        there = last[number][-2:]
        state = "occupied" if there and not there[-1].gone else "free"
        if says.get(name) != state:
            verdict.bays_wrong += 1
            stays = [stay.number for stay in there]
            kinds = sorted({*by.ledger.kinds_of(stays), *_kinds(by.ledger, by.camera_of(number))})
            verdict.differences.append(Difference(truth.id, "bay_wrong", stays, f"{name} {state}", str(says.get(name)), kinds))


def _kinds(ledger: Ledger, device: str) -> set[str]:
    return {ledger.faults[number].kind for number in ledger.of_device(device)}


# Stays


def seconds(text: str | None) -> int | None:
    return None if text is None else round(datetime.fromisoformat(text).timestamp())


def _match(truth: Truth, sessions: Sequence[Row], by: Witnesses) -> tuple[dict[int, Row], list[tuple[Row, list[Stay]]]]:
    """Each stay's session by its bay or plate and its entry, to the second; and the sessions left over with the stays they may be of."""
    stays = {_key(truth, stay): stay for stay in truth.stays}
    matched: dict[int, Row] = {}
    left = []
    for session in sessions:
        if session["state"] == "void":
            continue
        stay = stays.get((session["spot"] or masked(session["plate"]), seconds(session["entered_at"]) or 0))
        if stay is not None and stay.number not in matched:
            matched[stay.number] = session
        else:
            left.append(session)
    left = _match_nearly(truth, left, matched, by)
    return matched, [(session, _about(truth, session, by)) for session in left]


def _key(truth: Truth, stay: Stay) -> tuple[str, int]:
    return (truth.spots[stay.spot] if stay.spot >= 0 else masked(stay.car.plate)), stay.entered_at


def masked(plate: str | None) -> str:
    """As operators see plates."""
    return "" if not plate else plate if "*" in plate else plate[:2] + "*" * max(len(plate) - 4, 1) + plate[-2:]


def _match_nearly(truth: Truth, left: list[Row], matched: dict[int, Row], by: Witnesses) -> list[Row]:
    """Stays touched by faults, whose session has another entry or plate than the truth."""
    open_stays = [stay for stay in truth.stays if stay.number not in matched and by.ledger.of_stay(stay.number)]
    pairs = []
    for place, session in enumerate(left):
        at, plate = seconds(session["entered_at"]) or 0, masked(session["plate"])
        for stay in open_stays:
            if _same_place(truth, stay, session) and abs(stay.entered_at - at) <= _slack(by, stay):
                another = plate != masked(stay.car.plate), stay.gone != (session["left_at"] is not None)
                pairs.append((another, _unlike(by, stay, at), stay.number, place))
    taken = set()
    for *_, number, place in sorted(pairs):  # The surest first.
        if number not in matched and place not in taken:
            matched[number] = left[place]
            taken.add(place)
    return [session for place, session in enumerate(left) if place not in taken]


def _unlike(by: Witnesses, stay: Stay, at: int) -> int:
    """How far a session's entry is from where the stay's clocks may have put it: many plates look the same with their middle hidden."""
    shifts = [_seconds_of(by.ledger.faults[number]) - NEAR_S for number in by.ledger.of_stay(stay.number)]
    return min(abs(at - stay.entered_at - shift) for clock in (0, *shifts) if clock >= 0 for shift in (clock, -clock))


def _same_place(truth: Truth, stay: Stay, session: Row) -> bool:
    return stay.spot < 0 or truth.spots[stay.spot] == session["spot"]


def _slack(by: Witnesses, stay: Stay) -> int:
    """By how much the platform's time of it may differ from the true one."""
    kinds = [by.ledger.faults[number] for number in by.ledger.of_stay(stay.number)]
    return max([NEAR_S, *(_seconds_of(fault) for fault in kinds)])


def _seconds_of(fault: Fault) -> int:
    return abs(int(fault.what.split()[0])) + NEAR_S if fault.kind in ("clock_skew", "clock_jump", SLOW_LINE) else 0


def _about(truth: Truth, session: Row, by: Witnesses) -> list[Stay]:
    """The stays that a session without one of its own may be made of: same place, and one of its ends or a time within."""
    at = seconds(session["entered_at"]) or 0
    found = []
    for stay in truth.stays:
        if not _same_place(truth, stay, session):
            continue
        slack = _slack(by, stay)
        inside = stay.spot >= 0 and stay.entered_at - BLINK_S <= at <= stay.left_at + BLINK_S
        if inside or abs(stay.entered_at - at) <= slack or abs(stay.left_at - at) <= slack:
            found.append(stay)
    return found


def _judge_stay(truth: Truth, told: Told, by: Witnesses, verdict: Verdict, stay: Stay, session: Row | None) -> None:
    found = _wrong_with(truth, told, stay, session)
    if session is not None:
        bill = told.bills.get(str(session["id"]))
        verdict.doubtful += session["certainty"] == "doubtful"
        verdict.billed += bill is not None
        verdict.above_zero += bill is not None and bill["total"]["amount"] > 0
    verdict.above_zero_true += stay.gone and truth.price(stay.entered_at, stay.left_at) > 0
    if not found:
        return
    kinds = by.ledger.kinds_of(_of_the_bay(truth, stay))
    sure = [kind for kind in kinds if kind != SLOW_LINE]
    verdict.stays_wrong += 1
    if not sure:
        verdict.lost += (2 * stay.number in by.heard and session is None) + (2 * stay.number + 1 in by.heard and "still_open" in found)
    for what, (true, says) in found.items():
        verdict.differences.append(Difference(truth.id, what, [stay.number], true, says, kinds if what in SLOW_EXPLAINS else sure))


def _of_the_bay(truth: Truth, stay: Stay) -> list[int]:
    """The stay, and those before and after it in its bay: a car whose plate was not read is taken for the one that has just left."""
    if stay.spot < 0:
        return [stay.number]
    there = sorted((one for one in truth.stays if one.spot == stay.spot), key=lambda one: one.entered_at)
    place = there.index(stay)
    return [one.number for one in there[max(0, place - 1) : place + 2]]


def _wrong_with(truth: Truth, told: Told, stay: Stay, session: Row | None) -> dict[str, tuple[str, str]]:
    if session is None:
        return {"not_seen": (_span(stay), "no stay")}
    found: dict[str, tuple[str, str]] = {}
    said = f"{session['entered_at']} to {session['left_at']} {session['state']} {','.join(session['why'])}"
    if session["certainty"] == "doubtful":
        found["doubtful"] = _span(stay), said
    if stay.gone and session["left_at"] is None:
        found["still_open"] = _span(stay), said
    elif seconds(session["entered_at"]) != stay.entered_at or seconds(session["left_at"]) != (stay.left_at if stay.gone else None):
        found["times_differ"] = _span(stay), said
    bill = told.bills.get(str(session["id"]))
    total = bill["total"]["amount"] if bill is not None and bill["state"] != "void" else None
    price = truth.price(stay.entered_at, stay.left_at) if stay.gone else None
    if total is None and price is not None:
        found["unbilled"] = f"{price} fen", "no bill"
    elif total is not None and total != (price or 0):
        found["bill_higher" if total > (price or 0) else "bill_lower"] = f"{price or 0} fen", f"{total} fen"
    return found


def _span(stay: Stay) -> str:
    return f"{datetime.fromtimestamp(stay.entered_at).astimezone().isoformat()} for {stay.left_at - stay.entered_at} s" + (
        "" if stay.gone else ", still there"
    )


def _judge_extra(truth: Truth, told: Told, by: Witnesses, verdict: Verdict, session: Row, stays: Sequence[Stay], matched: set[int]) -> None:
    numbers = [stay.number for stay in stays]
    kinds = [kind for kind in by.ledger.kinds_of(numbers) if kind != SLOW_LINE]
    verdict.doubtful += session["certainty"] == "doubtful"
    verdict.doubled += not kinds
    what = "never_there" if kinds else "doubled"
    said = f"{session['spot'] or masked(session['plate'])} {session['entered_at']} to {session['left_at']} {','.join(session['why'])}"
    verdict.differences.append(Difference(truth.id, what, numbers, "no such stay", said, kinds))


# Money


def _judge_money(
    truth: Truth, told: Told, by: Witnesses, verdict: Verdict, matched: Mapping[int, Row], extra: Sequence[tuple[Row, Sequence[Stay]]]
) -> None:
    """Every bill against the stay it is for; a bill for what never was is too high by all of it."""
    owed = {stay.number: truth.price(stay.entered_at, stay.left_at) if stay.gone else 0 for stay in truth.stays}
    asked = [(told.bills.get(str(session["id"])), owed[number], number) for number, session in matched.items()]
    asked += [(told.bills.get(str(session["id"])), 0, -1) for session, _ in extra]
    for bill, price, number in asked:
        total = bill["total"]["amount"] if bill is not None and bill["state"] != "void" else 0
        if bill is None or total == price:
            _taken_from_another(by, verdict, bill, number)
            continue
        verdict.bills_wrong += 1
        verdict.too_high += total > price
        verdict.too_high_fen += max(0, total - price)
        verdict.too_low += total < price
        verdict.too_low_fen += max(0, price - total)
        more = max(0, bill["paid"]["amount"] - price)
        verdict.wrongly_taken += more > 0
        verdict.wrongly_taken_fen += more


def _taken_from_another(by: Witnesses, verdict: Verdict, bill: Row | None, number: int) -> None:
    """A bill may be right and still not be its payer's: a clone wears somebody else's plate."""
    if bill is not None and number in by.clones and bill["paid"]["amount"]:
        verdict.wrongly_taken += 1
        verdict.wrongly_taken_fen += bill["paid"]["amount"]


# Faults


def endings(ledger: Ledger, differences: Iterable[Difference]) -> dict[str, dict[str, Any]]:
    """For each kind of fault how many were injected, and how they ended: by the worst difference of the stays they touch."""
    worst: dict[int, str] = {}
    for one in differences:
        for stay in one.stays:
            held = worst.get(stay, one.what)
            worst[stay] = min(held, one.what, key=_severity)
    found: dict[str, dict[str, Any]] = {}
    for fault in ledger.faults:
        named = [worst[stay] for stay in fault.stays if stay in worst]
        end = min(named, key=_severity) if named else "all_right" if fault.stays else "touched_nobody"
        kind = found.setdefault(fault.kind, {"injected": 0, "ended": Counter()})
        kind["injected"] += 1
        kind["ended"][end] += 1
    return {kind: {"injected": one["injected"], "ended": dict(sorted(one["ended"].items()))} for kind, one in sorted(found.items())}


def _severity(what: str) -> int:
    return SEVERITY.index(what) if what in SEVERITY else len(SEVERITY)
