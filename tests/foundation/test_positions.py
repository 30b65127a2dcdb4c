"""Order of position is order of commit, and whoever reads along sees every committed row exactly once."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from foundation import journal, postgres
from foundation.postgres import BEGINNING, Database, Transaction
from tests.foundation import little

ROUNDS = 30


class Undone(Exception):
    """This transaction is rolled back on purpose."""


@dataclass
class Written:
    """What was committed: when each commit began and ended, and the facts it told."""

    commits: list[tuple[float, float, list[tuple[str, int]]]] = field(default_factory=list)


async def write(database: Database, name: str, chance: random.Random, written: Written) -> None:
    number = 0
    for _ in range(ROUNDS):
        told = [(name, number + n) for n in range(chance.randint(1, 3))]
        began = time.monotonic()
        try:
            async with database.transaction() as tx:
                await asyncio.sleep(chance.choice([0, 0, 0.002, 0.01]))
                tx.tell(*[little.fact(*one) for one in told], at=little.NOON)
                if chance.random() < 0.3:
                    await little.append(tx, [little.counted(name, n) for _, n in told])
                if chance.random() < 0.2:
                    await tx.flush()  # Its positions are taken already and will be a gap.
                    raise Undone
                began = time.monotonic()
        except Undone:
            continue
        written.commits.append((began, time.monotonic(), told))
        number += len(told)


async def read_along(database: Database, stop: asyncio.Event) -> AsyncIterator[journal.Entry]:
    position, since = 0, BEGINNING
    while True:
        last = stop.is_set()
        async with database.transaction() as tx:
            entries = await journal.read(tx, "fact", position, since, 50)
        for entry in entries:
            position, since = entry.position, entry.recorded_at
            yield entry
        if last and not entries:
            return
        await asyncio.sleep(0)


@pytest.mark.parametrize("seed", [1, 2])
async def test_one_who_reads_along_sees_every_committed_fact_once_in_order_of_commit(city: Database, seed: int) -> None:
    written, stop, seen = Written(), asyncio.Event(), list[journal.Entry]()

    async def reader() -> None:
        seen.extend([entry async for entry in read_along(city, stop)])

    reading = asyncio.ensure_future(reader())
    await asyncio.gather(*[write(city, f"w{n}", random.Random(seed * 100 + n), written) for n in range(6)])
    stop.set()
    await reading

    assert [entry.position for entry in seen] == [row["position"] for row in await city.fetch(little.whole_journal)]
    facts = [(entry.key, entry.event.version) for entry in seen]  # type: ignore[attr-defined]
    assert sorted(facts) == sorted(one for _, _, told in written.commits for one in told)
    place = {one: number for number, one in enumerate(facts)}
    for _, _, told in written.commits:
        assert [place[one] for one in told] == list(range(place[told[0]], place[told[0]] + len(told)))
    for _, ended, earlier in written.commits:
        assert all(place[earlier[-1]] < place[later[0]] for began, _, later in written.commits if began > ended)


async def test_bell_rings_before_the_row_can_be_read(city: Database, second_database: str) -> None:
    """An open transaction in another database of the cluster holds nothing up."""
    stranger = await postgres.connection(second_database)
    await stranger.execute("BEGIN; CREATE TEMP TABLE t (n int); INSERT INTO t VALUES (1)")

    await little.tell(city, "a", 1)
    await little.drained(city, little.Noting())

    assert await little.effects(city) == [("a", 1)]
    await stranger.close()


async def test_transaction_that_appended_and_idles_is_ended_and_what_waited_behind_it_arrives(city: Database, city_url: str) -> None:
    async with postgres.connect(city_url, idle_seconds_max=0.4) as idle:
        held = asyncio.Event()

        async def append_and_idle() -> None:
            async with idle.transaction() as tx:
                tx.tell(little.fact("idle", 1), at=little.NOON)
                await tx.flush()
                held.set()
                await asyncio.sleep(1.0)

        idling = asyncio.ensure_future(append_and_idle())
        await held.wait()
        began = time.monotonic()
        await little.tell(city, "behind", 1)
        waited = time.monotonic() - began

        with pytest.raises(postgres.AWAY):
            await idling
    assert 0.2 < waited < 0.9
    await little.drained(city, little.Noting())
    assert await little.effects(city) == [("behind", 1)]


async def test_transaction_that_appended_and_stays_open_is_seen_while_it_lasts(city: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "HELD_SECONDS_MAX", 0.1)
    rounds: list[float] = []

    async with little.running(journal.watch_appending(city, lambda: rounds.append(time.monotonic()))):
        async with city.transaction() as tx:
            await asyncio.sleep(0.2)
            tx.tell(little.fact("a", 1), at=little.NOON)
            await tx.flush()
            taken = time.monotonic()
            await little.until(lambda: _held())
        assert not [ended for ended in rounds if ended > taken]
        await little.until(lambda: _free())
    assert journal.HELD.collect()[0].samples[0].value == 0


async def _held() -> bool:
    return journal.HELD.collect()[0].samples[0].value > 0.1


async def _free() -> bool:
    return not await _held()


async def test_facts_are_told_in_the_transaction_that_makes_them_true_or_not_at_all(city: Database) -> None:
    with pytest.raises(Undone):
        async with city.transaction() as tx:
            await tx.execute(little.note, 1, "a", 1)
            tx.tell(little.fact("a", 1), at=little.NOON)
            raise Undone

    assert await little.effects(city) == []
    assert await city.fetch(little.whole_journal) == []


async def test_failed_savepoint_takes_its_facts_and_its_acts_with_it(city: Database) -> None:
    acts: list[str] = []

    async with city.transaction() as tx:
        tx.tell(little.fact("kept", 1), at=little.NOON)
        tx.after_commit.append(lambda: acts.append("kept"))
        with pytest.raises(Undone):
            async with tx.savepoint():
                tx.tell(little.fact("undone", 1), at=little.NOON)
                tx.after_commit.append(lambda: acts.append("undone"))
                raise Undone

    assert [row["key"] for row in await city.fetch(little.whole_journal)] == ["kept"]
    assert acts == ["kept"]


async def test_newest_is_found_from_any_mark_on(city: Database) -> None:
    await little.tell(city, "a", 1, 2)

    async with city.snapshot() as tx:
        position, recorded_at = await journal.newest(tx, "fact")
        assert await journal.newest(tx, "fact", recorded_at) == (position, recorded_at)
        assert await journal.newest(tx, "reading") == (0, BEGINNING)
    assert position == (await city.fetch(little.whole_journal))[-1]["position"]


async def test_snapshot_is_of_one_instant_and_writes_nothing(city: Database) -> None:
    await little.tell(city, "a", 1)

    async with city.snapshot() as tx:
        before = await tx.fetch(little.whole_journal)
        await little.tell(city, "a", 2)
        assert await tx.fetch(little.whole_journal) == before
    with pytest.raises(postgres.Refused, match="read-only"):
        async with city.snapshot() as tx:
            await tx.execute(little.note, 1, "a", 1)
    with pytest.raises(AssertionError, match="cannot tell"):
        async with city.snapshot() as tx:
            tx.tell(little.fact("a", 3), at=little.NOON)


async def test_run_tries_again_when_it_was_the_victim_of_a_deadlock(city: Database) -> None:
    lock = little.Query("lock", "SELECT pg_advisory_xact_lock($1)")
    tries = 0

    async def work(tx: Transaction, first: int, second: int) -> None:
        nonlocal tries
        tries += 1
        await tx.execute(lock, first)
        await asyncio.sleep(0.05)
        await tx.execute(lock, second)
        tx.tell(little.fact("a", first), at=little.NOON)

    await asyncio.gather(city.run(lambda tx: work(tx, 1, 2)), city.run(lambda tx: work(tx, 2, 1)))

    assert tries == 3
    assert len(await city.fetch(little.whole_journal)) == 2


async def test_run_gives_up_after_its_bound(city: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "RETRIES_MAX", 3)
    tries = 0

    async def work(tx: Transaction) -> None:
        nonlocal tries
        tries += 1
        await tx.execute(little.Query("fail", "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$"))

    with pytest.raises(postgres.RETRIED):
        await city.run(work)
    assert tries == 3
