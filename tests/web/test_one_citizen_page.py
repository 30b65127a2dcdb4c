"""A stranger's walk through the page: register, prove who one is, apply while a department is down, supplement, hold, show, park."""

import json
import os
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from citymap.import_sites import import_sites
from citymap.model import Bounds
from gateway_mqtt.add_device import add_device
from parking.tariffs.publish_tariff import publish_tariff
from services.identity.grant_role import grant_role
from simulators import population
from simulators.one_car import Camera, eventually
from tests.onelot.town import Town
from tests.web.departments import counter_code, turn
from tests.web.visitor import Visitor, Visitors

PHONE, CLERK = "+8613800000031", "+8613800000039"
SHOTS = os.environ.get("ONELOT_SHOTS")  # A folder: what was seen is kept there, to be looked at.
TARIFF = """
code: zone-any-time
version: 1
effective: {from: "2020-01-01T00:00+08:00", to: null}
pin: entry
free: {minutes: 0, mode: threshold}
windows:
  - {name: day, from: "08:00", to: "22:00", count: stay, round: up, edge: cut, steps: [{per: 60, price: 500}]}
  - {name: night, from: "22:00", to: "08:00", count: stay, round: up, edge: cut, steps: [{per: 60, price: 500}]}
caps: {day: 5000, period: rolling, stay: null}
permits: {windows: [day, night]}
"""


async def shot(visitor: Visitor, name: str) -> None:
    if SHOTS:
        await visitor.page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


async def press(visitor: Visitor, name: str) -> None:
    await visitor.page.get_by_role("button", name=name, exact=True).click()


async def follow(visitor: Visitor, name: str) -> None:
    await visitor.page.get_by_role("link", name=name).first.click()


async def test_one_citizen(visitors: Visitors, city: Town) -> None:
    me, clerk = await visitors(scale=2), await visitors(wide=True)
    await find_and_prove(me)
    await apply_while_housing_is_down(me)
    case = await me.page.locator(".code.number").inner_text()
    await come_to_the_desk(clerk)
    await ask_for_more(clerk, case)
    await supplement(me, case)
    await approve(clerk, case)
    await read_the_decision(me)
    await show_licence(me, await visitors())
    await see_who_looked(me)
    camera = await kerb_at_home(city)
    assert await parked(me, camera, datetime.now(UTC) - timedelta(minutes=30)) == (500, [])
    await apply_for_parking(me)
    total, permits = await parked(me, camera, datetime.now(UTC))
    assert (total, len(permits)) == (0, 1)
    await see_why_it_was_less(me)
    await camera.close()
    assert [one for one in me.complaints if "403" not in one] == []  # The browser itself names what was asked too early.


async def find_and_prove(me: Visitor) -> None:
    """What one needs in one's own words; log in, then name and presence, as steps on the way."""
    await me.open("/services")
    await me.page.get_by_role("searchbox").fill("zanzhuzheng")
    await me.page.wait_for_load_state("networkidle")  # A result that moves under the pointer takes no click.
    await follow(me, "居住证申领")
    await me.page.wait_for_url("**/services/matters/residence_permit")
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


async def come_to_the_desk(clerk: Visitor) -> None:
    city = clerk.city.run.city
    await grant_role(city.database, city.keys, phone=CLERK, role="staff", scope="police", now=city.clock.city())
    await clerk.log_in(CLERK, then="/inbox")


async def ask_for_more(clerk: Visitor, case: str) -> None:
    """By keyboard alone: from the list into the case, another decision, why, and the letter is read before it is sent."""
    await clerk.page.locator(f"a[href='/inbox/{case}']").focus()
    await clerk.page.keyboard.press("Enter")
    await clerk.page.get_by_role("table", name="每一项的值").get_by_text("住房保障局没有回应").wait_for()
    await shot(clerk, "inbox")
    await clerk.page.get_by_role("radio", name="通过").focus()
    await clerk.page.keyboard.press("ArrowRight")
    await clerk.page.keyboard.press("Tab")
    await clerk.page.keyboard.type("请再说明居住的理由")
    await clerk.page.locator("[data-letter]").get_by_text("需要补正：请再说明居住的理由").wait_for()
    await shot(clerk, "inbox-supplement")
    await clerk.page.keyboard.press("Control+Enter")
    await clerk.wait_for("已要求补正")


async def supplement(me: Visitor, case: str) -> None:
    await me.open(f"/services/cases/{case}")
    await me.wait_for("请再说明居住的理由")
    await shot(me, "case-supplement")
    await follow(me, "现在补")
    await me.page.get_by_role("link", name="修改 申领理由").click()
    async with me.page.expect_response(lambda answer: answer.request.method == "PATCH"):
        await me.page.get_by_role("radio", name="有稳定住所").click()
    await me.page.reload()  # What is not sent yet is kept by the city, not by this window.
    await me.page.get_by_role("radio", name="有稳定住所", checked=True).wait_for()
    await press(me, "保存并继续")
    await me.page.get_by_role("checkbox").check()
    await press(me, "提交补正")
    await me.wait_for("补正已提交")


