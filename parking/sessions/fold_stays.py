"""Fold new evidence into stays and settle what each stay now costs: all in the follower's transaction, or nothing."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from foundation import ids, plates, seal
from foundation.events import Fact, SessionClosed, SessionOpened, SessionVoided
from foundation.postgres import Transaction
from parking.bills import pay_bill, settle_bills
from parking.bills.model import Billable
from parking.sessions import model, store
from parking.sessions.model import Seen, Session, Stay
from parking.sessions.store import Observation

_Texts = dict[tuple[int, str], list[tuple[Session, str]]]  # Stays inside with their plates, by each plate with one glyph left out.


@dataclass(frozen=True, slots=True)
class Folded:
    """One session before (nothing, when it is new) and after."""

    before: Session | None
    after: Session


async def fold_stays(tx: Transaction, found: Sequence[Observation], *, keys: seal.Keys, now: datetime) -> None:
    """Add evidence and bring the stays of its units, and of their plates elsewhere, up to date."""
    await store.lock_house(tx)
    await store.save_observations(tx, found)
    told = await _tell_units(tx, await _first_news(tx, found), _places(found), keys)
    folded = await _conclude(tx, [pair for pair in told if pair.before != pair.after], now)
    await _settle(tx, await _propose(tx, folded, keys), now)


async def conclude_due(tx: Transaction, due: Sequence[UUID], *, now: datetime) -> None:
    """Close the stays whose end may be believed by now."""
    await store.lock_house(tx)
    waiting = await store.sessions_by_id(tx, due)
    await _settle(
        tx, await _conclude(tx, [Folded(one, one) for one in waiting if one.settles_at is not None and one.settles_at <= now], now), now
    )


async def reconsider(tx: Transaction, sessions: Sequence[UUID], *, now: datetime) -> None:
    """Look at sessions again, because who holds the plate or what a stay costs has changed. The house is locked by the caller."""
    if not sessions:
        return
    folded = await _conclude(tx, [Folded(one, one) for one in await store.sessions_by_id(tx, sessions)], now)
    await _settle(tx, folded, now, also=frozenset(sessions))


async def _first_news(tx: Transaction, found: Sequence[Observation]) -> dict[str, datetime]:
    """Each unit that may have changed, and since when."""
    news = await store.corrected_units(tx, found)
    for one in found:
        news[one.unit] = min(news.get(one.unit, one.seen.at), one.seen.at)
    return news


def _places(found: Sequence[Observation]) -> dict[str, tuple[str, str]]:
    return {one.unit: (one.site, one.spot) for one in found}


async def _tell_units(tx: Transaction, news: dict[str, datetime], places: dict[str, tuple[str, str]], keys: seal.Keys) -> list[Folded]:
    """The stays of these units as their evidence now tells them."""
    after = await store.anchors(tx, news)
    known: dict[str, list[Session]] = {unit: [] for unit in after}
    for one in await store.sessions_of_units(tx, after):
        known[one.unit].append(one)
    seen = await store.observations_of_units(tx, after)
    return [pair for unit in after for pair in _fold_unit(unit, seen[unit], known[unit], places.get(unit) or _gate_of(unit), keys)]


def _gate_of(unit: str) -> tuple[str, str]:
    """The place of a plate at a site's gates."""
    return unit.partition("|")[0], ""


def _fold_unit(unit: str, evidence: Sequence[Seen], known: Sequence[Session], place: tuple[str, str], keys: seal.Keys) -> list[Folded]:
    """The stays of a unit, each on the session that it continues; sessions that no evidence carries any more are void."""
    mine = sorted(known, key=lambda one: (one.state == "void", one.entered_at))
    stays = model.stays_of(_readable(evidence, keys), gated=not place[1], near=plates.near_plates)
    matched = model.recognise(stays, mine)
    folded = [_told(before, stay, unit, place) for before, stay in zip(matched, stays, strict=True)]
    kept = {pair.after.id for pair in folded}
    return folded + [Folded(one, one.voided()) for one in mine if one.id not in kept and one.state != "void"]


def _told(before: Session | None, stay: Stay, unit: str, place: tuple[str, str]) -> Folded:
    fresh = Session(ids.new_id(), unit, *place, stay.opened_by, stay.entered_at, stay.proven_at, version=0)
    return Folded(before, (before or fresh).told_by(stay, gated=not place[1]))


