"""The command line beside a running city, its whole life: filled, looked at, backed up, brought back elsewhere, hurt, ended."""

import asyncio
import contextlib
import io
import json
import os
import signal
import tarfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from simulators import population
from simulators.mqtt_client import ConnectRefused
from simulators.one_car import Camera, Driver
from tests.onelot.shell import Said, Shell, in_thread
from tests.onelot.town import TARIFF, lots

PHONE, PLATE, SPOT = "+8613800000007", "豫A12345", "lot-7-001"
ARRIVED = datetime.now(UTC).replace(hour=1, minute=0, second=0, microsecond=0) - timedelta(days=1)  # 09:00 in the city.
SECONDS_MAX = 15


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("city")


@pytest.fixture(scope="module")
def city(place: Path) -> Iterator[Shell]:
    """A city with lots, a tariff, a camera and a driver who has parked once and parks now."""
    shell = Shell(place)
    shell.up()
    try:
        (place / "lots.geojson").write_bytes(lots())
        (place / "tariff.yaml").write_text(TARIFF)
        assert shell.say("tariff", "publish", str(place / "tariff.yaml")).status == 0
        assert shell.say("import", str(place / "lots.geojson")).status == 0
        (place / "card.json").write_text(shell.say("devices", "add", "lot-7", "--kind", "camera", "--json").out)
        in_thread(lambda: parked(shell))
        yield shell
    finally:
        shell.kill()


def card(shell: Shell, at: Shell | None = None) -> dict[str, Any]:
    """The camera's card; at another city the same device finds another port."""
    found = json.loads((shell.data.parent / "card.json").read_text())
    return found | {"port": int((at or shell).environment["ONELOT_MQTT_PORT"])}


async def as_driver(shell: Shell, work: Callable[[Driver], Awaitable[Any]]) -> Any:
    async with aiohttp.ClientSession() as http:
        driver = Driver(http, shell.url, PHONE)
        before = len(shell.say("outbox", "--phone", PHONE, "--json").json["items"])

        async def code() -> str | None:
            items = (await asyncio.to_thread(shell.say, "outbox", "--phone", PHONE, "--json")).json["items"]
            return str(items[-1]["code"]) if len(items) > before else None

        await driver.log_in(code)
        return await work(driver)


async def connected(card: dict[str, Any]) -> Camera:
    """A new device may come a moment before the gateway has heard of it; it asks again, as devices do."""
    for _ in range(20):
        try:
            return await Camera.connect(card, datetime.now(UTC))
        except ConnectRefused:
            await asyncio.sleep(0.25)
    raise AssertionError("never let in")


async def parked(shell: Shell) -> None:
    camera = await connected(card(shell))

    async def work(driver: Driver) -> None:
        await driver.own(PLATE, "blue", population.vehicle_of(PLATE).vin_last6)
        await driver.top_up(10_000)
        await camera.saw(SPOT, "occupied", ARRIVED, plate=PLATE, plate_colour="blue", plate_confidence=0.98)
        await camera.saw(SPOT, "free", ARRIVED + timedelta(minutes=130))
        await camera.saw("lot-7-999", "free", ARRIVED)
        await camera.saw("lot-7-002", "occupied", ARRIVED + timedelta(hours=6), plate=PLATE, plate_colour="blue", plate_confidence=0.98)
        await driver.bill(await driver.stay("closed", ARRIVED))
        (shell.data.parent / "token").write_text(driver.token)

    try:
        await as_driver(shell, work)
    finally:
        await camera.close()


def mine(shell: Shell, path: str, token: str) -> Any:
    async def asked() -> Any:
        async with aiohttp.ClientSession() as http:
            return await Driver(http, shell.url, PHONE, token).must("GET", path)

    return in_thread(asked)


def until(shell: Shell, words: tuple[str, ...], good: Callable[[Said], bool], seconds: float = 15) -> Said:
    end = time.monotonic() + seconds
    while True:
        said = shell.say(*words)
        if good(said) or time.monotonic() > end:
            return said
        time.sleep(0.3)


