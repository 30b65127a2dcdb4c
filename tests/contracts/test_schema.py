"""What the database looks like can be read in one place, and every query fits it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from foundation import migrate, sql
from foundation.sql import Query
from tests.contracts import schema

ROOT = schema.ROOT
PLACES = sorted(file.parent for file in ROOT.glob("*/**/queries.sql") if ".venv" not in file.parts and "build" not in file.parts)


def named(place: Path) -> Iterator[Query]:
    yield from sql.load(".".join(place.relative_to(ROOT).parts))


QUERIES = [pytest.param(query, id=f"{place.relative_to(ROOT)}:{query.name}") for place in PLACES for query in named(place)]
SOURCES = "\n".join(file.read_text() for package in (*migrate.PACKAGES, "onelot") for file in sorted((ROOT / package).rglob("*.py")))


@pytest.fixture(scope="module")
async def connection(test_servers, migrated_template) -> asyncpg.Connection:
    database = await test_servers.create(template=migrated_template.name)
    connected = await asyncpg.connect(database.app_url)
    yield connected
    await connected.close()
    await test_servers.drop(database)


@pytest.mark.parametrize("query", QUERIES)
async def test_named_query_fits_the_migrated_database(connection: asyncpg.Connection, query: Query) -> None:
    await connection.prepare(query.text)


@pytest.mark.parametrize("query", QUERIES)
def test_named_query_has_a_user(query: Query) -> None:
    assert f".{query.name}" in SOURCES, f"nobody asks {query.name}: remove it, or ask it"


def test_every_package_with_migrations_shows_its_schema() -> None:
    assert {step.package for step in migrate.migrations()} <= schema.SCHEMAS.keys()


async def test_schema_files_say_what_migrations_make(postgres_url: str) -> None:
    found = await asyncio.to_thread(schema.present, postgres_url)

    stale = [package for package, text in found.items() if (ROOT / package / "schema.sql").read_text() != text]
    assert stale == [], "run `make schema`"
