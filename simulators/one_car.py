"""One car's driver and its camera, as strangers: the camera speaks MQTT, the driver HTTP, and neither knows anything else."""

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import aiohttp

from simulators import mqtt_client

PATIENCE_SECONDS = 20.0
Answer = Mapping[str, Any]


class NotSo(Exception):
    """The city did not do what its contract says, in time."""


async def eventually(ask: Callable[[], Awaitable[Answer | None]], what: str, seconds: float = PATIENCE_SECONDS) -> Answer:
    """The first answer that is one. Raises NotSo."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = await ask()
        if found is not None:
            return found
        await asyncio.sleep(0.1)
    raise NotSo(f"{what}: not within {seconds:.0f} s")


@dataclass(slots=True)
class Driver:
    """A person with a phone: what an app would do for them."""

    http: aiohttp.ClientSession
    url: str
    phone: str
    token: str = ""

    async def ask(self, method: str, path: str, body: object = None, *, key: str = "", **query: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if key:
            headers["Idempotency-Key"] = key
        async with self.http.request(method, self.url + path, json=body, params=query, headers=headers) as answer:
            return answer.status, await answer.json() if answer.status != 204 else None

    async def must(self, method: str, path: str, body: object = None, *, key: str = "", **query: str) -> Any:  # JSON of the city
        status, answer = await self.ask(method, path, body, key=key, **query)
        if status >= 400:
            raise NotSo(f"{method} {path}: {status} {answer}")
        return answer

    async def log_in(self, code: Callable[[], Awaitable[str | None]]) -> None:
        """With the one-time code that `code` finds on the phone."""
        await self.must("POST", "/api/v1/auth/codes", {"phone": self.phone})

        async def arrived() -> Answer | None:
            found = await code()
            return {"code": found} if found else None

        said = await eventually(arrived, "the one-time code")
        self.token = (await self.must("POST", "/api/v1/auth/sessions", {"phone": self.phone, "code": said["code"]}))["token"]

    async def own(self, plate: str, colour: str, vin_last6: str) -> None:
        """Bind a plate and prove it by the vehicle's papers."""
        bound = await self.must("POST", "/api/v1/me/plates", {"plate": plate, "colour": colour}, key=str(uuid.uuid4()))
        if not bound["proved"]:
            await self.must("POST", f"/api/v1/me/plates/{bound['id']}/proof", {"way": "vehicle_licence", "vin_last6": vin_last6})

    async def top_up(self, fen: int) -> int:
        """Pay into the wallet; answers the balance once the bank has paid."""
        before = (await self.must("GET", "/api/v1/me/wallet"))["balance"]["amount"]
        await self.must("POST", "/api/v1/me/wallet/topups", {"amount": fen, "currency": "CNY"}, key=str(uuid.uuid4()))

        async def paid() -> Answer | None:
            wallet = await self.must("GET", "/api/v1/me/wallet")
            return {"balance": wallet["balance"]["amount"]} if wallet["balance"]["amount"] >= before + fen else None

        return int((await eventually(paid, "the bank's payment"))["balance"])

    async def stay(self, state: str, entered_at: datetime) -> Answer:
        """My stay that began then, once it is in that state."""

        async def found() -> Answer | None:
            page = await self.must("GET", "/api/v1/me/sessions", state=state)
            return next((one for one in page["items"] if datetime.fromisoformat(one["entered_at"]) == entered_at), None)

        return await eventually(found, f"my stay, {state}")

    async def bill(self, stay: Answer) -> Answer:
        """The paid bill of a stay."""

        async def found() -> Answer | None:
            page = await self.must("GET", "/api/v1/me/bills", limit="500")
            return next((one for one in page["items"] if one["session"] == stay["id"] and one["state"] == "paid"), None)

        return await eventually(found, "the paid bill")


@dataclass(slots=True)
class Camera:
    """A camera over some spots, with a status at connect and a will, as the contract asks."""

    client: mqtt_client.Client
    topic: str
    seq: int = 0

    @classmethod
    async def connect(cls, card: Answer, now: datetime) -> "Camera":
        will = mqtt_client.Will(f"{card['topic']}/status", json.dumps({"at": now.isoformat(), "online": False}).encode())
        client = await mqtt_client.connect(card["host"], card["port"], card["device"], card["password"].encode(), will=will)
        camera = cls(client, card["topic"])
        await camera._say("status", {"at": now.isoformat(), "online": True, "firmware": "2.1"})
        return camera

    async def saw(self, spot: str, state: str, at: datetime, **vehicle: object) -> float:
        """Tell what happened on a spot; answers the milliseconds until it was acknowledged, which means on disk."""
        self.seq += 1
        reading = {"spot": spot, "at": at.isoformat(), "state": state, **vehicle}
        began = time.perf_counter()
        await self._say("spots", {"seq": self.seq, "sent": at.isoformat(), "spots": [reading]})
        return 1000 * (time.perf_counter() - began)

    async def _say(self, kind: str, body: object) -> None:
        await self.client.publish(f"{self.topic}/{kind}", json.dumps(body, ensure_ascii=False).encode(), qos=1)

    async def close(self) -> None:
        await self.client.close()


async def free_spot(driver: Driver, site: str, since: datetime) -> str:
    """A spot of the site that nothing has happened on since then."""
    page = await driver.must("GET", f"/api/v1/sites/{site}/spots", limit="500")
    quiet = [one["id"] for one in page["items"] if one["as_of"] is None or datetime.fromisoformat(one["as_of"]) < since]
    if not quiet:
        raise NotSo(f"every spot of {site} was used within the last hour; wait a little")
    return str(quiet[0])


def whole_minutes_ago(now: datetime, minutes: float) -> datetime:
    return now.replace(microsecond=0) - timedelta(seconds=round(60 * minutes))
