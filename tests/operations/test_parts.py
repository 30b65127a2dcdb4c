"""Two of each part at once: one city, whichever process one speaks to, and whichever of them dies."""

import asyncio
import contextlib
import json
import random
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from onelot.embedded import free_port
from simulators import mqtt_client, one_car, population
from simulators.one_car import Camera, Driver, eventually
from tests import bed
from tests.onelot.shell import typed
from tests.operations.parts import Part, Parts

DEMO = Path(__file__).parents[2] / "onelot" / "demo"
SITE = "erqi-plaza"
ACCEPTED = re.compile(r'^onelot_gateway_connections\{what="accepted"\} (\S+)', re.MULTILINE)
PASSAGES = "SELECT body->>'seq' AS seq FROM journal.reading WHERE kind = 'passage' AND body->>'device' = $1"
GATED = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature", "id": "lot-gated", "geometry": {"type": "Point", "coordinates": [113.67, 34.75]},
            "properties": {"kind": "site", "name": {"zh": "停车场", "en": "Car park"}, "type": "underground", "operator": "op-demo",
                           "counted_by": "gates", "capacity": 5000, "tariff": "demo-day"},
        }
    ],
}  # fmt: skip


@dataclass
class Town:
    parts: Parts
    gateways: list[Part]
    works: list[Part]
    webs: list[Part]
    http: aiohttp.ClientSession

    def at(self, card: dict[str, Any], gateway: int) -> dict[str, Any]:
        return card | {"host": "127.0.0.1", "port": self.gateways[gateway].mqtt}


