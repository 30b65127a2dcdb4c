"""Fixtures for every test: a database and a Redis of its own, made only when asked for, one pair of servers for each pytest process."""

import os
from collections.abc import AsyncIterator

import pytest
import redis.asyncio
from hypothesis import settings

from onelot import embedded
from tests import bed

settings.register_profile("untimed", deadline=None)  # Tests are not timed: a busy machine is no fault of what they test.
settings.load_profile("untimed")
# Each worker lends ports of its own: two that look for a free one at the same moment would find the same.
embedded.PORTS = embedded.PORTS[
    int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) :: int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
]


@pytest.fixture(scope="session")
async def test_servers() -> AsyncIterator[bed.Bed]:
    async with bed.made() as made:
        yield made


@pytest.fixture(scope="session")
async def migrated_template(test_servers: bed.Bed) -> bed.Database:
    return await bed.migrated_template(test_servers)


@pytest.fixture
async def database(test_servers: bed.Bed, migrated_template: bed.Database) -> AsyncIterator[bed.Database]:
    """This test's own migrated database."""
    fresh = await test_servers.create(template=migrated_template.name)
    yield fresh
    await test_servers.drop(fresh)


@pytest.fixture
def postgres_url(database: bed.Database) -> str:
    """The migrated database as its owner; `foundation.postgres.connect` steps down to the application's role by itself."""
    return database.owner_url


@pytest.fixture
def app_postgres_url(database: bed.Database) -> str:
    """The same database as the city works with it: without DDL, only what migrations granted to onelot_app."""
    return database.app_url


@pytest.fixture
async def empty_postgres_url(test_servers: bed.Bed) -> AsyncIterator[str]:
    """A database of this test's own with nothing in it, as its owner."""
    fresh = await test_servers.create()
    yield fresh.owner_url
    await test_servers.drop(fresh)


@pytest.fixture
async def redis_url(test_servers: bed.Bed) -> AsyncIterator[str]:
    """An empty Valkey that no other test uses at the same time."""
    client = redis.asyncio.from_url(test_servers.servers.redis_url)
    await client.flushall()
    await client.aclose()
    yield test_servers.servers.redis_url
