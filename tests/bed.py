"""The bed that tests lie on: real servers of their own, and for each test a fresh migrated database."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import asyncpg

from foundation import migrate
from onelot import embedded

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}  # Tests of durability start servers of their own.
_numbers = count(1)


@dataclass(frozen=True)
class Database:
    """One database under two roles: `owner_url` may change tables, `app_url` only what it was granted."""

    name: str
    owner_url: str
    app_url: str


@dataclass(frozen=True)
class Bed:
    servers: embedded.Servers
    admin: asyncpg.Connection

    def database(self, name: str) -> Database:
        owner, app = self.servers.owner_url, self.servers.postgres_url
        return Database(name, owner.rpartition("/")[0] + f"/{name}", app.rpartition("/")[0] + f"/{name}")

    async def create(self, *, template: str = "template1") -> Database:
        name = f"test_{next(_numbers)}"
        await self.admin.execute(f"CREATE DATABASE {name} OWNER onelot TEMPLATE {template}")
        return self.database(name)

    async def drop(self, database: Database) -> None:
        await self.admin.execute(f"DROP DATABASE IF EXISTS {database.name} WITH (FORCE)")  # Whoever forgot to disconnect is told here.


@contextlib.asynccontextmanager
async def made() -> AsyncIterator[Bed]:
    """Servers in a folder of their own straight under /tmp, which every identity can reach; ended and removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="onelot-tests-") as folder:
        servers = await embedded.start(Path(folder), postgres_settings=FAST)
        try:
            admin = await asyncpg.connect(superuser_url(servers))
            try:
                yield Bed(servers, admin)
            finally:
                await admin.close()
        finally:
            await embedded.stop(servers)


def superuser_url(servers: embedded.Servers) -> str:
    where = servers.owner_url.rpartition("@")[2].partition("/")[0]
    return f"postgresql://postgres:{servers.place.secret('postgres_superuser')}@{where}/postgres"


async def migrated_template(bed: Bed) -> Database:
    """A database with all migrations in it, to be copied for each test."""
    template = await bed.create()
    await migrate.migrate(template.owner_url)
    return template
