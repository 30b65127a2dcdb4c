"""The vehicle registry over HTTP: a question that may be asked twice, and an answer that must be about the vehicle asked for."""

from datetime import datetime

import aiohttp
import msgspec

from foundation.plates import Plate
from services.identity.errors import RegistryAway
from services.identity.model import Papers

ANSWER_SECONDS_MAX = 3.0
TRIES_MAX = 2


class Answer(msgspec.Struct, frozen=True):
    plate: str
    colour: str
    match: bool
    registered_at: datetime | None = None


class HttpVehicleRegistry:
    """`POST {url}/vehicles/check`."""

    def __init__(self, client: aiohttp.ClientSession, url: str, api_key: str, *, answer_seconds_max: float = ANSWER_SECONDS_MAX) -> None:
        self._client, self._url, self._headers = client, url.rstrip("/"), {"X-Api-Key": api_key}
        self._timeout = aiohttp.ClientTimeout(total=answer_seconds_max)

    async def check(self, plate: Plate, vin_last6: str) -> Papers:
        body = msgspec.json.encode({"plate": plate.text, "colour": plate.colour, "vin_last6": vin_last6})
        for _ in range(TRIES_MAX):
            answer = await self._ask(body)
            if answer is not None:
                return _papers_of(answer, plate)
        raise RegistryAway

    async def _ask(self, body: bytes) -> bytes | None:
        """The answer; None when there is none, which asking again may mend."""
        headers = {**self._headers, "Content-Type": "application/json"}
        try:
            async with self._client.post(
                f"{self._url}/vehicles/check", data=body, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                return await response.read() if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None


def _papers_of(raw: bytes, plate: Plate) -> Papers:
    """Sources have answered about somebody else before; such an answer is an outage, never a yes or a no."""
    try:
        answer = msgspec.json.decode(raw, type=Answer)
    except msgspec.MsgspecError:
        raise RegistryAway from None
    if (answer.plate, answer.colour) != plate.key:
        raise RegistryAway
    registered_at = answer.registered_at
    if answer.match and (registered_at is None or registered_at.tzinfo is None):
        raise RegistryAway
    return Papers(answer.match, registered_at)