def test_second_city_on_the_same_directory_is_refused(city: Shell) -> None:
    second = Shell(city.data.parent)
    second.log = city.data.parent / "second.log"
    assert city.process is not None

    assert second.start("up").wait(30) == 1
    [sentence] = second.log.read_text().splitlines()
    assert sentence.startswith(f"onelot: A city already runs on {city.data} (process {city.process.pid})")


def test_import_says_what_it_did(city: Shell, place: Path) -> None:
    said = city.say("import", str(place / "lots.geojson"), "--json")
    assert (said.status, said.json) == (0, {"created": 0, "changed": 0, "same": 9, "refused": []})

    far = json.loads(lots())
    far["features"][0]["geometry"]["coordinates"] = [0.0, 0.0]
    (place / "far.geojson").write_text(json.dumps(far))
    said = city.say("import", str(place / "far.geojson"), "--json")
    assert said.status == 0
    assert [(row["id"], row["code"]) for row in said.json["refused"]][:1] == [("lot-7", "outside_city")]
    assert set(said.json["refused"][0]) == {"row", "id", "code", "detail"}


@pytest.mark.parametrize("rubbish", [b"", b"rubbish", b"\x00\xff", b"[]", b"{}", b'{"type": "FeatureCollection"}'], ids=range(6))
def test_import_of_rubbish_is_one_sentence(city: Shell, place: Path, rubbish: bytes) -> None:
    (place / "rubbish").write_bytes(rubbish)
    said = city.say("import", str(place / "rubbish"))

    assert said.status == 1
    assert said.sentence and "fault of ours" not in said.sentence, said.error


def test_tariff_is_published_once_and_never_changed(city: Shell, place: Path) -> None:
    again = city.say("tariff", "publish", str(place / "tariff.yaml"))
    (place / "other.yaml").write_text(TARIFF.replace("price: 500", "price: 600"))
    changed = city.say("tariff", "publish", str(place / "other.yaml"))

    assert (again.status, again.out.strip()) == (0, "lot-day version 1 is published already")
    assert changed.status == 1
    assert changed.sentence, changed.error


def test_tariff_published_wrong_is_corrected_downwards_and_asked_about_first(city: Shell, place: Path) -> None:
    (place / "cheaper.yaml").write_text(TARIFF.replace("price: 300", "price: 299"))
    asked = city.say("tariff", "correct", str(place / "cheaper.yaml"), "--dry-run")
    (place / "unknown.yaml").write_text(TARIFF.replace("version: 1", "version: 7"))
    unknown = city.say("tariff", "correct", str(place / "unknown.yaml"))

    assert asked.status == 0 and asked.out.startswith("lot-day version 1: of ") and "would cost less" in asked.out
    assert (unknown.status, unknown.sentence) == (1, "lot-day has no version 7 that could be corrected")


def test_device_gets_its_card_once_and_only_at_a_site(city: Shell) -> None:
    said = city.say("devices", "add", "lot-8", "--kind", "gate", "--lane", "1", "--lane", "2", "--json")
    nowhere = city.say("devices", "add", "lot-404", "--kind", "camera")

    assert {"device", "password", "topic", "host", "port"} == set(said.json)
    assert said.json["topic"] == f"onelot/1/zhengzhou/lot-8/{said.json['device']}"
    assert (nowhere.status, nowhere.sentence) == (1, "there is no site lot-404; `onelot import` brings sites in")


def test_many_devices_are_added_at_once_and_their_cards_are_for_one_reader(city: Shell, place: Path) -> None:
    wishes, cards = place / "wishes.jsonl", place / "cards.jsonl"
    wishes.write_text("\n".join(json.dumps({"device": f"many-{kind}", "site": "lot-8", "kind": kind}) for kind in ("gate", "counter")))

    said = city.say("devices", "add", "--file", str(wishes), "--cards", str(cards), "--json")
    aimless, careless = city.say("devices", "add"), city.say("devices", "add", "--file", str(wishes))

    held = [json.loads(line) for line in cards.read_text().splitlines()]
    assert (said.json["added"], cards.stat().st_mode & 0o777) == (2, 0o600)
    assert [card["topic"] for card in held] == ["onelot/1/zhengzhou/lot-8/many-gate", "onelot/1/zhengzhou/lot-8/many-counter"]
    assert (aimless.status, careless.status) == (2, 2) and aimless.sentence and careless.sentence


