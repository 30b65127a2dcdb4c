"""Every kind of question in a browser: files, places, lists, addresses and numbers; what is wrong is said where it is, by keyboard too."""

import functools
import json
import re
import tempfile
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Route

from services.catalog.new_matter import new_matter
from services.catalog.publish_matter import files_of, publish_matter
from services.identity.grant_role import grant_role
from simulators import population
from simulators.one_car import Driver, eventually
from tests.onelot.town import CASES, Town
from tests.papers import DEVICE, GPS, XMP, exif, pdf
from tests.web.visitor import Visitor, Visitors

CITIZEN, CLERK = "+8613800000061", "+8613800000062"
STUDY, CONTACT, FAMILY = 4, 5, 6  # Pages of the form.
LAW = "户口登记条例 第六条"
QUESTIONS: dict[str, Any] = {
    "contact": {
        "type": "object", "required": ["email", "rooms"], "additionalProperties": False, "x-label": {"zh": "联系方式", "en": "Contact"},
        "properties": {
            "email": {"type": "string", "format": "email", "x-label": {"zh": "邮箱", "en": "E-mail"}, "x-basis": LAW},
            "rooms": {"type": "integer", "minimum": 1, "maximum": 20, "x-label": {"zh": "房间数", "en": "Rooms"}, "x-basis": LAW},
            "area": {"type": "number", "minimum": 5, "x-label": {"zh": "面积", "en": "Area"}, "x-basis": LAW},
        },
    },
    "family": {
        "type": "array", "maxItems": 5, "x-label": {"zh": "家庭成员", "en": "Family members"}, "x-basis": LAW,
        "items": {
            "type": "object", "required": ["name", "id_no"], "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "maxLength": 20, "x-label": {"zh": "成员姓名", "en": "Name"}},
                "id_no": {"type": "string", "maxLength": 18, "pattern": "^[0-9]{17}[0-9X]$", "x-label": {"zh": "身份号码", "en": "Number"}},
            },
        },
    },
}  # fmt: skip


def family_register(folder: Path) -> None:
    """A third matter by a folder alone: the one that `onelot matter new` gives, and questions of every other kind."""
    new_matter(folder)
    head, form, tests = folder / "matter.yaml", folder / "form.schema.json", folder / "tests/rules.yaml"
    text = head.read_text().replace("level: L3", "level: L2").replace("居住证申领", "家庭登记").replace("Residence permit", "Family")
    head.write_text(re.sub(r"topics: .*", "topics: [家庭]", text))
    for language in ("zh", "en"):  # Who looks for another matter does not find this one.
        words = folder / f"i18n/{language}.yaml"
        words.write_text(re.sub(r"(?m)^(summary|keywords): .*", r"\1: 家庭 family", words.read_text()))
    schema = json.loads(form.read_text())
    schema["properties"] |= QUESTIONS
    schema["required"].append("contact")
    form.write_text(json.dumps(schema, ensure_ascii=False, indent=1))
    text = re.sub(r",? ?missing: \[[^\]]*\]", "", tests.read_text())  # There is more to be asked for now.
    tests.write_text(text.replace("then: {}", 'then: {outcome: "yes"}'))


@pytest.fixture(scope="module")
async def citizen(city: Town) -> AsyncIterator[Driver]:
    """Somebody whose name is proved; and the matter is published."""
    run, person = city.run.city, population.person_of(CITIZEN)
    with tempfile.TemporaryDirectory(prefix="onelot-matter-") as folder:
        place = Path(folder) / "family_register"
        family_register(place)
        await publish_matter(run.database, files_of(place), now=run.clock.city())
    await grant_role(run.database, run.keys, phone=CLERK, role="staff", scope="police", now=datetime.now(UTC))
    await city.log_in("the registrar", CLERK)
    me = await city.log_in("a studious citizen", CITIZEN)
    await me.must("POST", "/api/v1/me/level", {"to": "L2", "way": "registry", "name": person.name, "id_no": person.id_no})

    async def listed() -> bool | None:
        return (await city.ask("GET", "/api/v1/services/matters/family_register")).status == 200 or None

    await eventually(listed, "the third matter")
    yield me


async def begun(me: Driver, **answers: Any) -> str:
    draft = await me.must("POST", CASES, {"matter": "family_register"}, key=str(uuid.uuid4()))
    await me.must("PATCH", f"{CASES}/{draft['id']}", {"form": {"reason": "study"} | answers})
    return str(draft["id"])


