"""Cases from the field that meet the city at its devices' door, each named after its id in shared/cases/parking.yaml."""

import asyncio
from datetime import timedelta
from typing import Any

import paho.mqtt.client as paho
import pytest

from foundation.events import DeviceHeard
from simulators.mqtt_client import Will
from tests.gateway_mqtt.town import Stranger, at, eventually, passage, spot, text, town

CAR = {"plate": "豫A5D330", "plate_colour": "blue"}


async def told(here: Any, entries: int) -> list[DeviceHeard]:
    """What the journal says of who came and went, once there is so much."""

    async def ask() -> Any:
        found = await here.readings("heard")
        return found if len(found) >= entries else None

    return await eventually(ask)  # type: ignore[no-any-return]


async def test_will_of_old_connection_after_takeover(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:00:00")
        card = await here.a_camera("cam-07", "01010001")
        gone = Will(f"{card.topic}/status", b'{"at":"%s","online":false}' % text("10:00:00").encode(), retain=True)
        first = await here.connect(card, will=gone)
        await told(here, 1)

        here.clock.set("10:05:00")
        async with here.talking(card, will=gone) as second:
            here.clock.set("10:05:00.050")
            await second.status("10:05:00.050")
            here.clock.set("10:05:00.200")
            first.client.abort()
            await first.client.closed
            here.clock.set("10:05:01")
            await second.spots(812, spot("01010001", "10:05:01"))

            begun, ended, again = await told(here, 3)
            assert (begun.connected, ended.connected, again.connected) == (True, False, True)
            assert begun.connection == ended.connection != again.connection
            assert ended.at == at("10:05:00")
            assert await here.shown("01010001") == ("occupied", at("10:05:01"))
            assert here.listener.connection_of("cam-07") is not None
            second.client.abort()
        *_, last = await told(here, 4)
        assert (last.connected, last.connection, last.at) == (False, again.connection, at("10:05:01"))


async def test_boot_default_free_then_occupied(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("08:00:00")
        card = await here.a_camera("cam-04", "01010002")
        async with here.talking(card) as camera:
            await camera.spots(90, spot("01010002", "08:00:00", **CAR, plate_confidence=0.95))
        here.clock.set("10:00:30")
        async with here.talking(card) as camera:
            await camera.spots(1, spot("01010002", "10:00:30", "free"))
            await here.follow()
            assert [row["total"] for row in await here.stays_of("豫A5D330")] == [None]
            here.clock.set("10:00:50")
            await camera.spots(2, spot("01010002", "10:00:50", **CAR, plate_confidence=0.94))
            here.clock.set("11:00:00")
            await camera.spots(3, spot("01010002", "11:00:00", "free"))
        here.clock.set("11:05:00")
        await here.follow()

        (stay,) = await here.stays_of("豫A5D330")
        assert (stay["entered_at"], stay["left_at"], stay["total"]) == (at("08:00:00"), at("11:00:00"), 1700)
        assert "10:00:30" in text_of_gaps(stay["gaps"]) and "10:00:50" in text_of_gaps(stay["gaps"])


def text_of_gaps(gaps: str) -> str:
    return gaps.replace(" 02:", "T02:").replace("T02:", "T10:")  # Stored in UTC.


async def test_clock_1970_until_time_sync(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("14:00:41")
        card = await here.a_gate("gate-02", "1", "2")
        async with here.talking(card) as gate:
            for seq, clock, plate in ((1, "00:00:41", "豫A90F27"), (2, "00:03:10", "豫AD20418")):
                here.clock.set("14:00:41" if seq == 1 else "14:03:10")
                colour = {"plate_colour": "green" if len(plate) == 8 else "blue"}
                assert await gate.say("passage", passage(seq, at("12:00"), plate, **colour) | {"at": f"1970-01-01T{clock}+00:00"}) == 0
            here.clock.set("14:05:00")
            assert await gate.say("passage", passage(3, "14:05:00", "豫A90F27", direction="out", lane="2")) == 0
        here.clock.set("14:06:00")
        await here.follow()

        first, second, third = await here.readings()
        assert [one.no_clock for one in (first, second, third)] == [True, True, False]
        assert [one.raw_at.year for one in (first, second)] == [1970, 1970]
        assert (third.at, third.offset_s) == (at("14:05:00"), None)
        (stay,) = await here.stays_of("豫A90F27")
        assert (stay["entered_at"], stay["left_at"], stay["total"]) == (at("14:00:41"), at("14:05:00"), 0)
        (other,) = await here.stays_of("豫AD20418")
        assert (other["entered_at"], other["state"]) == (at("14:03:10"), "open")
        assert await here.refused() == []
        assert not await here.sql("SELECT 1 FROM pg_class WHERE relname LIKE '%1970%'")


async def test_two_boots_both_begin_with_zero(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("08:00:00")
        card = await here.a_gate("gate-06")
        async with here.talking(card) as gate:
            await gate.say("passage", passage(0, "08:00:00", "豫A20M11"))
        here.clock.set("08:05:00")
        async with here.talking(card) as gate:
            await gate.say("passage", passage(0, "08:05:00", "豫A20M22"))
            here.clock.set("08:06:00")
            assert await gate.say("passage", passage(0, "08:00:00", "豫A20M11")) == 0
            for minute in range(10, 13):
                here.clock.set(f"08:{minute}:00")
                await gate.say("passage", passage(0, f"08:{minute}:00", f"豫A30M{minute}"))
        await here.follow()

        assert len(await here.readings()) == 5
        for plate, entered in (("豫A20M11", "08:00:00"), ("豫A20M22", "08:05:00"), ("豫A30M12", "08:12:00")):
            (stay,) = await here.stays_of(plate)
            assert (stay["entered_at"], stay["state"]) == (at(entered), "open")


async def test_resent_batch_has_grown(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("09:00:01")
        card = await here.a_camera("cam-11", "03010001", "03010002", "03010003")
        two = [spot("03010001", "09:00:00"), spot("03010002", "09:00:00", "free")]
        first = await here.connect(card)
        await first.spots(77, *two)
        first.client.abort()
        await first.client.closed
        async with here.talking(card) as again:
            assert await again.spots(77, *two, spot("03010003", "09:00:00")) == 0

        assert sorted(one.spot for one in await here.readings()) == ["03010001", "03010002", "03010003"]
        assert await here.shown("03010003") == ("occupied", at("09:00:00"))
        assert await here.refused() == []


async def test_late_older_reading_becomes_latest(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("09:41:09")
        card = await here.a_camera("cam-12", "04010001")
        async with here.talking(card) as camera:
            await camera.status("09:41:09")
            await camera.say("spots", {"seq": 501, "sent": text("09:41:08"), "spots": [spot("04010001", "09:41:08")]})
            here.clock.set("09:41:10")
            await camera.say("spots", {"seq": 500, "sent": text("09:40:02"), "spots": [spot("04010001", "09:40:02", "free")]})
            await camera.spots(502, spot("04010001", "09:41:10"))

        newer, older, _ = await here.readings()
        assert (older.at, older.offset_s, newer.offset_s) == (at("09:40:02"), 0, 0)
        state, as_of = await here.shown("04010001")
        assert state == "occupied" and as_of >= at("09:41:08")
        history = await here.sql("SELECT what, at FROM parking.observation ORDER BY at")
        assert [(row["what"], row["at"]) for row in history][:2] == [("free", at("09:40:02")), ("occupied", at("09:41:08"))]


async def test_absurd_dates_make_absurd_partitions(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:00:00")
        card = await here.a_gate("gate-9")
        tables = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'journal'::regnamespace ORDER BY 1"
        before = await here.sql(tables)
        absurd = ["9999-12-31T23:59:59+08:00", "0001-01-01T00:00:00+00:00", "2026-06-31T10:00:00+08:00"]
        async with here.talking(card) as gate:
            reasons = [
                await gate.say("passage", passage(seq, "10:00", "豫A12345") | {"sent": text("10:00:00"), "at": when})
                for seq, when in enumerate(absurd)
            ]
            reasons.append(await gate.say("passage", passage(4, "10:00", "豫A12345") | {"at": "2099-01-01T00:00:00+08:00"}))
            assert await gate.say("passage", passage(5, "10:00:00", "豫A12345")) == 0

        rows = await here.refused()
        assert [row["reason"] for row in rows] == ["in_future", "too_old", "schema", "in_future"]
        assert "at" in rows[2]["detail"] and all(reasons)
        assert {row["received_at"] for row in rows} == {at("10:00:00")}
        assert await here.sql(tables) == before
        assert len(await here.readings()) == 1
    async with town(postgres_url, tmp_path) as again:
        assert "gate-9" in again.registry.devices


@pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5], ids=["3.1.1", "5.0"])
async def test_consumer_ends_service_stays_green(postgres_url, tmp_path, version):
    async with town(postgres_url, tmp_path, age_seconds_max=1.0) as here:
        here.clock.set("10:00:00")
        bad = await here.a_camera("cam-30", "01010001")
        gates = [await here.a_gate(f"gate-{number}", site="lot-8") for number in range(4)]
        await here.sql("REVOKE INSERT ON gateway.refused FROM onelot_app")
        async with Stranger(here.listener.port, bad.device, bad.password, version) as camera:
            body = b'{"seq":1,"sent":"%s","spots":"01010001"}' % text("10:00:00").encode()
            sent = camera.client.publish(f"{bad.topic}/spots", body, qos=1)
            talkers = [await here.connect(card, window=400) for card in gates]
            answers = [
                await talker.send("passage", passage(seq, at("09:00:00") + timedelta(seconds=seq), f"豫A{number}{seq:04d}"))
                for number, talker in enumerate(talkers)
                for seq in range(250)
            ]
            await eventually(lambda: as_coroutine([one for one in here.supervisor.late() if "gateway.ingest" in one]))
            assert not sent.is_published()
            assert await here.refused() == []

            await here.sql("GRANT INSERT ON gateway.refused TO onelot_app")
            assert await asyncio.wait_for(asyncio.gather(*answers), 20) == [0] * 1000
            await asyncio.to_thread(sent.wait_for_publish, 10)
            assert sent.is_published()
            await eventually(lambda: as_coroutine(not here.supervisor.late()))
            for talker in talkers:
                await talker.client.close()

        assert len(await here.readings()) == 1000
        (row,) = await here.refused()
        assert (row["device"], row["reason"], row["payload"]) == ("cam-30", "schema", body)


async def as_coroutine(value: Any) -> Any:
    return value
