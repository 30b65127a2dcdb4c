"""What the door keeps only for a while is forgotten: refused messages after a week, strangers beyond the newest thousand."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from foundation import postgres
from foundation.clock import Clock
from foundation.postgres import Database
from gateway_mqtt import store

log = structlog.get_logger()

REFUSED_KEPT = timedelta(days=7)
EVERY_SECONDS = 3600


async def forget_old(database: Database, clock: Clock, done: Callable[[], None]) -> None:
    """Each hour, for ever."""
    while True:
        try:
            await forget_once(database, clock.city())
        except postgres.AWAY as error:
            log.warning("forgetting_waits", error=type(error).__name__)
        for _ in range(EVERY_SECONDS):
            done()
            await asyncio.sleep(1)


async def forget_once(database: Database, now: datetime) -> None:
    """`now` is city time, as all that devices say is dated by it."""
    async with database.transaction() as tx:
        await store.forget_refused(tx, now - REFUSED_KEPT)
        await store.trim_unknown(tx)
