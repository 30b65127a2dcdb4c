"""A follower's effects happen exactly once, whatever dies; what it cannot apply waits by its key and holds nobody else up."""

import asyncio
import random
import subprocess
import time
from urllib.parse import urlsplit

import pytest

from foundation import journal, migrate, postgres
from foundation.bell import Bell
from foundation.events import TariffPublished
from foundation.postgres import Database, Transaction
from foundation.sql import Query
from onelot.cli import backup
from tests.foundation import little
from tests.foundation.little import Noting, Poison, done, drained, effects, tell

cursor = Query("cursor", "SELECT position, xmin::text AS written FROM journal.cursor WHERE follower = 'test.noting'")
stuck_rows = Query("stuck_rows", "SELECT key, error <> '' AS failed FROM journal.stuck ORDER BY position")
kill_others = Query(
    "kill_others",
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
)
failing = Query("failing", "SELECT 1 / 0")


def poisoned(*poison: tuple[str, int]) -> Noting:
    async def digest(tx: Transaction, fact: TariffPublished) -> None:
        if (fact.code, fact.version) in poison:
            raise Poison

    return Noting(digest)


async def stuck(city: Database) -> list[tuple[str, bool]]:
    return [(row["key"], row["failed"]) for row in await city.fetch(stuck_rows)]


# Exactly once


async def test_new_follower_begins_at_the_beginning(city: Database) -> None:
    await tell(city, "a", 1, 2)

    await drained(city, Noting())

    assert await effects(city) == [("a", 1), ("a", 2)]


async def test_follower_moves_over_what_is_not_its_own(city: Database) -> None:
    await tell(city, "a", 1, 2)
    deaf = Noting()
    deaf.kinds = frozenset()

    assert await journal.catch_up(city, deaf) == 2
    assert await journal.catch_up(city, deaf) == 0
    assert deaf.batches == []


async def test_idle_rounds_write_nothing(city: Database) -> None:
    await tell(city, "a", 1)
    follower = Noting()
    await drained(city, follower)
    before = await city.row(cursor)

    for _ in range(3):
        assert await journal.catch_up(city, follower) == 0
    assert await city.row(cursor) == before


async def test_cancelled_batch_is_applied_once_by_the_next_run(city: Database) -> None:
    await tell(city, "a", 1, 2, 3)
    reached = asyncio.Event()

    async def hang(tx: Transaction, fact: TariffPublished) -> None:
        if fact.version == 3:
            reached.set()
            await asyncio.sleep(60)

    cut = asyncio.ensure_future(journal.catch_up(city, Noting(hang)))
    await reached.wait()
    cut.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cut

    await drained(city, Noting())
    assert await effects(city) == [("a", 1), ("a", 2), ("a", 3)]


async def test_killed_connections_lose_and_double_nothing(city: Database, city_url: str) -> None:
    killer = await postgres.connection(city_url)
    chance = random.Random(1)

    async def slow(tx: Transaction, fact: TariffPublished) -> None:
        await asyncio.sleep(0.001)

    async def kill() -> None:
        for _ in range(8):
            await asyncio.sleep(chance.uniform(0.01, 0.08))
            await killer.fetchval(kill_others.text)

    async def tell_all() -> None:
        for n in range(60):
            while True:
                try:
                    await tell(city, f"k{n % 3}", n)
                    break
                except postgres.AWAY:  # Told or not? The writer knows by its own idempotency; here by looking.
                    if f'"version":{n},' in "".join([row["body"] for row in await again(city)]):
                        break

    async with little.running(journal.follow(city, Noting(slow), done)):
        await asyncio.gather(kill(), tell_all())
        await little.until(lambda: _has(city, 60))
    await killer.close()

    found = [n for _, n in await effects(city)]
    assert found == list(range(60))
    assert await stuck(city) == []


async def again(city: Database) -> list[postgres.Record]:
    while True:
        try:
            return await city.fetch(little.whole_journal)
        except postgres.AWAY:
            await asyncio.sleep(0.01)


async def _has(city: Database, number: int) -> bool:
    try:
        return len(await effects(city)) >= number
    except postgres.AWAY:
        return False


async def test_two_runs_of_one_follower_take_turns(city: Database) -> None:
    inside = 0
    most = 0

    async def alone(tx: Transaction, fact: TariffPublished) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.001)
        inside -= 1

    async with little.running(journal.follow(city, Noting(alone), done), journal.follow(city, Noting(alone), done)):
        for n in range(40):
            await tell(city, "a", n)
        await little.until(lambda: _has(city, 40))

    assert await effects(city) == [("a", n) for n in range(40)]
    assert most == 1


