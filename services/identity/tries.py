"""Tries at a proof are counted before the question is asked, so that five at once are five; an outage gives its try back."""

import uuid
from datetime import datetime
from typing import Literal

from foundation import ids
from foundation.errors import TooMany
from foundation.postgres import Database, Transaction
from services.identity import model, store

What = Literal["plate", "level"]


async def spend_try(database: Database, person: uuid.UUID, what: What, wall: datetime) -> uuid.UUID:
    """Raises TooMany after five of a city day that proved nothing."""
    begin, end = model.day_of(wall)
    spent = ids.new_id()

    async def work(tx: Transaction) -> None:
        await store.lock_person(tx, person)
        if await store.count_proof_tries(tx, person, what, begin) >= model.PROOF_TRIES_MAX:
            raise TooMany("five tries a day; try again tomorrow", retry_after_s=int((end - wall).total_seconds()) + 1)
        await store.keep_proof_try(tx, spent, person, what, wall)

    await database.run(work)
    return spent


async def give_back(database: Database, spent: uuid.UUID) -> None:
    """Nobody answered: that is never held against the person."""
    async with database.transaction() as tx:
        await store.drop_proof_try(tx, spent)
