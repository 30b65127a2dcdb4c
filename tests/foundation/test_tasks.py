"""A loop that hangs is late by its name, one that ends is a death, and stopping is bounded whatever a loop does."""

import asyncio
import time
from collections.abc import Callable

import pytest

from foundation import tasks
from foundation.tasks import LoopDied, Supervisor

Round = Callable[[], None]


async def beat(done: Round) -> None:
    while True:
        done()
        await asyncio.sleep(0.01)


async def hang(done: Round) -> None:
    done()
    await asyncio.sleep(60)


async def come_back(done: Round) -> None:
    done()


async def fail(done: Round) -> None:
    raise ValueError("no such thing")


async def be_cancelled(done: Round) -> None:
    raise asyncio.CancelledError


async def swallow_once(done: Round) -> None:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await asyncio.sleep(60)


async def swallow_often(done: Round) -> None:
    for _ in range(30):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            continue


async def test_loop_that_hangs_is_late_by_its_name_and_the_others_are_not() -> None:
    supervisor = Supervisor()
    supervisor.start("beats", beat, age_seconds_max=0.2)
    supervisor.start("hangs", hang, age_seconds_max=0.2)
    assert supervisor.late() == []

    await asyncio.sleep(0.3)

    assert [late.partition(":")[0] for late in supervisor.late()] == ["hangs"]
    assert tasks.ROUND_AGE.labels("hangs").collect()
    await supervisor.stop()


@pytest.mark.parametrize(("loop", "why"), [(come_back, "returned"), (fail, "no such thing"), (be_cancelled, "CancelledError")])
async def test_end_of_a_loop_is_a_death_with_its_name(loop: Callable[[Round], object], why: str) -> None:
    supervisor = Supervisor()
    supervisor.start("beats", beat)
    supervisor.start("ends", loop)  # type: ignore[arg-type]

    with pytest.raises(LoopDied, match=f"ends: .*{why}"):
        async with asyncio.timeout(1):
            await supervisor.death()
    await supervisor.stop()


async def test_stopped_loops_are_no_deaths() -> None:
    supervisor = Supervisor()
    supervisor.start("beats", beat)
    supervisor.start("hangs", hang)
    death = asyncio.ensure_future(supervisor.death())

    await supervisor.stop("hangs")
    await asyncio.sleep(0.02)
    assert not death.done()

    await supervisor.stop()
    await asyncio.sleep(0.02)
    assert death.cancelled()


async def test_loop_that_swallows_a_cancellation_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "CANCEL_AGAIN_SECONDS", 0.05)
    supervisor = Supervisor()
    supervisor.start("swallows", swallow_once)
    await asyncio.sleep(0.01)

    async with asyncio.timeout(1):
        await supervisor.stop()


async def test_stop_is_bounded_even_when_a_loop_will_not_go(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(tasks, "CANCEL_AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(tasks, "STOP_SECONDS_MAX", 0.3)
    supervisor = Supervisor()
    supervisor.start("stays", swallow_often)
    supervisor.start("beats", beat)
    await asyncio.sleep(0.01)
    stays = next(task for task in asyncio.all_tasks() if task.get_name() == "stays")

    began = time.monotonic()
    await supervisor.stop()

    assert time.monotonic() - began < 1
    assert "stays" in capsys.readouterr().out
    while not stays.done():
        stays.cancel()
        await asyncio.sleep(0)


async def test_who_waits_for_the_end_of_a_stop_can_be_cancelled() -> None:
    supervisor = Supervisor()
    supervisor.start("swallows", swallow_once)
    await asyncio.sleep(0.01)

    stopping = asyncio.ensure_future(supervisor.stop())
    await asyncio.sleep(0.05)
    stopping.cancel()

    with pytest.raises(asyncio.CancelledError):
        await stopping