def test_who_knocked_in_vain_is_listed(city: Shell) -> None:
    async def knock() -> bool:
        with pytest.raises(ConnectRefused):
            await Camera.connect(card(city) | {"device": "cam-x", "password": "guess"}, datetime.now(UTC))
        return True

    assert in_thread(knock)
    said = until(city, ("devices", "unknown", "--json"), lambda said: bool(said.json["items"]))
    assert [one["device"] for one in said.json["items"]] == ["cam-x"]
    assert set(said.json["items"][0]) == {"device", "address", "reason", "first_at", "last_at", "tries"}


def test_refused_readings_are_listed(city: Shell) -> None:
    [one] = city.say("refused", "--json").json["items"]

    assert one["reason"] == "unknown_spot"
    assert one["device"] == card(city)["device"]
    assert {"device", "topic", "at", "reason", "payload"} <= set(one)


def test_rights_are_granted(city: Shell) -> None:
    granted = city.say("people", "grant", "+8613900000001", "operator", "--operator", "op-demo")
    nobody = city.say("people", "grant", "12", "admin")

    assert (granted.status, granted.out) == (0, "granted: operator of op-demo\n")
    assert nobody.status == 1
    assert nobody.sentence


def test_rights_are_shown_with_their_dates_and_taken_away(city: Shell) -> None:
    clerk = "+8613900000041"
    dates = ("--from", "2026-01-01T00:00", "--to", "2026-02-01T00:00")
    assert city.say("people", "grant", clerk, "staff", "--agency", "police", *dates).status == 0
    assert city.say("people", "grant", clerk, "admin").status == 0

    admin, past = city.say("people", "show", clerk, "--json").json["roles"]
    revoked, again = [city.say("people", "revoke", clerk, "admin") for _ in range(2)]

    assert (admin["role"], admin["to"], admin["holds"]) == ("admin", None, True)
    assert (past["scope"], past["from"], past["holds"]) == ("police", "2026-01-01T00:00:00+08:00", False)
    assert (revoked.status, revoked.out) == (0, "revoked: admin\n") and again.status == 1 and "people show" in again.sentence
    assert city.say("people", "grant", clerk, "admin", *reversed(dates)).status == 2


def test_somebody_is_locked_unlocked_and_erased(city: Shell) -> None:
    phone = "+8613900000042"
    assert city.say("people", "show", phone).status == 1, "nobody yet"
    city.say("people", "grant", phone, "admin")

    said = [city.say("people", *words) for words in (("lock", phone), ("unlock", phone), ("erase", phone), ("erase", phone, "--yes"))]

    assert [one.status for one in said] == [0, 0, 2, 0] and "unlock" in said[0].out and "--yes" in said[2].sentence
    assert city.say("people", "show", phone).status == 1, "and nobody any more"
    assert city.say("people", "lock", "12").status == 2


def test_nobody_is_erased_while_money_is_open(city: Shell) -> None:
    """The driver parks now, and has money in her wallet."""
    refused = city.say("people", "erase", PHONE, "--yes")

    assert refused.status == 1 and "nothing was changed" in refused.sentence
    assert "stays are not over" in refused.sentence and "people payout" in refused.sentence
    assert city.say("people", "show", PHONE).status == 0
    assert city.say("people", "payout", "+8613900000043", "--reference", "T-1").status == 1, "nobody"
    assert city.say("people", "payout", PHONE, "--reference", " ").status == 2


def test_a_clerk_at_the_counter_hands_out_a_code(city: Shell) -> None:
    code = city.say("counter", "--phone", PHONE, "--json").json["code"]

    assert len(code) == 8 and code != city.say("counter", "--phone", PHONE, "--json").json["code"], "a new one each time"
    assert [city.say("department", name, "up").status for name in ("police", "housing", "vehicles", "counter")] == [0] * 4


