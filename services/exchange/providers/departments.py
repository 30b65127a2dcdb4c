"""Departments over HTTP: a question in the body, never in an address, and an answer that keeps to their contract and names its person."""

import asyncio
from datetime import datetime
from typing import Any, Final

import aiohttp
import jsonschema_rs
import msgspec
import orjson

from services.exchange.catalogue import answer_schema
from services.exchange.errors import AskedWrongly, NoAnswer
from services.exchange.model import Catalogue, Interface, Told

ANSWER_BYTES_MAX: Final = 256 * 1024
NO_RECORD: Final = 404


class HttpDepartments:
    """`POST {url}/{interface}/query {"id_no"}`; each answer within the interface's own deadline, or none."""

    def __init__(self, client: aiohttp.ClientSession, url: str, api_key: str, catalogue: Catalogue) -> None:
        self._client, self._url = client, url.rstrip("/")
        self._headers = {"X-Api-Key": api_key, "Content-Type": "application/json"}
        self._valid = {
            (interface.id, status): jsonschema_rs.validator_for(answer_schema(interface, str(status)), validate_formats=True)
            for interface in catalogue.interfaces.values()
            for status in (200, NO_RECORD)
        }

    async def ask(self, interface: Interface, id_no: str) -> Told:
        """Raises NoAnswer, AskedWrongly."""
        status, raw = await self._answer(interface, id_no)
        if 400 <= status < 500 and status not in (NO_RECORD, 408, 429):
            raise AskedWrongly(f"{interface.id} answers {status}")
        if status not in (200, NO_RECORD):
            raise NoAnswer("away")
        body = self._read(interface, status, raw)
        if body["id_no"] != id_no:  # Sources have answered about somebody else before.
            raise NoAnswer("another")
        as_of = datetime.fromisoformat(body["as_of"])
        return Told(as_of, None if status == NO_RECORD else body)

    async def _answer(self, interface: Interface, id_no: str) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(interface.deadline_seconds):
                async with self._client.post(
                    f"{self._url}/{interface.id}/query",
                    data=msgspec.json.encode({"id_no": id_no}),
                    headers=self._headers,
                    allow_redirects=False,
                ) as response:
                    return response.status, await response.content.read(ANSWER_BYTES_MAX)
        except TimeoutError:
            raise NoAnswer("late") from None
        except (aiohttp.ClientError, OSError):
            raise NoAnswer("away") from None

    def _read(self, interface: Interface, status: int, raw: bytes) -> Any:  # JSON that keeps to the department's contract
        try:
            body = orjson.loads(raw)
        except ValueError:
            raise NoAnswer("broken") from None
        if not self._valid[interface.id, status].is_valid(body):
            raise NoAnswer("broken")
        return body
