"""The bed that tests lie on: what one test leaves in its servers no other test finds."""

import asyncpg
import pytest
import redis.asyncio

from foundation import postgres


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_has_a_database_of_its_own(postgres_url: str, turn: int) -> None:
    connection = await asyncpg.connect(postgres_url)

    await connection.execute("CREATE TABLE left_behind (n int)")
    await connection.close()


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_has_an_empty_redis(redis_url: str, turn: int) -> None:
    client = redis.asyncio.from_url(redis_url)

    assert await client.set("left_behind", turn, nx=True)
    await client.aclose()


async def test_application_role_reaches_the_same_database(app_postgres_url: str, postgres_url: str) -> None:
    connection = await asyncpg.connect(app_postgres_url)

    assert postgres_url.endswith("/" + await connection.fetchval("SELECT current_database()"))
    assert await connection.fetchval("SELECT current_user") == "onelot_app"
    await connection.close()


async def test_empty_database_has_no_schema_but_public(empty_postgres_url: str) -> None:
    connection = await asyncpg.connect(empty_postgres_url)

    assert await connection.fetchval("SELECT array_agg(nspname) FROM pg_namespace WHERE nspname !~ '^(pg_|information)'") == ["public"]
    await connection.close()


async def test_city_works_as_the_application_role_whichever_way_it_comes(app_postgres_url: str, postgres_url: str) -> None:
    for url in (app_postgres_url, postgres_url):
        async with postgres.connect(url) as database:
            assert await database.pool.fetchval("SELECT current_user") == postgres.APP_ROLE
            assert await database.pool.fetchval("SELECT count(*) FROM journal.migration") > 0
