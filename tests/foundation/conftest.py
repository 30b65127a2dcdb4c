"""A database of the test's own, opened as the city opens it, with a table to see a follower's effects in."""

from collections.abc import AsyncIterator

import pytest

from foundation import journal, postgres
from tests import bed
from tests.foundation import little


@pytest.fixture
async def effects(postgres_url: str) -> None:
    connection = await postgres.connection(postgres_url)
    await connection.execute(little.EFFECTS)
    await connection.close()


@pytest.fixture
async def city(postgres_url: str, effects: None) -> AsyncIterator[postgres.Database]:
    async with postgres.connect(postgres_url) as opened:
        await journal.prepare(opened)
        yield opened


@pytest.fixture
async def second_database(test_servers: bed.Bed) -> AsyncIterator[str]:
    """Another database of the same cluster, as its owner."""
    other = await test_servers.create()
    yield other.owner_url
    await test_servers.drop(other)
