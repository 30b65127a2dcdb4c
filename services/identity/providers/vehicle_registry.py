"""The vehicle registry over HTTP: a question that may be asked twice, and an answer that must be about the vehicle asked for."""

from datetime import datetime

import aiohttp
import msgspec

from foundation.plates import Plate
from services.identity.errors import RegistryAway
from services.identity.model import Papers
from services.identity.providers.asking import ANSWER_SECONDS_MAX, Desk


class Answer(msgspec.Struct, frozen=True):
    plate: str
    colour: str
    match: bool
    registered_at: datetime | None = None


class HttpVehicleRegistry:
    """`POST {url}/vehicles/check`."""

    def __init__(self, client: aiohttp.ClientSession, url: str, api_key: str, *, answer_seconds_max: float = ANSWER_SECONDS_MAX) -> None:
        self._desk = Desk(client, f"{url.rstrip('/')}/vehicles/check", api_key, answer_seconds_max=answer_seconds_max)

    async def check(self, plate: Plate, vin_last6: str) -> Papers:
        """Sources have answered about somebody else before; such an answer is an outage, never a yes or a no. Raises RegistryAway."""
        answer = await self._desk.ask({"plate": plate.text, "colour": plate.colour, "vin_last6": vin_last6}, Answer)
        if (answer.plate, answer.colour) != plate.key:
            raise RegistryAway
        registered_at = answer.registered_at
        if answer.match and (registered_at is None or registered_at.tzinfo is None):
            raise RegistryAway
        return Papers(answer.match, registered_at)
