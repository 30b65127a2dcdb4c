"""The citizen's pages: each passes axe and fits a small phone; what is typed is kept, and what is refused says why."""

import itertools
import uuid
from typing import Any

import pytest
from playwright.async_api import StorageState

from simulators import population
from simulators.one_car import eventually
from tests.onelot.town import Town
from tests.web.departments import counter_code
from tests.web.visitor import Visitor, Visitors

PHONE = "+8613800000032"
CASES = "/api/v1/services/cases"
OPEN = {"/services": "可以办的事", "/services/matters/residence_permit": "要什么条件", "/services/verify": "扫码得到的文字"}
OWN = {
    "/services": "我的办件",
    "/services/cases": "居住证申领",
    "/services/cases/{case}": "办到哪一步",
    "/services/cases/{draft}/form?step=1": "来自公安局",
    "/services/cases/{draft}/form?step=3": "在郑州就业",
    "/services/cases/{draft}/form?step=check": "请核对",
    "/services/cases/{case}/sent": "已提交",
    "/services/licences": "居民停车证",
    "/services/licences/{licence}": "一分钟内有效",
    "/me/accesses": "公安局",
    "/me/sessions": "我的登录",
}
_kept: dict[str, Any] = {}


async def api(me: Visitor, method: str, path: str, body: object = None) -> Any:
    """As the page asks, with its cookie."""
    answer = await me.context.request.fetch(
        me.city.url + path,
        method=method,
        data=body,
        headers={"X-OneLot": "page", "Idempotency-Key": str(uuid.uuid4()), "Origin": me.city.url},
    )
    assert answer.ok, await answer.text()
    return await answer.json()


async def known(visitors: Visitors, **how: Any) -> Visitor:
    """One person for all tests here, logged in once: proved to L3, with a draft, a case that is decided and a licence."""
    if "state" not in _kept:
        me = await visitors()
        await me.log_in(PHONE)
        person = population.person_of(PHONE)
        await api(me, "POST", "/api/v1/me/level", {"to": "L2", "way": "registry", "name": person.name, "id_no": person.id_no})
        await api(me, "POST", "/api/v1/me/level", {"to": "L3", "way": "counter", "code": await counter_code(me.city, PHONE)})
        case = (await api(me, "POST", CASES, {"matter": "resident_parking"}))["id"]
        await api(me, "POST", f"{CASES}/{case}/submit")
        draft = (await api(me, "POST", CASES, {"matter": "residence_permit"}))["id"]
        await me.open(f"/services/cases/{case}")
        await me.wait_for("办成了")
        view = await api(me, "GET", f"{CASES}/{case}")
        _kept.update(case=case, draft=draft, licence=view["licence"], state=await me.context.storage_state())
    state: StorageState = _kept["state"]
    return await visitors(storage_state=state, **how)


def at(path: str) -> str:
    return path.format(**{key: _kept[key] for key in ("case", "draft", "licence")})


@pytest.mark.parametrize("path", OPEN)
async def test_page_for_anybody_passes_axe_and_fits(visitors: Visitors, path: str) -> None:
    visitor = await visitors(narrow=True)
    await visitor.open(path)
    await visitor.wait_for(OPEN[path])

    assert await visitor.violations() == []
    assert await visitor.overflow() <= 0
    assert visitor.complaints == []


@pytest.mark.parametrize("path", OWN)
async def test_own_page_passes_axe_and_fits_a_small_phone(visitors: Visitors, path: str) -> None:
    me = await known(visitors, narrow=True)
    await me.open(at(path))
    await me.wait_for(OWN[path])

    assert await me.violations() == []
    assert await me.overflow() <= 0
    assert me.complaints == []


@pytest.mark.parametrize(("wide", "dark", "large"), list(itertools.product([False, True], repeat=3))[1:])
async def test_form_and_case_pass_axe_in_every_dress(visitors: Visitors, wide: bool, dark: bool, large: bool) -> None:
    me = await known(visitors, lang="en", wide=wide, dark=dark, large=large)
    for path, text in {
        "/services": "My cases",
        "/services/cases/{draft}/form?step=3": "I work in",
        "/services/cases/{case}": "Where it stands",
    }.items():
        await me.open(at(path))
        await me.wait_for(text)
        assert await me.violations() == []
        assert await me.overflow() <= 0


