"""A small town for the gateway's tests: real PostgreSQL, the real listener with its loops, sites as imported, devices as added."""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import paho.mqtt.client as paho

from citymap.follow import SpotsFollower, board_of
from citymap.import_sites import import_sites
from citymap.model import Bounds, instant, micros
from foundation import journal, postgres, seal
from foundation.bell import Bell
from foundation.clock import CITY_ZONE
from foundation.events import DeviceHeard, Event
from foundation.postgres import Database
from foundation.tasks import Supervisor
from gateway_mqtt.add_device import DeviceCard, add_device
from gateway_mqtt.ingest import Ingest
from gateway_mqtt.listener import Limits, Listener
from gateway_mqtt.registry import Registry
from gateway_mqtt.registry import SitesFollower as GatewaySitesFollower
from parking.sessions.follow import StaysFollower, conclude_once
from parking.sites.store import SitesFollower
from parking.tariffs.publish_tariff import publish_tariff
from simulators import mqtt_client

CITY = "town"
TODAY = (datetime.now(CITY_ZONE) - timedelta(days=1)).date()  # The day that the cases speak of: near enough to now for every door.
CAR = {"plate": "豫A12345", "plate_colour": "blue", "plate_confidence": 0.97}
APPENDING = 71002  # The lock under which readings get their positions: who holds it holds up every commit.
TARIFF = """
code: lot
version: 1
effective: {from: "2020-01-01T00:00+08:00", to: null}
pin: entry
free: {minutes: 15, mode: threshold}
windows:
  - {name: always, from: "00:00", to: "24:00", count: stay, round: up, edge: cut,
     steps: [{until: 60, per: 60, price: 500}, {per: 30, price: 300}]}
"""


def at(clock: str) -> datetime:
    """That time of the town's day."""
    return datetime.fromisoformat(f"{TODAY.isoformat()}T{clock}+08:00")


class TownClock:
    """Stands still at what a test set it to; runs with the wall until then."""

    speed = 1.0

    def __init__(self) -> None:
        self._city: datetime | None = None

    def set(self, when: datetime | str) -> None:
        self._city = (at(when) if isinstance(when, str) else when).astimezone(UTC)

    def wall(self) -> datetime:
        return datetime.now(UTC)

    def city(self) -> datetime:
        return self._city or datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class Talker:
    """One connection of one device."""

    def __init__(self, card: DeviceCard, client: mqtt_client.Client) -> None:
        self.card, self.client = card, client

    async def say(self, kind: str, said: dict[str, Any] | bytes, *, topic: str | None = None) -> int:
        """The reason in the PUBACK; it has come when this returns."""
        async with asyncio.timeout(10):
            return await self.client.publish(topic or f"{self.card.topic}/{kind}", _bytes(said))

    async def send(self, kind: str, said: dict[str, Any] | bytes) -> "asyncio.Future[int]":
        """The PUBACK to come."""
        return await self.client.send(f"{self.card.topic}/{kind}", _bytes(said))

    async def status(self, when: datetime | str | None = None, **more: Any) -> int:
        return await self.say("status", {"at": text(when or datetime.now(UTC)), "online": True, **more})

    async def spots(self, seq: int, *spots: dict[str, Any]) -> int:
        return await self.say("spots", {"seq": seq, "spots": list(spots)})


def _bytes(said: dict[str, Any] | bytes) -> bytes:
    return said if isinstance(said, bytes) else json.dumps(said, ensure_ascii=False).encode()


def text(when: datetime | str) -> str:
    return at(when).isoformat() if isinstance(when, str) else when.isoformat()


def spot(name: str, when: datetime | str, state: str = "occupied", **more: Any) -> dict[str, Any]:
    return {"spot": name, "at": text(when), "state": state, **more}


def passage(seq: int, when: datetime | str, plate: str, *, direction: str = "in", lane: str = "1", **more: Any) -> dict[str, Any]:
    said = {"seq": seq, "at": text(when), "lane": lane, "direction": direction, "plate": plate, "plate_confidence": 0.95}
    return said | {"plate_colour": "blue"} | more


