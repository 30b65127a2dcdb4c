"""What a stay is: a fold over what was seen, the same for any order in which it was heard. Pure.

The rules are the failure catalogue of parking: a device that blinks, a gate that sees one car three times, a missed
entry or exit, a corrected plate, the next car on the same spot, one plate in two places.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec
from msgspec.structs import replace

What = Literal["occupied", "free", "in", "out"]
BY_HAND = "operator"  # What stands for a device where a person says that a car has gone. No device has a name without its site's.
NearPlates = Callable[[str, str], bool]

CLEAR = timedelta(seconds=60)  # A spot must be clear so long before a departure is believed: devices blink.
JITTER = timedelta(seconds=10)  # A car at a barrier may be seen in, out and in; what counts is the net.
REPEAT = timedelta(seconds=60)  # The same direction again within it is the same passage.
GLANCE = timedelta(minutes=2)  # A plate that is read so soon after a car came is that car's.
CLOCK_SET = timedelta(seconds=60)  # Two measurements of one clock that lie so far apart are of a clock that was set in between.
LEAVING = frozenset({"free", "out"})
QUIET = timedelta(minutes=2)  # Longer than each of these together with what follows it: what lies so far apart does not touch.
TRAVEL = timedelta(minutes=5)  # Nobody gets from one site to another in less.


class Plate(msgspec.Struct, frozen=True):
    """A plate as this house handles it: text only in memory, token and seal on disk."""

    text: str
    colour: str
    token: bytes
    sealed: bytes


class Seen(msgspec.Struct, frozen=True):
    """One piece of evidence."""

    id: bytes
    at: datetime
    seq: int
    device: str
    what: What
    plate: Plate | None = None
    confidence: float | None = None
    vehicle_type: str = "unknown"
    raw_at: datetime | None = None
    lane: str = ""
    no_clock: bool = False
    early: timedelta = timedelta(0)  # By how much earlier than `at` it may have happened, and how much later: whoever is to pay
    late: timedelta = timedelta(0)  # came as late, and left as early, as the clock of the device leaves open.

    @property
    def clock(self) -> timedelta | None:
        """By how much its device's clock was corrected."""
        return None if self.no_clock or self.raw_at is None else self.at - self.raw_at

    @property
    def order(self) -> tuple[datetime, bool, int, str, bytes]:
        """A car leaves after what the devices saw of it in the same moment, whoever says that it left."""
        return self.at, self.by_hand, self.seq, self.device, self.id

    @property
    def by_hand(self) -> bool:
        """Not seen by a device: somebody of the operator's says so."""
        return self.device == BY_HAND


class Stay(msgspec.Struct, frozen=True):
    """One stay of one car as its own spot or gate tells it."""

    opened_by: bytes
    entered_at: datetime
    proven_at: datetime
    plate: Plate | None
    confidence: float | None = None
    vehicle_type: str = "unknown"
    left_at: datetime | None = None
    closed_by: bytes | None = None
    why: frozenset[str] = frozenset()
    gaps: tuple[tuple[datetime, datetime], ...] = ()
    evidence: frozenset[bytes] = frozenset()
    over: bool = False  # A later stay has begun: its end needs no waiting for.
    named_at: datetime | None = None  # When its plate was read first, and by what.
    named_by: bytes = b""

    def settles_at(self, gated: bool) -> datetime | None:
        """From when on its end is believed; None while it has none."""
        if self.left_at is None:
            return None
        return self.left_at if self.over else self.left_at + (JITTER if gated else CLEAR)


def stays_of(seen: Iterable[Seen], *, gated: bool, near: NearPlates) -> list[Stay]:
    """The stays of one unit, oldest first: of a spot, or of one plate at one site's gates."""
    ordered = _without_refuted(_without_corrected(sorted(set(seen), key=lambda one: one.order)))
    said, waited = {one.id: one for one in ordered}, [one for one in ordered if one.late]
    return [_at_least(stay, said, waited) for stay in (_gate_stays(ordered) if gated else _spot_stays(ordered, near))]


