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


async def applied(me: Driver, city: Town) -> str:
    draft = await me.must("POST", "/api/v1/services/cases", {"matter": "residence_permit"}, key=str(uuid.uuid4()))
    await me.must("PATCH", f"/api/v1/services/cases/{draft['id']}", {"form": {"reason": "job"}})
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
