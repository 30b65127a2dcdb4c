"""Health is that work goes on: a loop that stands still is named, and one that dies takes the city with it."""

import asyncio

import asyncpg
import pytest

from foundation.tasks import LoopDied, Supervisor
from onelot.cli import up
from onelot.cli.errors import Failed, sentence_of
from tests.onelot.town import Answer, Town


async def test_city_is_ready_and_alive(running_city: Town) -> None:
    ready = await running_city.ask("GET", "/readyz")
    alive = await running_city.ask("GET", "/healthz")

    assert ready.status == 200
    assert ready.body["facts_heard"] > 0
    assert {name: said for name, said in ready.body.items() if name != "facts_heard"} == {"ready": True, "late": [], "stuck": {}}
    assert (alive.status, alive.body) == (200, {"status": "ok"})


@pytest.mark.parametrize("loop", ["parking.stays", "citymap.board", "gateway.ingest", "bell.hear"])
async def test_loop_that_stands_still_is_named(running_city: Town, loop: str) -> None:
    held = running_city.run.supervisor.loops[loop]
    usual, held.age_seconds_max = held.age_seconds_max, -1.0
    try:
        ready = await running_city.ask("GET", "/readyz")
    finally:
        held.age_seconds_max = usual

    assert ready.status == 503
    assert [line.partition(":")[0] for line in ready.body["late"]] == [loop]
    assert ready.headers["Retry-After"] == "2"
    assert (await running_city.ask("GET", "/healthz")).status == 200


async def test_follower_that_cannot_work_is_late_until_it_can(running_city: Town) -> None:
    loop = running_city.run.supervisor.loops["parking.stays"]
    usual, loop.age_seconds_max = loop.age_seconds_max, 1.5
    holder = await asyncpg.connect(running_city.owner_url)
    try:
        async with holder.transaction():
            await holder.execute("LOCK TABLE journal.cursor IN ACCESS EXCLUSIVE MODE")
            stalled = await eventually(running_city, 503)
        assert "parking.stays" in stalled.text
        assert (await eventually(running_city, 200)).body["ready"]
    finally:
        loop.age_seconds_max = usual
        await holder.close()


async def eventually(town: Town, status: int) -> Answer:
    for _ in range(100):
        ready = await town.ask("GET", "/readyz")
        if ready.status == status:
            break
        await asyncio.sleep(0.1)
    return ready


async def test_loop_that_stalls_ages_until_it_is_late() -> None:
    supervisor = Supervisor()
    stall = asyncio.Event()

    async def turn(done) -> None:
        done()
        await stall.wait()

    supervisor.start("stalls", turn, age_seconds_max=0.05)
    assert supervisor.late() == []

    await asyncio.sleep(0.08)

    assert supervisor.late() == ["stalls: last round 0 s ago"]
    await supervisor.stop()


@pytest.mark.parametrize("how", ["raises", "returns"])
async def test_death_of_a_loop_is_heard_by_its_name(how: str) -> None:
    supervisor = Supervisor()

    async def turn(done) -> None:
        done()
        if how == "raises":
            raise RuntimeError("broken")

    supervisor.start("dies", turn)

    with pytest.raises(LoopDied, match="dies"):
        await asyncio.wait_for(supervisor.death(), 1)
    await supervisor.stop()


@pytest.mark.parametrize("how", ["a loop", "a server"])
async def test_city_of_which_a_part_died_ends_with_a_sentence(how: str) -> None:
    supervisor, died = Supervisor(), asyncio.get_running_loop().create_future()

    async def dies(done) -> None:
        await asyncio.sleep(0.01)
        raise RuntimeError("broken")

    if how == "a loop":
        supervisor.start("parking.stays", dies)
    else:
        died.set_result("PostgreSQL ended by signal 9")
    with pytest.raises((LoopDied, Failed)) as ended:
        await asyncio.wait_for(up.until(asyncio.Event(), supervisor, up.death_of(died)), 2)
    await supervisor.stop()

    sentence, status = sentence_of(ended.value)
    assert status == 1
    assert sentence.startswith(("parking.stays: RuntimeError", "PostgreSQL ended"))


async def test_every_loop_has_a_bound_and_a_metric(running_city: Town) -> None:
    metrics = (await running_city.ask("GET", "/metrics")).text

    for name, loop in running_city.run.supervisor.loops.items():
        assert 0 < loop.age_seconds_max <= 60
        assert f'onelot_loop_round_age_seconds{{loop="{name}"}}' in metrics
    followers = {follower.name for follower in running_city.run.city.followers}
    assert followers <= running_city.run.supervisor.loops.keys(), "everybody who keeps a cursor is run"