def _without_corrected(ordered: Sequence[Seen]) -> list[Seen]:
    """A device that speaks again of the same moment corrects itself: its later word counts."""
    last = {(one.device, one.lane, one.at, one.what in ("in", "out") and one.what): one for one in ordered}
    kept = {one.id for one in last.values()}
    return [one for one in ordered if one.id in kept]


def _without_refuted(ordered: Sequence[Seen]) -> list[Seen]:
    """A person's word that a car has gone counts where the devices say that it came and do not say themselves when it went."""
    kept: list[Seen] = []
    came = said = False
    for place, one in enumerate(ordered):
        if one.by_hand:
            after = next((other for other in ordered[place:] if not other.by_hand), None)
            if not came or said or (after is not None and after.what in LEAVING):
                continue
            said = True
        else:
            came, said = one.what not in LEAVING, False
        kept.append(one)
    return kept


def _at_least(stay: Stay, said: Mapping[bytes, Seen], waited: Sequence[Seen]) -> Stay:
    """So much of the stay as the clocks prove: it began as late and ended as early as they leave open."""
    if stay.left_at is not None and (gone := _may_have_gone(stay, stay.left_at, waited)) is not None:
        left_at = gone.at + gone.late
        stay = replace(stay, left_at=left_at, proven_at=min(stay.proven_at, left_at), why=stay.why | _unsure(gone, None))
    came, went = said[stay.opened_by], said.get(stay.closed_by or b"")
    seen_later = (at for at in (stay.proven_at, stay.left_at) if at is not None and at > stay.entered_at)
    entered_at = min((stay.entered_at + came.late, *seen_later)) if stay.left_at != stay.entered_at else stay.entered_at
    why, proven_at = stay.why | _unsure(came, went), max(stay.proven_at, entered_at)
    if stay.left_at is None:
        return replace(stay, entered_at=entered_at, proven_at=proven_at, why=why)
    ends = [stay.left_at]
    if went is not None:
        shown = _shown_between(came, went)
        ends += [stay.left_at - went.early] if shown is None else [stay.left_at - went.early, entered_at + shown]
    left_at = max(entered_at, min(ends))
    return replace(stay, entered_at=entered_at, proven_at=min(proven_at, left_at), left_at=left_at, why=why)


def _may_have_gone(stay: Stay, left_at: datetime, waited: Sequence[Seen]) -> Seen | None:
    """What told that the car had gone, or of another one there, and is taken for earlier than the stay, though it may be of it."""
    within = [one for one in waited if one.at < stay.entered_at < one.at + one.late < left_at and one.id not in stay.evidence]
    gone = [one for one in within if not _of_the_car(stay, one)]
    return min(gone, key=lambda one: (one.at + one.late, one.order), default=None)


def _of_the_car(stay: Stay, one: Seen) -> bool:
    return one.what not in LEAVING and (one.plate is None or stay.plate is None or one.plate.token == stay.plate.token)


def _shown_between(came: Seen, went: Seen) -> timedelta | None:
    """What the device's own clock says that passed, where the two measurements of it differ by no more than a slow network may do."""
    if came.clock is None or went.clock is None or came.raw_at is None or went.raw_at is None or came.device != went.device:
        return None
    return went.raw_at - came.raw_at if timedelta(0) < abs(came.clock - went.clock) <= CLOCK_SET else None


def _unsure(came: Seen, went: Seen | None) -> frozenset[str]:
    """A clock that was set during the stay, or a device without one at its end: then the stay ends when we heard of it."""
    was_set = came.late > CLOCK_SET or (went is not None and went.early > CLOCK_SET)
    if went is not None and came.device == went.device and came.clock is not None and went.clock is not None:
        was_set |= abs(came.clock - went.clock) > CLOCK_SET
    codes = (("clock_unsure", was_set), ("no_clock", went is not None and went.no_clock))
    return frozenset(code for code, holds in codes if holds)


# A spot