async def test_what_is_typed_is_there_on_another_device(visitors: Visitors) -> None:
    me = await known(visitors)
    draft = (await api(me, "POST", CASES, {"matter": "residence_permit"}))["id"]
    await me.open(f"/services/cases/{draft}/form")
    async with me.page.expect_response(lambda answer: answer.request.method == "PATCH"):
        await me.page.get_by_role("radio", name="在郑州就读").click()

    other = await known(visitors, wide=True)
    await other.open(f"/services/cases/{draft}/form?step=3")
    assert await other.page.get_by_role("radio", name="在郑州就读").is_checked()


async def test_two_windows_do_not_overwrite_each_other_in_silence(visitors: Visitors) -> None:
    one, two = await known(visitors), await known(visitors)
    draft = (await api(one, "POST", CASES, {"matter": "residence_permit"}))["id"]
    for window in (one, two):
        await window.open(f"/services/cases/{draft}/form?step=3")
        await window.wait_for("在郑州就业")
    async with one.page.expect_response(lambda answer: answer.request.method == "PATCH"):
        await one.page.get_by_role("radio", name="在郑州就业").click()
    await two.page.get_by_role("radio", name="在郑州就读").click()

    await two.page.get_by_role("dialog").get_by_text("别处存过更新的内容").wait_for()
    assert await two.violations() == []
    await two.page.get_by_role("button", name="看更新的那份").click()
    await two.page.locator("#f-reason:checked").wait_for()


async def test_unanswered_question_is_named_linked_and_focused(visitors: Visitors) -> None:
    me = await known(visitors)
    await me.open(at("/services/cases/{draft}/form?step=3"))
    await me.page.get_by_role("button", name="保存并继续").click()
    await me.page.get_by_role("alert").get_by_role("link", name="请选择申领理由").press("Enter")

    assert await me.page.evaluate("document.activeElement.id") == "f-reason"
    assert await me.violations() == []


async def test_locked_value_says_whence_it_is_and_how_to_correct_it(visitors: Visitors) -> None:
    me = await known(visitors)
    await me.open(at("/services/cases/{draft}/form?step=1"))
    await me.page.get_by_role("button", name="姓名不对？").click()

    await me.wait_for("请带身份证件到公安局更正")
    assert await me.page.locator("input").count() == 0


async def test_keyboard_alone_fills_and_sends_an_application(visitors: Visitors) -> None:
    me = await known(visitors)
    draft = (await api(me, "POST", CASES, {"matter": "residence_permit"}))["id"]
    await me.open(f"/services/cases/{draft}/form")
    await me.page.locator("#group").wait_for()
    for key in ("Tab", "Space", "Tab", "Enter"):
        await me.page.keyboard.press(key)
    await me.page.get_by_role("heading", name="请核对").wait_for()
    while await me.focused() != "提交申请":
        await me.page.keyboard.press("Tab")
    await me.page.keyboard.press("Enter")

    await me.page.get_by_role("heading", name="已提交").wait_for()


async def test_withdrawing_asks_first(visitors: Visitors) -> None:
    me = await known(visitors)
    draft = (await api(me, "POST", CASES, {"matter": "residence_permit"}))["id"]
    await me.open(f"/services/cases/{draft}")
    await me.page.get_by_role("button", name="撤回申请").click()
    await me.page.get_by_role("dialog").wait_for()
    await me.page.keyboard.press("Escape")
    await me.page.get_by_role("dialog").wait_for(state="hidden")
    await me.page.get_by_role("button", name="撤回申请").click()
    await me.page.get_by_role("dialog").get_by_role("button", name="撤回").click()

    await me.wait_for("申请已撤回")


@pytest.mark.parametrize("words", ["暂住", "jzz", "residence"])
async def test_matter_is_found_in_ones_own_words(visitor: Visitor, words: str) -> None:
    await visitor.open("/services")
    await visitor.page.get_by_role("searchbox").fill(words)

    await visitor.page.get_by_role("heading", name="找到 1 件事").wait_for()
    await visitor.page.get_by_role("link", name="居住证申领").wait_for()


