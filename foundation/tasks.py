"""Every loop has an owner that hears it die, and says when its last round ended: that, not its existence, is health."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog
from prometheus_client import Gauge

log = structlog.get_logger()

ROUND_AGE = Gauge("onelot_loop_round_age_seconds", "Age of the last completed round of each loop", ["loop"])


@dataclass(slots=True)
class Loop:
    name: str
    age_seconds_max: float
    ended_at: float = field(default_factory=time.monotonic)
    trouble: str = ""

    def done(self) -> None:
        self.ended_at = time.monotonic()

    def age(self) -> float:
        return time.monotonic() - self.ended_at


class LoopDied(Exception):
    """A loop that must run for ever has ended."""


class Supervisor:
    """Starts the named loops of a process; the death of one stops the process, since half a city is worse than none."""

    def __init__(self) -> None:
        self.loops: dict[str, Loop] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._dead: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def start(self, name: str, run: Callable[[Callable[[], None]], Awaitable[None]], *, age_seconds_max: float = 10.0) -> None:
        """Run `run(done)`, which calls `done()` at the end of each round and never returns."""
        loop = self.loops[name] = Loop(name, age_seconds_max)
        ROUND_AGE.labels(name).set_function(loop.age)
        task = asyncio.ensure_future(run(loop.done))
        task.set_name(name)
        task.add_done_callback(self._ended)
        self._tasks[name] = task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled():
            return
        error = task.exception()
        log.error("loop_died", loop=task.get_name(), error=repr(error))
        if not self._dead.done():
            self._dead.set_exception(error if isinstance(error, LoopDied) else LoopDied(f"{task.get_name()}: {error!r}"))

    async def death(self) -> None:
        """Raises LoopDied when a loop ends."""
        await asyncio.shield(self._dead)

    def late(self) -> list[str]:
        """Loops whose last round is too long ago, each with the reason it knows."""
        return [f"{loop.name}: last round {loop.age():.0f} s ago" for loop in self.loops.values() if loop.age() > loop.age_seconds_max]

    async def stop(self, *names: str) -> None:
        """Cancel the named loops, or all of them, and wait until they are gone."""
        chosen = [self._tasks.pop(name) for name in (names or tuple(self._tasks)) if name in self._tasks]
        for task in chosen:
            task.cancel()
        for task in chosen:
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        if not self._tasks and not self._dead.done():
            self._dead.cancel()