def _spot_stays(ordered: Sequence[Seen], near: NearPlates) -> list[Stay]:
    """Each time that a car was seen to stand there, and those of one car with moments between them as one stay."""
    stays: list[Stay] = []
    for standing in _standings(ordered, near):
        stays[-2:] = _after(stays[-2:], standing, near)
    return [part for stay in stays for part in _named_in_time(stay)]


def _named_in_time(stay: Stay) -> list[Stay]:
    """A plate that is read long after the car came may be the next car's, whose coming nobody saw: it pays from where it was read."""
    if stay.named_at is None or stay.named_at - stay.entered_at <= GLANCE:
        return [stay]
    unread = Stay(
        stay.opened_by, stay.entered_at, stay.entered_at, None, vehicle_type=stay.vehicle_type, left_at=stay.entered_at,
        why=frozenset({"no_plate", "exit_missing"}), evidence=frozenset({stay.opened_by}), over=True,
    )  # fmt: skip
    gaps = tuple(gap for gap in stay.gaps if gap[0] >= stay.named_at)
    evidence = stay.evidence - unread.evidence
    return [unread, replace(stay, opened_by=stay.named_by, entered_at=stay.named_at, gaps=gaps, evidence=evidence)]


def _standings(ordered: Sequence[Seen], near: NearPlates) -> list[Stay]:
    """From an occupied reading to the free one that ends it. Another plate in between tells of an exit that was missed."""
    found: list[Stay] = []
    for one in ordered:
        current = found[-1] if found and found[-1].left_at is None else None
        if one.what != "free" and current is None:
            found.append(_begun(one))
        elif one.what != "free" and current is not None:
            found[-1:] = _occupied(current, one, near)
        elif current is not None:
            left_at, why = max(one.at, current.proven_at), current.why | _doubt(one)
            found[-1] = replace(current, left_at=left_at, closed_by=one.id, why=why, evidence=current.evidence | {one.id})
    return found


def _doubt(end: Seen) -> frozenset[str]:
    return frozenset({"closed_by_operator"}) if end.by_hand else frozenset()


def _begun(one: Seen) -> Stay:
    evidence = frozenset({one.id})
    if one.plate is None:
        return Stay(one.id, one.at, one.at, None, one.confidence, one.vehicle_type, why=frozenset({"no_plate"}), evidence=evidence)
    return Stay(
        one.id, one.at, one.at, one.plate, one.confidence, one.vehicle_type, evidence=evidence, named_at=one.at, named_by=one.id
    )  # fmt: skip


def _occupied(current: Stay, one: Seen, near: NearPlates) -> list[Stay]:
    """An occupied reading while a car stands there: the same, or the next one."""
    if _same_car(current.plate, one.plate, near) is not False:
        return [_with_proof(current, _begun(one))]
    return [replace(current, left_at=current.proven_at, why=current.why | {"exit_missing"}, over=True), _begun(one)]


def _after(stays: Sequence[Stay], standing: Stay, near: NearPlates) -> list[Stay]:
    """The last two stays with what was seen next. A plate proves its car only where it was read: what stands there unread after a gap
    may be the next car, and what stood there unread before it the one before. Nobody pays for it, unless one plate is read on both sides.
    """
    if not stays or not _blinked(stays[-1], standing):
        return _next_car(stays, standing)
    *before, last = stays
    if (last.plate is None) == (standing.plate is None):
        return _next_car(stays, standing) if _same_car(last.plate, standing.plate, near) is False else [*before, _joined(last, standing)]
    if standing.plate is None:  # Its end waits: the camera may read the plate when it looks again.
        return [*before, replace(last, why=last.why | {"unread_return"}), standing]
    if before and "unread_return" in before[-1].why and _same_car(before[-1].plate, standing.plate, near):
        return [*before[:-1], _joined(_joined(before[-1], last), standing)]
    return _next_car(stays, standing)


def _next_car(stays: Sequence[Stay], standing: Stay) -> list[Stay]:
    return [*stays[:-1], *(replace(one, over=True) for one in stays[-1:]), standing]


def _blinked(last: Stay, standing: Stay) -> bool:
    """Whether the time between them is too short for a departure to be believed by itself."""
    return not last.over and last.left_at is not None and standing.entered_at - last.left_at <= CLEAR


