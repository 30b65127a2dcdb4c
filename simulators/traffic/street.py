"""Thousands of devices in one process: each a connection of its own, with what it has not got acknowledged kept until it has.

The account of what was acknowledged is the devices' own; nobody asks the platform.
"""

import asyncio
import contextlib
import itertools
import math
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from simulators import mqtt_client
from simulators.mqtt_client import Client, MqttError
from simulators.traffic import faults
from simulators.traffic.demand import CITY
from simulators.traffic.faults import Ledger, Trouble
from simulators.traffic.places import Card
from simulators.traffic.witness import Told

READINGS_OF_A_MESSAGE = 150
CONNECTING_MAX = 40  # At once: a city's cameras do not all come back in the same millisecond.
AGAIN_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0)
PROMPT_SECONDS = 0.15  # A status that was answered so fast shows the clock; one that waited somewhere does not.
PROMPT_TRIES = 12
SLOW_SECONDS = 0.25  # A platform that hears of a status so late, or a second of the city's time late, takes it for an error of the clock.
WINDOW = 20


@dataclass(slots=True)
class CityClock:
    """The city's time, as it was told once, kept by our own clock."""

    city: float
    wall: float
    speed: float

    def __call__(self) -> float:
        return self.city + (time.time() - self.wall) * self.speed


@dataclass(slots=True)
class Account:
    """What the devices themselves know of their messages. `heard` are the readings that were acknowledged, by what they are about; a run
    without an end and without a judge does not `remember` them."""

    remember: bool = True
    sent: int = 0
    resent: int = 0
    acknowledged: int = 0
    readings: int = 0
    repeats: int = 0
    connects: int = 0
    heard: set[int] = field(default_factory=set)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)  # Messages by device and reason.


