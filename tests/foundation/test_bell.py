"""The bell wakes followers here and elsewhere; deaf or wiped it costs a second and loses nothing."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from foundation import bell as bells
from foundation import journal, postgres
from foundation.bell import Bell
from tests.foundation import little
from tests.foundation.little import done


@contextlib.asynccontextmanager
async def bell_at(url: str, city: str = "test") -> AsyncIterator[Bell]:
    """A bell with its loops, as a process has it."""
    client = redis.asyncio.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=5, retry=Retry(NoBackoff(), 0))
    bell = Bell(client, city)
    async with little.running(bell.publish(done), bell.hear(done)):
        yield bell
    await client.aclose()


async def heard(bell: Bell, event: asyncio.Event, ringer: Bell) -> None:
    """Ring until it is heard: the other's subscription may just be under way."""
    async with asyncio.timeout(5):
        while not event.is_set():
            ringer.ring("fact")
            await asyncio.sleep(0.02)


async def test_ring_is_heard_at_once_here_and_in_another_process(redis_url: str) -> None:
    async with bell_at(redis_url) as here, bell_at(redis_url) as there:
        with here.listen("fact") as mine, there.listen("fact") as theirs, there.listen("reading") as others:
            here.ring("fact")
            assert mine.is_set()
            await heard(there, theirs, here)
            assert not others.is_set()


async def test_own_ring_does_not_come_back_as_an_echo(redis_url: str) -> None:
    async with bell_at(redis_url) as here, bell_at(redis_url) as there:
        with here.listen("fact") as mine, there.listen("fact") as theirs:
            await heard(there, theirs, here)
            mine.clear()
            await asyncio.sleep(0.1)
            assert not mine.is_set()


async def test_cities_at_one_redis_do_not_hear_each_other(redis_url: str) -> None:
    async with bell_at(redis_url, "a") as a, bell_at(redis_url, "b") as b, bell_at(redis_url, "a") as again:
        with b.listen("fact") as other, again.listen("fact") as same:
            await heard(again, same, a)
            assert not other.is_set()


async def test_thousand_rings_are_passed_on_as_few(redis_url: str) -> None:
    client = redis.asyncio.Redis.from_url(redis_url)
    async with bell_at(redis_url) as bell, client.pubsub() as ear:
        await ear.subscribe("onelot:{test}:bell")
        await ear.get_message(timeout=1)
        for _ in range(1000):
            bell.ring("fact")
        bell.ring("reading")
        await asyncio.sleep(0.1)
        said = [message async for message in _messages(ear)]
    await client.aclose()

    assert sorted(message.split()[1] for message in said) == [b"fact", b"reading"]


async def _messages(ear: "redis.asyncio.client.PubSub") -> AsyncIterator[bytes]:
    while (message := await ear.get_message(ignore_subscribe_messages=True, timeout=0.1)) is not None:
        yield message["data"]


async def test_nothing_is_lost_while_redis_is_away_wiped_and_back(redis_url: str, city_url: str, city: postgres.Database) -> None:
    async with contextlib.AsyncExitStack() as stack:
        wire = await stack.enter_async_context(little.wire_to(redis_url))
        ringer = await stack.enter_async_context(bell_at(wire.url))
        listener = await stack.enter_async_context(bell_at(wire.url))
        teller = await stack.enter_async_context(postgres.connect(city_url, bell=ringer))
        reader = await stack.enter_async_context(postgres.connect(city_url, bell=listener))
        await stack.enter_async_context(little.running(journal.follow(reader, little.Noting(), done)))

        async def told(n: int) -> float:
            await little.tell(teller, "a", n)
            return await little.until(lambda: _noted(city, n))

        await told(1)
        wire.cut()
        assert await told(2) < 1.5
        assert await told(3) < 1.5
        wire.mend()
        async with redis.asyncio.Redis.from_url(redis_url) as client:
            await client.flushall()
        await told(4)

        with listener.listen("fact") as rung:
            await heard(listener, rung, ringer)
        assert await told(5) < 0.5
    assert await little.effects(city) == [("a", n) for n in range(1, 6)]


async def _noted(city: postgres.Database, n: int) -> bool:
    return ("a", n) in await little.effects(city)


@pytest.mark.parametrize("url", ["", "redis://127.0.0.1:1"])
async def test_loops_of_the_bell_go_round_whether_redis_is_there_or_not(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bells, "LOOK_SECONDS", 0.2)
    client = redis.asyncio.Redis.from_url(url, retry=Retry(NoBackoff(), 0)) if url else None
    bell, published, listened = Bell(client), list[float](), list[float]()

    async with little.running(
        bell.publish(lambda: published.append(time.monotonic())), bell.hear(lambda: listened.append(time.monotonic()))
    ):
        bell.ring("fact")
        await asyncio.sleep(1.0)

    for rounds in (published, listened):
        assert len(rounds) >= 3
        assert max(later - earlier for earlier, later in pairwise(rounds)) < 0.6
    if client is not None:
        await client.aclose()


async def test_wait_for_a_ring_ends_by_itself_and_hears_what_rang_before() -> None:
    event = asyncio.Event()
    began = asyncio.get_running_loop().time()

    await bells.ring_heard(event, 0.05)
    event.set()
    await bells.ring_heard(event, 5)

    assert 0.04 < asyncio.get_running_loop().time() - began < 1
    assert not event.is_set()


async def test_cancellation_that_meets_a_ring_is_not_lost() -> None:
    event = asyncio.Event()
    waiting = asyncio.ensure_future(bells.ring_heard(event, 5))
    await asyncio.sleep(0)

    event.set()
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize("journal_name", ["fact", "reading"])
async def test_who_has_left_is_not_woken(journal_name: str) -> None:
    bell = Bell()
    with bell.listen(journal_name) as gone:
        pass

    bell.ring(journal_name)

    assert not gone.is_set()
