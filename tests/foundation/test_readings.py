"""Readings count once, whoever tells them again; days are made ahead, and no date from outside shapes the storage."""

import asyncio
import random
from datetime import UTC, date, datetime, timedelta

import pytest

from foundation import copying, events, journal, postgres
from foundation.clock import Clock
from foundation.postgres import Database
from foundation.sql import Query
from gateway_mqtt import store
from tests.foundation import little
from tests.foundation.little import counted

partitions = Query(
    "partitions",
    """SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) AS bounds FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
        WHERE s.nspname = 'journal' AND c.relispartition AND c.relkind = 'r' ORDER BY 1""",
)
odd = Query("odd", "SELECT count(*) FROM journal.reading_seen_odd")
NEVER_SET = date(1970, 1, 1)


class Today(Clock):
    """A clock that stands still at an instant."""

    at: datetime

    @classmethod
    def of(cls, at: datetime) -> "Today":
        clock = cls()
        object.__setattr__(clock, "at", at)
        return clock

    def wall(self) -> datetime:
        return self.at

    def city(self) -> datetime:
        return self.at


async def append(city: Database, *rows: little.Told) -> int:
    return await city.run(lambda tx: little.append(tx, rows))


def copied(*rows: little.Told) -> store.Told:
    return store.Told([copying.row(day, key, told.at, told.kind, told.key, told.body.encode()) for day, key, told in rows])


async def names(city: Database) -> set[str]:
    return {row["relname"] for row in await city.fetch(partitions)}


async def test_reading_told_twice_in_one_batch_counts_once(city: Database) -> None:
    assert await append(city, counted("b", 1), counted("a", 2), counted("b", 1), counted("a", 3)) == 3

    assert await little.kept(city) == [("b", 1), ("a", 2), ("a", 3)]


async def test_reading_told_in_another_batch_counts_once(city: Database) -> None:
    await append(city, counted("a", 1), counted("a", 2))

    assert await append(city, counted("a", 2), counted("a", 3), counted("a", 1)) == 1
    assert await append(city, counted("a", 3)) == 0
    assert await little.kept(city) == [("a", 1), ("a", 2), ("a", 3)]


async def test_clocks_that_were_never_set_share_one_day_and_count_once_too(city: Database) -> None:
    assert await append(city, counted("a", 1, day=NEVER_SET), counted("b", 1)) == 2

    assert await append(city, counted("b", 1), counted("a", 1, day=NEVER_SET), counted("a", 2, day=NEVER_SET)) == 1
    assert await little.kept(city) == [("a", 1), ("b", 1), ("a", 2)]
    assert await city.value(odd) == 2


async def test_rows_lie_in_the_order_in_which_they_were_told(city: Database) -> None:
    rows = [counted(f"d{n % 7}", n) for n in range(300)]
    random.Random(1).shuffle(rows)

    await append(city, *rows[:100], *rows)  # With duplicates, which go another way through the function.

    assert await little.kept(city) == [(row[2].key, events.decode("count", row[2].body).seq) for row in rows]  # type: ignore[attr-defined]


async def test_overlapping_batches_in_any_order_at_once_store_each_reading_once_and_trouble_nobody(city: Database) -> None:
    rows = [counted("a", n, day=NEVER_SET if n % 5 == 0 else None) for n in range(200)]

    async def door(seed: int) -> int:
        stored, chance = 0, random.Random(seed)
        for _ in range(12):
            stored += await append(city, *chance.sample(rows, 60))
        return stored

    stored = await asyncio.gather(*[door(seed) for seed in range(6)])

    kept = await little.kept(city)
    assert len(kept) == len(set(kept)) == sum(stored)


async def test_doors_that_copy_and_doors_that_check_agree_on_what_was_told(city: Database) -> None:
    rows = [counted(f"d{n}", n) for n in range(400)]

    async def door(seed: int) -> int:
        stored, chance = 0, random.Random(seed)
        for start in range(0, 400, 40):
            told = chance.sample(rows[start : start + 60], 40)
            try:
                stored += await city.run(lambda tx: store.copy_readings(tx, copied(*told)))  # noqa: B023 - run is over before the next round
            except store.SeenBefore:
                stored += await append(city, *told)
        return stored

    seen, stop = list[int](), asyncio.Event()

    async def read_along() -> None:
        position, since = 0, postgres.BEGINNING
        while True:
            last = stop.is_set()
            async with city.transaction() as tx:
                entries = await journal.read(tx, "reading", position, since)
            if entries:
                seen.extend(entry.position for entry in entries)
                position, since = entries[-1].position, entries[-1].recorded_at
            elif last:
                return
            await asyncio.sleep(0)

    reading = asyncio.ensure_future(read_along())
    stored = await asyncio.gather(*[door(seed) for seed in range(4)])
    stop.set()
    await reading

    kept = await little.kept(city)
    assert len(kept) == len(set(kept)) == sum(stored)
    assert seen == [row["position"] for row in await city.fetch(little.whole_readings)]


