"""A whole city in this process, with people, devices and stays in it, for whoever walks through its doors."""

import asyncio
import contextlib
import io
import json
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
import structlog

from citymap.import_sites import import_sites
from citymap.model import Bounds
from foundation.events import Names
from foundation.http import Route, Who
from foundation.postgres import Transaction
from gateway_mqtt.add_device import add_device
from onelot import data_directory, own_pages
from onelot.cli import up
from onelot.config import Settings
from onelot.embedded import free_port
from onelot.outside import Outside, simulated
from parking.tariffs.publish_tariff import publish_tariff
from services.catalog.new_matter import new_matter
from services.catalog.publish_matter import files_of, publish_matter
from services.identity.grant_role import grant_role
from services.licences.issue_licence import issue
from simulators import one_car, population
from simulators.one_car import Camera, Driver
from tests import bed, papers

LARGE_BYTES = 1_000_000  # Beyond it our client wants a file.
CASES, PROOF = "/api/v1/services/cases", "/study/proof"
PLATE, PHONES = "豫A12345", {"anna": "+8613800000001", "ben": "+8613800000002"}
STAFF = {  # Phone and right of those who see more than their own.
    "operator": ("+8613900000001", "operator", "op-demo"),
    "stranger": ("+8613900000002", "operator", "op-other"),
    "admin": ("+8613900000003", "admin", ""),
    "clerk": ("+8613900000004", "staff", "police"),
    "planner": ("+8613900000005", "staff", "transport"),
}
NATURAL = {Who.ANYBODY: "", Who.PERSON: "anna", Who.OPERATOR: "operator", Who.STAFF: "clerk", Who.CITY: "planner", Who.ADMIN: "admin"}
STAYS, SAME_INSTANT = 25, datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
TARIFF = """
code: lot-day
version: 1
effective: {from: "2020-01-01T00:00+08:00", to: null}
pin: entry
free: {minutes: 15, mode: threshold}
windows:
  - {name: day, from: "08:00", to: "22:00", count: stay, round: up, edge: cut,
     steps: [{until: 60, per: 60, price: 500}, {per: 30, price: 300}]}
  - {name: night, from: "22:00", to: "08:00", steps: [{per: 0, price: 1000}]}
caps: {day: 5000, period: rolling, stay: null}
"""


@dataclass(frozen=True)
class Answer:
    status: int
    kind: str
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def pointers(self) -> list[str]:
        return [one["pointer"] for one in self.body.get("errors", [])]


@dataclass
class Town:
    """A running city and everybody in it; what it logs and whom it asks is kept for who looks for secrets there."""

    run: up.Running
    owner_url: str
    outside: Outside
    http: aiohttp.ClientSession
    people: dict[str, Driver] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)  # What stands in paths, by the path's beginning and the name in it.
    codes: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # Every URL that anybody in this process asked for.

    @property
    def url(self) -> str:
        return self.run.doors.http_url

    @property
    def routes(self) -> list[Route]:
        return [*self.run.city.routes, *own_pages.routes(self.run.city.clock, self.run.supervisor, self.run.city.facts_heard)]

    async def ask(
        self, method: str, path: str, *, who: str = "", body: Any = None, raw: bytes | None = None, query: Any = None, **headers: str
    ) -> Answer:
        """As somebody of the town, or as nobody. A body is sent as JSON, `raw` as it is."""
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        if who:
            said["Authorization"] = f"Bearer {self.people[who].token}"
        if body is not None or raw is not None:
            said.setdefault("Content-Type", "application/json")
        content = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        data = content if content is None or len(content) < LARGE_BYTES else io.BytesIO(content)
        async with self.http.request(method, self.url + path, data=data, params=query, headers=said, allow_redirects=False) as answer:
            return Answer(answer.status, answer.content_type, answer.headers.copy(), await answer.text("utf-8", "replace"))

    def path_of(self, route: Route) -> str:
        """The route's path with ids of what there is, all of them anna's or of op-demo."""
        path = route.path
        for begin, names in PATHS.items():
            if path.startswith(begin):
                for name, key in names.items():
                    path = path.replace(name, self.ids[key])
        assert "{" not in path, f"the walk does not know an id for {route.path}: teach it in town.py"
        return path

    async def log_in(self, name: str, phone: str) -> Driver:
        driver = Driver(self.http, self.url, phone)

        async def code() -> str | None:
            url = self.outside.phones_url + "/outbox"
            async with self.http.get(url, params={"phone": phone}, headers={"X-Api-Key": self.outside.phones_key}) as answer:
                found = [one["code"] for one in (await answer.json())["items"] if "code" in one]
            self.codes += found[-1:]
            return found[-1] if found else None

        await driver.log_in(code)
        self.people[name] = driver
        return driver

    def served(self) -> set[str]:
        """Every path that the web door knows."""
        return {resource.canonical for resource in self.run.app.router.resources()}

    async def owner(self, statement: str, *values: object) -> Any:
        """Do something behind the city's back, as the database's owner; answers the first value."""
        connection = await asyncpg.connect(self.owner_url)
        try:
            return await connection.fetchval(statement, *values)
        finally:
            await connection.close()