async def opened(visitors: Visitors, me: Driver, case: str, step: int, **how: Any) -> Visitor:
    visitor = await visitors(**how)
    await visitor.be(me)
    await visitor.open(f"/services/cases/{case}/form?step={step}")
    await visitor.page.locator("#group").wait_for()
    return visitor


async def on(visitor: Visitor, control: str) -> None:
    """The keyboard comes to this control, by its id or its name."""

    async def there() -> bool | None:
        held = await visitor.page.evaluate("[document.activeElement.id, document.activeElement.getAttribute('aria-label')]")
        return control in held or None

    await eventually(there, f"the keyboard at {control}")


async def photo(visitor: Visitor) -> bytes:
    """A real one, 40 wide and 20 high, as a phone writes it: held upright, with where and by what it was taken."""
    drawn = await visitor.page.evaluate(
        "async () => { const c = Object.assign(document.createElement('canvas'), {width: 40, height: 20});"
        " c.getContext('2d').fillRect(0, 0, 20, 20); const b = await new Promise(r => c.toBlob(r, 'image/jpeg'));"
        " return [...new Uint8Array(await b.arrayBuffer())]; }"
    )
    return bytes(drawn[:2]) + exif(6) + XMP + bytes(drawn[2:])


async def chosen(visitor: Visitor, *files: tuple[str, bytes]) -> None:
    sent = [{"name": name, "mimeType": "application/octet-stream", "buffer": content} for name, content in files]
    await visitor.page.locator("#f-study-proof").set_input_files(sent)  # type: ignore[arg-type]


async def proofs(me: Driver, case: str, count: int) -> list[dict[str, Any]]:
    """The files that the form names, once there are so many."""

    async def so_many() -> list[dict[str, Any]] | None:
        view = await me.must("GET", f"{CASES}/{case}")
        named = view["form"].get("study", {}).get("proof", [])
        return [{"files": [one for one in view["files"] if one["id"] in named]}] if len(named) == count else None

    found: list[dict[str, Any]] = (await eventually(so_many, f"{count} files"))[0]["files"]
    return found


# Files


async def test_photo_is_sent_listed_there_after_a_reload_and_taken_out_by_keyboard(visitors: Visitors, citizen: Driver) -> None:
    case = await begun(citizen)
    me = await opened(visitors, citizen, case, STUDY, narrow=True)
    await chosen(me, ("学生证.jpg", await photo(me)), ("录取通知书.pdf", pdf()))
    await me.page.get_by_role("link", name="录取通知书.pdf").wait_for()
    assert [one["name"] for one in await proofs(citizen, case, 2)] == ["学生证.jpg", "录取通知书.pdf"]
    assert await me.violations() == [] and await me.overflow() <= 0

    await me.page.reload()
    await me.page.get_by_role("link", name="学生证.jpg").wait_for()
    await me.page.get_by_role("button", name="删除 学生证.jpg").focus()
    await me.page.keyboard.press("Enter")

    await me.wait_for("学生证.jpg 删除了")
    await on(me, "删除 录取通知书.pdf")
    [left] = await proofs(citizen, case, 1)
    assert left["name"] == "录取通知书.pdf" and me.complaints == []


async def test_photo_that_comes_back_says_not_where_it_was_taken_and_stands_upright(visitors: Visitors, citizen: Driver) -> None:
    case = await begun(citizen)
    me = await opened(visitors, citizen, case, STUDY)
    await chosen(me, ("证明.jpg", await photo(me)))
    link = me.page.get_by_role("link", name="证明.jpg")
    await link.wait_for()
    async with me.page.expect_download() as told:
        await link.click()

    content = Path(await (await told.value).path()).read_bytes()
    assert (await told.value).suggested_filename == "证明.jpg"
    assert GPS not in content and DEVICE not in content
    size = await me.page.evaluate(
        "async bytes => { const i = await createImageBitmap(new Blob([new Uint8Array(bytes)], {type: 'image/jpeg'}));"
        " return [i.width, i.height]; }",
        list(content),
    )
    assert size == [20, 40]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("picture.png", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "请用 PDF、JPEG、PNG"),
        ("cut.pdf", b"%PDF-1.4", "文件不完整"),
        ("large.pdf", pdf() + b"x" * 5_000_000, "每个不超过 5 MB"),
    ],
    ids=["drawing", "damaged", "large"],
)
async def test_file_that_will_not_do_is_said_beside_its_question(
    visitors: Visitors, citizen: Driver, name: str, content: bytes, says: str
) -> None:
    me = await opened(visitors, citizen, await begun(citizen), STUDY)
    await chosen(me, (name, content))

    await me.page.locator("#f-study-proof-error").get_by_text(f"{name}: ").get_by_text(says).wait_for()
    assert "f-study-proof-error" in str(await me.page.locator("#f-study-proof").get_attribute("aria-describedby"))
    assert await me.violations() == []
    await me.page.get_by_role("button", name="保存并继续").click()
    await me.page.get_by_role("alert").get_by_role("link", name="请上传就读证明").press("Enter")
    await on(me, "f-study-proof")


