"""The simulated registry and provider, asked over HTTP as the platform asks them."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from simulators import departments, phones, population

KEY = {"X-Api-Key": "test-key"}
CAR = population.vehicle_of("豫A12345")
ASKED = {"plate": CAR.plate, "colour": CAR.colour, "vin_last6": CAR.vin_last6}
CODE = {"id": "1", "phone": "+8613800000001", "template": "login_code", "values": {"code": "123456"}}


@contextlib.asynccontextmanager
async def client_of(app: web.Application) -> AsyncIterator[aiohttp.ClientSession]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}", headers=KEY) as client:
            yield client
    finally:
        await runner.cleanup()


@pytest.fixture
async def registry() -> AsyncIterator[aiohttp.ClientSession]:
    async with client_of(departments.application("test-key", slow_seconds=0.3)) as client:
        yield client


@pytest.fixture
async def provider() -> AsyncIterator[aiohttp.ClientSession]:
    async with client_of(phones.application("test-key", slow_seconds=0.3)) as client:
        yield client


async def said(client: aiohttp.ClientSession, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
    async with client.request(method, path, json=body, **more) as response:
        return response.status, await response.json() if response.content_type == "application/json" else None


async def test_papers_match_the_vehicle_they_are_of(registry: aiohttp.ClientSession) -> None:
    status, body = await said(registry, "POST", "/vehicles/check", ASKED)

    assert status == 200 and body == {"plate": CAR.plate, "colour": "blue", "match": True, "registered_at": CAR.registered_at.isoformat()}


@pytest.mark.parametrize("change", [{"vin_last6": "000000"}, {"colour": "yellow"}, {"plate": "豫A12346"}, {"plate": "豫A1234"}])
async def test_papers_that_do_not_match_tell_nothing(registry: aiohttp.ClientSession, change: dict[str, str]) -> None:
    _, body = await said(registry, "POST", "/vehicles/check", ASKED | change)

    assert (body["match"], body["registered_at"]) == (False, None)


async def test_nobody_is_served_without_the_key(registry: aiohttp.ClientSession, provider: aiohttp.ClientSession) -> None:
    wrong = {"X-Api-Key": "guess"}
    assert (await said(registry, "POST", "/vehicles/check", ASKED, headers=wrong))[0] == 401
    assert (await said(registry, "PUT", "/control/vehicles", {"state": "down"}, headers=wrong))[0] == 401
    assert (await said(provider, "GET", "/outbox?phone=1", headers=wrong))[0] == 401


async def test_a_department_can_be_broken_and_mended(registry: aiohttp.ClientSession) -> None:
    seen = {}
    for state in ("down", "wrong", "slow", "up"):
        assert await said(registry, "PUT", "/control/vehicles", {"state": state}) == (200, {"state": state})
        seen[state] = await said(registry, "POST", "/vehicles/check", ASKED)

    assert seen["down"][0] == 503 and seen["slow"] == seen["up"]
    assert seen["wrong"][1]["match"] and seen["wrong"][1]["plate"] != CAR.plate, "confident, and about somebody else"
    assert (await said(registry, "PUT", "/control/vehicles", {"state": "sleepy"}))[0] == 400


async def test_a_message_is_kept_once_for_its_id(provider: aiohttp.ClientSession) -> None:
    for _ in range(3):
        assert (await said(provider, "POST", "/messages", CODE))[0] == 200

    status, body = await said(provider, "GET", "/outbox", params={"phone": CODE["phone"]})

    assert status == 200 and [(row["code"], row["phone"]) for row in body["items"]] == [("123456", CODE["phone"])]
    assert "123456" in body["items"][0]["text"]
    assert (await said(provider, "GET", "/outbox", params={"phone": "+8613800000002"}))[1] == {"items": []}


async def test_an_answer_can_be_lost_after_the_message_was_sent(provider: aiohttp.ClientSession) -> None:
    await said(provider, "PUT", "/control", {"state": "lost_answer"})
    assert (await said(provider, "POST", "/messages", CODE))[0] == 502

    assert len((await said(provider, "GET", "/outbox", params={"phone": CODE["phone"]}))[1]["items"]) == 1


@pytest.mark.parametrize("body", [{}, CODE | {"template": "free_text"}, CODE | {"values": {}}])
async def test_only_templates_with_their_values_are_sent(provider: aiohttp.ClientSession, body: dict[str, Any]) -> None:
    assert (await said(provider, "POST", "/messages", body))[0] == 400


def test_the_oldest_messages_are_forgotten_first() -> None:
    outbox = phones.Outbox(held_max=2)
    for n in range(3):
        message = phones.Message(str(n), "+8613800000001", "login_code", {"code": str(n)})
        outbox.put(message, population.vehicle_of("豫A12345").registered_at)

    assert [sent.code for sent in outbox.of("+8613800000001")] == ["1", "2"]
