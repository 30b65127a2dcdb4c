"""A stranger's walk through the page: register, prove who one is, apply while a department is down, supplement, hold, show, park."""

import os
from pathlib import Path

from simulators import population
from tests.web.departments import clerk, counter_code, turn
from tests.web.visitor import Visitor, Visitors

PHONE = "+8613800000031"
SHOTS = os.environ.get("ONELOT_SHOTS")  # A folder: what was seen is kept there, to be looked at.


async def shot(visitor: Visitor, name: str) -> None:
    if SHOTS:
        await visitor.page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


async def press(visitor: Visitor, name: str) -> None:
    await visitor.page.get_by_role("button", name=name, exact=True).click()


async def follow(visitor: Visitor, name: str) -> None:
    await visitor.page.get_by_role("link", name=name).first.click()


async def test_one_citizen(visitors: Visitors) -> None:
    me = await visitors(scale=2)
    await find_and_prove(me)
    await apply_while_housing_is_down(me)
    case = await me.page.locator(".code.number").inner_text()
    await supplement(me, case)
    await approve(me, case)
    await show_licence(me, await visitors())
    await see_who_looked(me)
    await apply_for_parking(me)
    assert [one for one in me.complaints if "403" not in one and "422" not in one] == []


async def find_and_prove(me: Visitor) -> None:
    """What one needs in one's own words; log in, then name and presence, as steps on the way."""
    await me.open("/services")
    await me.page.get_by_role("searchbox").fill("zanzhuzheng")
    await follow(me, "居住证申领")
    await press(me, "现在办")
    await me.page.locator("#phone").wait_for()
    await me.log_in(PHONE, then="/services/matters/residence_permit")
    await shot(me, "matter")
    await press(me, "现在办")
    person = population.person_of(PHONE)
    await me.page.locator("#level-name").fill(person.name)
    await me.page.locator("#level-id").fill(person.id_no)
    await shot(me, "level-2")
    await press(me, "核对")
    await me.page.locator("#level-code").fill(await counter_code(me.city, PHONE))
    await shot(me, "level-3")
    await press(me, "核对")
    await me.wait_for("现在办")


async def apply_while_housing_is_down(me: Visitor) -> None:
    await turn(me.city, "housing", "down")
    await press(me, "现在办")
    await me.page.get_by_role("radio", name="在郑州就业").click()
    await me.wait_for("已存好")
    await shot(me, "form-reason")
    await press(me, "保存并继续")
    await me.page.get_by_role("heading", name="请核对").wait_for()
    await press(me, "提交申请")
    await me.page.get_by_role("alert").get_by_text("请确认承诺").wait_for()
    await shot(me, "form-check")
    await me.page.get_by_role("checkbox").check()
    await press(me, "提交申请")
    await me.wait_for("已提交")
    await shot(me, "sent")
    await turn(me.city, "housing", "up")


async def supplement(me: Visitor, case: str) -> None:
    await decide(me, case, "supplement", "请再说明居住的理由")
    await me.open(f"/services/cases/{case}")
    await me.wait_for("请再说明居住的理由")
    await shot(me, "case-supplement")
    await follow(me, "现在补")
    await me.page.get_by_role("link", name="修改 申领理由").click()
    await me.page.get_by_role("radio", name="有稳定住所").click()
    await press(me, "继续")
    await me.page.get_by_role("checkbox").check()
    await press(me, "提交补正")
    await me.wait_for("补正已提交")


async def decide(me: Visitor, case: str, decision: str, reason: str) -> None:
    await (await clerk(me.city)).must("POST", f"/api/v1/services/cases/{case}/decision", {"decision": decision, "reason": reason})


async def approve(me: Visitor, case: str) -> None:
    await decide(me, case, "approve", "材料齐全")
    await follow(me, "看办件")
    await me.wait_for("办成了")
    await me.wait_for("准予决定书")
    await shot(me, "case-approved")


async def show_licence(me: Visitor, stranger: Visitor) -> None:
    await follow(me, "出示证照")
    await me.page.get_by_role("img", name="证照二维码").wait_for()
    await shot(me, "licence")
    await me.page.get_by_text("用文字核验").click()
    token = await me.page.locator("[data-token]").inner_text()
    await stranger.open("/services/verify")
    await stranger.page.locator("#token").fill(token)
    await press(stranger, "核验")
    await stranger.page.get_by_role("heading", name="有效", exact=True).wait_for()
    await shot(stranger, "verify")


async def see_who_looked(me: Visitor) -> None:
    await me.open("/me/accesses")
    await me.wait_for("公安局（系统自动查询）")
    await shot(me, "accesses")


async def apply_for_parking(me: Visitor) -> None:
    """Decided at once, by rule, from what the registers say."""
    await me.open("/services/matters/resident_parking")
    await press(me, "现在办")
    await me.wait_for("请核对")
    await press(me, "提交申请")
    await me.wait_for("当场办好了")
    await follow(me, "看办件")
    await me.wait_for("办成了")
    await shot(me, "case-parking")
    await me.open("/services")
    await me.wait_for("我的证照")
    await shot(me, "home")