async def test_wrong_name_is_said_beside_the_number_in_ones_language(visitors: Visitors) -> None:
    me = await visitors()
    await me.log_in("13800000033", then="/services/level?to=L2")
    await me.page.locator("#level-name").fill("张不对")
    await me.page.locator("#level-id").fill(population.person_of("+8613800000033").id_no)
    await me.page.locator("#level-id").press("Enter")

    await me.page.locator("#level-id-error").get_by_text("没有确认").wait_for()
    assert await me.violations() == []


async def test_rubbish_is_no_licence(visitor: Visitor) -> None:
    await visitor.open("/services/verify")
    await visitor.page.locator("#token").fill("rubbish")
    await visitor.page.get_by_role("button", name="核验").click()

    await visitor.page.get_by_role("heading", name="无效").wait_for()
    assert await visitor.violations() == []


async def test_code_is_fetched_anew_before_it_ends(visitors: Visitors) -> None:
    me = await known(visitors)
    await me.page.clock.install()
    await me.open(at("/services/licences/{licence}"))
    image = me.page.get_by_role("img", name="证照二维码")
    first = await image.get_attribute("src")
    async with me.page.expect_response("**/presentation"):
        await me.page.clock.fast_forward(46_000)

    async def drawn() -> dict[str, str] | None:
        found = await image.get_attribute("src")
        return {"src": found} if found and found != first else None

    await eventually(drawn, "another code")


async def test_log_in_that_one_does_not_know_is_ended(visitors: Visitors, city: Town) -> None:
    here = await known(visitors)
    person = uuid.UUID((await api(here, "GET", "/api/v1/me"))["id"])
    other = await city.owner(
        "INSERT INTO services.session (id, person, token_hash, created_at, seen_at, expires_at, what)"
        " SELECT $1, $2, sha256('lost'), created_at, seen_at, expires_at, 'Lost phone' FROM services.session"
        " WHERE person = $2 LIMIT 1 RETURNING id",
        uuid.uuid4(), person,
    )  # fmt: skip
    await here.open("/me/sessions")
    await here.page.get_by_text("这台", exact=True).wait_for()
    await here.page.get_by_role("listitem").filter(has_text="Lost phone").get_by_role("button").click()

    await here.page.get_by_text("Lost phone", exact=True).first.wait_for(state="detached")
    assert await city.owner("SELECT ended_at IS NOT NULL FROM services.session WHERE id = $1", other)
    assert await here.page.get_by_text("这台", exact=True).is_visible()


async def test_licence_is_given_up_by_its_holder_once_asked_again(visitors: Visitors) -> None:
    me = await known(visitors)
    case = (await api(me, "POST", CASES, {"matter": "resident_parking"}))["id"]
    await api(me, "POST", f"{CASES}/{case}/submit")
    await me.open(f"/services/cases/{case}")
    await me.wait_for("办成了")
    await me.page.get_by_role("link", name="出示证照").click()
    await me.page.get_by_role("button", name="注销这张证照").press("Enter")
    await me.page.get_by_role("dialog").get_by_text("不能恢复").wait_for()
    assert await me.violations() == []
    await me.page.get_by_role("dialog").get_by_role("button", name="注销", exact=True).press("Enter")

    await me.page.get_by_text("持证人申请注销").wait_for()
    assert await me.page.get_by_role("button", name="注销这张证照").count() == 0


async def test_life_event_leads_to_what_belongs_to_it(visitors: Visitors) -> None:
    for how in ({"narrow": True}, {"large": True, "lang": "en"}):
        visitor = await visitors(**how)
        await visitor.open("/services")
        await visitor.page.locator("a.tile[href='/services?event=car']").press("Enter")
        await visitor.page.get_by_role("heading", name="A car: 1 matter" if "lang" in how else "有车：1 件事").wait_for()
        assert await visitor.page.locator("a[href='/services/matters/resident_parking']").count() == 1
        assert await visitor.page.locator("a[href='/services/matters/residence_permit']").count() == 0
        assert await visitor.violations() == [] and await visitor.overflow() <= 0
