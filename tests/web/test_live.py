"""The live socket as the page lives with it: dead without a word, late, and left again and again."""

import asyncio
import statistics
from collections.abc import AsyncIterator
from functools import partial

import pytest
from playwright.async_api import CDPSession, Route, WebSocketRoute, async_playwright

from simulators.one_car import Camera, eventually
from tests.onelot.town import Town
from tests.web.conftest import CHROMIUM, FLAGS
from tests.web.visitor import Visitor, Visitors, seen

# A browser grants 16 contexts at once.
FIRST, ROUNDS, SETTLED = "大卫城 P1 地下停车场", 18, 5
HELD = """
const count = window.held = {contexts: [], sockets: [], workers: 0, listeners: 0};
const context = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  const made = context.call(this, kind, ...more);
  if (made && kind.startsWith('webgl') && !count.contexts.some(one => one.deref() === made)) count.contexts.push(new WeakRef(made));
  return made;
};
window.WebSocket = class extends WebSocket { constructor(...all) { super(...all); count.sockets.push(new WeakRef(this)); } };
window.Worker = class extends Worker {
  constructor(...all) { super(...all); count.workers++; }
  terminate() { count.workers--; super.terminate(); }
};
for (const on of [window, document]) {
  const [add, remove] = [on.addEventListener.bind(on), on.removeEventListener.bind(on)], kept = new Map();
  const key = (kind, hear, more) => `${kind} ${!!(more?.capture ?? more)}`;
  on.addEventListener = (kind, hear, more) => {
    const set = kept.get(key(kind, hear, more)) ?? new Set();
    kept.set(key(kind, hear, more), set);
    if (!set.has(hear) && !more?.once) { set.add(hear); count.listeners++; }
    add(kind, hear, more);
  };
  on.removeEventListener = (kind, hear, more) => {
    if (kept.get(key(kind, hear, more))?.delete(hear)) count.listeners--;
    remove(kind, hear, more);
  };
}
window.holds = () => ({
  contexts: count.contexts.filter(one => one.deref() && !one.deref().isContextLost()).length,
  sockets: count.sockets.filter(one => (one.deref()?.readyState ?? 3) <= 1).length,
  workers: count.workers, listeners: count.listeners,
});
"""


class Network:
    """Between the page and its sockets: it may swallow all they say, and then nobody is told."""

    def __init__(self) -> None:
        self.deaf, self.opened, self.spoke = False, 0, asyncio.Event()

    def __call__(self, page: WebSocketRoute) -> None:
        self.opened += 1
        server, deaf_for_good = page.connect_to_server(), self.deaf

        def there(message: str | bytes) -> None:
            if not (self.deaf or deaf_for_good):
                server.send(message)

        def back(message: str | bytes) -> None:
            if not (self.deaf or deaf_for_good):
                page.send(message)
                if isinstance(message, str):
                    self.spoke.set()  # Of the sites: bays are told in bytes.

        page.on_message(there)
        server.on_message(back)


async def test_socket_that_died_silently(visitor: Visitor, city: Town, cameras: dict[str, Camera]) -> None:
    network = Network()
    await visitor.page.route_web_socket("**/api/v1/live", network)
    await visitor.page.clock.install()
    await visitor.open("/")
    row = visitor.page.locator("a.brow", has_text="二七路路侧")
    await row.locator(".count", has_text="6").wait_for()
    await asyncio.wait_for(network.spoke.wait(), 20)
    before = network.opened

    network.deaf = True
    await visitor.page.clock.run_for(15_000)
    await visitor.wait_for("实时连接断开")
    await visitor.page.clock.run_for(1_000)
    await row.locator(".count.old").wait_for()
    await seen(city, cameras["site-3"], "site-3", taken=5)
    network.deaf = False
    await visitor.page.clock.run_for(40_000)

    await visitor.see("实时连接断开").wait_for(state="detached")
    await row.locator(".count:not(.old)", has_text="7").wait_for()
    assert network.opened > before
    await seen(city, cameras["site-3"], "site-3", taken=6)


async def test_a_late_picture_of_the_city_does_not_undo_what_came_after(visitor: Visitor, city: Town, cameras: dict[str, Camera]) -> None:
    """All sites are asked for again, a change comes by the socket, then the answer of before arrives."""
    asked: asyncio.Future[Route] = asyncio.get_running_loop().create_future()
    ring = visitor.page.locator(".pin.on")
    await visitor.page.clock.install()
    await visitor.open("/sites/site-3")
    await ring.and_(visitor.page.get_by_label("空 6")).wait_for()
    await visitor.page.route("**/api/v1/map/sites*", lambda route: asked.done() or asked.set_result(route))
    await visitor.page.clock.run_for(61_000)
    route = await asyncio.wait_for(asked, 10)
    before = await route.fetch()
    await seen(city, cameras["site-3"], "site-3", taken=5)
    await ring.and_(visitor.page.get_by_label("空 7")).wait_for()

    async with visitor.page.expect_response("**/api/v1/map/sites*") as arrived:
        await route.fulfill(response=before)
    await (await arrived.value).finished()
    await visitor.page.clock.run_for(2_000)

    assert "空 7" in str(await ring.get_attribute("aria-label"))
    await seen(city, cameras["site-3"], "site-3", taken=6)


async def given_back(visitor: Visitor) -> dict[str, int] | None:
    """What the page holds, once that is no context and no socket."""
    held: dict[str, int] = await visitor.page.evaluate("holds()")
    return held if held["contexts"] + held["sockets"] == 0 else None


async def heap(devtools: CDPSession) -> float:
    await devtools.send("HeapProfiler.collectGarbage")
    return float((await devtools.send("Runtime.getHeapUsage"))["usedSize"])


@pytest.fixture
async def uncompiled(city: Town, cameras: dict[str, Camera]) -> AsyncIterator[Visitor]:
    """In a browser that compiles nothing: the machine code of what runs often grows with each visit, and is nobody's leak."""
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt-get install chromium fonts-noto-cjk")
    async with async_playwright() as playwright:
        flags = [*FLAGS, "--js-flags=--no-opt --no-maglev --no-sparkplug"]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        visitors = Visitors(browser, city)
        yield await visitors()
        await visitors.close()
        await browser.close()


async def test_each_visit_costs_a_context(uncompiled: Visitor) -> None:
    visitor = uncompiled
    await visitor.context.add_init_script(HELD)
    await visitor.open("/")
    devtools, held = await visitor.context.new_cdp_session(visitor.page), []
    for _ in range(ROUNDS):
        await visitor.page.locator(".map canvas").wait_for()
        await visitor.wait_for(FIRST)
        await visitor.page.locator(".pin").first.wait_for()
        await visitor.page.get_by_role("link", name="我的", exact=True).click()
        held.append((await eventually(partial(given_back, visitor), "what the map held"), await heap(devtools)))
        await visitor.page.get_by_role("link", name="停车", exact=True).click()

    (settled, _), (last, _), heaps = held[SETTLED - 1], held[-1], [size for _, size in held]
    assert last == settled, held
    # Of three each: a collection that came late is not seen as growth.
    assert statistics.median(heaps[-3:]) < 1.1 * statistics.median(heaps[SETTLED - 2 : SETTLED + 1]), held
    assert visitor.complaints == []