PATHS = {
    "/api/v1/sites/": {"{site}": "site"},
    "/api/v1/bays/": {"{x}/{y}": "tile"},
    "/problems/": {"{slug}": "problem"},
    "/api/v1/auth/sessions/": {"{id}": "log-in"},
    "/api/v1/me/plates/": {"{id}": "plate"},
    "/api/v1/me/bills/": {"{bill}": "bill"},
    "/api/v1/me/wallet/topups/": {"{topup}": "topup"},
    "/api/v1/services/licences/": {"{id}": "licence"},
    "/api/v1/operator/sessions/": {"{session}": "stay"},
    "/api/v1/operator/devices/": {"{device}": "gate"},
    "/api/v1/services/cases/{id}/files": {"{id}": "filed", "{file}": "file"},
    "/api/v1/services/cases/": {"{id}": "case"},
    "/api/v1/services/matters/": {"{code}": "matter"},
}


def lots() -> bytes:
    """Three lots: lot-7 has spots and lot-8 a gate, both of op-demo; lot-x is another operator's."""
    features: list[dict[str, Any]] = []
    for number, (site, operator, counted_by) in enumerate(
        [("lot-7", "op-demo", "spots"), ("lot-8", "op-demo", "gates"), ("lot-x", "op-other", "spots")]
    ):
        lon, lat = 113.66 + number / 100, 34.75
        about = {
            "kind": "site", "name": {"zh": "停车场", "en": "Car park"}, "type": "surface", "operator": operator, "counted_by": counted_by,
            "tariff": "lot-day", "capacity": 3, "opening_hours": "24/7",
        }  # fmt: skip
        features.append({"type": "Feature", "id": site, "geometry": {"type": "Point", "coordinates": [lon, lat]}, "properties": about})
        for spot in range(1, 4) if counted_by == "spots" else ():
            place = {"type": "Point", "coordinates": [lon + spot / 10_000, lat]}
            features.append(
                {"type": "Feature", "id": f"{site}-{spot:03d}", "geometry": place, "properties": {"kind": "spot", "site": site}}
            )
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


@contextlib.asynccontextmanager
async def opened(test_servers: bed.Bed, template: bed.Database, folder: Path) -> AsyncIterator[Town]:
    """A city on a database of its own, with nobody in it yet."""
    database = await test_servers.create(template=template.name)
    place = data_directory.claim(folder / "data")
    settings = Settings(http_port=free_port(), mqtt_port=0, data_dir=place.path)
    log: list[str] = []
    try:
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(heard(log))
            asked = stack.enter_context(watched())
            outside = await stack.enter_async_context(simulated(place))
            run = await stack.enter_async_context(up.running(settings, database.app_url, test_servers.servers.redis_url, outside))
            http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
            yield Town(run, database.owner_url, outside, http, log=log, asked=asked)
    finally:
        place.release()
        await test_servers.drop(database)