def _joined(stay: Stay, standing: Stay) -> Stay:
    """One stay, with the gap that looked like a departure in its evidence. Only its last end counts."""
    assert stay.left_at is not None, "the gap begins where it seemed to end"
    gaps = (*stay.gaps, (stay.left_at, standing.entered_at), *standing.gaps)
    goes_on = replace(stay, gaps=gaps, why=stay.why - {"closed_by_operator", "unread_return"})
    return _with_proof(replace(goes_on, left_at=standing.left_at, closed_by=standing.closed_by, over=standing.over), standing)


def _same_car(held: Plate | None, read: Plate | None, near: NearPlates) -> bool | None:
    """None when one of them was not read."""
    if held is None or read is None:
        return None
    return held.token == read.token or near(held.text, read.text)


def _with_proof(stay: Stay, more: Stay) -> Stay:
    """The stay with what more was seen of it. What has no plate proves a car, and that it is this one only if nothing speaks against it."""
    why = stay.why | more.why - {"no_plate"}
    seen = replace(stay, evidence=stay.evidence | more.evidence, why=why)
    if more.plate is None:
        return seen
    if stay.plate is None:
        named = replace(seen, plate=more.plate, confidence=more.confidence, vehicle_type=more.vehicle_type)
        named = replace(named, named_at=more.named_at, named_by=more.named_by)
        return replace(named, proven_at=more.proven_at, why=why - {"no_plate"})
    if stay.plate.token == more.plate.token:
        return replace(seen, proven_at=more.proven_at, confidence=max(stay.confidence or 0.0, more.confidence or 0.0) or None)
    seen = replace(seen, proven_at=more.proven_at, why=why | {"plate_corrected"})
    if (more.confidence or 0.0) >= (stay.confidence or 0.0):  # Two readings of one car, one glyph apart: the surer one names it.
        return replace(seen, plate=more.plate, confidence=more.confidence)
    return seen


# A plate at the gates of a site


class _Pass(msgspec.Struct, frozen=True):
    """Readings of one lane group within moments, taken as one passage with its net direction."""

    what: What
    first: Seen
    evidence: frozenset[bytes]


def _gate_stays(ordered: Sequence[Seen]) -> list[Stay]:
    stays: list[Stay] = []
    for passage in _passages(ordered):
        one, current = passage.first, stays[-1] if stays else None
        inside = current is not None and not current.over
        if passage.what == "in":
            if inside and current is not None:
                stays[-1] = replace(current, left_at=current.proven_at, why=current.why | {"exit_missing"}, over=True)
            stays.append(replace(_begun(one), evidence=passage.evidence))
        elif inside and current is not None:
            why, evidence = current.why | _doubt(one), current.evidence | passage.evidence
            stays[-1] = replace(current, left_at=one.at, closed_by=one.id, why=why, evidence=evidence, over=True)
        else:
            lost = replace(_begun(one), left_at=one.at, closed_by=one.id, evidence=passage.evidence, over=True)
            stays.append(replace(lost, why=lost.why | {"entry_missing"}))
    return _last_may_change(stays)


def _last_may_change(stays: list[Stay]) -> list[Stay]:
    """The end of the last stay is believed after the jitter window only."""
    if stays and stays[-1].over:
        stays[-1] = replace(stays[-1], over=False)
    return stays


def _passages(ordered: Sequence[Seen]) -> list[_Pass]:
    groups: list[list[Seen]] = []
    for one in ordered:
        before = groups[-1][-1] if groups else None
        if before is None or before.by_hand or one.by_hand:
            groups.append([one])
            continue
        limit = REPEAT if before.what == one.what else JITTER
        if one.at - before.at <= limit:
            groups[-1].append(one)
        else:
            groups.append([one])
    return [passage for group in groups if (passage := _net(group)) is not None]