@pytest.fixture(scope="module")
async def town(test_servers: bed.Bed, migrated_template: bed.Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """Simulated parties, two gateways, two workers, two webs; a lot, its tariff."""
    database = await test_servers.create(template=migrated_template.name)
    parts = Parts(tmp_path_factory.mktemp("parts") / "data", database.owner_url, test_servers.servers.redis_url)
    try:
        await parts.begun("outside")
        gateways, works = [parts.start("gateway") for _ in "ab"], [parts.start("work") for _ in "ab"]
        webs = [parts.start("web") for _ in "ab"]
        for part in [*gateways, *works, *webs]:
            await parts.ready(part)
        gated = parts.data.parent / "gated.geojson"
        gated.write_text(json.dumps(GATED))
        await parts.say("tariff", "publish", str(DEMO / "tariff.yaml"))
        for file in (DEMO / "lot.geojson", gated):
            await parts.say("import", str(file))
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            yield Town(parts, gateways, works, webs, http)
    finally:
        parts.end()
        await test_servers.drop(database)


async def card(town: Town, site: str, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await town.parts.say("devices", "add", site, "--kind", kind, "--json"))
    return found


async def text(town: Town, part: Part, path: str) -> str:
    async with town.http.get(part.url + path) as answer:
        return await answer.text()


async def test_each_part_runs_its_own_loops_and_shows_its_own_health(town: Town) -> None:
    loops = {part.name: await text(town, part, "/metrics") for part in (town.gateways[0], town.works[0], town.webs[0])}

    assert 'loop="gateway.ingest"' in loops["gateway"] and "parking.stays" not in loops["gateway"]
    assert 'loop="parking.stays"' in loops["work"] and "citymap.board" not in loops["work"]
    assert 'loop="citymap.board"' in loops["web"] and "gateway.ingest" not in loops["web"]
    async with town.http.get(town.works[0].url + "/api/v1/sites") as answer:
        assert answer.status == 404
    assert json.loads(await text(town, town.webs[0], "/openapi.json"))["openapi"].startswith("3.1")


async def test_one_car_lives_through_a_city_in_parts(town: Town) -> None:
    """Seen at one gateway, shown by both boards, logged in at one web and asked for at the other, paid by whichever worker."""
    driver = Driver(town.http, town.webs[0].url, f"+861380000{random.randrange(1000, 9999)}")
    car = population.person_of(driver.phone).plates[0]

    async def code() -> str | None:
        sent = json.loads(await town.parts.say("outbox", "--phone", driver.phone, "--json"))["items"]
        return str(sent[-1]["code"]) if sent else None

    await driver.log_in(code)
    await driver.own(car.plate, car.colour, car.vin_last6)
    await driver.top_up(10_000)
    here = town.at(await card(town, SITE, "camera"), 0)
    now = datetime.now(UTC)
    camera = await Camera.connect(here, now)
    spot = await one_car.free_spot(driver, SITE, now - timedelta(hours=3))
    entered_at = one_car.whole_minutes_ago(now, 131.2)
    await camera.saw(spot, "occupied", entered_at, plate=car.plate, plate_colour="blue", plate_confidence=0.98, vehicle_type="small")
    for web in town.webs:
        await eventually(lambda web=web: occupied(town, web), f"a taken spot at {web.url}")
    await camera.saw(spot, "free", one_car.whole_minutes_ago(now, 1.2))
    await camera.close()
    other = Driver(town.http, town.webs[1].url, driver.phone, driver.token)
    bill = await other.bill(await other.stay("closed", entered_at))

    assert bill["total"]["amount"] == bill["paid"]["amount"] > 0


async def occupied(town: Town, web: Part) -> dict[str, Any] | None:
    site = json.loads(await text(town, web, f"/api/v1/sites/{SITE}"))
    return site if site["occupied"] == 1 else None


async def test_a_barrier_is_opened_by_whichever_gateway_holds_it(town: Town) -> None:
    gate, phone = await card(town, "lot-gated", "gate"), "+8613900000009"
    await town.parts.say("people", "grant", phone, "admin")
    admin = Driver(town.http, town.webs[1].url, phone)

    async def code() -> str | None:
        sent = json.loads(await town.parts.say("outbox", "--phone", phone, "--json"))["items"]
        return str(sent[-1]["code"]) if sent else None

    await admin.log_in(code)
    path, body = f"/api/v1/operator/devices/{gate['device']}/commands", {"command": "open_barrier", "lane": "1"}
    assert (await admin.ask("POST", path, body))[0] == 409
    for gateway in (0, 1):
        before = await connected(town, gate, gateway)
        assert await eventually(lambda: opened(admin, path, body), "an open barrier") == {"ok": True}
        await before.close()


async def connected(town: Town, gate: dict[str, Any], gateway: int) -> mqtt_client.Client:
    where = town.at(gate, gateway)
    client = await mqtt_client.connect(
        where["host"], where["port"], gate["device"], gate["password"].encode(), on_command=lambda _: b'{"ok": true}'
    )
    await client.subscribe(f"{gate['topic']}/command")
    return client


async def opened(admin: Driver, path: str, body: dict[str, str]) -> dict[str, Any] | None:
    status, answer = await admin.ask("POST", path, body)
    return answer if status == 200 else None


async def test_a_device_that_comes_to_another_gateway_leaves_the_first(town: Town) -> None:
    gate = await card(town, "lot-gated", "gate")
    first = await connected(town, gate, 0)
    second = await connected(town, gate, 1)

    async with asyncio.timeout(8):
        await first.closed
    assert not second.closed.done()
    await second.close()


async def test_two_gateways_one_client_id(town: Town) -> None:
    """The case at our own door: 1,000 passages by gates that share a client id, one gateway killed and started again meanwhile."""
    gates = [await card(town, "lot-gated", "gate") for _ in range(2)]
    sent = [asyncio.ensure_future(pass_through(town, gate, place)) for place, gate in enumerate(gates)]
    await asyncio.sleep(1.0)  # Some of them, not all.
    town.gateways[0].kill()
    town.gateways[0] = await town.parts.begun("gateway")
    await asyncio.gather(*sent)

    for gate in gates:
        rows = await town.parts.ask(PASSAGES, gate["device"])
        assert sorted(int(row["seq"]) for row in rows) == list(range(500))
    assert town.gateways[1].process.poll() is None


async def test_two_gateways_share_one_port(town: Town) -> None:
    """Who connects to it falls on either; a third that does not share is refused in one sentence."""
    port = str(free_port())
    pair = [await town.parts.begun("gateway", ONELOT_MQTT_PORT=port, ONELOT_MQTT_SHARED="1") for _ in "ab"]
    here = await card(town, SITE, "camera") | {"host": "127.0.0.1", "port": int(port)}
    for _ in range(20):
        await (await Camera.connect(here, datetime.now(UTC))).close()

    async def shares() -> list[int] | None:
        found = [ACCEPTED.search(await text(town, part, "/metrics")) for part in pair]
        counts = [int(float(one.group(1))) for one in found if one]
        return counts if sum(counts) == 20 else None

    assert min(await eventually(shares, "twenty connections", 10)) > 0

    third = town.parts.start("gateway", ONELOT_MQTT_PORT=port)
    await asyncio.to_thread(third.process.wait, 60)
    assert f"port {port} is in use" in third.log.read_text()
    for part in pair:
        part.kill()


async def pass_through(town: Town, gate: dict[str, Any], place: int) -> None:
    """500 cars at QoS 1 in about three seconds; whoever is not answered comes again, at the other gateway."""
    begin, seq = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1), 0
    said = {"lane": "1", "direction": "in", "plate_colour": "blue", "plate_confidence": 0.9}
    while seq < 500:
        with contextlib.suppress(mqtt_client.MqttError, OSError):
            where = town.at(gate, place % 2)
            client = await mqtt_client.connect(where["host"], where["port"], gate["device"], gate["password"].encode(), client_id="twin")
            while seq < 500:
                car = said | {"seq": seq, "at": (begin + timedelta(seconds=seq)).isoformat(), "plate": f"豫A{seq:05d}"}
                await client.publish(f"{gate['topic']}/passage", json.dumps(car, ensure_ascii=False).encode())
                seq += 1
                await asyncio.sleep(0.005)
        place += 1
    await client.close()


