"""A log-in ends: one by its owner, all of a person when she is locked; what ended never wakes again."""

import uuid
from datetime import datetime

from foundation import events
from foundation.errors import NotFound
from foundation.postgres import Database, Transaction
from services.identity import store
from services.identity.who_is import Known


async def end_session(database: Database, known: Known, *, person: uuid.UUID, session: uuid.UUID, now: datetime, city: datetime) -> None:
    """End one of one's own log-ins, wherever it is used. `now` is wall time. Raises NotFound for anybody else's."""

    async def work(tx: Transaction) -> bool:
        ended = await store.end_session(tx, session, person, now)
        if ended:
            tx.tell(events.LogInEnded(person=person, session=session), at=city)
        return ended

    if not await database.run(work):
        raise NotFound
    known.forget(person)


async def end_other_sessions(
    database: Database, known: Known, *, person: uuid.UUID, current: uuid.UUID, now: datetime, city: datetime
) -> int:
    """End all of one's own log-ins but this one; answers how many."""

    async def work(tx: Transaction) -> int:
        ended = await store.end_other_sessions(tx, person, current, now)
        for session in ended:
            tx.tell(events.LogInEnded(person=person, session=session), at=city)
        return len(ended)

    ended = await database.run(work)
    known.forget(person)
    return ended


async def lock_person(database: Database, known: Known, *, person: uuid.UUID, now: datetime, city: datetime) -> None:
    """Nobody logs in as her, and every log-in there is has ended: unlocking gives none of them back. Raises NotFound."""

    async def work(tx: Transaction) -> bool:
        locked = await store.block_person(tx, person, now)
        await store.end_sessions_of(tx, person, now)
        tx.tell(events.LogInEnded(person=person), at=city)
        return locked

    if not await database.run(work):
        raise NotFound
    known.forget(person)


async def unlock_person(database: Database, *, person: uuid.UUID) -> None:
    """She may log in anew. Raises NotFound."""

    async def work(tx: Transaction) -> bool:
        return await store.unblock_person(tx, person)

    if not await database.run(work):
        raise NotFound