async def test_no_more_files_than_may_be(visitors: Visitors, citizen: Driver) -> None:
    case = await begun(citizen)
    me = await opened(visitors, citizen, case, STUDY, lang="en", wide=True)
    await chosen(me, *((f"page-{number}.pdf", pdf(str(number))) for number in range(4)))

    await me.page.locator("#f-study-proof-error").get_by_text("page-3.pdf: at most 3").wait_for()
    await me.wait_for("There are 3 already; remove one to choose another.")
    assert len(await proofs(citizen, case, 3)) == 3
    assert await me.violations() == []


async def test_file_on_its_way_shows_how_far_it_is_and_can_be_stopped(visitors: Visitors, citizen: Driver) -> None:
    case = await begun(citizen)
    me = await opened(visitors, citizen, case, STUDY)
    await me.page.route("**/files?*", held)
    await chosen(me, ("慢.pdf", pdf()))
    await me.page.get_by_role("progressbar", name="正在上传 慢.pdf").wait_for()
    assert await me.violations() == []
    await me.page.get_by_role("button", name="取消上传 慢.pdf").click()

    await me.page.get_by_role("progressbar").wait_for(state="detached")
    assert await me.page.locator("#f-study-proof-error").count() == 0
    assert (await citizen.must("GET", f"{CASES}/{case}"))["files"] == []


async def held(_: Route) -> None:
    """The network takes it and says nothing."""


async def test_file_that_does_not_arrive_is_said_so(visitors: Visitors, citizen: Driver) -> None:
    me = await opened(visitors, citizen, await begun(citizen), STUDY)
    await me.page.route("**/files?*", lambda route: route.abort())
    await chosen(me, ("证明.pdf", pdf()))

    await me.page.locator("#f-study-proof-error").get_by_text("没有传上去").wait_for()


async def test_staff_open_the_evidence_and_the_applicant_sees_that_they_did(visitors: Visitors, city: Town, citizen: Driver) -> None:
    case = await begun(citizen, study={"place": {"place": "p1"}}, contact={"email": "a@example.com", "rooms": 2})
    me = await opened(visitors, citizen, case, STUDY)
    await chosen(me, ("录取通知书.pdf", pdf()))
    await proofs(citizen, case, 1)
    await me.open(f"/services/cases/{case}/form?step=check")
    await me.page.get_by_role("link", name="录取通知书.pdf").wait_for()
    await me.page.get_by_role("button", name="提交申请").click()
    await me.page.get_by_role("heading", name="已提交").wait_for()

    clerk = await visitors(wide=True)
    await clerk.be(city.people["the registrar"])
    await clerk.open(f"/inbox/{case}")
    table = clerk.page.get_by_role("table", name="每一项的值")
    await table.get_by_text("郑州东站").wait_for()
    assert await clerk.violations() == []
    async with clerk.page.expect_download() as told:
        await table.get_by_role("link", name="录取通知书.pdf").click()

    assert Path(await (await told.value).path()).read_bytes() == pdf()
    await me.open(f"/services/cases/{case}")
    looks = me.page.get_by_role("table", name="谁看过我的数据").get_by_role("row")
    await looks.filter(has_text="工作人员").filter(has_text=re.compile("就读证明$")).first.wait_for()


async def test_drawing_that_runs(visitors: Visitors, citizen: Driver) -> None:
    """The policy that files are handed out under is one that a browser obeys: what would run in a file opened all the same does not."""
    case = await begun(citizen)
    me = await opened(visitors, citizen, case, STUDY)
    await chosen(me, ("证明.pdf", pdf()))
    [file] = await proofs(citizen, case, 1)
    answer = await me.context.request.get(f"{me.city.url}{CASES}/{case}/files/{file['id']}")
    policy, runs = answer.headers["content-security-policy"], "<body><script>document.title = 'it ran'</script><p>opened</p>"

    titles = []
    for headers in ({}, {"Content-Security-Policy": policy}):
        other, given = await visitors(), functools.partial(fulfilled, runs, headers)
        await other.page.route("**/opened", given)
        await other.open("/opened")
        await other.wait_for("opened")
        titles.append(await other.page.title())

    assert titles == ["it ran", ""]
    assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["content-disposition"].startswith("attachment")


