"""The one job that forgets: each house says what it keeps only for a while, and here stands for how long."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog
from prometheus_client import Counter

from citymap import history
from foundation import postgres
from foundation.clock import Clock
from foundation.postgres import Database
from gateway_mqtt import store as gateway
from parking.pulse import follow as pulse
from parking.sessions import follow as sessions
from services.cases import forget_old as cases
from services.evidence import forget_old as evidence
from services.exchange import forget_old as exchange
from services.identity import forget_old as identity
from services.licences import show_licence

log = structlog.get_logger()

REFUSED_KEPT = timedelta(days=7)
FORGOTTEN = Counter("onelot_forgotten_rows_total", "Rows whose time of keeping was over", ["what"])


async def forget_old(database: Database, clock: Clock) -> None:
    """Readings and refusals go by city time, what concerns people's log-ins by the wall."""
    city = clock.city()
    async with database.transaction() as tx:
        FORGOTTEN.labels("refused").inc(await gateway.forget_refused(tx, city - REFUSED_KEPT))
        await gateway.trim_unknown(tx)
    while forgotten := await sessions.forget_once(database, clock):
        FORGOTTEN.labels("observations").inc(forgotten)
    while forgotten := await history.forget_once(database, city):
        FORGOTTEN.labels("moments").inc(forgotten)
    while forgotten := await pulse.forget_once(database, city):
        FORGOTTEN.labels("pulses").inc(forgotten)
    await identity.forget_old(database, clock.wall())
    await show_licence.forget_old(database, clock.wall())
    await exchange.forget_old(database, city)
    await cases.forget_old(database, city)
    await evidence.forget_old(database, city)


async def keep_forgetting(database: Database, clock: Clock, done: Callable[[], None]) -> None:
    """Each hour, for ever."""
    while True:
        try:
            await forget_old(database, clock)
        except postgres.AWAY as error:
            log.warning("forgetting_waits", error=type(error).__name__)
        for _ in range(3600):
            done()
            await asyncio.sleep(1)
