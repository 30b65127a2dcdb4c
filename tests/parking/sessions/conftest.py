"""A city for each test; at its end its books agree."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from foundation import journal, postgres, seal
from foundation.postgres import Database
from tests.parking.sessions.city import City, FixedClock


@pytest.fixture
def keys(tmp_path: Path) -> seal.Keys:
    return seal.Keys(tmp_path / "keys.json")


@pytest.fixture
async def connected(postgres_url: str) -> AsyncIterator[Database]:
    async with postgres.connect(postgres_url, size=4) as database:
        await journal.prepare(database)
        yield database


@pytest.fixture
async def city(connected: Database, keys: seal.Keys) -> AsyncIterator[City]:
    city = City(connected, keys, FixedClock())
    yield city
    await city.proved()
