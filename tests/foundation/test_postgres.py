"""The pool closes in bounded time whatever hangs on it, and gives back clean connections."""

import asyncio
import time

import pytest

from foundation import postgres
from foundation.sql import Query
from tests.foundation import little

here = Query("here", "SELECT pg_backend_pid()")
make = Query("make", "CREATE TABLE public.mine (n int)")


async def test_pool_of_one_with_cancelled_waiters_closes_at_once(city_url: str) -> None:
    async with postgres.connect(city_url, size=1) as database:
        async with database.transaction():
            waiting = [asyncio.ensure_future(database.value(here)) for _ in range(10)]
            await asyncio.sleep(0.05)
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        assert await database.value(here)
        began = time.monotonic()
    assert time.monotonic() - began < 1.0


async def test_pool_with_a_connection_that_never_comes_back_closes_at_its_bound(city_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "CLOSE_SECONDS_MAX", 0.3)
    held = asyncio.Event()

    async def hold(database: postgres.Database) -> None:
        async with database.transaction():
            held.set()
            await asyncio.sleep(60)

    async with postgres.connect(city_url, size=1) as database:
        holding = asyncio.ensure_future(hold(database))
        await held.wait()
        began = time.monotonic()
    assert time.monotonic() - began < 1.0
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)


async def test_pool_closes_in_time_while_postgres_is_away(city_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "CLOSE_SECONDS_MAX", 0.3)
    async with little.wire_to(city_url) as wire:
        async with postgres.connect(wire.url, size=2) as database:
            assert await database.value(here)
            wire.cut()
            for _ in range(3):
                with pytest.raises(postgres.AWAY):
                    await database.value(here)
            began = time.monotonic()
        assert time.monotonic() - began < 1.0


async def test_who_waits_too_long_for_a_connection_is_told(city_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "WAIT_SECONDS_MAX", 0.2)
    async with postgres.connect(city_url, size=1) as database:
        async with database.transaction():
            with pytest.raises(postgres.AWAY):
                await database.value(here)

        assert await database.value(here)


async def test_server_that_never_answers_is_away_in_bounded_time(city_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "CONNECT_SECONDS_MAX", 0.3)
    async with little.wire_to(city_url) as wire, postgres.connect(wire.url, size=2) as database:
        wire.hold()
        async with database.pool.acquire():  # The one that is open already.
            began = time.monotonic()
            with pytest.raises(postgres.AWAY):
                await database.value(here)
            assert time.monotonic() - began < 2


async def test_lost_connection_is_replaced_and_its_transaction_undone(city_url: str, city: postgres.Database) -> None:
    async with little.wire_to(city_url) as wire, postgres.connect(wire.url, size=1) as database:
        with pytest.raises(postgres.AWAY):
            async with database.transaction() as tx:
                await tx.execute(little.note, 1, "a", 1)
                wire.cut()
                await tx.execute(little.note, 2, "a", 2)
        wire.mend()

        assert await database.value(here)
    assert await little.effects(city) == []


async def test_connection_is_given_back_clean_after_any_end_of_its_transaction(city_url: str) -> None:
    async with postgres.connect(city_url, size=1) as database:
        pid = await database.value(here)
        with pytest.raises(postgres.Refused):
            async with database.transaction() as tx:
                await tx.execute(Query("fail", "SELECT 1 / 0"))
        with pytest.raises(little.Poison):
            async with database.snapshot():
                raise little.Poison

        assert await database.value(here) == pid
        assert await database.value(Query("clean", "SELECT current_setting('transaction_read_only')")) == "off"


async def test_application_changes_no_tables(city_url: str) -> None:
    async with postgres.connect(city_url) as database:
        with pytest.raises(postgres.Refused, match="permission denied"):
            await database.run(lambda tx: tx.execute(make))


async def test_acts_after_a_commit_are_done_once_and_only_after_it(city: postgres.Database) -> None:
    acts: list[str] = []

    async with city.transaction() as tx:
        tx.after_commit.append(lambda: acts.append("done"))
        assert acts == []
    with pytest.raises(little.Poison):
        async with city.transaction() as tx:
            tx.after_commit.append(lambda: acts.append("undone"))
            raise little.Poison

    assert acts == ["done"]
