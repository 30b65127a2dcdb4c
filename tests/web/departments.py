"""What the tests of the citizen's pages do behind the page: break a department, send somebody past the counter."""

from typing import Any

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
