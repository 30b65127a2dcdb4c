"""Fold new evidence into stays and settle what each stay now costs: all in the follower's transaction, or nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from foundation import ids, plates, seal
from foundation.events import Fact, SessionClosed, SessionOpened, SessionVoided
from foundation.postgres import Transaction
from parking.bills import settle_bills
from parking.bills.model import Billable
from parking.sessions import model, store
from parking.sessions.model import Seen, Session, Stay
from parking.sessions.store import Observation


@dataclass(frozen=True, slots=True)
class Folded:
    """One session before (nothing, when it is new) and after."""

    before: Session | None
    after: Session


async def fold_stays(tx: Transaction, found: Sequence[Observation], *, keys: seal.Keys, now: datetime) -> None:
    """Add evidence and bring the stays of its units, and of their plates elsewhere, up to date."""
    await store.save_observations(tx, found)
    first_news: dict[str, datetime] = {}
    for one in found:
        first_news[one.unit] = min(first_news.get(one.unit, one.seen.at), one.seen.at)
    after = await store.anchors(tx, first_news)
    known = await store.lock_sessions_of_units(tx, after)
    seen = await store.observations_of_units(tx, after)
    told = [pair for unit, evidence in seen.items() for pair in _fold_unit(unit, evidence, known, _places(found)[unit], keys)]
    await _conclude(tx, told, now)


async def conclude_due(tx: Transaction, due: Sequence[UUID], *, now: datetime) -> None:
    """Close the stays whose end may be believed by now."""
    locked = await store.lock_sessions(tx, due)
    await _conclude(tx, [Folded(one, one) for one in locked if one.settles_at is not None and one.settles_at <= now], now)


async def reconsider(tx: Transaction, sessions: Sequence[UUID], *, now: datetime) -> None:
    """Look at sessions again, because who holds the plate or what a stay costs has changed."""
    locked = await store.lock_sessions(tx, sessions)
    await _conclude(tx, [Folded(one, one) for one in locked], now, all_of_them=True)


def _places(found: Sequence[Observation]) -> dict[str, tuple[str, str]]:
    return {one.unit: (one.site, one.spot) for one in found}


def _fold_unit(unit: str, evidence: Sequence[Seen], known: Sequence[Session], place: tuple[str, str], keys: seal.Keys) -> list[Folded]:
    """The stays of a unit, each on the session that it continues; sessions that no evidence carries any more are void."""
    site, spot = place
    mine = sorted((one for one in known if one.unit == unit), key=lambda one: (one.state == "void", one.entered_at))
    stays = model.stays_of(_readable(evidence, keys), gated=not spot, near=plates.near_plates)
    matched = model.recognise(stays, mine)
    folded = [_told(before, stay, unit, site, spot) for before, stay in zip(matched, stays, strict=True)]
    kept = {pair.after.id for pair in folded}
    return folded + [Folded(one, one.voided()) for one in mine if one.id not in kept and one.state != "void"]


def _told(before: Session | None, stay: Stay, unit: str, site: str, spot: str) -> Folded:
    fresh = Session(
        ids.id_of("session", unit, stay.opened_by.hex()), unit, site, spot, stay.opened_by, stay.entered_at, stay.proven_at, version=0
    )
    return Folded(before, (before or fresh).told_by(stay, gated=not spot))


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


async def _conclude(tx: Transaction, told: Sequence[Folded], now: datetime, *, all_of_them: bool = False) -> None:
    """Decide ends by where else the plates were, name the people, save, tell, settle."""
    pairs = {pair.after.id: pair for pair in told}
    since: dict[bytes, datetime] = {}
    for pair in told:
        for one in (pair.before, pair.after):
            if one is not None and one.plate_token:
                since[one.plate_token] = min(since.get(one.plate_token, one.entered_at), one.entered_at)
    for one in await store.lock_sessions_of_plates(tx, since):
        pairs.setdefault(one.id, Folded(one, one))
    held = await store.holders(tx, since)
    ends = {one.id: one for one in _untangled(pair.after for pair in pairs.values())}
    concluded = [Folded(pair.before, _with_person(pair.after.concluded(ends.get(pair.after.id), now), held)) for pair in pairs.values()]
    changed = [_counted(pair) for pair in concluded if pair.before != pair.after]
    chosen = {pair.after.id for pair in told} if all_of_them else set()
    await store.save_sessions(tx, [pair.after for pair in changed])
    tx.tell(*(fact for pair in changed for fact in _facts(pair)), at=now)
    to_settle = [pair.after for pair in changed] + [
        pair.after for pair in concluded if pair.before == pair.after and pair.after.id in chosen
    ]
    billable = [_billable(one, held) for one in to_settle if one.plate_token and one.plate_sealed]
    unpriced = await settle_bills.settle_bills(tx, billable, now=now)
    await _mark_unpriced(tx, to_settle, unpriced)


async def _mark_unpriced(tx: Transaction, sessions: Sequence[Session], unpriced: set[UUID]) -> None:
    """A stay that no tariff prices is never free in silence: it says so, and is priced when a tariff is published."""
    marked = []
    for one in sessions:
        why = one.why | {"no_tariff"} if one.id in unpriced else one.why - {"no_tariff"}
        if why != one.why:
            marked.append(replace(one, why=why))
    if marked:
        await store.save_sessions(tx, marked)


def _billable(one: Session, held: dict[bytes, list[store.Holder]]) -> Billable:
    assert one.plate_token is not None and one.plate_sealed is not None, "only a plate can be billed"
    holder = store.holder_at(held.get(one.plate_token, ()), one.entered_at)
    collect = holder is not None and holder.auto_pay and one.certainty == "sure"
    return Billable(
        one.id, one.site, one.plate_token, one.plate_sealed, one.plate_colour, one.vehicle_type, one.entered_at, one.left_at, one.certainty,
        one.person, collect, void=one.state == "void",
    )  # fmt: skip


def _untangled(sessions: Iterable[Session]) -> list[model.Presence]:
    by_plate: dict[bytes, list[model.Presence]] = {}
    for one in sessions:
        if one.plate_token and one.state != "void":
            by_plate.setdefault(one.plate_token, []).append(one.presence())
    return [presence for presences in by_plate.values() for presence in model.untangle(presences)]


def _with_person(one: Session, held: dict[bytes, list[store.Holder]]) -> Session:
    holder = store.holder_at(held.get(one.plate_token, ()), one.entered_at) if one.plate_token else None
    return replace(one, person=holder.person if holder else None)


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
