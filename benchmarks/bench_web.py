"""The page in headless Chromium: how long to the first useful list on a slow phone, and the longest frame while the city changes."""

import asyncio
import contextlib
import shutil
import statistics
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from benchmarks.bench_near import ROOT
from benchmarks.rows import Row, cannot, measured

try:
    from playwright.async_api import Browser, CDPSession, async_playwright
except ModuleNotFoundError:  # A checkout without the development's packages.
    async_playwright = None  # type: ignore[assignment]  # the rows say then that they cannot run

NAMES = ("web.first_list_s", "web.worst_frame_ms")
UNITS: Final = ("s", "ms")
GOALS: Final = (2.0, 100.0)
CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
# No graphics card: what a frame costs here is drawn by the processor.
FLAGS: Final = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
PHONE: Final = {"width": 390, "height": 844}
# Lighthouse's mobile profile: "slow 4G", and a processor four times slower.
LATENCY_MS, DOWN_BYTES_S, UP_BYTES_S, SLOWER = 150, 1_638_400 / 8, 750_000 / 8, 4
TURNS, SETTLE_MS, WATCHED_SECONDS, WAIT_MS = 5, 4000, 10.0, 60_000
LIST: Final = "ol.board > li"  # A row has a name, free places, a walk and a price.
LOOKS: Final = ("/", "/sites/zz-0253")  # The list with its map, and a site: both stand close enough to draw single bays.
NOTE_LIST: Final = """
window.seen = new Promise(found => {
  const look = () => document.querySelector('%s') ? requestAnimationFrame(() => found(performance.now())) : requestAnimationFrame(look);
  look();
});
"""
FRAMES: Final = """
seconds => new Promise(done => {
  const frames = [], began = performance.now(); let last = began;
  const turn = now => {
    frames.push(now - last); last = now;
    performance.now() - began < 1000 * seconds ? requestAnimationFrame(turn) : done(frames.slice(1));
  };
  requestAnimationFrame(turn);
})
"""


async def measure(_: str, __: Path) -> list[Row]:
    if async_playwright is None or CHROMIUM is None:
        why = "no Chromium or no playwright (apt-get install chromium fonts-noto-cjk; make dev)"
        return [cannot(name, unit, why, goal=goal) for name, unit, goal in zip(NAMES, UNITS, GOALS, strict=True)]
    async with _server() as (url, change), async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            await _warm(browser)
            first = [await _first_list(browser, url) for _ in range(TURNS)]
            change()
            frames = [frame for path in LOOKS for frame in await _frames(browser, url + path)]
        finally:
            await browser.close()
    return [_list_row(first), _frame_row(frames)]


@contextlib.asynccontextmanager
async def _server() -> AsyncIterator[tuple[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.web_server", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        assert process.stdout is not None and process.stdin is not None
        async with asyncio.timeout(60):
            port = int(await process.stdout.readline())
        stdin = process.stdin
        yield f"http://127.0.0.1:{port}", lambda: stdin.write(b"change\n")
    finally:
        process.kill()
        await process.wait()


async def _warm(browser: "Browser") -> None:
    """A browser that has just started has pages of its own to load."""
    context = await browser.new_context()
    await (await context.new_page()).wait_for_timeout(SETTLE_MS)
    await context.close()


async def _first_list(browser: "Browser", url: str) -> float:
    """Seconds from asking for the page, as a stranger with nothing cached, to the frame that shows the list."""
    context = await browser.new_context(viewport=PHONE, device_scale_factor=2, has_touch=True, locale="zh-CN")  # type: ignore[arg-type]  # a plain dict is one of its sizes
    try:
        page = await context.new_page()
        await page.add_init_script(NOTE_LIST % LIST)
        await _slow(await context.new_cdp_session(page))
        await page.goto(url + "/", wait_until="commit", timeout=WAIT_MS)
        return float(await page.evaluate("seen")) / 1000
    finally:
        await context.close()


async def _slow(devtools: "CDPSession") -> None:
    await devtools.send("Network.enable")
    await devtools.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": LATENCY_MS, "downloadThroughput": DOWN_BYTES_S, "uploadThroughput": UP_BYTES_S},
    )
    await devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})


async def _frames(browser: "Browser", url: str) -> list[float]:
    """How long each frame lasted, once the map has come to rest."""
    context = await browser.new_context(viewport=PHONE, locale="zh-CN", reduced_motion="reduce")  # type: ignore[arg-type]  # a plain dict is one of its sizes
    try:
        page = await context.new_page()
        await page.goto(url, timeout=WAIT_MS)
        await page.locator(".pin").first.wait_for(timeout=WAIT_MS)
        await page.wait_for_timeout(SETTLE_MS)
        frames: list[float] = await page.evaluate(FRAMES, WATCHED_SECONDS)
        return frames
    finally:
        await context.close()


def _list_row(seconds: list[float]) -> Row:
    note = (
        f"of {TURNS}: {', '.join(f'{one:.2f}' for one in seconds)}; {PHONE['width']}x{PHONE['height']}, nothing cached, {LATENCY_MS} ms a "
        f"request, {DOWN_BYTES_S * 8 / 1e6:.1f} Mbit/s down, processor {SLOWER} times slower; 1,200 sites, 354,100 bays"
    )
    return measured(NAMES[0], round(statistics.median(seconds), 2), "s", note, goal=GOALS[0])


def _frame_row(frames: list[float]) -> Row:
    watched = f"of {len(frames)} in {len(LOOKS)} times {WATCHED_SECONDS:.0f} s, median {statistics.median(frames):.0f} ms"
    note = f"{watched}, single bays shown, 50 changes each 100 ms in the city"
    return measured(NAMES[1], round(max(frames), 1), "ms", note, goal=GOALS[1])
