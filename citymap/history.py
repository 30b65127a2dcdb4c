"""Remember how full each site was, every five minutes of city time, so that a number can be seen beside those before it."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from citymap import store
from citymap.board import Board
from citymap.follow import BoardFollower
from citymap.model import FREE, OCCUPIED
from citymap.store import Moment
from foundation import postgres
from foundation.clock import Clock
from foundation.postgres import Database

log = structlog.get_logger()

STEP = timedelta(minutes=5)
KEPT = timedelta(days=8)  # A week, and the day on which somebody compares it with the one before.
FORGOTTEN_MAX = 50_000


async def keep_moments(follower: BoardFollower, database: Database, clock: Clock, done: Callable[[], None]) -> None:
    """Write down each step of city time once, as soon as it begins, for ever. Every web part does; the first one counts."""
    last = step_of(clock.city())
    while True:
        now = step_of(clock.city())
        if now > last and follower.started:
            try:
                await remember(database, follower.board, now)
                last = now
            except postgres.AWAY as error:
                log.warning("moments_wait", error=type(error).__name__)
        done()
        await asyncio.sleep(1)


def step_of(at: datetime) -> datetime:
    """The beginning of the five minutes in which `at` lies."""
    return datetime.fromtimestamp(at.timestamp() // STEP.total_seconds() * STEP.total_seconds(), UTC)


async def remember(database: Database, board: Board, at: datetime) -> None:
    """The whole city as it is now, under the name of the step `at`; sites of which nobody knows anything are left out."""
    moments = moments_of(board)
    if moments:
        await database.run(lambda tx: store.save_moments(tx, at, moments))


def moments_of(board: Board) -> list[Moment]:
    shown, capacity = board.shown.tolist(), board.capacity.tolist()
    return [
        Moment(site.id, counts[FREE], counts[OCCUPIED], capacity[number])
        for number, (site, counts) in enumerate(zip(board.places.sites, shown, strict=True))
        if counts[FREE] >= 0 and counts[FREE] + counts[OCCUPIED] > 0
    ]


async def lines_of(database: Database, sites: Sequence[str], first: datetime, steps: int) -> dict[str, list[int | None]]:
    """Free places of each site at `steps` steps from `first` on; None where nobody knew, so that a gap is seen as one."""
    lines: dict[str, list[int | None]] = {site: [None] * steps for site in sites}
    for row in await store.fetch_moments(database, sites, first, first + steps * STEP):
        for at, free in zip(row["at"], row["free"], strict=True):
            lines[row["site"]][(at - first) // STEP] = free
    return lines


async def forget_once(database: Database, now: datetime) -> int:
    """Answers how many were forgotten; call it until that is none."""
    return await database.run(lambda tx: store.forget_moments(tx, now - KEPT, FORGOTTEN_MAX))
