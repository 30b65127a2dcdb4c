"""The SMS provider over HTTP: bounded in time and tries, and the same id each time, so that a lost answer makes no second message."""

import asyncio

import aiohttp
import msgspec

from services.identity.errors import SmsAway
from services.identity.model import Message

ANSWER_SECONDS_MAX = 2.5
PAUSES_SECONDS = (0.2, 1.0)  # Between tries: three in all, and then the person asks for a new code.


class HttpSms:
    """`POST {url}/messages`."""

    def __init__(self, client: aiohttp.ClientSession, url: str, api_key: str, *, answer_seconds_max: float = ANSWER_SECONDS_MAX) -> None:
        self._client, self._url, self._headers = client, url.rstrip("/"), {"X-Api-Key": api_key}
        self._timeout = aiohttp.ClientTimeout(total=answer_seconds_max)

    async def send(self, message: Message) -> None:
        for pause in (*PAUSES_SECONDS, None):
            if await self._taken(message):
                return
            if pause is not None:
                await asyncio.sleep(pause)
        raise SmsAway

    async def _taken(self, message: Message) -> bool:
        """Whether the provider has it. Raises SmsAway when it refuses for good."""
        body = msgspec.json.encode({"id": message.id, "phone": message.phone, "template": message.template, "values": message.values})
        headers = {**self._headers, "Content-Type": "application/json"}
        try:
            async with self._client.post(
                f"{self._url}/messages", data=body, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                if 400 <= response.status < 500 and response.status != 429:
                    raise SmsAway
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False
