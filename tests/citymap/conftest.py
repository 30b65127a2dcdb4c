"""A freshly migrated database for each test that asks for one."""

import os
import uuid
from collections.abc import AsyncIterator

import pytest

from foundation import journal, migrate, postgres
from foundation.postgres import Database

SERVER = os.environ.get("ONELOT_TEST_POSTGRES", "postgresql://onelot@127.0.0.1:15999/postgres")


@pytest.fixture
async def postgres_url() -> AsyncIterator[str]:
    name = f"board_{uuid.uuid4().hex[:12]}"
    owner = await postgres.connection(SERVER)
    await owner.execute(f"CREATE DATABASE {name}")
    url = SERVER.rsplit("/", 1)[0] + f"/{name}"
    try:
        await migrate.migrate(url)
        yield url
    finally:
        await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await owner.close()


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    async with postgres.connect(postgres_url) as database:
        await journal.prepare(database)
        yield database
