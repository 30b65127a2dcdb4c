"""Let a city live: devices tell what happens as it happens, drivers use their accounts, and the truth is held against it at the end."""

import asyncio
import contextlib
import heapq
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp

from simulators.one_car import Driver
from simulators.traffic import report
from simulators.traffic.drivers import Codes, Drivers
from simulators.traffic.faults import NONE, UNACKNOWLEDGED, Knobs
from simulators.traffic.life import Life
from simulators.traffic.places import Card, Place
from simulators.traffic.prices import Tariff
from simulators.traffic.street import CityClock, Message, Street
from simulators.traffic.witness import Told, Witness, iso

TICK_SECONDS = 0.2
MINUTE = 60
SETTLE_S = 75  # City time: a bay must be clear for a minute before a departure is believed.
CONNECTED_SECONDS = 60.0
ACKNOWLEDGED_SECONDS = 180.0
FOREVER_S = 24 * 3600  # The time over which the faults of an endless run are spread.


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to simulate. Without `minutes` it goes on until it is ended; `began_at` resumes a run as if it had never stopped."""

    places: Sequence[Place]
    cards: Sequence[Card]
    url: str
    seed: int = 1
    minutes: float | None = None
    knobs: Knobs = NONE
    accounts: int = 0
    began_at: int | None = None
    around: Sequence[tuple[float, float]] = ()  # Where drivers look for a place.
    before: frozenset[str] = frozenset()  # Sessions that are none of this run.


async def ask_clock(http: aiohttp.ClientSession, url: str) -> CityClock:
    async with http.get(f"{url}/api/v1/clock") as answer:
        said = await answer.json()
    return CityClock(datetime.fromisoformat(said["city"]).timestamp(), datetime.fromisoformat(said["wall"]).timestamp(), said["speed"])


@dataclass(slots=True)
class Simulation:
    """One run over one city."""

    wanted: Wanted
    clock: CityClock
    life: Life
    witness: Witness
    street: Street
    drivers: Drivers
    ended: bool = False
    happened: int = 0
    _late: list[tuple[int, int, Told]] = field(default_factory=list)
    _late_number: int = 0
    _due: list[tuple[int, int]] = field(default_factory=list)
    _incidents: list[tuple[int, int, str]] = field(default_factory=list)
    _until: int = 0
    _unacknowledged: set[Message] = field(default_factory=set)  # When all else had come to rest; devices go on talking.

    @property
    def began_at(self) -> int:
        return self.life.began_at

    @property
    def parked(self) -> int:
        return self.life.parked

    def open(self) -> None:
        """Every device has its first words; a run that is resumed says again all that it had said, which changes nothing."""
        for told in self.witness.open(self.life.open()):
            self._tell(told)
        for number in range(len(self.life.places)):
            self._count(number, self.began_at)
        self._due = sorted((self.began_at + number % MINUTE, number) for number in range(len(self.street.devices)))
        self._incidents = list(self.street.incidents((self.began_at, self.began_at + FOREVER_S)))
        self._until = self.began_at

    def advance(self, now: int) -> None:
        """Everything up to `now`."""
        for happening in () if self.ended else self.life.until(now):
            self.happened += 1
            for told in self.witness.see(happening):
                self._tell(told)
        while self._late and self._late[0][0] <= now:
            self._say(heapq.heappop(self._late)[2])
        while self._incidents and self._incidents[0][0] <= now:
            _, number, what = self._incidents.pop(0)
            self._befall(number, what)
        while self._due and self._due[0][0] <= now:
            at, number = heapq.heappop(self._due)
            self._each_minute(number, now)
            heapq.heappush(self._due, (max(at + MINUTE, now - now % MINUTE + at % MINUTE), number))
        if not self.ended:
            self._until = now

    def _befall(self, number: int, what: str) -> None:
        device = self.street.devices[number]
        if what == "die":
            self.witness.dies(number, device.unsaid())
            device.die()
        elif what == "jump":
            device.jump()
        else:
            device.cut_off(what == "off")

    def _each_minute(self, number: int, now: int) -> None:
        device = self.street.devices[number]
        device.repeat()
        if device.card.kind == "counter":
            self._count(self.site_of[device.card.site], now - 1)

    @property
    def site_of(self) -> Mapping[str, int]:
        return self.life.number_of

    def _count(self, site: int, at: int) -> None:
        """What a counter says: those who are inside at the end of the second."""
        counter = self.witness.counter_of(site)
        if counter >= 0:
            shown = self.witness.troubles[counter].clock(at)
            body = f'{{"at":"{iso(shown)}","occupied":{self.life.inside(site)},"capacity":{self.life.places[site].room}}}'
            self.street.devices[counter].say(Told(at, counter, "count", body.encode()))

    def _tell(self, told: Told) -> None:
        if told.say_at > self.clock():
            self._late_number += 1
            heapq.heappush(self._late, (told.say_at, self._late_number, told))
        else:
            self._say(told)

    def _say(self, told: Told) -> None:
        if not self.witness.dead(told):
            self.street.devices[told.device].say(told)

    async def live(self, stop: asyncio.Event) -> None:
        """Until the minutes are over, or somebody stops it; then nothing happens any more, and devices only repeat."""
        end = None if self.wanted.minutes is None else self.began_at + round(60 * self.wanted.minutes)
        while not stop.is_set() and (end is None or self.clock() < end):
            self.advance(int(self.clock()))
            await _pause(stop, TICK_SECONDS)
        if end is not None and not stop.is_set():
            self.advance(end)
        self.ended = True

    async def come_to_rest(self) -> None:
        """What is held back is said, the lines are mended, the last counts taken, and everything acknowledged."""
        for *_, told in sorted(self._late):
            self._say(told)
        self._late.clear()
        for device in self.street.devices:
            device.cut_off(False)
        for number in range(len(self.life.places)):
            self._count(number, self._until)
        await _while_fewer(lambda: len(self.street.waiting()), ACKNOWLEDGED_SECONDS)
        self._unacknowledged = set(self.street.waiting())
        self._name_unacknowledged()

    def _name_unacknowledged(self) -> None:
        """What the platform has not taken by now explains what it does not know."""
        for device in self.street.devices:
            if stays := device.unsaid():
                self.witness.ledger.add(UNACKNOWLEDGED, self._until, device.card.device, sorted(stays))

    async def idle(self) -> None:
        """Minute by minute, while others look at what has become of it."""
        while True:
            self.advance(int(self.clock()))
            await asyncio.sleep(TICK_SECONDS)

    async def settle(self) -> None:
        """Until the platform may believe the last departures."""
        end = self._until + SETTLE_S
        await _until(lambda: self.clock() >= end, SETTLE_S + 1.0)

    async def report(self, official: Driver, tariffs: Mapping[str, Tariff], progress: report.Progress) -> report.Report:
        """Compare and write. Devices go on living meanwhile."""
        inquiry = report.Inquiry(official, self.life, self.witness, self.street, self.drivers, tariffs, progress, self.wanted.before)
        verdict = await inquiry.verdict()
        drivers = await inquiry.charged()
        run = {
            "seed": self.life.seed, "from": iso(self.began_at), "until": iso(self._until), "speed": self.clock.speed,
            "places": len(self.life.places), "devices": len(self.street.devices),
        }  # fmt: skip
        still = self._unacknowledged.intersection(self.street.waiting())
        return report.written(
            verdict, life=self.life, witness=self.witness, account=self.street.account, unacknowledged=len(still), drivers=drivers, run=run
        )  # fmt: skip


@contextlib.asynccontextmanager
async def simulating(wanted: Wanted, codes: Codes, *, progress: Callable[[str], None]) -> AsyncIterator[Simulation]:
    """A city whose devices are connected and have said how things stand; drivers come meanwhile."""
    async with aiohttp.ClientSession() as http:
        clock = await ask_clock(http, wanted.url)
    began_at = wanted.began_at or int(clock())
    seconds = FOREVER_S if wanted.minutes is None else round(60 * wanted.minutes)
    life = Life(wanted.places, seed=wanted.seed, began_at=began_at, accounts=wanted.accounts, remember=wanted.minutes is not None)
    witness = Witness(wanted.places, wanted.cards, knobs=wanted.knobs, seed=wanted.seed, began_at=began_at, seconds=seconds)
    street = Street(wanted.cards, witness.troubles, clock, witness.ledger, remember=wanted.minutes is not None)
    drivers = Drivers(wanted.url, codes, wanted.accounts)
    simulation = Simulation(wanted, clock, life, witness, street, drivers)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(drivers.close)
        await stack.enter_async_context(street.talking())
        await _until(lambda: street.connected() == len(street.devices), CONNECTED_SECONDS)
        progress(f"{street.connected()} devices are connected")
        simulation.open()
        progress(f"{simulation.parked} cars are parked")
        people = asyncio.create_task(_people(drivers, wanted), name="drivers")
        stack.push_async_callback(_cancelled, people)
        yield simulation


async def _people(drivers: Drivers, wanted: Wanted) -> None:
    await drivers.come()
    await drivers.look(wanted.around, wanted.seed)


async def _cancelled(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _until(true: Callable[[], bool], seconds: float) -> None:
    """Until it is so, or the time is over."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return
        await asyncio.sleep(0.05)


async def _while_fewer(count: Callable[[], int], seconds: float) -> None:
    """Until there are none, or for so long none fewer: a platform that is overloaded is waited for as long as it gets on."""
    fewest, end = count(), time.monotonic() + seconds
    while fewest and time.monotonic() < end:
        await asyncio.sleep(0.05)
        if count() < fewest:
            fewest, end = count(), time.monotonic() + seconds


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
