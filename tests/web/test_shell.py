"""The frame of the page: languages, themes, type, keyboard, log-in; every page passes axe and fits a small phone."""

import itertools
import re

import pytest

from tests.web.test_build import WEB
from tests.web.visitor import Visitor, Visitors

PAGES = {"/": "大卫城 P1 地下停车场", "/login": "手机号", "/me": "语言"}


@pytest.mark.parametrize("path", PAGES)
async def test_page_speaks_and_complains_of_nothing(visitor: Visitor, path: str) -> None:
    await visitor.open(path)
    await visitor.wait_for(PAGES[path])

    assert await visitor.violations() == []
    assert visitor.complaints == []


@pytest.mark.parametrize(("wide", "dark", "large"), list(itertools.product([False, True], repeat=3))[1:])
async def test_home_passes_axe_in_every_dress(visitors: Visitors, wide: bool, dark: bool, large: bool) -> None:
    visitor = await visitors(lang="en", wide=wide, dark=dark, large=large)
    await visitor.open("/")
    await visitor.wait_for("David Mall P1")

    assert await visitor.violations() == []


@pytest.mark.parametrize("path", PAGES)
async def test_page_fits_a_small_phone(visitors: Visitors, path: str) -> None:
    visitor = await visitors(narrow=True)
    await visitor.open(path)
    await visitor.wait_for(PAGES[path])

    assert await visitor.overflow() <= 0


async def test_choices_last_and_are_there_before_the_first_paint(visitor: Visitor) -> None:
    await visitor.open("/me")
    await visitor.page.get_by_role("radio", name="深色").click()
    await visitor.page.get_by_role("radio", name="English").click()
    await visitor.page.route("**/assets/index-*.js", lambda route: route.abort())
    await visitor.page.reload()

    root = visitor.page.locator("html")
    assert await root.get_attribute("data-theme") == "dark"
    assert await root.get_attribute("lang") == "en"


async def test_who_logs_in_comes_back_to_where_they_were(visitor: Visitor) -> None:
    await visitor.log_in("13800000011")
    await visitor.open("/me")
    await visitor.wait_for("+86138****0011")
    await visitor.page.get_by_role("button", name="退出登录").click()

    await visitor.page.get_by_role("link", name="登录").wait_for()


async def test_wrong_phone_is_said_beside_the_field(visitor: Visitor) -> None:
    await visitor.open("/login")
    await visitor.page.locator("#phone").fill("12345")
    await visitor.page.keyboard.press("Enter")

    await visitor.page.locator("#phone-error").wait_for()
    assert await visitor.page.locator("#phone").get_attribute("aria-invalid") == "true"
    link = visitor.page.get_by_role("alert").get_by_role("link")
    assert "138 0000 0001" in await link.inner_text()
    await link.click()
    assert await visitor.focused() == "phone"


async def test_link_may_not_lead_a_logged_in_person_elsewhere(visitor: Visitor) -> None:
    await visitor.log_in("13800000012", then="//example.org/")

    assert visitor.page.url == visitor.city.url + "/"


async def test_a_page_whose_code_is_gone_opens_itself_anew_once_and_offers_a_way(visitor: Visitor) -> None:
    """A page from before a release asks for code that is gone: it opens itself anew once, then says so and offers a way; never a blank."""
    opened: list[str] = []
    await visitor.page.route("**/assets/me-*.js", lambda route: route.fulfill(status=404, body="gone"))
    await visitor.open("/")
    await visitor.wait_for("大卫城 P1 地下停车场")
    visitor.page.on("framenavigated", lambda frame: opened.append(frame.url))
    await visitor.page.get_by_role("link", name="我的", exact=True).click()

    await visitor.wait_for("页面有了新版本")
    assert len([url for url in opened if url.endswith("/me")]) == 2, "the click, and once anew"
    assert await visitor.page.get_by_role("navigation").first.is_visible()
    await visitor.page.unroute("**/assets/me-*.js")
    await visitor.page.get_by_role("link", name="重新打开").click()
    await visitor.wait_for("语言")
    assert await visitor.page.evaluate("navigator.serviceWorker?.controller ?? null") is None, "nothing keeps an older page"


def test_no_text_becomes_markup() -> None:
    """HTML is written from constants alone: what comes from outside goes through the framework, which makes it text."""
    sources = list((WEB / "src").rglob("*.ts*"))
    sinks = r"dangerouslySetInnerHTML|insertAdjacentHTML|outerHTML|document\.write|setHTML|new Function|eval\("
    found = [f"{file.name}: {hit}" for file in sources for hit in re.findall(sinks, file.read_text())]
    inner = [file.name for file in sources if "innerHTML" in file.read_text()]

    assert found == []
    assert inner == ["map_view.tsx"], "one marker, drawn from constants"
    assert not re.search(r"marker\([^)]*\$\{", (WEB / "src/map/map_view.tsx").read_text())