@dataclass
class Town:
    url: str
    database: Database
    clock: TownClock
    keys: seal.Keys
    registry: Registry
    ingest: Ingest
    listener: Listener
    supervisor: Supervisor
    stays: StaysFollower
    admins: list[asyncpg.Connection] = field(default_factory=list)

    async def add_site(self, name: str, spots: Sequence[str] = (), *, counted_by: str = "spots", follow: bool = True) -> None:
        point = {"type": "Point", "coordinates": [113.665, 34.752]}
        site = {
            "kind": "site", "name": {"zh": name, "en": name}, "type": "surface", "operator": "op-demo", "counted_by": counted_by,
            "tariff": "lot", "capacity": max(len(spots), 10),
        }  # fmt: skip
        features = [{"type": "Feature", "id": name, "geometry": point, "properties": site}]
        features += [
            {"type": "Feature", "id": one, "geometry": point, "properties": {"kind": "spot", "site": name, "class": "standard"}}
            for one in spots
        ]
        collection = json.dumps({"type": "FeatureCollection", "features": features}).encode()
        report = await import_sites(self.database, collection, bounds=Bounds(113, 34, 114, 35), now=self.clock.city())
        assert not report.refused
        if follow:
            await self.follow()

    async def add_device(self, site: str, kind: str, name: str | None = None, **more: Any) -> DeviceCard:
        return await add_device(
            self.database, site, kind, city=CITY, host="127.0.0.1", port=self.listener.port, now=self.clock.city(), name=name, **more
        )

    async def a_camera(self, name: str, *spots: str, site: str = "lot-7", **more: Any) -> DeviceCard:
        """A camera on a site of its own with these spots, let in already."""
        await self.add_site(site, spots)
        return await self.let_in(await self.add_device(site, "camera", name, **more))

    async def a_gate(self, name: str, *lanes: str, site: str = "lot-8") -> DeviceCard:
        await self.add_site(site, counted_by="gates")
        return await self.let_in(await self.add_device(site, "gate", name, lanes=lanes or ("1",)))

    async def let_in(self, card: DeviceCard) -> DeviceCard:
        await self.registry.catch_up()
        return card

    async def connect(self, card: DeviceCard, **more: Any) -> Talker:
        client = await mqtt_client.connect("127.0.0.1", self.listener.port, card.device, card.password.encode(), **more)
        return Talker(card, client)

    @contextlib.asynccontextmanager
    async def talking(self, card: DeviceCard, **more: Any) -> AsyncIterator[Talker]:
        talker = await self.connect(card, **more)
        try:
            yield talker
        finally:
            if not talker.client.closed.done():
                await talker.client.close()

    # What became of it

    async def follow(self) -> None:
        """All followers, up to now."""
        for follower in (GatewaySitesFollower(), SpotsFollower(), SitesFollower(), self.stays):
            while await journal.catch_up(self.database, follower):
                pass
        while await conclude_once(self.database, self.clock):  # type: ignore[arg-type]  # a clock that stands still
            pass

    async def readings(self, kind: str = "") -> list[Any]:
        """All in the journal, oldest first; presence only when asked for."""
        async with self.database.transaction() as tx:
            entries = await journal.read(tx, "reading", 0, postgres.BEGINNING, 100_000)
        found: list[Event] = [entry.event for entry in entries]
        return [one for one in found if (one.kind == kind if kind else not isinstance(one, DeviceHeard))]

    async def refused(self) -> list[asyncpg.Record]:
        return await self.sql("SELECT * FROM gateway.refused ORDER BY id")

    async def sql(self, query: str, *values: object) -> list[asyncpg.Record]:
        """As the owner, over a connection that no transaction of the town shares."""
        if not self.admins or self.admins[0].is_closed():
            self.admins[:] = [await asyncpg.connect(self.url)]
        return await self.admins[0].fetch(query, *values)

    async def shown(self, name: str) -> tuple[str, datetime | None]:
        """A spot as a board that starts now shows it, and as of when."""
        await self.follow()
        board, _ = await board_of(self.database, micros(self.clock.city()))
        number = board.places.spot_number[name]
        return ("free", "occupied", "unknown", "out_of_order")[board.spot_shown[number]], instant(int(board.spot_at[number]))

    async def stays_of(self, plate: str) -> list[asyncpg.Record]:
        token = self.keys.token("plate", plate, "green" if len(plate) == 8 else "blue")
        return await self.sql(
            "SELECT s.*, b.total FROM parking.session s LEFT JOIN parking.bill b ON b.session = s.id"
            " WHERE s.plate_token = $1 AND s.state <> 'void' ORDER BY s.entered_at",
            token,
        )

    @contextlib.asynccontextmanager
    async def commits_held_up(self) -> AsyncIterator[None]:
        holder = await asyncpg.connect(self.url)
        try:
            async with holder.transaction():
                await holder.execute("SELECT pg_advisory_xact_lock($1)", APPENDING)
                yield
        finally:
            await holder.close()