@contextlib.contextmanager
def heard(log: list[str]) -> Any:
    """What is logged meanwhile, debug lines too, as the line that would have been written."""

    def keep(_: object, __: str, event: Any) -> Any:
        log.append(json.dumps(event, default=repr, ensure_ascii=False))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[structlog.processors.format_exc_info, keep], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)


@contextlib.contextmanager
def watched() -> Any:
    """Every URL that is asked for meanwhile."""
    urls: list[str] = []
    before = aiohttp.ClientSession._request

    async def request(session: aiohttp.ClientSession, method: str, url: Any, **more: Any) -> Any:
        urls.append(str(url))
        return await before(session, method, url, **more)

    aiohttp.ClientSession._request = request  # type: ignore[method-assign]
    try:
        yield urls
    finally:
        aiohttp.ClientSession._request = before  # type: ignore[method-assign]


async def peopled(town: Town) -> None:
    """Tariff, lots and devices; six people; anna has 25 stays that were all paid from her wallet in the same second."""
    city, now = town.run.city, datetime.now(UTC)
    await publish_tariff(city.database, TARIFF, now=now)
    await import_sites(city.database, lots(), bounds=Bounds(112.70, 34.26, 114.24, 34.99), now=now)
    town.ids |= {"site": "lot-7", "problem": "conflict", "tile": "13364/6503"}
    for name, phone in PHONES.items():
        await town.log_in(name, phone)
    for name, (phone, role, scope) in STAFF.items():
        await grant_role(city.database, city.keys, phone=phone, role=role, scope=scope, now=now)
        await town.log_in(name, phone)
    anna, ben = town.people["anna"], town.people["ben"]
    await anna.own(PLATE, "blue", population.vehicle_of(PLATE).vin_last6)
    await ben.must("POST", "/api/v1/me/plates", {"plate": PLATE, "colour": "blue"})
    await anna.top_up(100_000)
    await parked(town, now)
    await named(town)


async def parked(town: Town, now: datetime) -> None:
    """Anna parks 25 times on lot-7, a stranger on lot-x, and lot-7's camera says what nobody can believe."""
    city, doors = town.run.city, town.run.doors
    cards = {}
    for site, kind in (("lot-7", "camera"), ("lot-8", "gate"), ("lot-x", "camera")):
        card = await add_device(city.database, site, kind, city="zhengzhou", host=doors.mqtt_host, port=doors.mqtt_port, now=now)
        cards[site] = {"device": card.device, "password": card.password, "topic": card.topic, "host": card.host, "port": card.port}
    town.ids["gate"] = cards["lot-8"]["device"]
    await city.registry.catch_up()
    camera, other = await Camera.connect(cards["lot-7"], now), await Camera.connect(cards["lot-x"], now)
    begin = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=STAYS * 2 + 2)
    car = {"plate": PLATE, "plate_colour": "blue", "plate_confidence": 0.98}
    for number in range(STAYS):
        await camera.saw("lot-7-001", "occupied", begin + timedelta(hours=2 * number), **car)
        await camera.saw("lot-7-001", "free", begin + timedelta(hours=2 * number, minutes=40))
    for number in range(3):
        await camera.saw(f"lot-7-99{number}", "free", now)
        await other.saw(f"lot-x-99{number}", "free", now)
    await other.saw("lot-x-001", "occupied", begin, plate="豫B55555", plate_colour="blue", plate_confidence=0.99)
    await camera.close()
    await other.close()


