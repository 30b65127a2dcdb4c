"""Whether a city that is killed again and again loses or doubles anything: `kill -9` of all its processes while devices go on talking.

The devices keep an account of their own of what they said and what was acknowledged. It is the only judge.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg

from citymap.import_sites import import_sites
from citymap.model import Bounds
from foundation import postgres, seal
from gateway_mqtt.add_device import DeviceCard, add_device
from onelot import embedded
from parking.tariffs.publish_tariff import publish_tariff
from simulators import mqtt_client

NAMES = ("chaos.lost", "chaos.doubled")
ROUNDS: Final = 20
CAMERAS, SPOTS_EACH = 20, 10
READINGS_PER_S: Final = 500
STEP: Final = timedelta(minutes=10)  # Of the spots' own time: cars stay ten minutes and spots are free for ten.
OLDEST: Final = timedelta(hours=70)
LIFE_SECONDS: Final = (0.3, 2.5)  # From the first acknowledgement of a life to its end.
DEAF_SECONDS: Final = (0.0, 0.2)
STILLBORN: Final = 5  # Each fifth life ends while the city is still starting.
START_SECONDS: Final = 60.0
FEE: Final = 500
ROOT: Final = Path(__file__).resolve().parents[1]
SITE: Final = "lot-chaos"
TARIFF: Final = """
code: chaos
version: 1
effective: {from: "2020-01-01T00:00+08:00", to: null}
pin: entry
windows:
  - {name: always, from: "00:00", to: "24:00", count: stay, round: up, edge: cut, steps: [{per: 60, price: 500}]}
