"""Somebody of the operator's says that a car has gone which no device saw leave: one more piece of evidence, weaker than a device's."""

from datetime import datetime
from uuid import UUID

from foundation.clock import whole_seconds
from foundation.errors import Conflict, NotFound, invalid
from foundation.events import DepartureSaid
from foundation.ids import id_of
from foundation.postgres import Transaction
from foundation.seal import Keys
from parking.sessions import fold_stays, store
from parking.sessions.model import BY_HAND, Seen
from parking.sessions.store import Observation


async def close_stay(
    tx: Transaction, keys: Keys, session: UUID, *, left_at: datetime, evidence: str, said_by: UUID, operators: frozenset[str] | None,
    now: datetime,
) -> None:  # fmt: skip
    """`operators` are those whose sites the person may speak for; None: all. Times are city time.

    Raises NotFound, Conflict for a stay that has an end, Invalid for an end before the last proof of the car or in the future.
    """
    await store.lock_house(tx)
    row = await tx.row(store.queries.session_with_operator, session)
    if row is None or row["state"] == "void" or not (operators is None or row["operator"] in operators):
        raise NotFound
    if row["seen_left_at"] is not None or row["state"] != "open":
        raise Conflict("this stay has an end", code="has_ended")
    left_at = whole_seconds(left_at)
    if not whole_seconds(row["proven_at"]) <= left_at <= now:
        raise invalid(
            "/left_at",
            "range",
            f"the car was seen until {row['proven_at'].isoformat(timespec='seconds')}, and it is not gone later than now",
        )
    left_at = max(left_at, row["proven_at"])
    number = id_of("departure-said", session, left_at.isoformat(), said_by).bytes
    seen = Seen(number, left_at, 0, BY_HAND, "free" if row["spot"] else "out", raw_at=left_at)
    await fold_stays.fold_stays(tx, [Observation(row["unit"], row["site"], row["spot"], seen, evidence, left_at)], keys=keys, now=now)
    tx.tell(DepartureSaid(session=session, site=row["site"], left_at=left_at, said_by=said_by, evidence=evidence), at=now)
