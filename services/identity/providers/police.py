"""The police register of persons over HTTP: whether name and number are one person's, and nothing else."""

import aiohttp
import msgspec

from services.identity.errors import RegistryAway
from services.identity.providers.asking import ANSWER_SECONDS_MAX, Desk


class Answer(msgspec.Struct, frozen=True):
    id_no: str
    match: bool


class HttpPoliceRegister:
    """`POST {url}/police/v1/persons/check`."""

    def __init__(self, client: aiohttp.ClientSession, url: str, api_key: str, *, answer_seconds_max: float = ANSWER_SECONDS_MAX) -> None:
        self._desk = Desk(client, f"{url.rstrip('/')}/police/v1/persons/check", api_key, answer_seconds_max=answer_seconds_max)

    async def check(self, name: str, id_no: str) -> bool:
        """Raises RegistryAway when there is no answer, or one about somebody else."""
        answer = await self._desk.ask({"name": name, "id_no": id_no}, Answer)
        if answer.id_no != id_no:
            raise RegistryAway
        return answer.match