def test_outbox_holds_what_was_sent(city: Shell) -> None:
    said = city.say("outbox", "--phone", PHONE, "--json")

    assert said.status == 0
    assert len(said.json["items"][-1]["code"]) == 6
    assert city.say("outbox", "--phone", "+8613800009999", "--json").json == {"items": []}


def test_department_that_is_down_is_an_outage_and_never_a_no(city: Shell, place: Path) -> None:
    token = (place / "token").read_text()

    async def prove() -> tuple[int, Any]:
        async with aiohttp.ClientSession() as http:
            driver = Driver(http, city.url, PHONE, token)
            plate = await driver.must("POST", "/api/v1/me/plates", {"plate": "豫A77777", "colour": "blue"})
            body = {"way": "vehicle_licence", "vin_last6": population.vehicle_of("豫A77777").vin_last6}
            return await driver.ask("POST", f"/api/v1/me/plates/{plate['id']}/proof", body)

    assert city.say("department", "vehicles", "down").out == "vehicles is down\n"
    assert in_thread(prove)[0] == 503
    assert city.say("department", "vehicles", "up").status == 0
    assert in_thread(prove)[0] == 200


def test_what_is_stuck_is_listed_retried_and_given_up(city: Shell) -> None:
    assert city.say("stuck", "--json").json == {"items": []}
    for position in (900_001, 900_002):
        city.ask(
            "INSERT INTO journal.stuck (follower, position, key, kind, at, body, error) "
            "SELECT 'parking.sites', $1::bigint, 'lot-7', kind, at, body, 'broken' FROM journal.fact WHERE kind = 'site_changed' LIMIT 1",
            position,
        )

    listed = city.say("stuck", "--json").json["items"]
    assert [one["position"] for one in listed] == [900_001, 900_002]
    assert set(listed[0]) == {"follower", "position", "key", "kind", "error", "since"}
    assert "parking.sites #900001 site_changed lot-7: broken" in city.say("stuck").out
    assert city.say("stuck", "drop", "parking.sites", "900001").status == 0
    assert city.say("stuck", "drop", "parking.sites", "900001").sentence.startswith("parking.sites has nothing stuck at 900001")
    assert city.say("stuck", "retry", "parking.sites", "lot-7").out == "1 entries applied\n"
    assert city.say("stuck", "retry", "parking.nobody", "lot-7").status == 2
    assert city.say("stuck").out == "nothing is stuck\n"


def test_doctor_finds_nothing_and_then_what_is_wrong(city: Shell) -> None:
    healthy = city.say("doctor", "--json").json["items"]
    good = {one["what"]: one["good"] for one in healthy}
    assert good.keys() == {"disk", "keys", "schema", "followers", "ledger", "refused", "devices", "sources", "loops"}
    assert [what for what, well in good.items() if not well and what not in ("devices", "disk")] == []

    keys = city.data / "keys.json"
    keys.chmod(0o644)
    sick = city.say("doctor", "--json")
    keys.chmod(0o600)

    assert sick.status == 1
    [finding] = [one for one in sick.json["items"] if one["what"] == "keys"]
    assert not finding["good"]
    assert finding["advice"].startswith("chmod 600")


def test_city_comes_back_elsewhere_and_goes_on(city: Shell, place: Path, tmp_path: Path) -> None:
    token, file = (place / "token").read_text(), place / "city.backup"
    assert city.say("backup", str(file)).status == 0
    assert file.stat().st_mode & 0o077 == 0
    before = {path: mine(city, path, token) for path in ("/api/v1/me/bills", "/api/v1/me/wallet", "/api/v1/me/plates")}
    positions = newest(city)

    elsewhere = Shell(tmp_path)
    assert elsewhere.start("restore", str(damaged(file))).wait(60) == 1
    assert elsewhere.last_words().startswith("onelot: pg_restore failed: ")
    assert not (elsewhere.data / "keys.json").exists()
    restoring = elsewhere.start("restore", str(file))
    assert restoring.wait(60) == 0, elsewhere.log.read_text()
    again = elsewhere.say("restore", str(file))
    assert (again.status, "holds a city already" in again.sentence) == (1, True)
    elsewhere.up()
    try:
        assert {path: mine(elsewhere, path, token) for path in before} == before
        assert newest(elsewhere) >= positions
        goes_on(city, elsewhere, token, positions)
        stopped_with_a_database_that_hangs(elsewhere)
    finally:
        elsewhere.kill()