@pytest.mark.parametrize(
    "at", [datetime(2026, 3, 2, 1, 2, 3, 456789, tzinfo=UTC), datetime(1969, 12, 31, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)]
)
async def test_copied_row_is_the_row_that_was_told(city: Database, at: datetime) -> None:
    told = events.Told(at, "count", "停车 'x'\\", '{"a": "\\u0041豫\\n"}')

    assert await city.run(lambda tx: store.copy_readings(tx, copied((datetime.now(UTC).date(), b"\x00" * 16, told)))) == 1

    (row,) = await city.fetch(little.whole_readings)
    assert (row["at"], row["key"], row["body"]) == (told.at, told.key, told.body)
    assert not await append(city, (datetime.now(UTC).date(), b"\x00" * 16, told))


async def test_readings_of_one_transaction_are_undone_together(city: Database) -> None:
    with pytest.raises(little.Poison):
        async with city.transaction() as tx:
            await little.append(tx, [counted("a", 1)])
            raise little.Poison

    assert await append(city, counted("a", 1)) == 1


async def test_absurd_dates_make_no_storage_and_harm_nobody(city: Database) -> None:
    before = await names(city)
    absurd = [counted("a", n, at=datetime(year, 12, 31, tzinfo=UTC), day=NEVER_SET) for n, year in enumerate((1, 1969, 2099, 9999))]

    await append(city, counted("b", 1), *absurd)
    await journal.prepare(city)

    assert await names(city) == before
    assert await append(city, counted("b", 2)) == 1
    async with city.transaction() as tx:
        assert [entry.key for entry in await journal.read(tx, "reading", 0, postgres.BEGINNING)] == ["b", "a", "a", "a", "a", "b"]


async def test_missing_partition_fails_by_its_name_and_alone(city: Database) -> None:
    with pytest.raises(postgres.Refused, match='no partition of relation "reading_seen"'):
        await append(city, counted("a", 1), counted("b", 1, day=date(2031, 1, 1)))

    assert await append(city, counted("a", 1)) == 1
    await little.tell(city, "a", 1)


async def test_days_are_made_ahead_once_and_dropped_when_they_are_old(fresh_city: Database, postgres_url: str) -> None:
    today = datetime.now(UTC).replace(hour=12)
    await append(fresh_city, counted("a", 1), counted("a", 2, day=NEVER_SET))
    for day in (0, 1, 2, 5, 6, 91):
        await journal.prepare(fresh_city, Today.of(today + timedelta(days=day)))

    there = await names(fresh_city)
    assert f"reading_{today:%Y%m%d}" not in there
    assert f"reading_{today + timedelta(days=1):%Y%m%d}" in there
    assert f"reading_{today + timedelta(days=94):%Y%m%d}" in there
    assert sorted(name for name in there if name.startswith("reading_seen"))[0] == f"reading_seen_{today + timedelta(days=86):%Y%m%d}"
    assert f"fact_{today:%Y%m}" in there
    assert await little.kept(fresh_city) == []
    assert await fresh_city.value(odd) == 0


async def test_days_meet_without_gap_whatever_the_zone_of_the_session(fresh_city: Database, postgres_url: str) -> None:
    owner = await postgres.connection(postgres_url)
    await owner.execute("SET timezone = 'Asia/Shanghai'; SELECT journal.make_partitions('2030-12-30', '2030-12-30', 3)")
    await owner.close()

    bounds = [row["bounds"] for row in await fresh_city.fetch(partitions) if row["relname"] in ("reading_20310101", "fact_203101")]
    assert bounds == [
        "FOR VALUES FROM ('2031-01-01 00:00:00+00') TO ('2031-02-01 00:00:00+00')",
        "FOR VALUES FROM ('2031-01-01 00:00:00+00') TO ('2031-01-02 00:00:00+00')",
    ]


async def test_days_of_a_fast_city_are_made_by_its_own_clock(fresh_city: Database) -> None:
    fast = Clock(speed=60.0, since=datetime.now(UTC) - timedelta(hours=4))
    assert fast.city() - fast.wall() > timedelta(days=9)

    await journal.prepare(fresh_city, fast)

    assert (
        await append(fresh_city, counted("a", 1, day=fast.city().date()), counted("a", 2, day=fast.city().date() - timedelta(days=3))) == 2
    )
    assert f"reading_{fast.wall():%Y%m%d}" in await names(fresh_city)


async def test_days_are_made_beside_a_reader_who_takes_his_time_and_dropped_after_him(fresh_city: Database) -> None:
    later = Today.of(datetime.now(UTC) + timedelta(days=120))
    async with fresh_city.snapshot() as tx:
        await tx.fetch(little.whole_readings)

        async with asyncio.timeout(3):
            await journal.prepare(fresh_city, later)
            await append(fresh_city, counted("a", 1))
        kept = await names(fresh_city)
    await journal.prepare(fresh_city, later)

    assert f"reading_{later.at:%Y%m%d}" in kept
    assert kept - await names(fresh_city) >= {f"reading_{datetime.now(UTC):%Y%m%d}"}


async def test_loop_makes_the_days_and_says_that_it_goes_round(fresh_city: Database) -> None:
    rounds: list[None] = []
    fast = Clock(speed=3600.0, since=datetime.now(UTC) - timedelta(hours=1))

    async with little.running(journal.keep_partitions(fresh_city, fast, lambda: rounds.append(None))):
        await little.until(lambda: _true(rounds))

    assert f"reading_seen_{fast.city():%Y%m%d}" in await names(fresh_city)


async def _true(found: list[None]) -> bool:
    return bool(found)
