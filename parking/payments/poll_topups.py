"""Call providers and ask them about every top-up that has not ended, whoever began the work and wherever it died."""

import asyncio
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from prometheus_client import Gauge

from foundation import ids, postgres
from foundation.bell import ring_heard
from foundation.clock import Clock
from foundation.postgres import Database, Transaction
from parking.payments import model, store
from parking.payments.apply_news import Outcome, alarm, apply_news
from parking.payments.errors import ProviderAway, ProviderRefuses
from parking.payments.model import Cause, News, Provider, State, TopUp
from parking.payments.top_up import RING

log = structlog.get_logger()

LEASE = timedelta(seconds=20)  # Longer than a provider's client waits for an answer, so that two runs never ask at once.
BATCH_MAX = 20  # Calls to one provider at a time; what is more waits for the next round.
OVERDUE = timedelta(seconds=60)
OVERDUE_COUNT = Gauge("onelot_topups_overdue", "Top-ups that were not looked at for a minute after their time (100: or more)", ["provider"])


async def poll_topups(database: Database, provider: Provider, clock: Clock, done: Callable[[], None]) -> None:
    """Look for ever; several runs may, a top-up is leased by one of them for as long as LEASE."""
    run = ids.new_id()
    with database.bell.listen(RING) as rung:
        while True:
            try:
                while await poll_once(database, provider, clock, run):
                    done()
                OVERDUE_COUNT.labels(provider.name).set(len(await list_overdue(database, provider.name, clock.wall())))
            except postgres.AWAY as error:
                log.warning("poller_waits", provider=provider.name, error=type(error).__name__)
                await asyncio.sleep(0.2)
                continue
            done()
            await ring_heard(rung)


async def poll_once(database: Database, provider: Provider, clock: Clock, run: uuid.UUID) -> int:
    """Lease what is due, ask, and apply what was answered. Answers how many were due."""
    leased = await database.run(lambda tx: _lease(tx, provider.name, clock, run))
    ends = await asyncio.gather(*(_look(database, provider, clock, run, topup) for topup in leased), return_exceptions=True)
    for topup, end in zip(leased, ends, strict=True):
        if isinstance(end, postgres.AWAY):
            log.warning("look_lost", number=topup.number, error=type(end).__name__)
        elif isinstance(end, Exception):  # The lease ends by time and somebody looks again; one bad row stops nobody else's money.
            alarm("look_failed", number=topup.number, error=repr(end)[:300])
    return len(leased)


async def list_overdue(database: Database, provider: str, wall: datetime) -> list[tuple[str, State, datetime]]:
    """Number, state and time of what should have been looked at and was not, at most 100: empty, or somebody has to look."""
    return await store.list_overdue(database, provider, wall - OVERDUE)


async def _lease(tx: Transaction, provider: str, clock: Clock, run: uuid.UUID) -> list[TopUp]:
    """What is due, for this run only. Whatever is about to be submitted says so on disk before the call."""
    now = clock.wall()
    leased = await store.lease_due(tx, provider, run, now, now + LEASE, BATCH_MAX)
    for topup in leased:
        if State.SUBMITTED in model.EDGES[topup.state]:
            await store.move_topup(tx, topup.id, State.SUBMITTED, Cause.POLLER, clock.city_at(now))
    return list(leased)


async def _look(database: Database, provider: Provider, clock: Clock, run: uuid.UUID, topup: TopUp) -> None:
    news = await _ask(provider, topup)

    async def work(tx: Transaction) -> Outcome:
        outcome = await apply_news(tx, topup.number, news, clock.city())
        wait = model.next_look(outcome.state or topup.state, topup.polls)
        await store.end_lease(tx, topup.id, run, clock.wall() + wait if wait is not None else None)
        return outcome

    outcome = await database.run(work)
    log.info("topup_looked_at", number=topup.number, was=topup.state, said=news.state, verdict=outcome.verdict, polls=topup.polls)


async def _ask(provider: Provider, topup: TopUp) -> News:
    """What the provider says. `topup` is as it was leased: created and absent are submitted, all others are asked about,
    since a number that may have been heard must not be ordered a second time without asking."""
    submits = State.SUBMITTED in model.EDGES[topup.state]
    try:
        return await (provider.submit(topup.number, topup.amount) if submits else provider.query(topup.number))
    except ProviderAway as error:
        if isinstance(error, ProviderRefuses):
            alarm("provider_refuses", number=topup.number, error=str(error)[:300])
        log.warning("provider_away", provider=provider.name, number=topup.number, error=str(error)[:300])
        return News(provider=provider.name, state=State.UNKNOWN, cause=Cause.ANSWER if submits else Cause.QUERY)
