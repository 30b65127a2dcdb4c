"""A whole story of one person, and then nothing of her in what is not hers: no log, address, metric, topic, and no row in clear.

She logs in, proves her name, goes to the counter, binds and proves her car, parks, pays, applies while a department is down, is
decided about by staff, shows her licence; and each thing that can go wrong on the way does, since errors are what logs are full of.
"""

import contextlib
import json
import logging
import tempfile
import urllib.parse
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from citymap.import_sites import import_sites
from citymap.model import Bounds
from gateway_mqtt import codec
from gateway_mqtt.add_device import add_device
from parking.tariffs.publish_tariff import publish_tariff
from services.identity.grant_role import grant_role
from simulators import mqtt_client, one_car, population
from simulators.one_car import Camera, Driver
from tests import bed
from tests.onelot.town import TARIFF, Town, lots, opened

PHONE, CLERK = "+8613800004711", "+8613900004712"
SHE = population.person_of(PHONE)
CAR = SHE.plates[0]
CASES = "/api/v1/services/cases"
AS_IT_CAME = {"gateway.refused"}  # What a device said that nobody could read: kept for seven days for whoever mends the device.


def words() -> list[str]:
    """What must be found nowhere: as it is written, and as JSON, addresses and hex write it."""
    assert SHE.home is not None
    plain = [PHONE, PHONE[3:], SHE.name, SHE.id_no, CAR.plate, CAR.plate[1:], SHE.home.address]
    return [form for word in plain for form in (word, json.dumps(word)[1:-1], urllib.parse.quote(word), word.encode().hex())]


def found_in(text: str) -> set[str]:
    return {word for word in words() if word in text}


@dataclass
class Ear:
    """Everything that is said aside while the story runs."""

    lines: list[str] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)


@contextlib.contextmanager
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ear]:
    """Every logger of every library from debug on, and every topic that goes up or down."""
    ear = Ear()

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            ear.lines.append(f"{record.name} {self.format(record)}")

    for module, name, place in ((mqtt_client, "publish_packet", 1), (codec, "publish", 1)):
        spied = getattr(module, name)

        def spy(*said: Any, _spied: Any = spied, _place: int = place, **more: Any) -> Any:
            ear.topics.append(str(said[_place]))
            return _spied(*said, **more)

        monkeypatch.setattr(module, name, spy)
    root, keeper = logging.getLogger(), Keeper()
    before = root.level
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    try:
        yield ear
    finally:
        root.removeHandler(keeper)
        root.setLevel(before)


@contextlib.asynccontextmanager
async def town_of(test_servers: bed.Bed, template: bed.Database) -> AsyncIterator[Town]:
    with tempfile.TemporaryDirectory(prefix="onelot-story-") as folder:
        async with opened(test_servers, template, Path(folder)) as town:
            yield town


async def settled(town: Town) -> Camera:
    city, now = town.run.city, datetime.now(UTC)
    await publish_tariff(city.database, TARIFF, now=now)
    await import_sites(city.database, lots(), bounds=Bounds(112.70, 34.26, 114.24, 34.99), now=now)
    await grant_role(city.database, city.keys, phone=CLERK, role="staff", scope="police", now=now)
    doors = town.run.doors
    card = await add_device(city.database, "lot-7", "camera", city="zhengzhou", host=doors.mqtt_host, port=doors.mqtt_port, now=now)
    await city.registry.catch_up()
    return await Camera.connect({name: getattr(card, name) for name in ("device", "password", "topic", "host", "port")}, now)


async def department(town: Town, method: str, path: str, body: object) -> Any:
    headers = {"X-Api-Key": town.outside.departments_key}
    async with town.http.request(method, town.outside.departments_url + path, json=body, headers=headers) as answer:
        return await answer.json()


async def known_by_name(town: Town, she: Driver) -> None:
    """Levels, with a wrong try, a register that mistakes her, one that is down, and a wrong code."""
    level, said = "/api/v1/me/level", {"to": "L2", "way": "registry", "name": SHE.name, "id_no": SHE.id_no}
    assert (await she.ask("POST", level, said | {"name": SHE.name + "某"}))[0] == 422
    assert (await she.ask("POST", level, said | {"id_no": SHE.id_no[:-1]}))[0] == 422
    for state in ("wrong", "down", "broken"):
        await department(town, "PUT", "/control/police", {"state": state})
        await she.ask("POST", level, said)
    await department(town, "PUT", "/control/police", {"state": "up"})
    await she.must("POST", level, said)
    code = (await department(town, "POST", "/counter/v1/visits", {"phone": PHONE}))["code"]
    assert (await she.ask("POST", level, {"to": "L3", "way": "counter", "code": "0" + code[1:]}))[0] == 422
    assert (await she.must("POST", level, {"to": "L3", "way": "counter", "code": code}))["level"] == "L3"


async def parks(town: Town, she: Driver, camera: Camera) -> None:
    await she.own(CAR.plate, CAR.colour, CAR.vin_last6)
    await she.top_up(50_000)
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
    car = {"plate": CAR.plate, "plate_colour": CAR.colour, "plate_confidence": 0.98}
    await camera.saw("lot-7-001", "occupied", begin, **car)
    await camera.saw("lot-7-999", "occupied", begin, **car)
    await camera.client.publish(f"{camera.topic}/spots", f'{{"plate": "{CAR.plate}", "phone"'.encode(), qos=1)
    await camera.saw("lot-7-001", "free", begin + timedelta(hours=2))
    stay = await she.stay("closed", begin)
    bill = await she.bill(stay)
    await she.must("GET", f"/api/v1/me/bills/{bill['id']}")
    await she.ask("POST", "/api/v1/me/plates", {"plate": CAR.plate + "?", "colour": "blue"})


