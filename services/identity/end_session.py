"""A log-in ends: one by its owner, all of a person when she is locked; what ended never wakes again."""

import uuid
from datetime import datetime

from foundation.errors import NotFound
from foundation.postgres import Database, Transaction
from services.identity import store
from services.identity.who_is import Known


async def end_session(database: Database, known: Known, *, person: uuid.UUID, session: uuid.UUID, now: datetime) -> None:
    """End one of one's own log-ins. Raises NotFound for anybody else's."""

    async def work(tx: Transaction) -> bool:
        return await store.end_session(tx, session, person, now)

    if not await database.run(work):
        raise NotFound
    known.forget(person)


async def lock_person(database: Database, known: Known, *, person: uuid.UUID, now: datetime) -> None:
    """Nobody logs in as her, and every log-in there is has ended: unlocking gives none of them back. Raises NotFound."""

    async def work(tx: Transaction) -> bool:
        locked = await store.block_person(tx, person, now)
        await store.end_sessions_of(tx, person, now)
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
