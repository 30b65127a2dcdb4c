"""Count what comes, goes and is billed, from the facts about stays."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from foundation.events import BillSettled, Fact, SessionClosed, SessionOpened, SessionVoided
from foundation.journal import Entry, Journal
from foundation.postgres import Database, Transaction
from parking.pulse import store
from parking.pulse.model import Beat, Counted, Place, billed, differences, step_of, summed

PULSES_KEPT = timedelta(days=400)  # A year, and the month to compare it with: a few hundred rows a day and operator.
COUNTED_KEPT = timedelta(
    days=8
)  # What is learnt of a stay later than this is no news of the city's pulse: the bill has it, the curve has not.
FORGOTTEN_MAX = 20_000


class PulseFollower:
    """Each fact changes the counts by the difference that it makes: a corrected stay is counted once, where it is now said to have been."""

    name = "parking.pulse"
    journal: Journal = "fact"
    kinds = frozenset({SessionOpened.kind, SessionClosed.kind, SessionVoided.kind, BillSettled.kind})

    async def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        facts = [(entry.at, entry.event) for entry in entries]
        before = await store.counted(tx, {_session(fact) for _, fact in facts})
        operators = await store.operators_of(tx, {fact.site for _, fact in facts if isinstance(fact, SessionOpened | SessionClosed)})
        after, money = _told(before, facts, operators)
        changes = summed(differences(before, after).items(), money)
        await store.save_counted(tx, {session: one for session, one in after.items() if before.get(session) != one})
        await store.add(tx, changes)


def _session(fact: object) -> UUID:
    assert isinstance(fact, SessionOpened | SessionClosed | SessionVoided | BillSettled)
    return fact.session


def _told(
    before: dict[UUID, Counted], facts: Sequence[tuple[datetime, object]], operators: dict[str, str]
) -> tuple[dict[UUID, Counted], list[tuple[Place, Beat]]]:
    """All stays of the batch as the facts leave them, and the money that moved, at the time of the fact that moved it."""
    after, money = dict(before), []
    for at, fact in facts:
        session = _session(fact)
        counted = after.get(session) or Counted(_operator(fact, operators))
        if isinstance(fact, BillSettled):
            after[session], difference = billed(counted, fact.total)
            money.append(((step_of(at), fact.operator), Beat(billed=difference)))
        elif isinstance(fact, SessionOpened):
            after[session] = replace(counted, entered_at=fact.entered_at, left_at=None)
        elif isinstance(fact, SessionClosed):
            after[session] = replace(counted, entered_at=fact.entered_at, left_at=fact.left_at)
        elif isinstance(fact, SessionVoided):
            after[session] = replace(counted, entered_at=None, left_at=None)
    return after, money


def _operator(fact: object, operators: dict[str, str]) -> str:
    if isinstance(fact, BillSettled):
        return fact.operator
    assert isinstance(fact, Fact)
    return operators.get(getattr(fact, "site", ""), "")


async def forget_once(database: Database, now: datetime) -> int:
    """Answers how many stays were forgotten; call it until that is none."""
    return await database.run(lambda tx: store.forget(tx, now - PULSES_KEPT, now - COUNTED_KEPT, FORGOTTEN_MAX))