def _net(group: Sequence[Seen]) -> _Pass | None:
    """None when the car went back to where it came from."""
    turns = [one for place, one in enumerate(group) if place == 0 or group[place - 1].what != one.what]
    net = sum(1 if one.what == "in" else -1 for one in turns)
    if net == 0:
        return None
    what: What = "in" if net > 0 else "out"
    return _Pass(what, next(one for one in turns if one.what == what), frozenset(one.id for one in group))


# One plate in several places


class Presence(msgspec.Struct, frozen=True):
    """A stay among all stays of its plate in the city."""

    id: UUID
    unit: str
    site: str
    entered_at: datetime
    proven_at: datetime
    seen_left_at: datetime | None
    left_at: datetime | None = None
    why: frozenset[str] = frozenset()
    exit_unseen: bool = False  # It ends where it was proven last, since another car stood there later.
    inferred: bool = False  # Its end follows from where the plate was next, and needs no waiting for.

    @property
    def order(self) -> tuple[datetime, str, datetime]:
        """Ids are not part of it: the same evidence may stand under other ids when it was heard in another order."""
        return self.entered_at, self.unit, self.proven_at


def untangle(presences: Sequence[Presence]) -> list[Presence]:
    """Decide the ends of one plate's stays by where else it was: a car is in one place. Each two are judged by themselves.

    A stay without an end ends at its last proof when the plate begins another one; two stays that are both proven
    to overlap are two places at once (a clone or a misreading): both go on and neither is debited by itself. Nor is the stay
    after one whose exit nobody saw: its car may still have stood there, and this is a clone of it.
    """
    ordered = sorted(presences, key=lambda one: one.order)
    return [_judged(one, ordered[:place], ordered[place + 1 :]) for place, one in enumerate(ordered)]


def _judged(one: Presence, earlier: Sequence[Presence], later: Sequence[Presence]) -> Presence:
    twice = not all(_apart(other, one) for other in earlier) or not all(_apart(one, other) for other in later)
    inferred = one.seen_left_at is None and any(_apart(one, other) for other in later)
    follows = any(other.seen_left_at is None and _gives_end(other, one, earlier[place + 1 :]) for place, other in enumerate(earlier))
    follows |= bool(earlier) and earlier[-1].exit_unseen
    codes = (("two_places", twice), ("exit_missing_elsewhere", inferred), ("earlier_exit_unseen", follows))
    why = [code for code, holds in codes if holds]
    return replace(one, left_at=one.proven_at if inferred else one.seen_left_at, why=frozenset(why), inferred=inferred)


def _gives_end(held: Presence, one: Presence, between: Sequence[Presence]) -> bool:
    """Whether it is this stay from which the end of the other is inferred."""
    return _apart(held, one) and not any(_apart(held, other) for other in between)


def _apart(earlier: Presence, later: Presence) -> bool:
    """Whether one car can have been in both."""
    if earlier.seen_left_at is not None:
        return earlier.seen_left_at <= later.entered_at
    return later.entered_at - earlier.proven_at >= (timedelta(0) if earlier.site == later.site else TRAVEL)


# `unread_return`: a car whose plate was not read stood there moments after this one had left. If it is the same, this stay was longer.
# `clock_unsure`: its device's clock was set meanwhile; it was at least so long. `no_clock`: its end is when we heard of it.
DOUBTS = frozenset({"exit_missing", "entry_missing", "exit_missing_elsewhere", "two_places", "no_plate", "closed_by_operator"}) | {
    "unread_return", "clock_unsure", "no_clock",
}  # fmt: skip
UNDEBITED = frozenset({"earlier_exit_unseen"})  # Sure in itself, but whose car it was is not: it is billed, and paid by hand.


def certainty_of(why: frozenset[str]) -> Literal["sure", "doubtful"]:
    return "doubtful" if why & DOUBTS else "sure"


# A session: a stay as it is stored


