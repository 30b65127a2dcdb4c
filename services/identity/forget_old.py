"""What identity keeps only for a while is forgotten: codes after a day, tries after two, log-ins a year after their last use."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from foundation import postgres
from foundation.clock import Clock
from foundation.postgres import Database
from services.identity import store

log = structlog.get_logger()

CODES_KEPT = timedelta(days=1)
TRIES_KEPT = timedelta(days=2)  # A city day and what a time zone may add.
SESSIONS_KEPT = timedelta(days=365)


async def forget_old(database: Database, now: datetime) -> None:
    """`now` is wall time. To be called each hour or so."""
    async with database.transaction() as tx:
        await store.forget_codes(tx, now - CODES_KEPT)
        await store.forget_proof_tries(tx, now - TRIES_KEPT)
        await store.forget_sessions(tx, now - SESSIONS_KEPT)


async def keep_forgetting(database: Database, clock: Clock, done: Callable[[], None]) -> None:
    """Each hour, for ever."""
    while True:
        try:
            await forget_old(database, clock.wall())
        except postgres.AWAY as error:
            log.warning("forgetting_waits", error=type(error).__name__)
        for _ in range(3600):
            done()
            await asyncio.sleep(1)