async def applies(town: Town, she: Driver, clerk: Driver) -> None:
    """A permit while housing mistakes her and then is down, decided by staff; a licence, shown."""
    for state in ("wrong", "down"):
        await department(town, "PUT", "/control/housing", {"state": state})
        draft = await she.must("POST", CASES, {"matter": "residence_permit"}, key=str(uuid.uuid4()))
    case = f"{CASES}/{draft['id']}"
    assert (await she.ask("PATCH", case, {"form": {"applicant": {"name": SHE.name + "某"}}}))[0] == 422
    _, matter = await she.ask("GET", "/api/v1/services/matters/residence_permit")
    for _ in range(5):
        if draft["missing"]:
            draft = await she.must("PATCH", case, {"form": patch_of(matter["form"], draft["missing"])})
    await she.must("POST", case + "/submit", {})
    await department(town, "PUT", "/control/housing", {"state": "up"})

    async def in_inbox() -> dict[str, Any] | None:
        page = await clerk.must("GET", "/api/v1/services/inbox")
        return next((row for row in page["items"] if row["id"] == draft["id"]), None)

    row = await one_car.eventually(in_inbox, "the case in the inbox")
    assert SHE.id_no not in json.dumps(row, ensure_ascii=False) and SHE.name not in json.dumps(row, ensure_ascii=False)
    await clerk.must("GET", case)
    await clerk.must("POST", case + "/decision", {"decision": "approve", "reason": f"{SHE.name} 的材料齐全"})

    async def licensed() -> dict[str, Any] | None:
        page = await she.must("GET", "/api/v1/services/licences")
        return next(iter(page["items"]), None)

    licence = await one_car.eventually(licensed, "the licence")
    shown = await she.must("POST", f"/api/v1/services/licences/{licence['id']}/presentation", {})
    assert (await clerk.must("POST", "/api/v1/services/verify", {"token": shown["token"]}))["valid"]
    assert (await she.must("GET", "/api/v1/me/accesses"))["items"]


def patch_of(schema: Any, missing: list[str]) -> dict[str, Any]:
    """Some answer for each pointer: the first choice, else a word that gives her away."""
    form: dict[str, Any] = {}
    for pointer in missing:
        *path, name = pointer.strip("/").split("/")
        place, said = form, schema
        for step in path:
            place, said = place.setdefault(step, {}), said["properties"][step]
        said = said["properties"][name]
        kinds = {"boolean": True, "integer": said.get("minimum", 1)}
        place[name] = said["enum"][0] if "enum" in said else kinds.get(str(said.get("type")), SHE.name)
    return form


async def rows_in_clear(owner_url: str) -> dict[str, set[str]]:
    """Tables whose rows show her to whoever reads the database, or a dump of it."""
    connection = await asyncpg.connect(owner_url)
    try:
        tables = await connection.fetch(
            "SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
        )
        texts = {row["name"]: await connection.fetch(f"SELECT t::text FROM {row['name']} t") for row in tables}
    finally:
        await connection.close()
    found = {name: found_in("\n".join(str(row[0]) for row in rows)) for name, rows in texts.items() if name not in AS_IT_CAME}
    return {name: words for name, words in found.items() if words}


async def test_nothing_of_a_known_person_is_in_log_address_metric_topic_or_row(
    test_servers: bed.Bed, migrated_template: bed.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(monkeypatch) as ear:
        async with town_of(test_servers, migrated_template) as town:
            camera = await settled(town)
            she, clerk = await town.log_in("she", PHONE), await town.log_in("clerk", CLERK)
            await known_by_name(town, she)
            await parks(town, she, camera)
            await applies(town, she, clerk)
            await she.must("DELETE", "/api/v1/auth/sessions")
            await camera.close()
            metrics = (await town.ask("GET", "/metrics")).text
            clear = await rows_in_clear(town.owner_url)
            documents = "".join([(await town.ask("GET", path)).text for path in ("/openapi.json", "/asyncapi.json", "/readyz")])

    asked = [url for url in town.asked if not url.startswith(town.outside.phones_url + "/outbox")]  # The test looking into her phone.
    heard = {"log": [*town.log, *ear.lines], "address": asked, "metric": [metrics], "topic": ear.topics, "document": [documents]}
    assert all(heard.values()) and len(town.log) > 20 and len(ear.topics) >= 5, "the story was heard"
    assert {where: found for where, said in heard.items() if (found := found_in("\n".join(said)))} == {}
    assert clear == {}, "what is kept is sealed"


async def test_the_ear_hears_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(monkeypatch) as ear:
        logging.getLogger("some.library").debug("sent to %s", PHONE)
        mqtt_client.publish_packet(5, f"onelot/1/{CAR.plate}", b"", packet_id=1)

    assert found_in("\n".join(ear.lines)) and found_in("\n".join(ear.topics))
    assert {SHE.name, SHE.id_no} <= found_in(json.dumps({SHE.name: SHE.id_no}, ensure_ascii=False))