@dataclass(slots=True, eq=False)
class Message:
    """What a device has to say until it is acknowledged: itself, however often it is said."""

    kind: str
    bodies: list[bytes]
    abouts: list[int]
    again: bool = False

    @property
    def passing(self) -> bool:
        """Whether nobody keeps it for later."""
        return self.again or self.kind == "status"

    def stays(self) -> set[int]:
        return set() if self.again else {about // 2 for about in self.abouts if about >= 0}


class Device:
    """One device: what it has to say in order, and the connection by which it says it."""

    __slots__ = (
        "_account",
        "_clock",
        "_come",
        "_dead",
        "_flying",
        "_going",
        "_kick",
        "_ledger",
        "_numbers",
        "_offline",
        "_queue",
        "_seq",
        "_slow",
        "_words",
        "card",
        "client",
        "trouble",
    )

    def __init__(self, card: Card, trouble: Trouble, clock: CityClock, account: Account, ledger: Ledger, come: asyncio.Semaphore) -> None:
        self.card, self.trouble, self.client = card, trouble, None
        self._clock, self._account, self._ledger, self._come = clock, account, ledger, come
        self._queue: deque[Message] = deque()
        self._flying: dict[int, Message] = {}
        self._numbers = itertools.count()
        self._seq = 0
        self._words: dict[int, bytes] = {}  # The last word on each bay, to be repeated.
        self._kick = asyncio.Event()
        self._going = True
        self._offline = self._dead = False
        self._slow: int | None = None  # The fault that this connection has, if it is slow.

    client: Client | None

    def waiting(self) -> list[Message]:
        """Messages that are not acknowledged, but for what is only said again each minute."""
        return [] if self._dead else [message for message in (*self._flying.values(), *self._queue) if not message.passing]

    def unsaid(self) -> set[int]:
        """The stays of whose readings some are not acknowledged."""
        return {stay for message in self.waiting() for stay in message.stays()}

    @property
    def connected(self) -> bool:
        return self.client is not None

    def say(self, told: Told) -> None:
        """Take a reading to be said; a bay's is repeated from now on."""
        if self._dead:
            return
        for number in range(told.times):
            last = self._queue[-1] if self._queue else None
            if told.kind == "spots" and not number and last and last.kind == "spots" and len(last.bodies) < READINGS_OF_A_MESSAGE:
                last.bodies.append(told.body)
                last.abouts.append(told.about)
            else:
                self._queue.append(Message(told.kind, [told.body], [told.about]))
        if told.kind == "spots":
            self._words[told.spot] = told.body
        self._kick.set()

    def repeat(self) -> None:
        """Each minute: that it lives, and every bay as it was last said. Nobody keeps this for later."""
        if self.client is None or self._dead:
            return
        self._queue.append(Message("status", [self._status()], []))
        words = list(self._words.values())
        for first in range(0, len(words), READINGS_OF_A_MESSAGE):
            self._queue.append(Message("spots", words[first : first + READINGS_OF_A_MESSAGE], [], again=True))
        self._kick.set()

    def cut_off(self, off: bool) -> None:
        """The line is cut, or mended."""
        self._offline = off
        if off and self.client is not None:
            self.client.abort()
        self._kick.set()

    def jump(self) -> None:
        """Its clock was set anew, which ends its connection as it does with most."""
        if self.client is not None:
            self.client.abort()

    def die(self) -> None:
        self._dead = True
        self.cut_off(True)

    def end(self) -> None:
        self._going = False
        self._kick.set()

    async def run(self) -> None:
        """Connect, speak, and connect again, until it is ended."""
        for tries in itertools.count():
            if not self._going or self._dead:
                return
            if self._offline:
                await self._wait()
                continue
            try:
                async with self._come:
                    client = await self._connect()
                await self._speak(client)
            except (MqttError, OSError, TimeoutError):
                pass
            finally:
                self.client = None
                self._take_back()
            if self._going and not self._dead:
                await asyncio.sleep(AGAIN_SECONDS[min(tries, len(AGAIN_SECONDS) - 1)])

    async def _wait(self) -> None:
        self._kick.clear()
        await self._kick.wait()

    async def _connect(self) -> Client:
        card = self.card
        will = mqtt_client.Will(f"{card.topic}/status", b'{"at":"%b","online":false}' % self._now().encode())
        client = await mqtt_client.connect(card.host, card.port, card.device, card.password.encode(), will=will, window=WINDOW)
        self._account.connects += 1
        loop, took = asyncio.get_running_loop(), []
        for _ in range(PROMPT_TRIES):
            began = loop.time()
            await client.publish(f"{card.topic}/status", self._status())
            self._count_status()
            took.append(loop.time() - began)
            if took[-1] < PROMPT_SECONDS:
                break
        self._slow = self._slow_line(min(took))
        return client

    def _slow_line(self, seconds: float) -> int | None:
        """By so much the platform may be mistaken about the clock behind this connection."""
        shown = seconds * self._clock.speed
        if shown < 1.0 or seconds < SLOW_SECONDS or not self._account.remember:
            return None
        return self._ledger.add(faults.SLOW_LINE, int(self._clock()), self.card.device, what=f"{math.ceil(shown)} s")

    def _count_status(self) -> None:
        self._account.sent += 1
        self._account.acknowledged += 1

    async def _speak(self, client: Client) -> None:
        self.client = client
        while self._going:
            while self._queue:
                await self._send(client, self._queue.popleft())
            self._kick.clear()
            gone = asyncio.ensure_future(self._kick.wait())
            await asyncio.wait((gone, client.closed), return_when=asyncio.FIRST_COMPLETED)
            gone.cancel()
            if client.closed.done():
                return
        await client.close()

    async def _send(self, client: Client, message: Message) -> None:
        number = next(self._numbers)
        self._flying[number] = message
        if self._slow is not None:
            for stay in message.stays():
                self._ledger.touch(self._slow, stay)
        answer = await client.send(f"{self.card.topic}/{message.kind}", self._payload(message))
        self._account.sent += 1
        answer.add_done_callback(lambda done: self._answered(number, done))

    def _payload(self, message: Message) -> bytes:
        if message.kind == "status":
            return message.bodies[0]
        self._seq += 1
        if message.kind == "spots":
            return b'{"seq":%d,"sent":"%b","spots":[%b]}' % (self._seq, self._now().encode(), b",".join(message.bodies))
        return b'{"seq":%d,%b' % (self._seq, message.bodies[0][1:])

    def _answered(self, number: int, done: "asyncio.Future[int]") -> None:
        if done.cancelled() or done.exception() is not None:
            return  # It is taken back with the connection.
        message = self._flying.pop(number, None)
        if message is None:
            return
        account = self._account
        account.acknowledged += 1
        if message.again:
            account.repeats += len(message.bodies)
        elif message.kind != "status":
            account.readings += len(message.bodies)
            if account.remember:
                account.heard.update(message.abouts)
        if done.result() >= 0x80:
            account.refused[self.card.device, f"{message.kind}: 0x{done.result():02x}"] += 1

    def _take_back(self) -> None:
        """What was not acknowledged is said again, before everything else; what only repeats is not."""
        kept = [message for message in self._flying.values() if not message.passing]
        self._flying.clear()
        self._queue = deque(message for message in self._queue if not message.passing)
        self._queue.extendleft(reversed(kept))
        self._account.resent += len(kept)

    def _status(self) -> bytes:
        return b'{"at":"%b","online":true,"firmware":"2.1"}' % self._now().encode()

    def _now(self) -> str:
        now = self._clock()
        shown = self.trouble.clock(int(now)) + now % 1
        return datetime.fromtimestamp(shown, CITY).isoformat(timespec="milliseconds")


class Street:
    """All devices of a city."""

    def __init__(
        self, cards: Sequence[Card], troubles: Sequence[Trouble], clock: CityClock, ledger: Ledger, *, remember: bool = True
    ) -> None:  # fmt: skip
        self.account = Account(remember)
        come = asyncio.Semaphore(CONNECTING_MAX)
        self.devices = [Device(card, trouble, clock, self.account, ledger, come) for card, trouble in zip(cards, troubles, strict=True)]

    @contextlib.asynccontextmanager
    async def talking(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(device.run(), name=device.card.device) for device in self.devices]
        try:
            yield
        finally:
            for device in self.devices:
                device.end()
            _, late = await asyncio.wait(tasks, timeout=5) if tasks else (set(), set())
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def waiting(self) -> list[Message]:
        return [message for device in self.devices for message in device.waiting()]

    def connected(self) -> int:
        return sum(device.connected for device in self.devices)

    def incidents(self, seconds: tuple[int, int]) -> Iterator[tuple[int, int, str]]:
        """(when, device, what) of all that happens to devices themselves within the times, in order."""
        found = []
        for number, trouble in enumerate(device.trouble for device in self.devices):
            if trouble.offline:
                found += [(trouble.offline[0], number, "off"), (trouble.offline[1], number, "on")]
            if trouble.dies_at is not None:
                found.append((trouble.dies_at, number, "die"))
            if trouble.jump:
                found.append((trouble.jump_at, number, "jump"))
        return iter(sorted(one for one in found if seconds[0] <= one[0] < seconds[1]))