async def fulfilled(body: str, headers: dict[str, str], route: Route) -> None:
    await route.fulfill(body=body, content_type="text/html", headers=headers | {"Content-Type": "text/html"})


# Places


async def place_of(me: Driver, case: str) -> Any:
    async def there() -> Any:
        return (await me.must("GET", f"{CASES}/{case}"))["form"].get("study", {}).get("place")

    return await eventually(there, "a place")


@pytest.mark.parametrize("typed", ["郑州东", "zhengzhoudong", "zzdz", "Zhengzhou East"])
async def test_place_is_found_and_chosen_by_keyboard_in_any_spelling(visitors: Visitors, citizen: Driver, typed: str) -> None:
    case = await begun(citizen)
    me = await opened(visitors, citizen, case, STUDY)
    await me.page.locator("#f-study-place").focus()
    await me.page.keyboard.type(typed)
    await me.page.get_by_role("option", name="郑州东站", selected=True).wait_for()
    assert await me.violations() == []
    await me.page.keyboard.press("Enter")

    assert (await place_of(citizen, case))["name"] == {"zh": "郑州东站", "en": "Zhengzhou East Railway Station"}
    assert await me.page.locator("#f-study-place").input_value() == "郑州东站"
    await me.page.reload()
    await me.page.locator("#f-study-place").wait_for()
    assert await me.page.locator("#f-study-place").input_value() == "郑州东站"


async def test_arrows_walk_the_list_and_what_is_not_chosen_is_no_answer(visitors: Visitors, citizen: Driver) -> None:
    me = await opened(visitors, citizen, await begun(citizen), STUDY, lang="en", wide=True)
    field = me.page.locator("#f-study-place")
    await field.focus()
    await me.page.get_by_role("option").first.wait_for()
    await me.page.keyboard.press("ArrowDown")
    assert await field.get_attribute("aria-activedescendant") == "f-study-place-hit-1"
    await me.page.keyboard.press("Escape")
    assert await field.get_attribute("aria-expanded") == "false"
    await me.page.keyboard.type("Nowhere at all")
    await me.wait_for("Nothing is called “Nowhere at all”")
    await me.page.keyboard.press("Tab")

    await me.page.locator("#f-study-place-error").get_by_text("Choose a place from the list").wait_for()
    assert await field.get_attribute("aria-invalid") == "true"
    assert await me.violations() == []


async def test_enter_after_composition_in_safari(visitors: Visitors, citizen: Driver) -> None:
    """The Enter that ends a composition comes once more as an ordinary key there: it neither chooses nor sends."""
    case = await begun(citizen)
    me = await opened(visitors, citizen, case, STUDY)
    await me.page.locator("#f-study-place").focus()
    await me.page.keyboard.type("zheng")
    await me.page.get_by_role("option").first.wait_for()
    for init in ("isComposing: true", "keyCode: 229"):
        await me.page.evaluate(
            f"document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{key: 'Enter', bubbles: true, {init}}}))"
        )

    assert await me.page.locator("#f-study-place").input_value() == "zheng"
    assert await me.page.get_by_role("option").count() > 1


async def test_where_one_stands_is_a_place_and_outside_of_the_city_is_none(visitors: Visitors, citizen: Driver) -> None:
    case = await begun(citizen, study={"place": {"place": "p2"}})
    here = {"permissions": ["geolocation"], "geolocation": {"latitude": 34.75, "longitude": 113.65}}
    me = await opened(visitors, citizen, case, STUDY, **here)
    for place, says in (({"latitude": 34.75, "longitude": 113.65}, ""), ({"latitude": 39.9, "longitude": 116.4}, "这个位置不在本市")):
        await me.context.set_geolocation(place)  # type: ignore[arg-type]
        await me.page.locator("#f-study-place").click()
        await me.page.get_by_role("option", name="用我的位置").click()
        if says:
            await me.page.locator("#f-study-place-error").get_by_text(says).wait_for()
        else:
            await me.page.locator("#f-study-place-hits").wait_for(state="hidden")
            await eventually(functools.partial(says_where, me), "the point")

    assert await place_of(citizen, case) == {"lon": 113.65, "lat": 34.75}


async def says_where(visitor: Visitor) -> bool | None:
    return "113.65" in await visitor.page.locator("#f-study-place").input_value() or None


# Lists, addresses and numbers