def _readable(evidence: Sequence[Seen], keys: seal.Keys) -> Sequence[Seen]:
    """Plates are opened only where two of them meet on one spot, to ask whether one is a misreading of the other."""
    if len({one.plate.token for one in evidence if one.plate}) < 2:
        return evidence
    return [replace(one, plate=replace(one.plate, text=text_of(one.plate.sealed, keys))) if one.plate else one for one in evidence]


def text_of(sealed: bytes, keys: seal.Keys) -> str:
    """The normal form of a sealed plate; nothing when its key was dropped."""
    try:
        return keys.unseal(sealed).partition("\x1f")[0]
    except seal.SealBroken:
        return ""


# What is made of it


async def _conclude(tx: Transaction, told: Sequence[Folded], now: datetime) -> list[Folded]:
    """Decide ends by where else the plates were, and name the people. Stays elsewhere that this touches are part of the answer."""
    pairs = {pair.after.id: pair for pair in told}
    since = _since(one for pair in told for one in (pair.before, pair.after) if one is not None)
    for one in await store.sessions_touching(tx, since) if since else []:
        pairs.setdefault(one.id, Folded(one, one))
    presences = {pair.after.id: pair.after for pair in pairs.values()}
    wider = _since(presences.values())
    if any(at < since[token] for token, at in wider.items()):  # Those touched may themselves overlap with older ones.
        presences = {one.id: one for one in await store.sessions_touching(tx, wider)} | presences
    ends = {one.id: one for one in _untangled(presences.values())}
    held = await store.holders(tx, since) if since else {}
    return [Folded(pair.before, _with_person(pair.after.concluded(ends.get(pair.after.id), now), held)) for pair in pairs.values()]


def _since(sessions: Iterable[Session]) -> dict[bytes, datetime]:
    """The earliest beginning of each plate."""
    since: dict[bytes, datetime] = {}
    for one in sessions:
        if one.plate_token:
            since[one.plate_token] = min(since.get(one.plate_token, one.entered_at), one.entered_at)
    return since


def _untangled(sessions: Iterable[Session]) -> list[model.Presence]:
    by_plate: dict[bytes, list[model.Presence]] = {}
    for one in sessions:
        if one.plate_token and one.state != "void":
            by_plate.setdefault(one.plate_token, []).append(one.presence())
    return [presence for presences in by_plate.values() for presence in model.untangle(presences)]


def _with_person(one: Session, held: dict[bytes, list[store.Holder]]) -> Session:
    holder = store.holder_at(held.get(one.plate_token, ()), one.entered_at) if one.plate_token else None
    certain = one.certainty == "sure" and not one.why & model.UNDEBITED
    return replace(one, person=holder.person if holder else None, collect=holder is not None and holder.auto_pay and certain)


async def _propose(tx: Transaction, folded: Sequence[Folded], keys: seal.Keys) -> list[Folded]:
    """For exits without an entry: which stay inside may be theirs. Any order of arrival ends in the same proposals."""
    pairs = {pair.after.id: pair for pair in folded}
    since: dict[str, datetime] = {}
    for pair in folded:
        if (at := _inside_otherwise(pair)) is not None:
            since[pair.after.site] = min(since.get(pair.after.site, at), at)
    for one in await store.unmatched_exits(tx, since) if since else []:
        pairs.setdefault(one.id, Folded(one, one))
    exits = [pair.after for pair in pairs.values() if pair.after.candidate is not None or _unmatched(pair.after)]
    proposed = {exit.id: exit.proposing([]) for exit in exits}
    open_questions = [exit for exit in exits if _unmatched(exit)]
    for site in {exit.site for exit in open_questions}:
        asked = [exit for exit in open_questions if exit.site == site]
        inside = await _inside_of(tx, site, asked, pairs, keys)
        proposed |= {exit.id: exit.proposing(_candidates(exit, inside, keys)) for exit in asked}
    return [Folded(pair.before, proposed.get(pair.after.id, pair.after)) for pair in pairs.values()]


def _unmatched(one: Session) -> bool:
    return not one.spot and one.state != "void" and one.plate_sealed is not None and "entry_missing" in one.why


def _inside_otherwise(pair: Folded) -> datetime | None:
    """From when on the gates of its site have another car inside, or not inside, than before."""
    before, after = pair.before, pair.after
    if after.spot:
        return None
    if before is None or _inside(before) != _inside(after):
        return min(before.entered_at, after.entered_at) if before else after.entered_at
    ends = [end for end in (before.end, after.end) if end is not None]
    return min(ends) if before.end != after.end else None


