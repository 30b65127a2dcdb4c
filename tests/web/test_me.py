"""One's own car, bills and wallet, as a driver walks through them on the phone."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from simulators import population
from simulators.one_car import Camera, Driver, eventually
from tests.onelot.town import Town
from tests.web.test_live import FIRST, Network
from tests.web.visitor import Visitor, Visitors, seen

PHONE, PLATE, SITE = "13800000021", "豫A12345", "site-5"


@pytest.fixture(scope="module")
async def parked(city: Town, cameras: dict[str, Camera]) -> AsyncIterator[Driver]:
    """A driver with a proved plate, 200 yuan, one bill, and a car that stands since two hours."""
    driver, now = await city.log_in("web", "+86" + PHONE), datetime.now(UTC)
    await driver.own(PLATE, "blue", population.vehicle_of(PLATE).vin_last6)
    await driver.top_up(20_000)
    car = {"plate": PLATE, "plate_colour": "blue", "plate_confidence": 0.99}
    await cameras[SITE].saw(f"{SITE}-012", "occupied", now - timedelta(hours=9), **car)
    await cameras[SITE].saw(f"{SITE}-012", "free", now - timedelta(hours=6))
    await cameras[SITE].saw(f"{SITE}-013", "occupied", now - timedelta(hours=2), **car)

    async def told() -> bool | None:
        bills, stays = await driver.must("GET", "/api/v1/me/bills"), await driver.must("GET", "/api/v1/me/sessions", state="open")
        return bool(bills["items"] and stays["items"]) or None

    await eventually(told, "a bill and a stay")
    yield driver
    await cameras[SITE].saw(f"{SITE}-013", "free", datetime.now(UTC))


@pytest.mark.parametrize(
    ("path", "text"), [("/car", "停车中"), ("/bills", "德化街路侧"), ("/wallet", "停车费"), ("/plates/new", "车牌键盘")]
)
async def test_own_pages_pass_axe_and_fit_a_small_phone(visitors: Visitors, parked: Driver, path: str, text: str) -> None:
    visitor = await visitors(narrow=True, dark=True)
    await visitor.be(parked)
    await visitor.open(path)
    await (visitor.page.get_by_role("group", name=text) if path == "/plates/new" else visitor.see(text)).wait_for()

    assert await visitor.violations() == []
    assert await visitor.overflow() <= 0
    assert visitor.complaints == []


async def test_a_running_stay_shows_its_fee_and_when_it_rises(visitor: Visitor, parked: Driver) -> None:
    await visitor.be(parked)
    await visitor.open("/car")
    await visitor.wait_for("停车中")
    stay = (await parked.must("GET", "/api/v1/me/sessions", state="open"))["items"][0]

    await visitor.wait_for(f"{stay['fee']['amount'] / 100:.2f}")
    await visitor.wait_for("这一档还剩")
    await visitor.wait_for("怎么算的")


LISTEN = """
window.spoken = [];
const regions = '[aria-live]:not([aria-live=off]), [role=status], [role=alert], [role=timer], [role=log]', said = new Map();
const hear = () => {
  for (const one of document.querySelectorAll(regions)) {
    const text = one.innerText.trim();
    if (text && said.get(one) !== text) spoken.push(text);
    said.set(one, text);
  }
};
hear();
spoken.length = 0;
new MutationObserver(hear).observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
"""


@pytest.mark.parametrize("deaf", [False, True])
async def test_counts_that_change_and_a_socket_that_is_gone_are_not_spoken_each_second(
    visitors: Visitors, city: Town, cameras: dict[str, Camera], parked: Driver, deaf: bool
) -> None:
    """A minute beside a busy kerb says at most four things aloud."""
    visitor, network = await visitors(), Network()
    await visitor.page.route_web_socket("**/api/v1/live", network)
    await visitor.page.clock.install()
    await visitor.be(parked)
    await visitor.open("/")
    await visitor.wait_for(FIRST)
    network.deaf = deaf
    await visitor.page.evaluate(LISTEN)
    before = await visitor.page.locator("body").inner_text()
    for turn in range(12):
        await cameras["site-3"].saw(f"site-3-{turn % 6:03d}", "free" if turn // 6 % 2 == 0 else "occupied", datetime.now(UTC))
        await visitor.page.clock.run_for(5_000)

    spoken = await visitor.page.evaluate("spoken")
    assert len(spoken) <= 4, spoken
    assert await visitor.page.locator("body").inner_text() != before, "nothing ticked: this would be heard by nobody"
    await seen(city, cameras["site-3"], "site-3", taken=6)


async def test_a_bill_is_derived_line_by_line(visitor: Visitor, parked: Driver) -> None:
    await visitor.be(parked)
    await visitor.open("/bills")
    await visitor.page.locator("a.row", has_text="德化街路侧").first.click()
    table = visitor.page.locator("table.bill")
    await table.wait_for()
    bill = (await parked.must("GET", "/api/v1/me/bills"))["items"][0]

    assert await table.locator("tbody tr").count() == len(bill["lines"])
    assert (await table.locator("tfoot td").inner_text()) == f"{bill['total']['amount'] / 100:.2f}"
    assert await visitor.violations() == []


async def test_a_plate_is_added_by_the_keypad_and_proved(visitor: Visitor, parked: Driver) -> None:
    plate = "豫A54321"
    await visitor.log_in("13800000022")
    await visitor.open("/plates/new")
    keys = visitor.page.get_by_role("group", name="车牌键盘")
    for sign in plate:
        await keys.get_by_role("button", name=sign, exact=True).click()
    assert (
        await keys.get_by_role("button", name="I", exact=True).count()
        == await keys.get_by_role("button", name="O", exact=True).count()
        == 0
    )
    await visitor.page.get_by_role("button", name="添加", exact=True).click()
    await visitor.page.locator("#vin").fill(population.vehicle_of(plate).vin_last6)
    await visitor.page.get_by_role("button", name="验证", exact=True).click()

    await visitor.wait_for("已验证")


async def test_a_wrong_plate_is_said_beside_the_field(visitor: Visitor, parked: Driver) -> None:
    await visitor.be(parked)
    await visitor.open("/plates/new")
    await visitor.page.locator("#plate").fill("豫A1")
    await visitor.page.get_by_role("button", name="添加", exact=True).click()

    await visitor.page.locator("#plate-error").wait_for()


async def test_the_wallet_is_filled_and_says_when_the_money_is_there(visitor: Visitor, parked: Driver) -> None:
    await visitor.log_in("13800000023")
    await visitor.open("/wallet")
    await visitor.page.get_by_role("radio", name="¥20", exact=True).click()
    await visitor.page.get_by_role("button", name="充值 ¥20.00").click()

    await visitor.see("已到账").wait_for(timeout=30_000)
    await visitor.page.locator(".money.big", has_text="20.00").wait_for()


async def test_who_is_not_logged_in_is_led_through_the_log_in(visitor: Visitor) -> None:
    await visitor.open("/car")
    await visitor.page.wait_for_url("**/login?then=%2Fcar")

    await visitor.page.locator("#phone").wait_for()


SPOKEN = """() => {
  window.spoken = 0;
  const live = '[aria-live]:not([aria-live=off]), [role=status], [role=alert], [role=timer], [role=log]';
  const within = (node) => (node.nodeType === 1 ? node : node.parentElement)?.closest(live);
  const heard = (changes) => changes.some((one) => within(one.target)) && (window.spoken += 1);
  new MutationObserver(heard).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


async def test_every_second_spoken(visitor: Visitor, parked: Driver) -> None:
    """A minute of a running stay: its seconds tick on the page, and hardly anything is read out; what ticks is no live region."""
    await visitor.be(parked)
    await visitor.page.clock.install()
    for path, text in (("/car", "这一档还剩"), ("/", "德化街路侧"), ("/services", "停车中")):
        await visitor.open(path)
        await visitor.wait_for(text)
        before = await visitor.page.locator("main").inner_text()
        await visitor.page.evaluate(SPOKEN)

        await visitor.page.clock.run_for(60_000)

        assert await visitor.page.evaluate("window.spoken") <= 4, path
        assert path != "/car" or await visitor.page.locator("main").inner_text() != before, "the minute has passed"
