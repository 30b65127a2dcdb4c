"""One car, walked through the folders in the order of docs/one-car.md, on a city of its own and by strangers only."""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from onelot.embedded import free_port
from simulators import one_car, population
from simulators.one_car import Camera, Driver

DEMO = Path(__file__).parents[2] / "onelot" / "demo"
SITE = "erqi-plaza"


@dataclass
class Town:
    """A city in a process of its own, and the command line beside it."""

    data: Path
    http: int
    mqtt: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}"

    @property
    def environment(self) -> dict[str, str]:
        given = {name: value for name, value in os.environ.items() if not name.startswith("ONELOT_")}
        root = str(Path(__file__).parents[2])
        return given | {
            "PYTHONPATH": root,
            "ONELOT_DATA_DIR": str(self.data),
            "ONELOT_HTTP_PORT": str(self.http),
            "ONELOT_MQTT_PORT": str(self.mqtt),
        }

    async def up(self) -> None:
        log = (self.data.parent / "up.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "onelot", "up"], env=self.environment, stdout=log, stderr=log, start_new_session=True
        )
        log.close()

        async def ready() -> dict[str, str] | None:
            assert self.process is not None and self.process.poll() is None, (self.data.parent / "up.log").read_text()
            with contextlib.suppress(aiohttp.ClientError):
                async with aiohttp.ClientSession() as http, http.get(self.url + "/readyz") as answer:
                    return {"ready": "yes"} if answer.status == 200 else None
            return None

        await one_car.eventually(ready, "a ready city", 60)

    def kill(self) -> None:
        """As a power cut does it: nothing is told to anybody."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def down(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(20)
        self.process = None
        return status

    async def say(self, *words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "onelot", *words, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, error = await process.communicate()
        assert process.returncode == 0, error.decode()
        return out.decode()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path / "data", free_port(), free_port())
    yield made
    if made.process is not None:
        made.kill()


@contextlib.asynccontextmanager
async def somebody(town: Town, phone: str) -> AsyncIterator[Driver]:
    async with aiohttp.ClientSession() as http:
        driver = Driver(http, town.url, phone)

        async def code() -> str | None:
            items = json.loads(await town.say("outbox", "--phone", phone, "--json"))["items"]
            return str(items[-1]["code"]) if items else None

        await driver.log_in(code)
        yield driver


async def test_one_car_from_camera_to_ledger(town: Town) -> None:
    await town.up()
    await town.say("tariff", "publish", str(DEMO / "tariff.yaml"))
    await town.say("import", str(DEMO / "lot.geojson"))
    card = json.loads(await town.say("devices", "add", SITE, "--kind", "camera", "--json"))
    phone = f"+861380000{random.randrange(1000, 9999)}"
    car = population.person_of(phone).plates[0]
    vehicle = {"plate": car.plate, "plate_colour": "blue", "plate_confidence": 0.98}

    async with somebody(town, phone) as driver:
        await driver.own(car.plate, car.colour, car.vin_last6)
        assert await driver.top_up(5_000) == 5_000
        entered_at = datetime.now(UTC).replace(hour=1, minute=0, second=0, microsecond=0) - timedelta(days=1)
        left_at = entered_at + timedelta(hours=2, minutes=10)
        camera = await Camera.connect(card, datetime.now(UTC))

        # 1. A car arrives: what the camera hears as acknowledged is on disk, and a power cut takes nothing.
        await camera.saw(f"{SITE}-001", "occupied", entered_at, **vehicle)
        town.kill()
        await town.up()

        # 2. The map changes.
        async def taken() -> dict[str, int] | None:
            site = await driver.must("GET", f"/api/v1/sites/{SITE}")
            return site if site["occupied"] == 1 else None

        site = await one_car.eventually(taken, "the map")
        assert site["free"] + site["occupied"] + site["unknown"] + site["out_of_order"] == site["capacity"] == 12

        # 3. The driver sees it; whoever only typed the plate does not.
        stay = await driver.stay("open", entered_at)
        assert stay["spot"] == f"{SITE}-001"
        assert stay["fee"]["amount"] >= 500

        # 4. The stay ends.
        await camera.close()
        camera = await Camera.connect(card, datetime.now(UTC))
        await camera.saw(f"{SITE}-001", "free", left_at)
        stay = await driver.stay("closed", entered_at)
        assert datetime.fromisoformat(stay["left_at"]) == left_at

        # 5. Money moves: 09:00 to 11:10 is an hour and three started half hours.
        bill = await driver.bill(stay)
        assert bill["total"]["amount"] == sum(line["amount"]["amount"] for line in bill["lines"]) == 1_400
        assert [payment["amount"]["amount"] for payment in bill["payments"]] == [1_400]
        wallet = await driver.must("GET", "/api/v1/me/wallet")
        assert wallet["balance"]["amount"] == 3_600
        assert [entry["amount"]["amount"] for entry in wallet["entries"]] == [-1_400, 5_000]
        await camera.close()

    assert town.down() == 0


async def test_who_only_typed_a_plate_sees_an_amount_and_nothing_else(town: Town) -> None:
    await town.up()
    await town.say("tariff", "publish", str(DEMO / "tariff.yaml"))
    await town.say("import", str(DEMO / "lot.geojson"))
    card = json.loads(await town.say("devices", "add", SITE, "--kind", "camera", "--json"))
    entered_at = datetime.now(UTC).replace(hour=1, minute=0, second=0, microsecond=0) - timedelta(days=1)
    camera = await Camera.connect(card, datetime.now(UTC))
    await camera.saw(f"{SITE}-002", "occupied", entered_at, plate="豫A7Q889", plate_colour="blue", plate_confidence=0.97)
    await camera.saw(f"{SITE}-002", "free", entered_at + timedelta(minutes=50))

    async with somebody(town, "+8613800009101") as friend:
        bound = await friend.must("POST", "/api/v1/me/plates", {"plate": "豫a·7q889", "colour": "blue"}, key=str(uuid.uuid4()))

        async def due() -> dict[str, object] | None:
            page = await friend.must("GET", "/api/v1/me/plates")
            return next((one for one in page["items"] if one.get("due", {}).get("amount")), None)

        assert bound["plate"] == "豫A7Q889"
        assert (await one_car.eventually(due, "the amount due"))["due"] == {"amount": 500, "currency": "CNY"}
        assert (await friend.must("GET", "/api/v1/me/sessions"))["items"] == []
        assert (await friend.must("GET", "/api/v1/me/bills"))["items"] == []

        await friend.top_up(1_000)
        pay = f"/api/v1/me/plates/{bound['id']}/pay"
        assert await friend.ask("POST", pay, {"rail": "wallet"}, key="pay-1") == (200, {"paid": {"amount": 500, "currency": "CNY"}})
        assert (await friend.ask("POST", pay, {"rail": "wallet"}, key="pay-2"))[0] == 409
        assert (await friend.must("GET", "/api/v1/me/wallet"))["balance"]["amount"] == 500
    await camera.close()