"""

Row = dict[str, object]


async def measure(postgres_url: str, place: Path) -> list[Row]:
    """Both rows. The servers have to die too, so the city starts its own; `postgres_url` is left alone."""
    verdict = await torment(place / "chaos", rounds=ROUNDS)
    return [
        _row("chaos.lost", verdict.lost, verdict.sound, str(verdict)),
        _row("chaos.doubled", verdict.doubled, verdict.sound, f"of {verdict.acknowledged} acknowledged"),
    ]


def _row(name: str, value: int, sound: bool, note: str) -> Row:
    met = value == 0 and sound
    return {"name": name, "value": value, "unit": "readings", "baseline": None, "ratio": None, "goal": 0, "met": met, "note": note}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The devices' account held against the city's."""

    rounds: int
    acknowledged: int
    resent: int
    lost: int
    doubled: int
    unexpected: int  # Readings that nobody said.
    refused: int
    stuck: int
    ledger_wrong: int
    sessions: int
    sessions_wrong: int
    examples: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Everything but `lost` and `doubled` is right."""
        return not (self.unexpected or self.refused or self.stuck or self.ledger_wrong or self.sessions_wrong)

    def __str__(self) -> str:
        said = f"{self.rounds} kills, {self.acknowledged} acknowledged, {self.resent} sent again, {self.sessions} stays"
        if self.sound:
            return f"{said}, all right"
        wrong = f"{self.sessions_wrong} wrong, {self.refused} refused, {self.stuck} stuck, ledger {self.ledger_wrong}"
        return f"{said}, {wrong}: {self.examples}"


async def torment(place: Path, *, rounds: int, seed: int | None = None) -> Verdict:
    """Start a city at `place`, let cameras talk to it, kill it `rounds` times, let it come to rest, and judge."""
    place.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)
    city = City(place)
    try:
        city.start()
        await city.ready()
        cameras = [Camera(card, city.mqtt_port, number) for number, card in enumerate(await found(city))]
        async with _talking(cameras):
            for number in range(1, rounds + 1):
                await _live(city, cameras, chance, stillborn=number % STILLBORN == 0)
                await _lose_acknowledgements(cameras, chance)
                await city.kill()
                city.start()
            await city.ready()
            await _acknowledged_more(cameras, 100)
            for camera in cameras:
                camera.going = False
            await _until(lambda: not any(camera.unacknowledged for camera in cameras), "devices wait for acknowledgements")
        return await _judge(city, cameras, rounds)
    finally:
        await city.end()


async def _live(city: "City", cameras: list["Camera"], chance: random.Random, *, stillborn: bool) -> None:
    if not stillborn:
        await _acknowledged_more(cameras, 1)
    await asyncio.sleep(chance.uniform(*LIFE_SECONDS))


async def _lose_acknowledgements(cameras: list["Camera"], chance: random.Random) -> None:
    """The network goes a little before the power does: what is stored then is said again as if nobody had heard it."""
    for camera in cameras:
        camera.deaf = True
    await asyncio.sleep(chance.uniform(*DEAF_SECONDS))


async def _acknowledged_more(cameras: list["Camera"], number: int) -> None:
    before = sum(len(camera.acknowledged) for camera in cameras)
    await _until(lambda: sum(len(camera.acknowledged) for camera in cameras) >= before + number, "nothing is acknowledged")


async def _until(true: Callable[[], bool], trouble: str, seconds: float = START_SECONDS) -> None:
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            raise TimeoutError(f"{trouble} for {seconds:.0f} s")
        await asyncio.sleep(0.02)


class City:
    """`onelot up` in a process of its own, with its servers below it."""

    def __init__(self, place: Path) -> None:
        self.place, self.data = place, place / "data"
        self.http_port, self.mqtt_port = _free_port(), _free_port()
        self._process: asyncio.subprocess.Process | None = None
        self._starting: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._starting = asyncio.ensure_future(self._start())

    async def _start(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ONELOT_")}
        mine = {"ONELOT_HTTP_PORT": self.http_port, "ONELOT_MQTT_PORT": self.mqtt_port, "ONELOT_DATA_DIR": self.data, "PYTHONPATH": ROOT}
        with (self.place / "onelot-up.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "onelot", "up", env=kept | {name: str(value) for name, value in mine.items()},
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    async def ready(self) -> None:
        """Raises TimeoutError, and RuntimeError with the end of its log when the city has ended."""
        process = await self._started()
        until = time.monotonic() + START_SECONDS
        while not await asyncio.to_thread(self._is_ready):
            if process.returncode is not None:
                raise RuntimeError(f"the city ended with {process.returncode}: {self.last_words()}")
            if time.monotonic() > until:
                raise TimeoutError(f"not ready after {START_SECONDS:.0f} s: {self.last_words()}")
            await asyncio.sleep(0.1)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:  # Nobody there yet, or a 503.
            return False

    def last_words(self) -> str:
        return (self.place / "onelot-up.log").read_text(errors="replace")[-2000:]

    async def kill(self) -> None:
        """-9 for all of them at once, as when the power goes."""
        process = await self._started()
        family = [process.pid, *_descendants(process.pid)]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for one in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        await process.wait()
        await _until(lambda: not any(map(_lives, family)), "killed processes live on")

    async def end(self) -> None:
        """As somebody who presses Ctrl-C, and -9 for who does not listen."""
        process = await self._started()
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            await self.kill()

    async def _started(self) -> asyncio.subprocess.Process:
        if self._starting is not None:
            await self._starting
        assert self._process is not None
        return self._process

    @property
    def postgres_url(self) -> str:
        found = embedded.running(self.data)
        assert found is not None, "the city runs"
        return found.owner_url


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _descendants(of: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    found: list[int] = []
    todo = [of]
    while todo:
        todo = [child for one in todo for child in children.get(one, [])]
        found += todo
    return found


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


async def found(city: City) -> list[DeviceCard]:
    """A site with its spots, its tariff and its cameras."""
    names = [spot_name(camera, spot) for camera in range(CAMERAS) for spot in range(SPOTS_EACH)]
    now = datetime.now(UTC)
    async with postgres.connect(city.postgres_url, size=2) as database:
        await publish_tariff(database, TARIFF, now=now)
        await import_sites(database, _site(names), bounds=Bounds(113, 34, 114, 35), now=now)
        cards = []
        for camera in range(CAMERAS):
            spots = names[camera * SPOTS_EACH : (camera + 1) * SPOTS_EACH]
            cards.append(await _camera(database, city, spots, now))
        return cards


async def _camera(database: postgres.Database, city: City, spots: list[str], now: datetime) -> DeviceCard:
    """Once the gateway knows the site: its own table of sites follows the facts."""
    for _ in range(200):
        with contextlib.suppress(Exception):
            return await add_device(database, SITE, "camera", city="zhengzhou", host="127.0.0.1", port=city.mqtt_port, now=now, spots=spots)
        await asyncio.sleep(0.05)
    raise TimeoutError("the gateway does not hear of the site")


def spot_name(camera: int, spot: int) -> str:
    return f"{SITE}-{camera:02}{spot:02}"


def _site(spots: list[str]) -> bytes:
    point = {"type": "Point", "coordinates": [113.665, 34.752]}
    about = {
        "kind": "site", "name": {"zh": "测试", "en": "Chaos"}, "type": "surface", "operator": "op-demo", "counted_by": "spots",
        "tariff": "chaos", "capacity": len(spots),
    }  # fmt: skip
    features: list[dict[str, object]] = [{"type": "Feature", "id": SITE, "geometry": point, "properties": about}]
    for spot in spots:
        properties = {"kind": "spot", "site": SITE, "class": "standard"}
        features.append({"type": "Feature", "id": spot, "geometry": point, "properties": properties})
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


@dataclass(frozen=True, slots=True)
class Said:
    """One reading as the device said it."""

    seq: int
    spot: str
    at: datetime
    plate: str  # Empty: the spot became free.

    def body(self) -> bytes:
        spot: dict[str, object] = {"spot": self.spot, "at": self.at.isoformat(), "state": "occupied" if self.plate else "free"}
        if self.plate:
            spot |= {"plate": self.plate, "plate_colour": "blue", "plate_confidence": 0.97}
        return json.dumps({"seq": self.seq, "sent": datetime.now(UTC).isoformat(), "spots": [spot]}, ensure_ascii=False).encode()


@dataclass(slots=True)
class Camera:
    """A device that says each reading until it is acknowledged, over as many connections as it takes."""

    card: DeviceCard
    port: int
    number: int
    going: bool = True
    over: bool = False
    deaf: bool = False
    began: datetime = field(default_factory=lambda: (datetime.now(UTC) - OLDEST).replace(microsecond=0))
    said: list[Said] = field(default_factory=list)
    acknowledged: set[int] = field(default_factory=set)
    unacknowledged: dict[int, Said] = field(default_factory=dict)
    refused: Counter[int] = field(default_factory=Counter)
    resent: int = 0

    async def talk(self) -> None:
        while not self.over:
            with contextlib.suppress(mqtt_client.MqttError, OSError, TimeoutError):
                await self._talk_once()
            await asyncio.sleep(0.05)

    async def _talk_once(self) -> None:
        client = await mqtt_client.connect("127.0.0.1", self.port, self.card.device, self.card.password.encode(), timeout_s=2)
        self.deaf = False
        try:
            status = {"at": datetime.now(UTC).isoformat(), "online": True}
            await client.publish(f"{self.card.topic}/status", json.dumps(status).encode())
            for one in list(self.unacknowledged.values()):
                self.resent += 1
                await self._say(client, one)
            while not self.over and not client.closed.done():
                if self.going:
                    await self._say(client, self._next())
                await asyncio.sleep(CAMERAS / READINGS_PER_S)
        finally:
            client.abort()

    def _next(self) -> Said:
        seq = len(self.said)
        turn, spot = divmod(seq, SPOTS_EACH)
        at = self.began + turn * STEP + timedelta(seconds=spot)
        assert at < datetime.now(UTC), "the cameras' past is used up"
        car = (turn // 2 * CAMERAS + self.number) * SPOTS_EACH + spot
        one = Said(seq, spot_name(self.number, spot), at, "" if turn % 2 else f"豫B{car:05}")
        self.said.append(one)
        self.unacknowledged[seq] = one
        return one

    async def _say(self, client: mqtt_client.Client, one: Said) -> None:
        answer = await client.send(f"{self.card.topic}/spots", one.body())
        answer.add_done_callback(lambda done: self._settle(one.seq, done))

    def _settle(self, seq: int, done: "asyncio.Future[int]") -> None:
        if done.cancelled() or done.exception() is not None or self.deaf:
            return
        if done.result():
            self.refused[done.result()] += 1
        self.acknowledged.add(seq)
        self.unacknowledged.pop(seq, None)


@contextlib.asynccontextmanager
async def _talking(cameras: list[Camera]) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(camera.talk()) for camera in cameras]
    try:
        yield
    finally:
        for camera in cameras:
            camera.over = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _judge(city: City, cameras: list[Camera], rounds: int) -> Verdict:
    connection = await asyncpg.connect(city.postgres_url)
    try:
        await _followed(connection)
        stored = Counter((row["device"], row["seq"], row["spot"]) for row in await connection.fetch(_STORED))
        acknowledged = {(camera.card.device, seq, camera.said[seq].spot) for camera in cameras for seq in camera.acknowledged}
        wrong, sessions = await _sessions(connection, seal.Keys(city.data / "keys.json"), cameras)
        return Verdict(
            rounds=rounds,
            acknowledged=len(acknowledged),
            resent=sum(camera.resent for camera in cameras),
            lost=len(acknowledged - stored.keys()),
            doubled=sum(stored.values()) - len(stored),
            unexpected=len(stored.keys() - acknowledged),
            refused=sum(camera.refused.total() for camera in cameras) + await connection.fetchval("SELECT count(*) FROM gateway.refused"),
            stuck=await connection.fetchval("SELECT count(*) FROM journal.stuck"),
            ledger_wrong=await connection.fetchval("SELECT count(*) FROM ledger.proof"),
            sessions=sessions,
            sessions_wrong=len(wrong),
            examples=tuple(wrong[:3]),
        )
    finally:
        await connection.close()


_STORED = "SELECT body->>'device' AS device, (body->>'seq')::bigint AS seq, body->>'spot' AS spot FROM journal.reading WHERE kind = 'spot'"
_BEHIND = """
SELECT count(*) FROM journal.cursor c
 WHERE c.follower IN ('parking.stays', 'citymap.spots') AND c.position < (SELECT max(position) FROM journal.reading WHERE kind = 'spot')
