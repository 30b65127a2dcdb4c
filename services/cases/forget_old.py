"""What was begun and left lying is forgotten: the person asked for nothing, so there is nothing to keep."""

from datetime import datetime, timedelta

from foundation.postgres import Database
from services.cases import store

DRAFTS_KEPT = timedelta(days=30)


async def forget_old(database: Database, now: datetime) -> None:
    """`now` is city time. To be called each hour or so."""
    async with database.transaction() as tx:
        await store.forget_drafts(tx, now - DRAFTS_KEPT)
