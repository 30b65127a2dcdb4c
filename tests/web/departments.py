"""What the tests of the citizen's pages do behind the page: break a department, send somebody past the counter, have a clerk decide."""

from typing import Any

from services.identity.grant_role import grant_role
from simulators.one_car import Driver
from tests.onelot.town import Town


async def turn(city: Town, name: str, state: str) -> None:
    """A department is `up`, `down`, …"""
    await _outside(city, "PUT", f"/control/{name}", {"state": state})


async def counter_code(city: Town, phone: str) -> str:
    """What the clerk hands to whoever holds this phone."""
    return str((await _outside(city, "POST", "/counter/v1/visits", {"phone": phone}))["code"])


async def _outside(city: Town, method: str, path: str, body: dict[str, str]) -> Any:
    url, headers = city.outside.departments_url + path, {"X-Api-Key": city.outside.departments_key}
    async with city.http.request(method, url, json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def clerk(city: Town, phone: str = "+8613800000099") -> Driver:
    """Somebody of the police who decides; the same each time."""
    if "clerk" not in city.people:
        await grant_role(
            city.run.city.database, city.run.city.keys, phone=phone, role="staff", scope="police", now=city.run.city.clock.city()
        )
        await city.log_in("clerk", phone)
    return city.people["clerk"]
