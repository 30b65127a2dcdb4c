"""The desk of those who decide: lanes, the case with its evidence, and the letter before it is sent."""

import itertools
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from services.identity.grant_role import grant_role
from simulators import population
from simulators.one_car import Driver, eventually
from tests.onelot.town import Town
from tests.web.departments import counter_code, turn
from tests.web.visitor import Visitor, Visitors

CITIZEN, CLERK = "+8613800000041", "+8613800000042"


@pytest.fixture(scope="module")
async def desk(city: Town) -> AsyncIterator[list[str]]:
    """Two residence permits wait for the police, one of them with a pledge."""
    run, person = city.run.city, population.person_of(CITIZEN)
    await grant_role(run.database, run.keys, phone=CLERK, role="staff", scope="police", now=datetime.now(UTC))
    await city.log_in("the clerk", CLERK)
    me = await city.log_in("a citizen", CITIZEN)
    await me.must("POST", "/api/v1/me/level", {"to": "L2", "way": "registry", "name": person.name, "id_no": person.id_no})
    await me.must("POST", "/api/v1/me/level", {"to": "L3", "way": "counter", "code": await counter_code(city, CITIZEN)})
    first = await applied(me, city)
    await turn(city, "housing", "down")
    second = await applied(me, city)
    await turn(city, "housing", "up")
    yield [first, second]


async def applied(me: Driver, city: Town, form: dict[str, Any] | None = None) -> str:
    draft = await me.must("POST", "/api/v1/services/cases", {"matter": "residence_permit"}, key=str(uuid.uuid4()))
    await me.must("PATCH", f"/api/v1/services/cases/{draft['id']}", {"form": form or {"reason": "job"}})
    await me.must("POST", f"/api/v1/services/cases/{draft['id']}/submit")

    async def waits() -> dict[str, Any] | None:
        case: dict[str, Any] = await me.must("GET", f"/api/v1/services/cases/{draft['id']}")
        return case if case["state"] == "in_review" else None

    return str((await eventually(waits, "a case in review"))["id"])


async def clerk(visitors: Visitors, city: Town, **how: Any) -> Visitor:
    visitor = await visitors(**{"wide": True, **how})
    await visitor.be(city.people["the clerk"])
    return visitor


async def test_desk_passes_axe_and_fits(visitors: Visitors, city: Town, desk: list[str]) -> None:
    for narrow in (False, True):
        visitor = await clerk(visitors, city, wide=not narrow, narrow=narrow)
        for path in ("/inbox", f"/inbox/{desk[1]}"):
            await visitor.open(path)
            await visitor.wait_for("申请与证据" if desk[1] in path else "办下一件")
            assert await visitor.violations() == []
            assert await visitor.overflow() <= 0
        assert visitor.complaints == []


@pytest.mark.parametrize(("dark", "large"), list(itertools.product([False, True], repeat=2)))
async def test_case_passes_axe_in_every_dress(visitors: Visitors, city: Town, desk: list[str], dark: bool, large: bool) -> None:
    visitor = await clerk(visitors, city, lang="en", dark=dark, large=large)
    await visitor.open(f"/inbox/{desk[1]}")
    await visitor.wait_for("Application and evidence")
    await visitor.wait_for("After approval")

    assert await visitor.violations() == []


async def test_lane_of_pledges_holds_what_has_one(visitors: Visitors, city: Town, desk: list[str]) -> None:
    visitor = await clerk(visitors, city)
    await visitor.open("/inbox?lane=pledged")
    await visitor.wait_for("承诺待核 1 项")

    assert await visitor.page.locator(f".inlist a[href^='/inbox/{desk[1]}']").count() == 1
    assert await visitor.page.locator(f".inlist a[href^='/inbox/{desk[0]}']").count() == 0


async def test_staff_see_no_name_and_no_number_whole(visitors: Visitors, city: Town, desk: list[str]) -> None:
    visitor, person = await clerk(visitors, city), population.person_of(CITIZEN)
    await visitor.open(f"/inbox/{desk[0]}")
    await visitor.page.locator("[data-letter]").wait_for()
    await visitor.page.get_by_text("受理通知书").click()
    text = await visitor.page.content()

    assert person.name not in text
    assert person.id_no not in text


async def test_refusal_needs_a_reason_and_shows_its_letter_first(visitors: Visitors, city: Town, desk: list[str]) -> None:
    visitor = await clerk(visitors, city)
    await visitor.open(f"/inbox/{desk[0]}")
    await visitor.page.get_by_role("radio", name="不予").click()
    await visitor.page.get_by_label("理由").fill("材料与登记不符")
    await visitor.page.locator("[data-letter]").get_by_text("不予办理：材料与登记不符").wait_for()
    await visitor.page.get_by_label("理由").fill("")
    await visitor.page.get_by_role("button", name="不予通过并送达").click()

    await visitor.page.get_by_role("alert").get_by_text("请写理由").wait_for()
    assert await visitor.violations() == []


