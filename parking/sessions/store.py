"""What is remembered of stays, one function a query."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from foundation import sql
from foundation.postgres import Record, Transaction
from parking.sessions import model
from parking.sessions.model import Plate, Seen, Session

queries = sql.load("parking.sessions")


@dataclass(frozen=True, slots=True)
class Holder:
    """Who held a plate in `[since, until)`."""

    person: UUID
    since: datetime
    until: datetime | None
    auto_pay: bool


@dataclass(frozen=True, slots=True)
class Observation:
    """A reading as evidence of its unit."""

    unit: str
    site: str
    spot: str
    seen: Seen
    evidence: str
    raw_at: datetime


async def save_observations(tx: Transaction, found: Sequence[Observation]) -> None:
    rows = [
        (
            one.unit, one.seen.at, one.seen.id, one.seen.seq, one.seen.device, one.seen.lane, one.seen.what,
            one.seen.plate.token if one.seen.plate else None, one.seen.plate.sealed if one.seen.plate else None,
            one.seen.plate.colour if one.seen.plate else "", one.seen.vehicle_type, one.seen.confidence, one.evidence, one.raw_at,
            one.seen.no_clock, one.seen.early, one.seen.late,
        )
        for one in found
    ]  # fmt: skip
    await tx.execute(queries.save_observations, *[list(column) for column in zip(*rows, strict=True)])


async def lock_house(tx: Transaction) -> None:
    """First of all in a transaction that changes stays."""
    await tx.execute(queries.lock_house)


async def corrected_units(tx: Transaction, found: Sequence[Observation]) -> dict[str, datetime]:
    """Units that have evidence of the same passages as `found`, and since when."""
    passages = {(one.seen.device, one.seen.lane, one.seen.at, one.seen.what) for one in found if one.seen.lane}
    if not passages:
        return {}
    rows = await tx.fetch(queries.corrected_units, *[list(column) for column in zip(*passages, strict=True)])
    return {row["unit"]: row["at"] for row in rows}


async def anchors(tx: Transaction, first_news: Mapping[str, datetime]) -> dict[str, datetime]:
    rows = await tx.fetch(queries.anchors, list(first_news), list(first_news.values()), model.QUIET, model.CLEAR, model.REPEAT)
    return {row["unit"]: row["anchor"] for row in rows}


async def sessions_of_units(tx: Transaction, after: Mapping[str, datetime]) -> list[Session]:
    return [session_of(row) for row in await tx.fetch(queries.sessions_of_units, list(after), list(after.values()))]


async def sessions_touching(tx: Transaction, since: Mapping[bytes, datetime]) -> list[Session]:
    """Of each plate those that what begins at or after the time may change, or be changed by."""
    return [session_of(row) for row in await tx.fetch(queries.sessions_touching, list(since), list(since.values()), model.TRAVEL)]


async def unmatched_exits(tx: Transaction, since: Mapping[str, datetime]) -> list[Session]:
    return [session_of(row) for row in await tx.fetch(queries.unmatched_exits, list(since), list(since.values()))]


async def sessions_inside(tx: Transaction, site: str, first: datetime, last: datetime) -> list[Session]:
    return [session_of(row) for row in await tx.fetch(queries.sessions_inside, site, first, last)]


async def sessions_by_id(tx: Transaction, ids: Sequence[UUID]) -> list[Session]:
    return [session_of(row) for row in await tx.fetch(queries.sessions_by_id, list(ids))]


async def sessions_of_plate_since(tx: Transaction, plate_token: bytes, since: datetime) -> list[UUID]:
    return [row["id"] for row in await tx.fetch(queries.sessions_of_plate_since, plate_token, since)]


async def sessions_of_plate_after(tx: Transaction, plate_token: bytes, at: datetime) -> list[UUID]:
    """Those that were not over at that time."""
    return [row["id"] for row in await tx.fetch(queries.sessions_of_plate_after, plate_token, at)]


async def unpriced_sessions(tx: Transaction, tariff: str | None, site: str | None, after: UUID, limit: int) -> list[UUID]:
    return [row["id"] for row in await tx.fetch(queries.unpriced_sessions, tariff, site, after, limit)]


async def forget_observations(tx: Transaction, before: datetime, limit: int) -> int:
    """How many were forgotten."""
    return int((await tx.execute(queries.forget_observations, before, limit)).rpartition(" ")[2])


async def due_sessions(tx: Transaction, now: datetime, limit: int) -> list[UUID]:
    return [row["id"] for row in await tx.fetch(queries.due_sessions, now, limit)]


async def observations_of_units(tx: Transaction, after: Mapping[str, datetime]) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = {unit: [] for unit in after}
    for row in await tx.fetch(queries.observations_of_units, list(after), list(after.values())):
        found[row["unit"]].append(_seen(row))
    return found


def _seen(row: Record) -> Seen:
    plate = Plate("", row["plate_colour"], row["plate_token"], row["plate_sealed"]) if row["plate_token"] else None
    return Seen(
        row["id"], row["at"], row["seq"], row["device"], row["what"], plate, row["confidence"], row["vehicle_type"], row["raw_at"],
        row["lane"], row["no_clock"], row["early"], row["late"],
    )  # fmt: skip


async def save_sessions(tx: Transaction, sessions: Sequence[Session]) -> None:
    """Void ones first, then oldest first: a unit has one open session at any moment, also within a transaction."""
    ordered = sorted(sessions, key=lambda one: (one.state != "void", one.state == "open", one.entered_at))
    if ordered:
        await tx.execute(queries.save_sessions, *[list(column) for column in zip(*map(_columns, ordered), strict=True)])


def _columns(one: Session) -> tuple[object, ...]:
    gaps = json.dumps([[left.isoformat(), back.isoformat()] for left, back in one.gaps])
    return (
        one.id, one.unit, one.site, one.spot, one.opened_by, one.entered_at, one.proven_at, one.plate_token, one.plate_sealed,
        one.plate_colour,
        one.vehicle_type, one.closed_by, one.seen_left_at, one.left_at, one.state, one.certainty, ",".join(sorted(one.seen_why)),
        ",".join(sorted(one.why)), gaps,
        one.person, one.version, one.believed_at, one.settles_at, one.candidate,
        one.collect,
    )  # fmt: skip


def session_of(row: Record) -> Session:
    gaps = tuple((datetime.fromisoformat(left), datetime.fromisoformat(back)) for left, back in json.loads(row["gaps"]))
    return Session(
        row["id"], row["unit"], row["site"], row["spot"], row["opened_by"], row["entered_at"], row["proven_at"], row["plate_token"],
        row["plate_sealed"], row["plate_colour"], row["vehicle_type"], row["closed_by"], row["seen_left_at"], row["left_at"], row["state"],
        row["certainty"], frozenset(row["seen_why"]), frozenset(row["why"]), gaps, row["person"], row["collect"], row["version"],
        row["believed_at"], row["settles_at"],
        row["candidate"],
    )  # fmt: skip


async def begin_holding(tx: Transaction, plate_token: bytes, person: UUID, since: datetime, *, auto_pay: bool) -> None:
    """Whoever held it before does so no longer."""
    await tx.execute(queries.end_holders, plate_token, since, person)
    await tx.execute(queries.add_holder, plate_token, person, since, auto_pay)


async def end_holding(tx: Transaction, plate_token: bytes, person: UUID, until: datetime) -> None:
    await tx.execute(queries.end_holding, plate_token, person, until)


async def holders(tx: Transaction, tokens: Iterable[bytes]) -> dict[bytes, list[Holder]]:
    found: dict[bytes, list[Holder]] = {}
    for row in await tx.fetch(queries.holders, sorted(set(tokens))):
        found.setdefault(row["plate_token"], []).append(Holder(row["person"], row["since"], row["until"], row["auto_pay"]))
    return found


def holder_at(held: Sequence[Holder], at: datetime) -> Holder | None:
    return next((one for one in held if one.since <= at and (one.until is None or at < one.until)), None)