"""
_SESSIONS = """
SELECT s.spot, s.plate_token, s.entered_at, s.left_at, s.state, s.certainty, b.total
  FROM parking.session s LEFT JOIN parking.bill b ON b.session = s.id WHERE s.state <> 'void'
"""


async def _followed(connection: asyncpg.Connection) -> None:
    until = time.monotonic() + START_SECONDS
    while await connection.fetchval(_BEHIND):
        if time.monotonic() > until:
            raise TimeoutError("the followers do not catch up")
        await asyncio.sleep(0.1)


async def _sessions(connection: asyncpg.Connection, keys: seal.Keys, cameras: list[Camera]) -> tuple[list[str], int]:
    """What is wrong with the stays and their bills, against what the devices' own account makes of them; and how many stays there are."""
    expected = {}
    for camera in cameras:
        said = {(one.spot, one.at): one for one in camera.said}
        for one in camera.said:
            if one.plate:
                left = said.get((one.spot, one.at + STEP))
                fee = None if left is None else FEE
                stay = (one.at, left and left.at, "closed" if left else "open", "sure", fee)
                expected[one.spot, keys.token("plate", one.plate, "blue")] = stay
    rows = await connection.fetch(_SESSIONS)
    found = {(row[0], row[1]): tuple(row)[2:] for row in rows}
    wrong = [
        f"{spot}: {found.get((spot, token))} and not {stay}" for (spot, token), stay in expected.items() if found.get((spot, token)) != stay
    ]
    wrong += [f"{spot}: a stay that nobody had" for spot, token in found.keys() - expected.keys()]
    return wrong + ["a stay stands there twice"] * (len(rows) - len(found)), len(rows)


async def _main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory(prefix="onelot-chaos-") as place:
        began = time.monotonic()
        verdict = await torment(Path(place), rounds=rounds)
        print(f"lost {verdict.lost}, doubled {verdict.doubled}: {verdict} ({time.monotonic() - began:.0f} s)")


if __name__ == "__main__":
    asyncio.run(_main())
