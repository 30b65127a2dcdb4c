"""Somebody who looks at the page: a fresh browser profile of one size, language and theme, and what a person does with it."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Locator, Page

from citymap.import_sites import import_sites
from citymap.model import Bounds
from gateway_mqtt.add_device import add_device
from parking.tariffs.publish_tariff import publish_tariff
from simulators.one_car import Camera, Driver, eventually
from tests.onelot.town import TARIFF, Town

AXE = (Path(__file__).parent / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PHONE, DESK, NARROW = {"width": 390, "height": 844}, {"width": 1440, "height": 900}, {"width": 320, "height": 640}
WAIT_MS = 60_000
CENTRE = (113.6654, 34.7534)
BAYS = {"site-5": 14}  # Two more than `seen` speaks of: what a test tells of the past there, no word of the present undoes.
MOTIONLESS = "*, *::before, *::after { transition: none !important; animation: none !important; caret-color: transparent !important; }"


@dataclass
class Visitor:
    """One page, and everything it complained of."""

    page: Page
    context: BrowserContext
    city: Town
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str = "/") -> None:
        await self.page.goto(self.city.url + path)

    def see(self, text: str, *, exact: bool = False) -> Locator:
        return self.page.get_by_text(text, exact=exact).first

    async def wait_for(self, text: str) -> None:
        await self.see(text).wait_for()

    async def violations(self) -> list[str]:
        """What axe finds. Only after some text was waited for: an empty page passes."""
        await self.page.evaluate(AXE)
        found = await self.page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
        return [f"{one['id']}: {node['target']} {node['failureSummary'][:300]}" for one in found["violations"] for node in one["nodes"]]

    async def overflow(self) -> int:
        """By how many pixels the page is wider than what one sees."""
        return int(await self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    async def focused(self) -> str:
        """What the keyboard is on, by its name for a screen reader."""
        name = "() => { const on = document.activeElement; return on.getAttribute('aria-label') || on.innerText || on.id || on.tagName; }"
        return str(await self.page.evaluate(name)).strip()

    async def log_in(self, phone: str, then: str = "/") -> None:
        await self.open(f"/login?then={then}")
        await self.page.locator("#phone").fill(phone)
        await self.page.keyboard.press("Enter")
        await self.page.locator("#code").fill(await code_of(self.city, phone))
        await self.page.keyboard.press("Enter")
        await self.page.wait_for_url(lambda url: "/login" not in url)

    async def be(self, driver: Driver) -> None:
        """Logged in as somebody who is already: codes are sent once a minute."""
        await self.context.add_cookies(
            [{"name": "onelot", "value": driver.token, "url": self.city.url, "httpOnly": True, "sameSite": "Lax"}]
        )
        await self.context.add_init_script("localStorage.setItem('onelot.in', '1')")


@dataclass
class Visitors:
    browser: Browser
    city: Town
    here: list[Visitor] = field(default_factory=list)

    async def __call__(
        self, *, lang: str = "zh", wide: bool = False, narrow: bool = False, dark: bool = False, large: bool = False, **more: Any
    ) -> Visitor:
        size = DESK if wide else NARROW if narrow else PHONE
        context = await self.browser.new_context(
            viewport=size, locale="zh-CN" if lang == "zh" else "en-GB", timezone_id="Asia/Shanghai", reduced_motion="reduce",
            color_scheme="dark" if dark else "light", device_scale_factor=more.pop("scale", 1), has_touch=not wide, **more,
        )  # fmt: skip
        if large:
            await context.add_init_script("localStorage.setItem('onelot.choice', JSON.stringify({type: 'large'}))")
        context.set_default_timeout(WAIT_MS)
        page = await context.new_page()
        visitor = Visitor(page, context, self.city)
        page.on("console", lambda said: visitor.complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        self.here.append(visitor)
        return visitor

    async def close(self) -> None:
        for visitor in self.here:
            await visitor.context.close()


async def code_of(city: Town, phone: str) -> str:
    """The code that was sent last, once it is there."""
    number = phone if phone.startswith("+") else "+86" + phone
    url, key = city.outside.phones_url + "/outbox", {"X-Api-Key": city.outside.phones_key}

    async def newest() -> str | None:
        async with city.http.get(url, params={"phone": number}, headers=key) as answer:
            found = [one["code"] for one in (await answer.json())["items"] if "code" in one]
        return found[-1] if found else None

    return str(await eventually(newest, "a code"))


async def peopled(town: Town) -> None:
    """Car parks of every kind within a walk of the square."""
    city, now = town.run.city, datetime.now(UTC)
    await publish_tariff(city.database, TARIFF, now=now)
    await import_sites(city.database, sites(), bounds=Bounds(112.70, 34.26, 114.24, 34.99), now=now)


def sites() -> bytes:
    """Six sites, each with a row of bays of its own."""
    names = [
        ("大卫城 P1 地下停车场", "David Mall P1", "underground"), ("西大街路侧", "West Main St kerb", "on_street"),
        ("百货大楼地面停车场", "Department Store lot", "surface"), ("二七路路侧", "Erqi Rd kerb", "on_street"),
        ("民主路停车楼", "Minzhu Rd deck", "structure"), ("德化街路侧", "Dehua St kerb", "on_street"),
    ]  # fmt: skip
    features: list[dict[str, Any]] = []
    for number, (zh, en, kind) in enumerate(names):
        lon, lat = CENTRE[0] + (number % 3 - 1) * 0.003, CENTRE[1] + (number // 3) * 0.003
        about = {
            "kind": "site", "name": {"zh": zh, "en": en}, "type": kind, "operator": "op-demo", "counted_by": "spots",
            "tariff": "lot-day", "capacity": BAYS.get(f"site-{number}", 12), "opening_hours": "24/7", "max_height_cm": 210,
        }  # fmt: skip
        site = f"site-{number}"
        features.append({"type": "Feature", "id": site, "geometry": {"type": "Point", "coordinates": [lon, lat]}, "properties": about})
        for spot in range(BAYS.get(site, 12)):
            place = {"type": "Point", "coordinates": [lon + spot * 0.00003, lat + 0.0001]}
            kinds = {"kind": "spot", "site": site, "class": "electric" if spot == 0 else "accessible" if spot == 1 else "standard"}
            features.append({"type": "Feature", "id": f"{site}-{spot:03d}", "geometry": place, "properties": kinds})
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


async def cameras_of(city: Town) -> dict[str, Camera]:
    """One for each site."""
    held, now, doors = {}, datetime.now(UTC), city.run.doors
    for site in (f"site-{number}" for number in range(6)):
        card = await add_device(
            city.run.city.database, site, "camera", city="zhengzhou", host=doors.mqtt_host, port=doors.mqtt_port, now=now
        )
        await city.run.city.registry.catch_up()
        told = {"device": card.device, "password": card.password, "topic": card.topic, "host": card.host, "port": card.port}
        held[site] = await Camera.connect(told, now)
    return held


async def seen(city: Town, camera: Camera, site: str, *, taken: int) -> None:
    """The first twelve bays, and the map has heard of it."""
    now = datetime.now(UTC)
    for spot in range(12):
        await camera.saw(f"{site}-{spot:03d}", "occupied" if spot < taken else "free", now)

    async def heard() -> bool | None:
        answer = await city.ask("GET", f"/api/v1/sites/{site}")
        return bool(answer.body["free"] == 12 - taken) or None

    await eventually(heard, "the map")
