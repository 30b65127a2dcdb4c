"""The bell: wakes followers when a journal grew. It may be deaf; followers look once a second anyway."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterator

import redis.asyncio
import structlog
from prometheus_client import Gauge
from redis.exceptions import RedisError

log = structlog.get_logger()

LOOK_SECONDS = 1.0
DEAF = Gauge("onelot_bell_deaf", "1 while Redis is not heard: followers then look once a second")


class Bell:
    """Rung with the name of a journal, here and, through Redis, in every other process of the city."""

    def __init__(self, client: "redis.asyncio.Redis | None" = None, city: str = "city") -> None:
        self._client, self._channel = client, f"onelot:{{{city}}}:bell"
        self._name = secrets.token_hex(4)  # So that nobody is woken twice by the echo of an own ring.
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._rung: set[str] = set()
        self._to_publish = asyncio.Event()

    def ring(self, journal: str) -> None:
        """Wake those who wait here at once and let `publish` tell the others; never blocks, never fails."""
        self.wake(journal)
        self._rung.add(journal)  # However often it rang since: once says that something is new.
        self._to_publish.set()

    def wake(self, journal: str) -> None:
        for event in self._waiting.get(journal, ()):
            event.set()

    @contextlib.contextmanager
    def listen(self, journal: str) -> Iterator[asyncio.Event]:
        """An event that is set at every ring."""
        event = asyncio.Event()
        self._waiting.setdefault(journal, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[journal].discard(event)

    async def publish(self, done: Callable[[], None]) -> None:
        """Pass rings on to the other processes; one second without Redis costs them one look."""
        while True:
            done()
            await ring_heard(self._to_publish)
            rung, self._rung = self._rung, set()
            if self._client is None:
                continue
            with contextlib.suppress(RedisError, OSError):
                for journal in rung:
                    await self._client.publish(self._channel, f"{self._name} {journal}")

    async def hear(self, done: Callable[[], None]) -> None:
        """Wake followers here for what other processes appended."""
        if self._client is None:
            return await _only_beat(done)
        while True:
            done()
            try:
                async with self._client.pubsub() as heard:
                    await heard.subscribe(self._channel)
                    DEAF.set(0)
                    while True:
                        done()
                        message = await heard.get_message(ignore_subscribe_messages=True, timeout=LOOK_SECONDS)
                        if message is not None:
                            self._heard(message["data"].decode())
            except (TimeoutError, RedisError, OSError) as error:
                DEAF.set(1)
                log.warning("bell_deaf", error=type(error).__name__)
                await asyncio.sleep(LOOK_SECONDS)

    def _heard(self, said: str) -> None:
        who, _, journal = said.partition(" ")
        if who != self._name:
            self.wake(journal)


async def _only_beat(done: Callable[[], None]) -> None:
    while True:
        done()
        await asyncio.sleep(LOOK_SECONDS)


async def ring_heard(event: asyncio.Event, seconds: float | None = None) -> None:
    """Wait for a ring, at most `seconds`. Not by `wait_for`: before Python 3.12 that loses a cancellation which meets the ring."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOOK_SECONDS if seconds is None else seconds):
            await event.wait()
    event.clear()
