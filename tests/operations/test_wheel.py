"""What is installed without a checkout is whole: the wheel carries every file that runs, and a city lives from it."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import aiohttp
import pytest

from onelot.embedded import free_port
from simulators.one_car import eventually

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("onelot", "foundation", "gateway_mqtt", "citymap", "parking", "services", "simulators")
NOT_OF_THE_WHEEL = (".md",)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what git knows, so that nothing of a working folder slips in."""
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in tracked("."):
        if not name.startswith(("tests/", "web/src/", "docs/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    words = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(dist), "."]
    subprocess.run([sys.executable, "-m", "pip", *words], cwd=source, check=True, timeout=120)
    [built] = dist.glob("onelot-*.whl")
    return built


def tracked(*folders: str) -> list[str]:
    said = subprocess.run(["git", "ls-files", "-z", *folders], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in said.split("\0") if name and (ROOT / name).is_file()]


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())

    assert [name for name in tracked(*PACKAGES, "web/dist") if name not in held and not name.endswith(NOT_OF_THE_WHEEL)] == []
    assert not [name for name in held if name.startswith(("tests/", "web/src/"))]


async def test_the_demo_lives_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    environment = await asyncio.to_thread(installed, wheel, tmp_path / "venv")
    http = free_port()
    where = {"ONELOT_DATA_DIR": str(tmp_path / "data"), "ONELOT_HTTP_PORT": str(http), "ONELOT_MQTT_PORT": str(free_port())}
    log = tmp_path / "demo.log"
    with log.open("wb") as out:
        clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"}
        demo = subprocess.Popen(
            [environment / "bin" / "onelot", "demo", "--bays", "1000"],
            cwd=tmp_path,
            env=clean | where,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        await eventually(lambda: lives(demo, http, log), "a demo that lives", 90)
        demo.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(demo.wait, 20) == 0, log.read_text()
        assert "Traceback" not in log.read_text() and "fault of ours" not in log.read_text()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(demo.pid, signal.SIGKILL)


def installed(wheel: Path, place: Path) -> Path:
    """As an operator does it: the lock's libraries by their hashes, then the wheel."""
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, timeout=60)
    pip = [str(place / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps"]
    locked = ["--only-binary", ":all:", "--require-hashes", "-r", str(ROOT / "requirements" / "run.txt")]
    for words in (locked, [str(wheel)]):
        done = subprocess.run([*pip, *words], capture_output=True, text=True, timeout=300, cwd=place)
        if done.returncode and "HASHES" not in done.stderr and "No matching distribution" in done.stderr:
            pytest.skip("the package index cannot be reached")
        assert done.returncode == 0, done.stderr
    return place


async def lives(demo: "subprocess.Popen[bytes]", http: int, log: Path) -> dict[str, bool] | None:
    """Ready, with its page and with a place to park."""
    assert demo.poll() is None, log.read_text()
    with contextlib.suppress(aiohttp.ClientError, OSError):
        async with aiohttp.ClientSession(f"http://127.0.0.1:{http}") as session:
            async with session.get("/readyz") as answer:
                if answer.status != 200:
                    return None
            async with session.get("/") as page, session.get("/api/v1/sites", params={"bbox": "-180,-85,180,85"}) as sites:
                there = page.status == 200 and "<html" in await page.text() and bool((await sites.json())["items"])
                return {"lives": True} if there else None
    return None
