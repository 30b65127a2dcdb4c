"""Files that nobody handed in are forgotten as drafts are, and those of who was erased at once."""

from datetime import datetime, timedelta

from foundation.postgres import Database
from services.evidence import store

LEFT_LYING_KEPT = timedelta(days=30)


async def forget_old(database: Database, now: datetime) -> None:
    """`now` is city time. To be called each hour or so."""
    async with database.transaction() as tx:
        await store.forget_left_lying(tx, now - LEFT_LYING_KEPT)
        await store.forget_erased(tx)
