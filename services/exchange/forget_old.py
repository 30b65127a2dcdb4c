"""Access lines are kept for three years, and then forgotten."""

from datetime import datetime, timedelta

from foundation.postgres import Database
from services.exchange import store

ACCESSES_KEPT = timedelta(days=3 * 365)


async def forget_old(database: Database, now: datetime) -> None:
    """`now` is city time, as the lines are."""
    async with database.transaction() as tx:
        await store.forget_accesses(tx, now - ACCESSES_KEPT)