@contextlib.asynccontextmanager
async def town(url: str, place: Path, *, bell: Bell | None = None, age_seconds_max: float = 10.0, **limits: Any) -> AsyncIterator[Town]:
    """A town with nothing in it but a tariff; all loops of the gateway run, and one that dies fails the test."""
    clock = TownClock()
    keys = seal.Keys(place / "keys.json")
    async with postgres.connect(url, bell=bell) as database:
        await journal.prepare(database, clock)  # type: ignore[arg-type]  # a clock that stands still
        await publish_tariff(database, TARIFF, now=clock.city())
        registry = Registry(database)
        await registry.load()
        ingest = Ingest(database, registry, keys, clock, CITY)  # type: ignore[arg-type]  # a clock that stands still
        ingest.listener = listener = Listener(ingest, port=0, limits=Limits(linger_s=0.2, **limits))
        await listener.start()
        supervisor = Supervisor()
        supervisor.start("gateway.ingest", ingest.take, age_seconds_max=age_seconds_max)
        supervisor.start("gateway.registry", registry.follow, age_seconds_max=age_seconds_max)
        supervisor.start("gateway.presence", ingest.keep_presence, age_seconds_max=age_seconds_max)
        built = Town(url, database, clock, keys, registry, ingest, listener, supervisor, StaysFollower(keys, clock))  # type: ignore[arg-type]
        death = asyncio.ensure_future(supervisor.death())
        try:
            yield built
            assert not death.done(), death.exception()
        finally:
            death.cancel()
            await listener.drain(1)
            await supervisor.stop()
            for admin in built.admins:
                await admin.close()


async def eventually(ask: Callable[[], Awaitable[Any]], seconds: float = 8.0) -> Any:
    """The first true answer; fails with the last one when none comes."""
    until = time.monotonic() + seconds
    while not (answer := await ask()):
        assert time.monotonic() < until, f"still {answer!r} after {seconds} s"
        await asyncio.sleep(0.01)
    return answer


class Stranger:
    """A device that speaks through paho, in a thread of its own as firmware does."""

    def __init__(self, port: int, username: str, password: str, version: int = paho.MQTTv5, client_id: str = "") -> None:
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=version)
        self.client.username_pw_set(username, password)
        self.port, self.connected = port, threading.Event()
        self.answers: list[Any] = []
        self.acknowledged: list[int] = []
        self.client.on_connect = self._on_connect
        self.client.on_publish = lambda client, data, packet_id, reason, properties: self.acknowledged.append(packet_id)

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        self.answers.append(reason)
        self.connected.set()

    async def __aenter__(self) -> "Stranger":
        await asyncio.to_thread(self.client.connect, "127.0.0.1", self.port)
        self.client.loop_start()
        assert await asyncio.to_thread(self.connected.wait, 10)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.client.disconnect()
        await asyncio.to_thread(self.client.loop_stop)
