"""The migrated database of a test, connected as the city connects."""

from collections.abc import AsyncIterator

import pytest

from foundation import journal, postgres


@pytest.fixture
async def db(postgres_url: str) -> AsyncIterator[postgres.Database]:
    async with postgres.connect(postgres_url) as connected:
        await journal.prepare(connected)
        yield connected