async def approve(clerk: Visitor, case: str) -> None:
    await clerk.open(f"/inbox/{case}")
    await clerk.page.get_by_role("table", name="每一项的值").get_by_text("有稳定住所").wait_for()
    await clerk.page.get_by_label("理由").fill("材料齐全")
    await shot(clerk, "inbox-approve")
    await press(clerk, "通过并送达")
    await clerk.wait_for("已通过")


async def read_the_decision(me: Visitor) -> None:
    await follow(me, "看办件")
    await me.wait_for("办成了")
    await me.page.get_by_text("准予决定书").click()
    await me.wait_for("材料齐全")
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
    await me.wait_for("公安局（工作人员）")
    await shot(me, "accesses")


async def apply_for_parking(me: Visitor) -> None:
    """Decided at once, by rule, from what the registers say."""
    await me.open("/services/matters/resident_parking")
    await press(me, "现在办")
    await me.page.get_by_role("heading", name="请核对").wait_for()
    await shot(me, "form-parking")
    await press(me, "提交申请")
    await me.wait_for("当场办好了")
    await follow(me, "看办件")
    await me.wait_for("办成了")
    await shot(me, "case-parking")
    await me.open("/services")
    await me.wait_for("我的证照")
    await shot(me, "home")


async def kerb_at_home(city: Town) -> Camera:
    """A kerb in her zone, with a tariff that knows permits and a camera over it."""
    run, now, home = city.run.city, datetime.now(UTC), population.person_of(PHONE).home
    assert home is not None
    await publish_tariff(run.database, TARIFF, now=now)
    about = {
        "kind": "site",
        "name": {"zh": "家门口", "en": "Before the house"},
        "type": "on_street",
        "operator": "op-demo",
        "counted_by": "spots",
        "tariff": "zone-any-time",
        "capacity": 1,
        "opening_hours": "24/7",
        "zone": home.zone,
    }
    place = {"type": "Point", "coordinates": [113.68, 34.76]}
    features = [
        {"type": "Feature", "id": "home-1", "geometry": place, "properties": about},
        {"type": "Feature", "id": "home-1-001", "geometry": place, "properties": {"kind": "spot", "site": "home-1", "class": "standard"}},
    ]
    file = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    await import_sites(run.database, file, bounds=Bounds(112.70, 34.26, 114.24, 34.99), now=now)
    doors = city.run.doors
    card = await add_device(run.database, "home-1", "camera", city="zhengzhou", host=doors.mqtt_host, port=doors.mqtt_port, now=now)
    await run.registry.catch_up()
    said = {"device": card.device, "password": card.password, "topic": card.topic, "host": card.host, "port": card.port}
    return await Camera.connect(said, now)


async def parked(me: Visitor, camera: Camera, since: datetime) -> tuple[int, list[Any]]:
    """Her car stands there for some seconds: the price, and what a permit takes off; a spot has to be clear for a minute."""
    car = population.person_of(PHONE).plates[0]
    plates = (await api(me, "GET", "/api/v1/me/plates"))["items"]
    if not plates:
        bound = await api(me, "POST", "/api/v1/me/plates", {"plate": car.plate, "colour": car.colour})
        if not bound["proved"]:
            await api(me, "POST", f"/api/v1/me/plates/{bound['id']}/proof", {"way": "vehicle_licence", "vin_last6": car.vin_last6})
    before = {one["id"] for one in (await api(me, "GET", "/api/v1/me/bills"))["items"]}
    entered = since.replace(microsecond=0)
    await camera.saw("home-1-001", "occupied", entered, plate=car.plate, plate_colour=car.colour, plate_confidence=0.98)
    await camera.saw("home-1-001", "free", entered + timedelta(seconds=2))

    async def bill() -> Any:
        return next((one for one in (await api(me, "GET", "/api/v1/me/bills"))["items"] if one["id"] not in before), None)

    found = await api(me, "GET", f"/api/v1/me/bills/{(await eventually(bill, 'a bill', 120))['id']}")
    return found["total"]["amount"], [line for line in found["lines"] if line["kind"] == "permit"]


async def see_why_it_was_less(me: Visitor) -> None:
    newest = (await api(me, "GET", "/api/v1/me/bills"))["items"][0]["id"]
    await me.open(f"/bills/{newest}")
    await me.wait_for("居民停车证")
    await shot(me, "bill")


async def api(me: Visitor, method: str, path: str, body: object = None) -> Any:
    """As the page asks, with its cookie."""
    headers = {"X-OneLot": "page", "Idempotency-Key": str(uuid.uuid4()), "Origin": me.city.url}
    answer = await me.context.request.fetch(me.city.url + path, method=method, data=body, headers=headers)
    assert answer.ok, await answer.text()
    return await answer.json()
