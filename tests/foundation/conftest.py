"""A database opened as the city opens it, with a table to see a follower's effects in.

Emptied and not made anew for each test, since making one takes as long as ten of these tests; who plays with
partitions takes `fresh_city`.
"""

import contextlib
from collections.abc import AsyncIterator

import pytest

from foundation import journal, postgres
from tests import bed
from tests.foundation import little


@pytest.fixture(scope="session")
async def lasting_url(test_servers: bed.Bed, migrated_template: bed.Database) -> AsyncIterator[str]:
    made = await test_servers.create(template=migrated_template.name)
    await as_owner(made.owner_url, little.EFFECTS)
    yield made.owner_url
    await test_servers.drop(made)


@pytest.fixture
async def city_url(lasting_url: str) -> str:
    await as_owner(lasting_url, little.EMPTY)
    return lasting_url


@pytest.fixture
async def city(city_url: str) -> AsyncIterator[postgres.Database]:
    async with opened(city_url) as database:
        yield database


@pytest.fixture
async def fresh_city(postgres_url: str) -> AsyncIterator[postgres.Database]:
    async with opened(postgres_url) as database:
        yield database


@pytest.fixture
async def second_database(test_servers: bed.Bed) -> AsyncIterator[str]:
    """Another database of the same cluster, as its owner."""
    other = await test_servers.create()
    yield other.owner_url
    await test_servers.drop(other)


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[postgres.Database]:
    async with postgres.connect(url) as database:
        await journal.prepare(database)
        yield database


async def as_owner(url: str, statements: str) -> None:
    connection = await postgres.connection(url)
    await connection.execute(statements)
    await connection.close()
