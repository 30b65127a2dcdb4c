"""A browser for the tests of the page, driven as a person would, and a small city for it to look at."""

import asyncio
import fcntl
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TextIO

import pytest
from playwright.async_api import Browser, async_playwright

from simulators.one_car import Camera
from tests import bed
from tests.onelot.town import Town, opened
from tests.web.visitor import Visitor, Visitors, cameras_of, peopled, seen

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--font-render-hinting=none"]


@pytest.fixture(autouse=True)
async def alone(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[None]:
    """Two browsers on two cores halve each other: among the workers of a run one looks at a page at a time."""
    with (tmp_path_factory.getbasetemp().parent / "browser.lock").open("w") as lock:
        while not _taken(lock):
            await asyncio.sleep(0.1)
        yield


def _taken(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt-get install chromium fonts-noto-cjk")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        await launched.close()


@pytest.fixture(scope="session")
async def city(test_servers: bed.Bed, migrated_template: bed.Database) -> AsyncIterator[Town]:
    """A few car parks round a square, all heard of; what a test changes there it changes back, or it hurts nobody."""
    with tempfile.TemporaryDirectory(prefix="onelot-web-") as folder:
        async with opened(test_servers, migrated_template, Path(folder)) as town:
            await peopled(town)
            yield town


@pytest.fixture(scope="session")
async def cameras(city: Town) -> AsyncIterator[dict[str, Camera]]:
    """Connected all the time, as cameras are."""
    held = await cameras_of(city)
    for site, camera in held.items():
        await seen(city, camera, site, taken=6)
    yield held
    for camera in held.values():
        await camera.close()


@pytest.fixture
async def visitors(browser: Browser, city: Town, cameras: dict[str, Camera]) -> AsyncIterator[Visitors]:
    """`await visitors(lang="en", wide=True)` opens a fresh browser profile; all are closed afterwards."""
    made = Visitors(browser, city)
    yield made
    await made.close()


@pytest.fixture
async def visitor(visitors: Visitors) -> Visitor:
    """Somebody with a phone who reads Chinese."""
    return await visitors()
