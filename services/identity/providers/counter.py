"""The service counters over HTTP: whom a clerk saw, told to whoever holds her phone and has the code she was given."""

from datetime import datetime

import aiohttp
import msgspec

from foundation.id_numbers import normal_id_no
from services.identity.errors import RegistryAway
from services.identity.model import Identity, Seen
from services.identity.providers.asking import ANSWER_SECONDS_MAX, Desk


class Answer(msgspec.Struct, frozen=True):
    phone: str
    match: bool
    name: str = ""
    id_no: str = ""
    seen_at: datetime | None = None


class HttpCounter:
    """`POST {url}/counter/v1/codes/check`. Never asked twice for one try: a code is used up by the first answer."""

    field = "code"

    def __init__(self, client: aiohttp.ClientSession, url: str, api_key: str, *, answer_seconds_max: float = ANSWER_SECONDS_MAX) -> None:
        self._desk = Desk(client, f"{url.rstrip('/')}/counter/v1/codes/check", api_key, tries_max=1, answer_seconds_max=answer_seconds_max)

    async def check(self, phone: str, proof: str) -> Seen | None:
        """None for a code that is not this phone's. Raises RegistryAway when there is no answer, or one about somebody else."""
        answer = await self._desk.ask({"phone": phone, "code": proof}, Answer)
        if answer.phone != phone:
            raise RegistryAway
        if not answer.match:
            return None
        if not answer.name or not answer.id_no:
            raise RegistryAway
        return Seen(Identity(answer.name, normal_id_no(answer.id_no)), frozenset({"person", "card"}))
