"""What is kept only for a while is forgotten, and evidence of a stay that goes on is not."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from foundation import postgres
from foundation.clock import Clock
from onelot.forget_old import forget_old

NOW = datetime.now(UTC)
REFUSED = (
    "INSERT INTO gateway.refused (received_at, device, site, topic, reason, detail, payload) VALUES ($1, $2, '', '', 'schema', '', '')"
)
SEEN = (
    "INSERT INTO parking.observation (unit, at, id, seq, device, what, raw_at, no_clock) "
    "VALUES ($1::text, $2::timestamptz, convert_to($1, 'UTF8'), 1, 'cam', 'occupied', $2, false)"
)
OPEN = (
    "INSERT INTO parking.session (id, unit, site, opened_by, entered_at, proven_at, state, certainty) "
    "VALUES (gen_random_uuid(), $1, 'lot-7', '', $2, $2, 'open', 'sure')"
)


@pytest.fixture
async def owner(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


async def forgetting(url: str) -> None:
    async with postgres.connect(url) as database:
        await forget_old(database, Clock())


async def test_refused_messages_are_kept_a_week(owner: asyncpg.Connection, postgres_url: str) -> None:
    await owner.executemany(REFUSED, [(NOW - timedelta(days=8), "old"), (NOW - timedelta(days=6), "new")])

    await forgetting(postgres_url)

    assert [row[0] for row in await owner.fetch("SELECT device FROM gateway.refused")] == ["new"]


async def test_evidence_is_kept_ninety_days_and_longer_for_a_car_that_still_stands(owner: asyncpg.Connection, postgres_url: str) -> None:
    old = NOW - timedelta(days=91)
    await owner.executemany(SEEN, [("gone", old), ("stands", old), ("recent", NOW - timedelta(days=89))])
    await owner.execute(OPEN, "stands", old)

    await forgetting(postgres_url)

    assert {row[0] for row in await owner.fetch("SELECT unit FROM parking.observation")} == {"stands", "recent"}