async def test_the_work_of_a_worker_that_died_is_done_by_the_other(town: Town) -> None:
    gate = await card(town, "lot-gated", "gate")
    town.works[0].kill()
    device = await connected(town, gate, 1)
    said = {"seq": 0, "at": datetime.now(UTC).isoformat(), "lane": "1", "direction": "in", "plate": "豫B00001", "plate_colour": "blue"}
    await device.publish(f"{gate['topic']}/passage", json.dumps(said).encode())

    await eventually(lambda: caught_up(town), "a follower that has caught up", 10)
    await device.close()
    town.works[0] = await town.parts.begun("work")


async def caught_up(town: Town) -> dict[str, bool] | None:
    rows = await town.parts.ask(
        "SELECT c.position >= (SELECT max(position) FROM journal.reading) AS done FROM journal.cursor c WHERE follower = 'parking.stays'"
    )
    return {"done": True} if rows[0]["done"] else None


async def test_two_looks_at_a_cursor_never_apply_the_same_entry_twice(town: Town) -> None:
    rows = await town.parts.ask("SELECT count(*) AS n, count(DISTINCT (device, at, lane, what, id)) AS distinct FROM parking.observation")

    assert rows[0]["n"] == rows[0]["distinct"] > 0
    assert await town.parts.ask("SELECT * FROM journal.stuck") == []


def test_a_part_without_servers_says_what_it_needs(tmp_path: Path) -> None:
    for part in ("gateway", "work", "web"):
        said = typed("run", part, ONELOT_DATA_DIR=str(tmp_path / "data"))

        assert said.status == 2
        assert "ONELOT_POSTGRES_URL" in said.sentence, said.error
    assert not (tmp_path / "data").exists()


def test_a_part_without_parties_says_who_simulates_them(tmp_path: Path) -> None:
    said = typed(
        "run", "web", "--http-port", str(free_port()), ONELOT_DATA_DIR=str(tmp_path / "data"),
        ONELOT_POSTGRES_URL="postgresql://nobody@127.0.0.1/x", ONELOT_REDIS_URL="redis://127.0.0.1",
    )  # fmt: skip

    assert said.status == 2, said.error
    assert "onelot run outside" in said.sentence


def test_a_whole_city_does_not_start_beside_parts(town: Town) -> None:
    environment = town.parts.environment(ONELOT_HTTP_PORT=str(free_port()), ONELOT_MQTT_PORT=str(free_port()))
    said = subprocess.run([sys.executable, "-m", "onelot", "up"], env=environment, capture_output=True, text=True, timeout=30)

    assert said.returncode == 1
    assert "already runs" in said.stderr


async def test_every_part_ends_when_it_is_asked_to(town: Town) -> None:
    ends = await asyncio.gather(*(asyncio.to_thread(part.end) for part in town.parts.running if part.process.poll() is None))

    assert set(ends) == {0}, [part.log.read_text()[-500:] for part in town.parts.running]
    assert list(town.parts.data.glob("doors*.json")) == []
    assert await town.parts.ask("SELECT * FROM gateway.held") == []