async def test_address_and_numbers_say_what_is_wrong_in_ones_language_and_keep_what_is_right(visitors: Visitors, citizen: Driver) -> None:
    case = await begun(citizen)
    me = await opened(visitors, citizen, case, CONTACT, narrow=True)
    for field, text in (("email", "nobody"), ("rooms", "many"), ("area", "4.5")):
        await me.page.locator(f"#f-contact-{field}").fill(text)
    await me.page.get_by_role("button", name="保存并继续").click()

    alert = me.page.get_by_role("alert")
    for says in ("邮箱请写成邮箱", "房间数请填整数", "面积太小，至少 5"):
        await alert.get_by_role("link", name=says).wait_for()
    assert await me.violations() == [] and await me.overflow() <= 0
    for field, text in (("email", "me@example.com"), ("rooms", "3"), ("area", "88.5")):
        await me.page.locator(f"#f-contact-{field}").fill(text)
    await me.page.get_by_role("button", name="保存并继续").click()
    await me.page.get_by_role("button", name="加一项家庭成员").wait_for()

    form = (await citizen.must("GET", f"{CASES}/{case}"))["form"]
    assert form["contact"] == {"email": "me@example.com", "rooms": 3, "area": 88.5}


async def members(me: Visitor, *numbers: str) -> None:
    for place, number in enumerate(numbers):
        await me.page.get_by_role("button", name="加一项家庭成员").click()
        await me.page.locator(f"#f-family-{place}-name").fill(f"成员{place}")
        await me.page.locator(f"#f-family-{place}-id_no").fill(number)


async def test_error_stays_with_row_number(visitors: Visitors, citizen: Driver) -> None:
    """The error is a fact about a value: with the row it is gone, whoever moved up is not blamed, and the keyboard goes on there."""
    case = await begun(citizen)
    me = await opened(visitors, citizen, case, FAMILY)
    await members(me, "990000199010150126", "990", "99000019901015002X")
    await me.page.get_by_role("button", name="保存并继续").click()
    await me.page.locator("#f-family-1-id_no-error").wait_for()
    link = me.page.get_by_role("alert").get_by_role("link")
    await link.wait_for()
    await link.press("Enter")
    await on(me, "f-family-1-id_no")
    assert await me.violations() == []

    await me.page.get_by_role("button", name="去掉第 2 项").click()

    await me.wait_for("第 2 项去掉了")
    assert await me.page.locator("[id$=-error]").count() == 0 and await link.count() == 0
    await on(me, "f-family-1-name")
    assert await me.page.locator("#f-family-1-id_no").input_value() == "99000019901015002X"
    await me.page.get_by_role("button", name="保存并继续").click()
    await me.page.get_by_role("heading", name="请核对").wait_for()
    rows = (await citizen.must("GET", f"{CASES}/{case}"))["form"]["family"]
    assert [row["name"] for row in rows] == ["成员0", "成员2"]


async def test_last_row_that_is_removed_leaves_the_keyboard_at_add(visitors: Visitors, citizen: Driver) -> None:
    me = await opened(visitors, citizen, await begun(citizen), FAMILY)
    await members(me, "990000199010150126")

    await me.page.get_by_role("button", name="去掉第 1 项").press("Enter")

    await me.wait_for("第 1 项去掉了")
    await on(me, "f-family")


# An automatic no


async def test_person_is_asked_for_after_an_automatic_no(visitors: Visitors, city: Town) -> None:
    phones = (f"+86139{number:08d}" for number in range(7000, 9000))
    phone, person = next((one, who) for one in phones if (who := population.person_of(one)).home is None and len(who.plates) == 1)
    me = await city.log_in("somebody without a home", phone)
    await me.must("POST", "/api/v1/me/level", {"to": "L2", "way": "registry", "name": person.name, "id_no": person.id_no})
    case = (await me.must("POST", CASES, {"matter": "resident_parking"}, key=str(uuid.uuid4())))["id"]
    await me.must("POST", f"{CASES}/{case}/submit")
    visitor = await visitors(narrow=True)
    await visitor.be(me)
    await visitor.open(f"/services/cases/{case}")
    await visitor.wait_for("住房部门没有您在停车片区内的居住登记")
    assert await visitor.violations() == []

    await visitor.page.get_by_role("button", name="请人复核").click()
    await visitor.page.get_by_role("dialog").get_by_text("工作人员会看同样的数据").wait_for()
    await visitor.page.get_by_role("dialog").get_by_role("button", name="请人复核").click()

    await visitor.page.get_by_role("dialog").wait_for(state="detached")
    await visitor.page.get_by_role("button", name="请人复核").wait_for(state="detached")
    view = await me.must("GET", f"{CASES}/{case}")
    assert (view["state"], view["acts"]) == ("in_review", ["withdraw"])