async def named(town: Town) -> None:
    """Ids for the walk, once everything is settled; then all of anna's stays and bills are of the same second."""
    anna = town.people["anna"]

    async def settled() -> dict[str, Any] | None:
        page = await anna.must("GET", "/api/v1/me/bills", limit="500")
        return page if len(page["items"]) >= STAYS and all(one["state"] == "paid" for one in page["items"]) else None

    bills = await one_car.eventually(settled, "anna's bills")
    town.ids |= {"bill": bills["items"][0]["id"], "stay": bills["items"][0]["session"]}
    town.ids["plate"] = (await anna.must("GET", "/api/v1/me/plates"))["items"][0]["id"]
    topup = await anna.must("POST", "/api/v1/me/wallet/topups", {"amount": 100, "currency": "CNY"}, key=str(uuid.uuid4()))
    town.ids["topup"] = topup["id"]
    await applied(town)
    town.ids["licence"] = str(await licensed(town, uuid.UUID((await anna.must("GET", "/api/v1/me"))["id"])))
    town.ids["log-in"] = next(one["id"] for one in (await anna.must("GET", "/api/v1/auth/sessions"))["items"] if one["current"])
    await town.owner("UPDATE parking.bill SET issued_at = $1", SAME_INSTANT)
    await town.owner("UPDATE parking.session SET entered_at = $1 WHERE state = 'closed'", SAME_INSTANT)


async def applied(town: Town) -> None:
    """Anna has proved who she is, and begun to apply."""
    anna, bearer = town.people["anna"], population.person_of(PHONES["anna"])
    await anna.must("POST", "/api/v1/me/level", {"to": "L2", "way": "registry", "name": bearer.name, "id_no": bearer.id_no})
    case = await anna.must("POST", "/api/v1/services/cases", {"matter": "resident_parking"})
    town.ids |= {"case": case["id"], "matter": "resident_parking"}
    await filed(town)


async def filed(town: Town) -> None:
    """A third matter is a folder that a test adds; anna applies there, too, and hands over a paper."""
    with tempfile.TemporaryDirectory(prefix="onelot-matter-") as folder:
        await third_matter(town, Path(folder) / "study_grant")
    case = await town.people["anna"].must("POST", CASES, {"matter": "study_grant"})
    await town.people["anna"].must("PATCH", f"{CASES}/{case['id']}", {"form": {"reason": "study"}})
    paper = await town.ask("POST", f"{CASES}/{case['id']}/files", who="anna", query={"field": PROOF}, raw=papers.png())
    assert paper.status == 201, paper.text
    town.ids |= {"filed": case["id"], "file": paper.body["id"]}


async def third_matter(town: Town, folder: Path) -> None:
    """The folder of `onelot matter new`, made its own by changing texts alone: it asks for a place and for files."""
    new_matter(folder)
    head = folder / "matter.yaml"
    text = head.read_text().replace("居住证申领", "助学申请").replace("Residence permit", "Study grant")
    head.write_text(text.replace("level: L3", "level: L2"))
    await publish_matter(town.run.city.database, files_of(folder), now=town.run.city.clock.city())

    async def on_the_shelf() -> bool | None:
        return (await town.ask("GET", "/api/v1/services/matters/study_grant")).status == 200 or None

    await one_car.eventually(on_the_shelf, "the third matter")


async def licensed(town: Town, person: uuid.UUID) -> uuid.UUID:
    """What a case of hers would have ended in, with the police."""
    city = town.run.city
    now = city.clock.city()

    async def work(tx: Transaction) -> uuid.UUID:
        issued = await issue(
            tx, city.keys, case=uuid.uuid4(), person=person, class_code="residence_permit", names=Names("居住证", "Residence permit"),
            valid_from=now, valid_to=now + timedelta(days=365), claims={"name": "李安娜"}, agency="police", now=now,
        )  # fmt: skip
        return issued.licence

    return await city.database.run(work)


@pytest.fixture(scope="session")
async def running_city(test_servers: bed.Bed, migrated_template: bed.Database) -> AsyncIterator[Town]:
    """The one city that all walks share: what they change there they change back, or it hurts nobody."""
    with tempfile.TemporaryDirectory(prefix="onelot-town-") as folder:
        async with opened(test_servers, migrated_template, Path(folder)) as town:
            await asyncio.wait_for(peopled(town), 60)
            yield town
