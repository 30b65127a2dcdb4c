"""A live socket that somebody opened while logged in ends with that log-in, within a second; a map without a log-in stays open."""

import asyncio
import time
import uuid

import aiohttp

from services.identity.end_session import lock_person, unlock_person
from simulators.one_car import Driver
from tests.onelot.town import Town

SUBSCRIBE = {"subscribe": {"bbox": [113.6, 34.7, 113.7, 34.8], "level": "sites"}}


async def watching(town: Town, driver: Driver | None) -> aiohttp.ClientWebSocketResponse:
    headers = {"Authorization": f"Bearer {driver.token}"} if driver else {}
    socket = await town.http.ws_connect(town.url + "/api/v1/live", headers=headers)
    await socket.send_json(SUBSCRIBE)
    assert (await socket.receive_json(timeout=5))["type"] == "snapshot"
    return socket


async def closed(socket: aiohttp.ClientWebSocketResponse, seconds: float) -> int | None:
    """The code it was closed with; None while it is open."""
    try:
        async with asyncio.timeout(seconds):
            while not socket.closed:
                await socket.receive()
            return socket.close_code
    except TimeoutError:
        return None


async def test_sockets_end_with_the_log_in_that_opened_them(running_city: Town) -> None:
    here, there = [await running_city.log_in(name, phone) for name, phone in (("here", "+8613700000031"), ("there", "+8613700000033"))]
    mine, other, nobodys = [await watching(running_city, who) for who in (here, there, None)]
    began = time.monotonic()

    await running_city.ask("DELETE", "/api/v1/auth/sessions/current", who="here")

    assert await closed(mine, 2.0) == 1008 and time.monotonic() - began < 1.0
    assert [await closed(socket, 0.5) for socket in (other, nobodys)] == [None, None]
    await other.close()
    await nobodys.close()


async def test_sockets_of_a_locked_person_end(running_city: Town) -> None:
    driver, city = await running_city.log_in("locked", "+8613700000032"), running_city.run.city
    socket = await watching(running_city, driver)
    person = uuid.UUID((await running_city.ask("GET", "/api/v1/me", who="locked")).body["id"])

    await lock_person(city.database, city.known, person=person, now=city.clock.wall(), city=city.clock.city())

    assert await closed(socket, 1.0) == 1008
    await unlock_person(city.database, person=person)