def damaged(file: Path) -> Path:
    """The same backup, but for the end of its dump."""
    worse = file.with_suffix(".damaged")
    with tarfile.open(file) as old, tarfile.open(worse, "w") as new:
        for member in old.getmembers():
            content = old.extractfile(member)
            assert content is not None
            raw = content.read()
            if member.name == "database.dump":
                raw = raw[: len(raw) * 9 // 10]
            member.size = len(raw)
            new.addfile(member, io.BytesIO(raw))
    return worse


def newest(shell: Shell) -> tuple[int, int]:
    [row] = shell.ask("SELECT (SELECT max(position) FROM journal.reading), (SELECT max(position) FROM journal.fact)")
    return int(row[0]), int(row[1])


def goes_on(city: Shell, elsewhere: Shell, token: str, positions: tuple[int, int]) -> None:
    """The stay that was open when the backup was made ends in the city that came of it."""
    left_at = ARRIVED + timedelta(hours=7)

    async def leave() -> Any:
        camera = await connected(card(city, elsewhere))
        try:
            await camera.saw("lot-7-002", "free", left_at)
            async with aiohttp.ClientSession() as http:
                driver = Driver(http, elsewhere.url, PHONE, token)
                return await driver.bill(await driver.stay("closed", ARRIVED + timedelta(hours=6)))
        finally:
            await camera.close()

    bill = in_thread(leave)
    assert datetime.fromisoformat(bill["left_at"]) == left_at
    readings, facts = newest(elsewhere)
    assert readings > positions[0] and facts > positions[1]
    assert elsewhere.say("stuck", "--json").json == {"items": []}


def stopped_with_a_database_that_hangs(shell: Shell) -> None:
    """Case shutdown-waits-for-a-lost-waiter: nobody answers, requests wait for connections, and yet it ends."""
    postgres = shell.postgres()
    os.kill(postgres, signal.SIGSTOP)
    stopped = children(postgres)
    for child in stopped:
        os.kill(child, signal.SIGSTOP)

    status, seconds = shell.end(signal.SIGINT)
    for child in stopped:  # Stopped ones do not see that their parent is gone.
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)

    assert (status, seconds < SECONDS_MAX) == (0, True), (status, seconds, shell.log.read_text())
    assert not Path(f"/proc/{postgres}").exists()


def children(parent: int) -> list[int]:
    return [int(one) for task in Path(f"/proc/{parent}/task").iterdir() for one in (task / "children").read_text().split()]


def test_lost_database_ends_the_city_with_a_sentence_and_the_next_start_mends_it(city: Shell, place: Path) -> None:
    os.kill(city.postgres(), signal.SIGKILL)

    status, seconds = city.ended()

    assert (status, seconds < SECONDS_MAX) == (1, True)
    assert "PostgreSQL ended by signal 9" in city.last_words()
    assert not (city.data / "doors.json").exists()
    city.up()
    assert mine(city, "/api/v1/me/bills", (place / "token").read_text())["items"]


def test_city_ends_when_it_is_asked_to(city: Shell) -> None:
    status, seconds = city.end(signal.SIGTERM)

    assert (status, seconds < SECONDS_MAX) == (0, True), city.log.read_text()
    assert not (city.data / "doors.json").exists()
    assert "onelot up" in city.say("refused").sentence


def test_another_city_does_not_start_on_these_data(city: Shell) -> None:
    assert city.process is None

    assert city.start("up", "--city", "luoyang").wait(60) == 2
    assert "this is the data of the city zhengzhou" in city.last_words()


def test_nothing_personal_stood_in_the_log(city: Shell, place: Path) -> None:
    secrets = [PHONE, PHONE[3:], PLATE, (place / "token").read_text(), card(city)["password"]]
    text = "".join(file.read_text(errors="replace") for file in (place.glob("*.log"))) + "".join(
        file.read_text(errors="replace") for file in city.data.rglob("*.log")
    )

    assert [secret for secret in secrets if secret in text] == []