class Session(msgspec.Struct, frozen=True):
    """The record of a stay. `seen_*` is what its own unit tells, `left_at`, `why` what is made of it."""

    id: UUID
    unit: str
    site: str
    spot: str
    opened_by: bytes
    entered_at: datetime
    proven_at: datetime
    plate_token: bytes | None = None
    plate_sealed: bytes | None = None
    plate_colour: str = ""
    vehicle_type: str = "unknown"
    closed_by: bytes | None = None
    seen_left_at: datetime | None = None
    left_at: datetime | None = None
    state: Literal["open", "closed", "void"] = "open"
    certainty: Literal["sure", "doubtful"] = "sure"
    seen_why: frozenset[str] = frozenset()
    why: frozenset[str] = frozenset()
    gaps: tuple[tuple[datetime, datetime], ...] = ()
    person: UUID | None = None
    collect: bool = False  # The holder lets us take it from the wallet, and nothing about the stay or its plate is doubtful.
    version: int = 1
    believed_at: datetime | None = None
    settles_at: datetime | None = None
    candidate: UUID | None = None  # For an exit without an entry: the one stay inside whose plate may have been misread.

    @property
    def end(self) -> datetime | None:
        """As seen, else as inferred."""
        return self.seen_left_at or self.left_at

    def inside_at(self, at: datetime) -> bool:
        """Whether the gates had it inside."""
        return not self.spot and self.state != "void" and self.entered_at <= at and (self.end is None or self.end > at)

    def told_by(self, stay: Stay, *, gated: bool) -> "Session":
        """The session as its unit now tells it."""
        return replace(
            self, opened_by=stay.opened_by, entered_at=stay.entered_at, proven_at=stay.proven_at, closed_by=stay.closed_by,
            plate_token=stay.plate.token if stay.plate else None, plate_sealed=stay.plate.sealed if stay.plate else None,
            plate_colour=stay.plate.colour if stay.plate else "", vehicle_type=stay.vehicle_type, seen_left_at=stay.left_at,
            seen_why=stay.why, gaps=stay.gaps, believed_at=stay.settles_at(gated), state="open" if self.state == "void" else self.state,
        )  # fmt: skip

    def voided(self) -> "Session":
        return replace(self, state="void", left_at=None, seen_left_at=None, settles_at=None, believed_at=None, candidate=None)

    def concluded(self, presence: Presence | None, now: datetime) -> "Session":
        """State, end and doubts at `now`, given where else the plate was."""
        if self.state == "void":
            return self
        left_at = presence.left_at if presence else self.seen_left_at
        believed_at = now if presence and presence.inferred else self.believed_at
        why = self.seen_why | (presence.why if presence else frozenset()) | (self.why & KEPT)
        certainty = certainty_of(why)
        if left_at is None or believed_at is None or believed_at > now:
            return replace(self, state="open", left_at=None, why=why, certainty=certainty, settles_at=believed_at if left_at else None)
        return replace(self, state="closed", left_at=left_at, why=why, certainty=certainty, settles_at=None)

    def presence(self) -> Presence:
        unseen = "exit_missing" in self.seen_why
        return Presence(self.id, self.unit, self.site, self.entered_at, self.proven_at, self.seen_left_at, exit_unseen=unseen)

    def proposing(self, candidates: Sequence[UUID]) -> "Session":
        """An exit without an entry names the only stay it may belong to. It proposes, it does not decide: of two it names none."""
        only = candidates[0] if len(candidates) == 1 and "entry_missing" in self.why else None
        why = self.why | {"near_plate"} if only else self.why - {"near_plate"}
        return replace(self, candidate=only, why=why)


KEPT = frozenset({"no_tariff", "near_plate"})  # Codes that pricing and proposing add and take away.


def recognise(stays: Sequence[Stay], known: Sequence[Session]) -> list[Session | None]:
    """For each stay the stored session it continues: the one it was opened by, else one of whose ends it holds."""
    left = list(known)
    found: list[Session | None] = [_take(left, {stay.opened_by}, ends=False) for stay in stays]
    for place, stay in enumerate(stays):
        if found[place] is None:
            found[place] = _take(left, stay.evidence, ends=True)
    return found


def _take(left: list[Session], evidence: Set[bytes], *, ends: bool) -> Session | None:
    for place, one in enumerate(left):
        if one.opened_by in evidence or (ends and one.closed_by in evidence):
            return left.pop(place)
    return None
