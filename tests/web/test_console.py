"""The operator's console and the city's pulse: only for those whose they are, with what devices said, and adoption by one click."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import expect

from citymap import history
from gateway_mqtt.add_device import add_device
from services.identity.grant_role import grant_role
from simulators.mqtt_client import ConnectRefused
from simulators.one_car import Camera, eventually
from tests.onelot.town import Town
from tests.web.visitor import Visitor, Visitors

OPERATOR, PLANNER, CITIZEN = "13900000101", "13900000102", "13900000103"
PAGES = {
    "/operator": (OPERATOR, "大卫城 P1 地下停车场"),
    "/operator/stays": (OPERATOR, "没有读到车牌"),
    "/operator/devices": (OPERATOR, "site-0-cam-1"),
    "/operator/refused": (OPERATOR, "没有这个泊位"),
    "/operator/bills": (OPERATOR, "账单"),
    "/city": (PLANNER, "全市脉搏"),
}


@pytest.fixture(scope="session")
async def working_city(city: Town) -> AsyncIterator[Town]:
    """The same small city with a camera that has spoken, a stranger at its door, and an hour of history."""
    run, now = city.run.city, datetime.now(UTC)
    for phone, role, scope in ((OPERATOR, "operator", "op-demo"), (PLANNER, "staff", "transport")):
        await grant_role(run.database, run.keys, phone=f"+86{phone}", role=role, scope=scope, now=now)
    card = await add_device(run.database, "site-0", "camera", city="zhengzhou", host="127.0.0.1", port=city.run.doors.mqtt_port, now=now)
    await run.registry.catch_up()
    said = {"device": card.device, "password": card.password, "topic": card.topic, "host": "127.0.0.1", "port": city.run.doors.mqtt_port}
    camera = await Camera.connect(said, now)
    for spot in range(12):
        await camera.saw(f"site-0-{spot:03d}", "occupied" if spot % 3 else "free", now - timedelta(minutes=30))
    await camera.saw("site-0-999", "free", now)
    with pytest.raises(ConnectRefused):
        await Camera.connect(said | {"device": "site-1-cam-77", "password": "guessed"}, now)
    await eventually(lambda: _known(city), "the camera's word on the board")
    for step in range(12):
        await history.remember(run.database, run.board.board, history.step_of(now) - step * history.STEP)
    yield city
    await camera.close()


_inside: dict[str, Any] = {}  # Cookies by phone: a code is sent once a minute, and nobody logs in for every page.


async def come_in(visitors: Visitors, phone: str, path: str, **dress: Any) -> Visitor:
    """Somebody who has logged in before, or does it now."""
    if phone not in _inside:
        first = await visitors()
        await first.log_in(phone)
        _inside[phone] = await first.context.storage_state()
    visitor = await visitors(storage_state=_inside[phone], **dress)
    await visitor.open(path)
    return visitor


async def _known(city: Town) -> bool:
    board = city.run.city.board.board
    return bool(board.shown[board.places.site_number["site-0"]][1])


@pytest.mark.parametrize("path", PAGES)
async def test_page_shows_what_is_and_passes_axe(visitors: Visitors, working_city: Town, path: str) -> None:
    phone, text = PAGES[path]
    visitor = await come_in(visitors, phone, path, wide=True)
    await visitor.wait_for(text)

    assert await visitor.violations() == []
    assert visitor.complaints == []


@pytest.mark.parametrize("path", ["/operator", "/operator/devices", "/city"])
@pytest.mark.parametrize("dress", [{"dark": True}, {"large": True, "lang": "en"}])
async def test_page_fits_a_small_phone_in_every_dress(visitors: Visitors, working_city: Town, path: str, dress: dict[str, object]) -> None:
    visitor = await come_in(visitors, PAGES[path][0], path, narrow=True, **dress)
    await visitor.page.locator("h2").first.wait_for()

    assert await visitor.violations() == []
    assert await visitor.overflow() <= 0


@pytest.mark.parametrize("path", ["/operator", "/city"])
async def test_citizen_sees_neither_console_nor_pulse(visitors: Visitors, working_city: Town, path: str) -> None:
    visitor = await come_in(visitors, CITIZEN, path)

    await visitor.wait_for("没有这个页面")


async def test_chosen_site_says_where_its_number_comes_from(visitors: Visitors, working_city: Town) -> None:
    visitor = await come_in(visitors, OPERATOR, "/operator", wide=True)

    await visitor.page.get_by_role("button", name="大卫城 P1 地下停车场").click()

    await visitor.wait_for("逐个泊位的摄像头")
    await expect(visitor.page.get_by_role("row", name="大卫城 P1 地下停车场")).to_have_attribute("aria-selected", "true")


async def test_stranger_is_taken_in_by_one_click_and_comes_in(visitors: Visitors, working_city: Town) -> None:
    visitor = await come_in(visitors, OPERATOR, "/operator/devices", wide=True)
    await visitor.page.get_by_role("button", name="收下", exact=True).click()
    await visitor.page.get_by_role("button", name="收下并发密码").click()
    await visitor.wait_for("密码只显示这一次")

    said = [one.strip() for one in await visitor.page.locator("dl.card dd").all_inner_texts()]
    host, _, port = said[0].partition(":")
    card = {"host": host, "port": int(port), "device": said[1], "password": said[2], "topic": said[3].removesuffix("/…")}
    assert card["device"] == "site-1-cam-77"
    camera = await Camera.connect(card, datetime.now(UTC))
    await camera.close()


async def test_site_of_another_cannot_be_adopted_into(visitors: Visitors, working_city: Town) -> None:
    visitor = await come_in(visitors, OPERATOR, "/operator/devices", wide=True)
    body = {"site": "lot-x", "kind": "camera", "name": "lot-x-cam-9"}

    status = await visitor.page.evaluate(
        "body => fetch('/api/v1/operator/devices', {method: 'POST', body: JSON.stringify(body),"
        " headers: {'Content-Type': 'application/json', 'X-OneLot': 'page'}}).then(answer => answer.status)",
        body,
    )

    assert status in (403, 404)
