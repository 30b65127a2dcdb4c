"""Every loop has an owner that hears it die, and says when its last round ended: that, not its existence, is health."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog
from prometheus_client import Gauge

log = structlog.get_logger()

STOP_SECONDS_MAX = 1.5  # A round that is cancelled ends within milliseconds, unless its server hangs: then the server is ended next.
CANCEL_AGAIN_SECONDS = 0.5  # A loop may lose a cancellation that meets an error it handles; it is told again.
ROUND_AGE = Gauge("onelot_loop_round_age_seconds", "Age of the last completed round of each loop", ["loop"])


@dataclass(slots=True)
class Loop:
    name: str
    age_seconds_max: float
    ended_at: float = field(default_factory=time.monotonic)

    def done(self) -> None:
        self.ended_at = time.monotonic()

    def age(self) -> float:
        return time.monotonic() - self.ended_at


def settle_memory() -> None:
    """After loading: what is here stays, so the collector need not walk through it again and again. Worth a tenth of a busy gateway."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


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
        name = task.get_name()
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if self._tasks.get(name) is not task:  # It was told to stop.
            return
        log.error("loop_died", loop=name, error=repr(error))
        if not self._dead.done():
            self._dead.set_exception(LoopDied(f"{name}: {error!r}" if error else f"{name}: returned"))
            self._dead.exception()  # It was logged: nobody has to ask for it.

    async def death(self) -> None:
        """Raises LoopDied when a loop ends."""
        await asyncio.shield(self._dead)

    def late(self) -> list[str]:
        """Loops whose last round is too long ago, by name."""
        return [f"{loop.name}: last round {loop.age():.0f} s ago" for loop in self.loops.values() if loop.age() > loop.age_seconds_max]

    async def stop(self, *names: str) -> None:
        """Cancel the named loops, or all of them, and wait until they are gone; at the bound those that stay are named and left."""
        pending = {self._tasks.pop(name) for name in (names or tuple(self._tasks)) if name in self._tasks}
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while pending and time.monotonic() < deadline:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_SECONDS)
        if pending:
            log.error("loops_stay", loops=sorted(task.get_name() for task in pending))
        if not self._tasks and not self._dead.done():
            self._dead.cancel()
