"""The driver's map and list: the same places, live, found by name, by keyboard alone, old when the socket is gone, and mended."""

import asyncio
import base64
import re
from datetime import UTC, datetime

import pytest

from simulators.one_car import Camera
from tests.onelot.town import Town
from tests.web.visitor import CENTRE, Visitor, Visitors, seen

FIRST = "大卫城 P1 地下停车场"
COUNT = """async shot => {
  const image = new Image();
  image.src = "data:image/png;base64," + shot;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), {width: image.width, height: image.height}), pen = canvas.getContext("2d");
  pen.drawImage(image, 0, 0);
  const {data} = pen.getImageData(0, 0, image.width, image.height);
  let found = 0;
  for (let i = 0; i < data.length; i += 4) found += data[i] === 6 && data[i + 1] === 122 && data[i + 2] === 82;
  return found;
}"""


@pytest.fixture
async def camera(city: Town, cameras: dict[str, Camera]) -> Camera:
    """Of the kerb at the square: it says that its first six bays are taken and the others are free."""
    await seen(city, cameras["site-3"], "site-3", taken=6)
    return cameras["site-3"]


async def green(visitor: Visitor) -> int:
    """Pixels of the map in the green of a free bay."""
    shot = base64.b64encode(await visitor.page.locator(".map .gl").screenshot()).decode()
    return int(await visitor.page.evaluate(COUNT, shot))


async def until(visitor: Visitor, wanted: int, *, at_least: bool = True) -> int:
    for _ in range(60):
        found = await green(visitor)
        if (found >= wanted) == at_least:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"{found} green pixels, wanted {'at least' if at_least else 'fewer than'} {wanted}")


async def test_the_list_does_not_wait_for_the_map(visitor: Visitor, camera: Camera) -> None:
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(re.sub(r".*/|\?.*", "", request.url)))
    await visitor.page.route("**/assets/maplibre*", lambda route: asyncio.sleep(0))  # It never comes.
    await visitor.open("/")
    await visitor.wait_for("二七路路侧")
    await eventually_asked(asked, "maplibre")

    code = next(place for place, name in enumerate(asked) if name.startswith("maplibre"))
    assert asked.index("near") < code, asked
    assert asked.count("sites") == 1, "the sites are asked for once, by the first script"


async def eventually_asked(asked: list[str], name: str) -> None:
    async with asyncio.timeout(20):
        while not any(one.startswith(name) for one in asked):
            await asyncio.sleep(0.05)


async def test_what_scrolls_lies_inside_the_sheet(visitor: Visitor) -> None:
    """Chromium takes a sheet that scrolls itself for one that hides the map behind and above it: a phone then shows a grey area."""
    await visitor.open()
    await visitor.page.locator(".pin").first.wait_for()

    scrolling = "names => names.map(name => getComputedStyle(document.querySelector(name)).overflowY)"
    assert await visitor.page.evaluate(scrolling, [".sheet", ".sheet > .scroll"]) == ["hidden", "auto"]


async def test_a_bay_turns_free_on_the_map_while_one_watches(visitor: Visitor, camera: Camera) -> None:
    await visitor.open("/sites/site-3")
    await visitor.wait_for("二七路路侧")
    before = await until(visitor, 100)

    await camera.saw("site-3-003", "free", datetime.now(UTC))

    assert await until(visitor, before + 20) > before
    assert visitor.complaints == []


async def test_the_list_counts_along_without_being_loaded_again(visitor: Visitor, camera: Camera) -> None:
    await visitor.open("/")
    row = visitor.page.locator("a.brow", has_text="二七路路侧")
    await row.locator(".count", has_text="6").wait_for()

    await camera.saw("site-3-001", "free", datetime.now(UTC))

    await row.locator(".count", has_text="7").wait_for(timeout=3000)


