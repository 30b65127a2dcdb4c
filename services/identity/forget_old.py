"""What identity keeps only for a while is forgotten: codes after a day, tries after two, log-ins a year after their last use."""

from datetime import datetime, timedelta

from foundation.postgres import Database
from services.identity import store

CODES_KEPT = timedelta(days=1)
TRIES_KEPT = timedelta(days=2)  # A city day and what a time zone may add.
SESSIONS_KEPT = timedelta(days=365)


async def forget_old(database: Database, now: datetime) -> None:
    """`now` is wall time. To be called each hour or so."""
    async with database.transaction() as tx:
        await store.forget_codes(tx, now - CODES_KEPT)
        await store.forget_proof_tries(tx, now - TRIES_KEPT)
        await store.forget_sessions(tx, now - SESSIONS_KEPT)