async def test_lock_of_a_follower_ends_with_its_run_and_not_by_name(city: Database, city_url: str) -> None:
    await tell(city, "a", 1)
    await drained(city, Noting())
    await tell(city, "a", 2)
    dead = await postgres.connection(city_url)
    await dead.execute("BEGIN")
    await dead.fetchrow(journal.queries.lock_cursor.text, "test.noting")
    assert await journal.catch_up(city, Noting()) == 0  # The first run still lives: nobody works beside it.

    dead.terminate()

    await little.until(lambda: _caught_up(city))
    assert await effects(city) == [("a", 1), ("a", 2)]


async def _caught_up(city: Database) -> bool:
    await journal.catch_up(city, Noting())
    return await _has(city, 2)


# Stuck


async def test_key_of_a_failed_fact_waits_and_everything_else_goes_on(city: Database) -> None:
    await tell(city, "good", 1)
    await tell(city, "bad", 1)
    await tell(city, "good", 2)
    await tell(city, "bad", 2)
    follower = poisoned(("bad", 1))

    await drained(city, follower)
    await tell(city, "bad", 3)
    await tell(city, "good", 3)
    await drained(city, follower)

    assert await effects(city) == [("good", 1), ("good", 2), ("good", 3)]
    assert await stuck(city) == [("bad", True), ("bad", False), ("bad", False)]


async def test_stuck_facts_go_through_in_order_when_the_cause_is_mended(city: Database) -> None:
    await tell(city, "bad", 1, 2, 3)
    await drained(city, poisoned(("bad", 1)))

    with pytest.raises(Poison):
        await journal.retry_stuck(city, poisoned(("bad", 3)), "bad")
    assert await effects(city) == []

    assert await journal.retry_stuck(city, Noting(), "bad") == 3
    assert await effects(city) == [("bad", 1), ("bad", 2), ("bad", 3)]
    assert await stuck(city) == []
    await tell(city, "bad", 4)
    await drained(city, Noting())
    assert (await effects(city))[-1] == ("bad", 4)


async def test_retry_and_follower_never_meet_so_that_nothing_is_left_behind(city: Database) -> None:
    await tell(city, "bad", 1)
    await drained(city, poisoned(("bad", 1)))
    retrying = asyncio.Event()

    async def slowly(tx: Transaction, fact: TariffPublished) -> None:
        retrying.set()
        await asyncio.sleep(0.2)

    retry = asyncio.ensure_future(journal.retry_stuck(city, Noting(slowly), "bad"))
    await retrying.wait()
    await tell(city, "bad", 2)
    await journal.catch_up(city, Noting())
    await retry
    await drained(city, Noting())

    assert await effects(city) == [("bad", 1), ("bad", 2)]
    assert await stuck(city) == []


async def test_dropped_fact_stays_out_and_what_waited_behind_it_can_be_retried(city: Database) -> None:
    await tell(city, "bad", 1, 2)
    await drained(city, poisoned(("bad", 1)))
    first = (await journal.stuck(city))[0]

    assert await journal.drop_stuck(city, "test.noting", first["position"])
    assert not await journal.drop_stuck(city, "test.noting", first["position"])
    await journal.retry_stuck(city, poisoned(("bad", 1)), "bad")

    assert await effects(city) == [("bad", 2)]


async def test_failed_fact_leaves_no_effect_and_tells_nothing(city: Database) -> None:
    async def tell_then_fail(tx: Transaction, fact: TariffPublished) -> None:
        if fact.code != "echo":
            tx.tell(little.fact("echo", fact.version), at=little.NOON)
        if fact.version == 2:
            await tx.execute(failing)

    await tell(city, "a", 1)
    await tell(city, "b", 2)
    await tell(city, "c", 3)
    await drained(city, Noting(tell_then_fail))

    assert await effects(city) == [("a", 1), ("c", 3), ("echo", 1), ("echo", 3)]
    assert await stuck(city) == [("b", True)]


async def test_batch_that_fails_is_replayed_one_by_one_and_the_next_goes_whole_again(city: Database) -> None:
    follower = poisoned(("c", 3))
    for n, key in enumerate("abcdef", 1):
        await tell(city, key, n)

    await drained(city, follower, batch=4)

    assert follower.batches == [4, 1, 1, 1, 1, 2]
    assert [key for key, _ in await effects(city)] == ["a", "b", "d", "e", "f"]