async def test_a_lost_socket_is_said_and_mends(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    fanout = visitor.city.run.city.fanout
    await visitor.open("/")
    await visitor.wait_for(FIRST)
    while not fanout.watchers:
        await asyncio.sleep(0.05)
    with monkeypatch.context() as patch:
        patch.setattr(fanout, "join", lambda _: None)  # As when there are too many.
        fanout.end()
        said = visitor.page.get_by_text(re.compile("实时连接断开|还没有连上实时数据")).first  # By whether it had heard anything before.
        await said.wait_for()

    await said.wait_for(state="detached")


async def test_places_are_found_by_name_pinyin_and_initials(visitor: Visitor) -> None:
    await visitor.open("/")
    for typed in ("二七", "erqi", "eqgc", "Erqi Sq"):
        await visitor.page.locator("#q").fill(typed)
        await visitor.page.get_by_role("option", name="二七广场").first.wait_for()
    await visitor.page.keyboard.press("Enter")

    await visitor.page.locator(".ask", has_text="二七广场").wait_for()


async def test_a_car_park_is_found_by_its_name(visitor: Visitor) -> None:
    await visitor.open("/")
    await visitor.wait_for(FIRST)
    for typed in ("Minzhu Rd", "minzhulu", "mín zhǔ", "mzltcl"):
        await visitor.page.locator("#q").fill(typed)
        await visitor.page.get_by_role("option", name="民主路停车楼").wait_for()
    await visitor.page.get_by_role("option", name="民主路停车楼").click()

    await visitor.page.wait_for_url("**/sites/site-4")


async def test_here_is_where_the_phone_is(visitors: Visitors) -> None:
    visitor = await visitors(geolocation={"longitude": CENTRE[0], "latitude": CENTRE[1]}, permissions=["geolocation"])
    await visitor.open("/")
    await visitor.wait_for(FIRST)
    await visitor.page.get_by_role("button", name="回到我的位置").click()

    await visitor.page.locator(".ask", has_text="我的位置").wait_for()


async def test_keyboard_alone_leads_to_a_site_and_back(visitor: Visitor) -> None:
    await visitor.open("/")
    await visitor.wait_for(FIRST)
    for _ in range(40):
        await visitor.page.keyboard.press("Tab")
        if FIRST in await visitor.focused():
            break
    await visitor.page.keyboard.press("Enter")
    await visitor.page.wait_for_url("**/sites/site-0")
    await visitor.wait_for("我停多久")
    await visitor.page.go_back()

    await visitor.page.locator("a.brow").first.wait_for()


async def test_filters_hold_for_list_and_map(visitor: Visitor, camera: Camera) -> None:
    await visitor.open("/")
    await visitor.wait_for("二七路路侧")
    await visitor.page.get_by_role("button", name="无障碍").click()
    await visitor.page.locator("a.brow", has_text="二七路路侧").wait_for(state="detached")  # Its one accessible bay is taken.
    await visitor.page.get_by_role("button", name="无障碍").click()

    await visitor.wait_for("二七路路侧")


async def test_my_stay_follows_the_slider(visitor: Visitor) -> None:
    await visitor.open("/sites/site-3")
    await visitor.page.locator(".facts .money").wait_for()
    await visitor.page.locator("#stay").focus()
    for _ in range(4):
        await visitor.page.keyboard.press("ArrowRight")

    assert "4.5 小时" in await visitor.page.locator(".facts").inner_text()


async def test_directions_lead_to_the_entrance_in_the_datum_of_the_app(visitor: Visitor) -> None:
    shifted = (await visitor.city.ask("GET", "/api/v1/sites/site-3", query={"crs": "gcj02"})).body
    await visitor.open("/sites/site-3")
    await visitor.page.get_by_role("button", name="导航到入口").click()
    link = await visitor.page.get_by_role("link", name="高德地图").get_attribute("href")

    door = (shifted["entrances"] or [shifted["location"]])[0]
    assert f"to={door['lon']:.6f},{door['lat']:.6f}" in str(link) and "coordinate=gaode" in str(link)


@pytest.mark.parametrize(
    ("lang", "wide", "dark", "large"), [("zh", False, True, True), ("en", True, False, False), ("zh", True, True, False)]
)
async def test_site_passes_axe_in_every_dress(visitors: Visitors, lang: str, wide: bool, dark: bool, large: bool) -> None:
    visitor = await visitors(lang=lang, wide=wide, dark=dark, large=large)
    await visitor.open("/sites/site-3")
    await visitor.wait_for("Erqi Rd kerb" if lang == "en" else "二七路路侧")
    await visitor.page.locator(".plot").wait_for()

    assert await visitor.violations() == []


async def test_site_fits_a_small_phone(visitors: Visitors) -> None:
    visitor = await visitors(narrow=True)
    await visitor.open("/sites/site-3")
    await visitor.page.locator(".plot").wait_for()

    assert await visitor.overflow() <= 0


async def test_a_city_that_still_loads_says_so_and_goes_on_by_itself(visitor: Visitor) -> None:
    problem = {"type": "/problems/away", "title": "Away", "status": 503, "detail": "the map is still loading", "errors": []}
    await visitor.page.route(
        "**/api/v1/near?*", lambda route: route.fulfill(status=503, json=problem, content_type="application/problem+json")
    )
    await visitor.open("/")
    await visitor.wait_for("城市正在加载")
    await visitor.page.unroute("**/api/v1/near?*")

    await visitor.wait_for(FIRST)


async def test_enter_after_composition_in_safari(visitor: Visitor) -> None:
    """It comes as an ordinary key press of the number 229, after the composition has ended: nothing is sent, in no form."""
    await visitor.open("/")
    await visitor.page.locator("#q").fill("zheng")
    press = (
        "(input, code) => input.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', keyCode: code, bubbles: true, cancelable: true}))"
    )

    assert await visitor.page.locator("#q").evaluate(press, 229) is False, "what the key would have done is prevented"
    assert await visitor.page.locator("#q").evaluate(press, 13) is True
