"""One car, told as it happens: what a camera and a driver see of the city, in five acts."""

import asyncio
import importlib.resources
import random
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from citymap.import_sites import import_sites
from citymap.model import Bounds
from foundation.clock import local
from gateway_mqtt.add_device import add_device
from onelot.cli.connect import Doors
from onelot.wiring import City
from parking.tariffs.publish_tariff import publish_tariff
from simulators import one_car, population
from simulators.mqtt_client import MqttError
from simulators.one_car import Camera, Driver, NotSo

SITE = "erqi-plaza"
STAY_MINUTES = 130  # Long enough for a first hour and three started half hours.


async def tell(city: City, doors: Doors, console: Console) -> None:
    """Bring in a small lot and let one car live through it. A city that does not keep its word is said, and goes on running."""
    try:
        async with aiohttp.ClientSession() as http:
            camera = await _lot(city, doors, console)
            try:
                await _five_acts(city, doors, console, http, camera)
            finally:
                await camera.close()
    except (NotSo, MqttError, aiohttp.ClientError, OSError) as error:
        console.print(f"[red]The story stops here:[/red] {error}")
    console.print(f"\nThe city goes on at {doors.http_url} (API: {doors.http_url}/docs) until Ctrl-C.")


async def _lot(city: City, doors: Doors, console: Console) -> Camera:
    """A lot, its tariff, its camera: brought in by the same verbs as `onelot import`, `tariff publish` and `devices add`."""
    files = importlib.resources.files("onelot.demo")
    now = city.clock.city()
    rule, fresh = await publish_tariff(city.database, files.joinpath("tariff.yaml").read_text("utf-8"), now=now)
    text = files.joinpath("lot.geojson").read_bytes()
    report = await import_sites(city.database, text, bounds=Bounds(112.70, 34.26, 114.24, 34.99), now=now)
    card = await add_device(
        city.database, SITE, "camera", city=doors.city, host=doors.mqtt_host, port=doors.mqtt_port, now=now, name=f"{SITE}-demo"
    )
    console.print(
        f"\n[bold]A small lot[/bold]  {report.created} places new, {report.same} known; tariff {rule.code} "
        f"{'published' if fresh else 'known'}; camera {card.device}",
    )
    await city.registry.catch_up()
    return await Camera.connect(
        {"device": card.device, "password": card.password, "topic": card.topic, "host": card.host, "port": card.port}, city.clock.city()
    )


async def _five_acts(city: City, doors: Doors, console: Console, http: aiohttp.ClientSession, camera: Camera) -> None:
    driver, plate = await _driver(doors, console, http)
    entered_at = one_car.whole_minutes_ago(city.clock.city(), STAY_MINUTES + 1.2)
    left_at = one_car.whole_minutes_ago(city.clock.city(), 1.2)
    spot = await one_car.free_spot(driver, SITE, entered_at)
    async with http.ws_connect(doors.http_url + "/api/v1/live") as live:
        await live.send_json({"subscribe": {"bbox": [113.66, 34.75, 113.67, 34.76], "level": "sites"}})
        await live.receive_json(timeout=10)
        _act(console, 1, "A car arrives")
        began = time.perf_counter()
        taken_ms = await camera.saw(
            spot, "occupied", entered_at, plate=plate, plate_colour="blue", plate_confidence=0.98, vehicle_type="small"
        )
        console.print(f"  {_clock(entered_at)} the camera sees {plate} on {spot}; on disk and acknowledged after {taken_ms:.1f} ms")
        _act(console, 2, "The map changes")
        seen = await _delta(live)
    shown_ms = 1000 * (time.perf_counter() - began)
    console.print(f"  {seen['free']} free, {seen['occupied']} taken; on every open map {shown_ms:.0f} ms after it was said")
    _act(console, 3, "The driver sees it")
    stay = await driver.stay("open", entered_at)
    console.print(f"  standing on {stay['spot']} since {_clock(entered_at)}; running fee {_yuan(stay['fee'])} yuan")
    _act(console, 4, "The stay ends")
    await camera.saw(spot, "free", left_at)
    stay = await driver.stay("closed", entered_at)
    console.print(f"  {_clock(entered_at)} to {_clock(left_at)}, {stay['certainty']}; nobody touched anything")
    _act(console, 5, "Money moves")
    console.print(_bill(await driver.bill(stay)))
    wallet = await driver.must("GET", "/api/v1/me/wallet")
    console.print(f"  paid from the wallet, which holds {_yuan(wallet['balance'])} yuan now")


async def _driver(doors: Doors, console: Console, http: aiohttp.ClientSession) -> tuple[Driver, str]:
    """Somebody of the simulated population with a car of her own and money in the wallet."""
    driver = Driver(http, doors.http_url, f"+861380000{random.randrange(1000, 9999)}")
    car = population.person_of(driver.phone).plates[0]

    async def code() -> str | None:
        headers = {"X-Api-Key": doors.phones_key}
        async with http.get(doors.phones_url + "/outbox", params={"phone": driver.phone}, headers=headers) as answer:
            sent = [one["code"] for one in (await answer.json())["items"] if one.get("code")]
            return str(sent[-1]) if sent else None

    await driver.log_in(code)
    await driver.own(car.plate, car.colour, car.vin_last6)
    with console.status("the bank pays …"):
        balance = await driver.top_up(10_000)
    console.print(
        f"[bold]A driver[/bold]  logs in with a code, proves {car.plate} by its papers, has {balance / 100:.2f} yuan in the wallet"
    )
    return driver, car.plate


async def _delta(live: aiohttp.ClientWebSocketResponse) -> Mapping[str, Any]:
    """The site's next state on the live socket in which a spot is taken."""
    async with asyncio.timeout(one_car.PATIENCE_SECONDS):
        while True:
            message = await live.receive_json()
            for site in message.get("sites", ()):
                if site["id"] == SITE and site["occupied"]:
                    return dict(site)


def _act(console: Console, number: int, title: str) -> None:
    console.print(f"\n[bold]{number}  {title}[/bold]")


def _bill(bill: Mapping[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 2), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    for line in bill["lines"]:
        span = f"{_clock(line['from'])} - {_clock(line['to'])[6:]}"
        table.add_row(span, f"{line['what']['zh']}\n[dim]{line['what']['en']}[/dim]", _yuan(line["amount"]))
    table.add_row("", "[bold]合计 total[/bold]", f"[bold]{_yuan(bill['total'])}[/bold]")
    return table


def _clock(at: datetime | str) -> str:
    return f"{local(datetime.fromisoformat(at) if isinstance(at, str) else at):%m-%d %H:%M:%S}"


def _yuan(money: Mapping[str, Any] | None) -> str:
    return f"{money['amount'] / 100:.2f}" if money else "-"
