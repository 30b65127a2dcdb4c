"""How a department is asked by identity: JSON in and out, bounded in time and tries, and every fault is one: it is away."""

from collections.abc import Mapping
from typing import TypeVar

import aiohttp
import msgspec

from services.identity.errors import RegistryAway

ANSWER_SECONDS_MAX = 3.0
TRIES_MAX = 2
Answer = TypeVar("Answer", bound=msgspec.Struct)


class Desk:
    """One address of a department."""

    def __init__(
        self,
        client: aiohttp.ClientSession,
        url: str,
        api_key: str,
        *,
        answer_seconds_max: float = ANSWER_SECONDS_MAX,
        tries_max: int = TRIES_MAX,
    ) -> None:
        self._client, self._url, self._tries_max = client, url, tries_max
        self._headers = {"X-Api-Key": api_key, "Content-Type": "application/json"}
        self._timeout = aiohttp.ClientTimeout(total=answer_seconds_max)

    async def ask(self, question: Mapping[str, str], kind: type[Answer]) -> Answer:
        """Raises RegistryAway."""
        body = msgspec.json.encode(question)
        for _ in range(self._tries_max):
            answer = await self._asked(body)
            if answer is not None:
                try:
                    return msgspec.json.decode(answer, type=kind)
                except msgspec.MsgspecError:
                    raise RegistryAway from None
        raise RegistryAway

    async def _asked(self, body: bytes) -> bytes | None:
        """The answer; None when there is none, which asking again may mend."""
        try:
            async with self._client.post(
                self._url, data=body, headers=self._headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                return await response.read() if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