def _inside(one: Session) -> tuple[datetime, bytes | None, bool]:
    return one.entered_at, one.plate_token, one.state == "void"


async def _inside_of(tx: Transaction, site: str, exits: Sequence[Session], pairs: Mapping[UUID, Folded], keys: seal.Keys) -> _Texts:
    """Whoever was inside at any of these exits. Each plate is opened once, however many exits ask, as after a dead entry camera."""
    times = [exit.entered_at for exit in exits]
    stored = {one.id: one for one in await store.sessions_inside(tx, site, min(times), max(times))}
    inside: _Texts = {}
    for one in (stored | {pair.after.id: pair.after for pair in pairs.values() if pair.after.site == site}).values():
        if one.plate_sealed is not None and not one.spot and one.state != "void":
            text = text_of(one.plate_sealed, keys)
            for hole in _holes(text):
                inside.setdefault(hole, []).append((one, text))
    return inside


def _holes(text: str) -> Iterable[tuple[int, str]]:
    """Two texts that differ in one glyph at most are equal with that glyph left out."""
    return ((place, text[:place] + text[place + 1 :]) for place in range(len(text)))


def _candidates(exit: Session, inside: _Texts, keys: seal.Keys) -> list[UUID]:
    """One usual confusion apart, or the same characters in another colour."""
    assert exit.plate_sealed is not None, "only a plate has look-alikes"
    text = text_of(exit.plate_sealed, keys)
    found = {one.id: (one, other) for hole in _holes(text) for one, other in inside.get(hole, ())}
    return [
        one.id
        for one, other in found.values()
        if one.plate_token != exit.plate_token and one.inside_at(exit.entered_at) and (text == other or plates.near_plates(text, other))
    ]


# What it costs


async def _settle(tx: Transaction, folded: Sequence[Folded], now: datetime, *, also: Set[UUID] = frozenset()) -> None:
    """Save, tell and settle what has changed, and settle `also` what has not."""
    changed = [_counted(pair) for pair in folded if pair.before != pair.after]
    await store.save_sessions(tx, [pair.after for pair in changed])
    tx.tell(*(fact for pair in changed for fact in _facts(pair)), at=now)
    to_settle = changed + [pair for pair in folded if pair.before == pair.after and pair.after.id in also]
    settled = await settle_bills.settle_bills(tx, [one for pair in to_settle for one in _billable(pair)], now=now)
    await _mark_unpriced(tx, [pair.after for pair in to_settle], settled.unpriced)
    for person in sorted(settled.may_collect):
        await pay_bill.collect_debts(tx, person, now=now)


async def _mark_unpriced(tx: Transaction, sessions: Sequence[Session], unpriced: set[UUID]) -> None:
    """A stay that no tariff prices is never free in silence: it says so, and is priced when a tariff is published."""
    marked = []
    for one in sessions:
        why = one.why | {"no_tariff"} if one.id in unpriced else one.why - {"no_tariff"}
        if why != one.why:
            marked.append(replace(one, why=why))
    if marked:
        await store.save_sessions(tx, marked)


def _billable(pair: Folded) -> list[Billable]:
    """Only a plate can be billed; what was billed to one that it turned out not to have is taken back."""
    one, void = pair.after, pair.after.state == "void"
    if not one.plate_token and pair.before is not None:
        one, void = pair.before, True
    if not one.plate_token or not one.plate_sealed:
        return []
    return [
        Billable(
            one.id, one.site, one.plate_token, one.plate_sealed, one.plate_colour, one.vehicle_type, one.entered_at, one.left_at,
            one.certainty,
            one.person, one.collect, void=void,
        )
    ]  # fmt: skip


def _counted(pair: Folded) -> Folded:
    return Folded(pair.before, replace(pair.after, version=pair.after.version + 1))


def _facts(pair: Folded) -> list[Fact]:
    before, one = pair.before, pair.after
    if one.state == "void":
        return [SessionVoided(session=one.id, site=one.site, person=one.person)]
    if one.state == "closed" and one.left_at is not None:
        return [
            SessionClosed(
                session=one.id, site=one.site, entered_at=one.entered_at, left_at=one.left_at, version=one.version,
                certainty=one.certainty, person=one.person,
            )
        ]  # fmt: skip
    if before is None or before.state != "open" or (before.entered_at, before.person) != (one.entered_at, one.person):
        return [SessionOpened(session=one.id, site=one.site, spot=one.spot, entered_at=one.entered_at, person=one.person)]
    return []