async def test_decided_case_leaves_and_the_next_one_opens(visitors: Visitors, city: Town, desk: list[str]) -> None:
    visitor = await clerk(visitors, city)
    await visitor.open(f"/inbox/{desk[0]}?lane=matter%3Aresidence_permit")
    await visitor.page.get_by_label("理由").fill("材料齐全")
    await visitor.page.keyboard.press("Control+Enter")
    await visitor.wait_for("已通过")

    await visitor.page.locator(f".inlist a[href^='/inbox/{desk[0]}']").wait_for(state="detached")
    assert desk[0] not in visitor.page.url


async def test_who_is_not_staff_sees_no_desk(visitors: Visitors, city: Town, desk: list[str]) -> None:
    visitor = await visitors()
    await visitor.be(city.people["a citizen"])
    await visitor.open("/inbox")

    await visitor.wait_for("没有这个页面")


async def test_case_is_handed_to_a_colleague_by_keyboard(visitors: Visitors, city: Town, desk: list[str]) -> None:
    run, second = city.run.city, "+8613800000043"
    await city.log_in("a colleague", second)
    await grant_role(run.database, run.keys, phone=second, role="staff", scope="police", now=datetime.now(UTC))
    case = await applied(city.people["a citizen"], city)
    visitor = await clerk(visitors, city)
    await visitor.open(f"/inbox/{case}")
    await visitor.page.get_by_role("button", name="我来办").press("Enter")
    await visitor.page.get_by_role("button", name="放回收件箱").wait_for()
    assert await visitor.violations() == []

    await visitor.page.get_by_label("转给").select_option(index=1)
    await visitor.page.get_by_role("button", name="转办").press("Enter")

    await visitor.wait_for("要由您来决定，请先接过来")
    assert await visitor.page.locator("#why").count() == 0, "what a colleague has in hand is not decided over her head"
    await visitor.page.get_by_role("button", name="接过来办").press("Enter")
    await visitor.page.locator("#why").wait_for()
    await visitor.open("/inbox?lane=mine")
    await visitor.page.get_by_text("您在办").wait_for()


async def test_licence_is_revoked_on_the_page_of_its_case(visitors: Visitors, city: Town, desk: list[str]) -> None:
    me, staff = city.people["a citizen"], city.people["the clerk"]
    case = await applied(me, city)
    await staff.must("POST", f"/api/v1/services/cases/{case}/decision", {"decision": "approve", "reason": ""})
    visitor = await clerk(visitors, city)
    await visitor.open("/inbox?lane=decided")
    await visitor.page.locator(f"a[href^='/inbox/{case}']").press("Enter")
    await visitor.page.get_by_label("注销原因").select_option("issued_in_error")
    assert await visitor.violations() == []
    await visitor.page.get_by_role("button", name="注销证照").press("Enter")
    await visitor.page.get_by_role("button", name="注销并送达").press("Enter")
    await visitor.page.locator(".held").get_by_text("发证有误").wait_for()

    async def told() -> bool:
        return "revoked" in [one["kind"] for one in (await me.must("GET", f"/api/v1/services/cases/{case}"))["letters"]]

    await eventually(told, "its holder gets a letter")


async def test_broken_pledge_comes_back_to_the_desk_and_is_kept(visitors: Visitors, city: Town, desk: list[str]) -> None:
    """She said another address than the register has: she reads what to do, and staff keep what they find good."""
    me, staff = city.people["a citizen"], city.people["the clerk"]
    await turn(city, "housing", "down")
    case = await applied(me, city, {"reason": "job", "residence": {"address": "我自己说的地址"}})
    await staff.must("POST", f"/api/v1/services/cases/{case}/decision", {"decision": "approve", "reason": ""})
    await turn(city, "housing", "up")
    await city.owner("UPDATE services.case_timer SET due_at = now() WHERE case_id = $1 AND kind = 'pledge'", case)
    hers = await visitors(narrow=True)
    await hers.be(me)
    await hers.open(f"/services/cases/{case}")
    await hers.wait_for("您承诺的内容与登记不一致")
    assert await hers.violations() == [] and await hers.overflow() <= 0

    visitor = await clerk(visitors, city)
    await visitor.open(f"/inbox/{case}?lane=recheck")
    await visitor.page.locator("[data-letter]").get_by_text("证照继续有效").wait_for()
    await visitor.wait_for("与登记不符")
    assert await visitor.violations() == []
    await visitor.page.get_by_role("button", name="保留并送达").press("Enter")

    await visitor.wait_for("证照已保留")
    await hers.wait_for("办成了")