async def test_server_in_trouble_is_nobodys_fault(city: Database) -> None:
    """A full disk or a shutdown in the middle of a batch must not put good facts aside."""
    trouble = ["57P01", "53100", "58030", "53300", "42501"]

    async def fail(tx: Transaction, fact: TariffPublished) -> None:
        if trouble:
            await tx.execute(Query("fail", f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{trouble.pop()}'; END $$"))

    await tell(city, "a", 1)
    async with little.running(journal.follow(city, Noting(fail), done)):
        await little.until(lambda: _has(city, 1))

    assert await stuck(city) == []


async def test_number_of_stuck_facts_is_right_in_every_process_and_after_a_restart(city: Database) -> None:
    await tell(city, "bad", 1, 2)
    await drained(city, poisoned(("bad", 1)))
    assert journal.stuck_here() == {"test.noting": 2}

    journal.STUCK.clear()  # As a new process begins.
    await journal.catch_up(city, Noting())
    assert journal.stuck_here() == {"test.noting": 2}

    await journal.retry_stuck(city, Noting(), "bad")
    await journal.catch_up(city, Noting())
    assert journal.stuck_here() == {}


# Away and back


async def test_follower_waits_for_postgres_and_goes_on_when_it_is_back(city_url: str, city: Database) -> None:
    async with little.wire_to(city_url) as wire, postgres.connect(wire.url) as reached:
        rounds: list[float] = []
        async with little.running(journal.follow(reached, Noting(), lambda: rounds.append(time.monotonic()))) as (following,):
            await tell(city, "a", 1)
            await little.until(lambda: _has(city, 1))

            wire.cut()
            await tell(city, "a", 2)
            await asyncio.sleep(0.5)
            last_round = rounds[-1]
            assert time.monotonic() - last_round > 0.4  # So that readiness sees it.
            wire.mend()

            await little.until(lambda: _has(city, 2))
            assert not following.done()
    assert await effects(city) == [("a", 1), ("a", 2)]


async def test_fact_reaches_followers_at_once_by_the_bell_and_within_a_second_without(city: Database, city_url: str) -> None:
    async with postgres.connect(city_url, bell=Bell()) as deaf, little.running(journal.follow(city, Noting(), done)):
        await asyncio.sleep(0.1)

        await tell(city, "a", 1)
        assert await little.until(lambda: _has(city, 1)) < 0.5
        await tell(deaf, "a", 2)
        assert await little.until(lambda: _has(city, 2)) < 1.5


async def test_followers_go_on_with_their_cursors_after_dump_and_restore(city: Database, city_url: str, empty_postgres_url: str) -> None:
    await tell(city, "a", 1, 2)
    await drained(city, Noting())
    await tell(city, "a", 3)
    _copy(city_url, empty_postgres_url)
    await migrate.grant(empty_postgres_url)
    owner = await postgres.connection(empty_postgres_url)
    await owner.execute("GRANT SELECT, INSERT ON public.effect TO onelot_app")
    await owner.close()

    async with postgres.connect(empty_postgres_url) as restored:
        await journal.prepare(restored)
        before = (await restored.fetch(little.whole_journal))[-1]["position"]
        await tell(restored, "a", 4)
        await drained(restored, Noting())

        assert await effects(restored) == [("a", 1), ("a", 2), ("a", 3), ("a", 4)]
        assert (await restored.fetch(little.whole_journal))[-1]["position"] == before + 1


def _copy(source: str, target: str) -> None:
    dump = subprocess.run([*_program("pg_dump", source), "-Fc", "--no-owner", "--no-privileges"], **_as(source), check=True)
    subprocess.run([*_program("pg_restore", target), "--no-owner", "--no-privileges"], **_as(target), input=dump.stdout, check=True)


def _program(name: str, url: str) -> list[str]:
    parts = urlsplit(url)
    return [backup.binary(name), f"--dbname=postgresql://{parts.username}@{parts.hostname}:{parts.port}{parts.path}"]


def _as(url: str) -> dict[str, object]:
    return {"env": {"PGPASSWORD": urlsplit(url).password or ""}, "stdout": subprocess.PIPE}


# The cursor


async def test_cursor_that_rested_for_days_finds_what_came_since(city: Database, city_url: str) -> None:
    await tell(city, "a", 1)
    await drained(city, Noting())
    owner = await postgres.connection(city_url)
    await owner.execute("UPDATE journal.cursor SET recorded_at = recorded_at - interval '40 days'")
    await owner.close()
    await tell(city, "a", 2)

    await drained(city, Noting())

    assert await effects(city) == [("a", 1), ("a", 2)]


async def test_cursor_loses_nothing_when_a_servers_clock_is_set_back(city: Database, city_url: str) -> None:
    await tell(city, "a", 1)
    await drained(city, Noting())
    owner = await postgres.connection(city_url)
    await owner.execute("UPDATE journal.cursor SET recorded_at = recorded_at + interval '9 minutes'")
    await owner.close()
    await tell(city, "a", 2)

    await drained(city, Noting())

    assert await effects(city) == [("a", 1), ("a", 2)]


async def test_old_partitions_are_left_alone(city: Database, city_url: str) -> None:
    await city.run(lambda tx: little.append(tx, [little.counted("a", 1)]))
    owner = await postgres.connection(city_url)
    query = journal.queries.read_readings.text.replace("$1", "0").replace("$2", "now() - interval '10 minutes'").replace("$3", "500")
    plan = "\n".join(row[0] for row in await owner.fetch(f"EXPLAIN (COSTS OFF) {query}"))
    await owner.close()

    assert "Subplans Removed: 1" in plan
