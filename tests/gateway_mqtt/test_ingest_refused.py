"""What the door refuses: each reason of the contract with its answer, kept for an operator, beside good readings that are taken."""

import asyncio
import json

import paho.mqtt.client as paho
import pytest

from tests.gateway_mqtt.town import CAR, Stranger, passage, spot, text, town

NOW = "10:00:00"
GOOD = spot("lot-7-001", NOW)
UNWILLING, NOT_AUTHORIZED, QUOTA, PAYLOAD_INVALID = 0x83, 0x87, 0x97, 0x99


def of(*spots, seq=1):
    return {"seq": seq, "spots": list(spots)}


WHOLE = [  # A message that is refused as one: what is said, the reason, its code, a word of the detail.
    ("spots", b"{", "not_json", PAYLOAD_INVALID, ""),
    ("spots", b"", "not_json", PAYLOAD_INVALID, ""),
    ("spots", b"\xff\xfe", "not_json", PAYLOAD_INVALID, ""),
    ("spots", b"[" * 100_000, "schema", PAYLOAD_INVALID, ""),
    ("spots", b'{"seq":1,"more":' + b"[" * 100_000, "schema", PAYLOAD_INVALID, "deep"),
    ("spots", b'{"seq":1,"spots":[' + b"[" * 100_000, "schema", PAYLOAD_INVALID, ""),
    ("status", b'{"more":' + b'{"a":' * 50_000, "schema", PAYLOAD_INVALID, "deep"),
    ("spots", of(), "schema", PAYLOAD_INVALID, "spots"),
    ("spots", of(*[GOOD] * 201), "schema", PAYLOAD_INVALID, "spots"),
    ("spots", {"spots": [GOOD]}, "schema", PAYLOAD_INVALID, "seq"),
    ("spots", of(GOOD, seq=-1), "schema", PAYLOAD_INVALID, "seq"),
    ("spots", of(GOOD, seq=2**63), "schema", PAYLOAD_INVALID, "seq"),
    ("spots", of(GOOD | {"state": "gone"}), "schema", PAYLOAD_INVALID, "state"),
    ("spots", of(GOOD | {"at": "2026-03-02T09:00:00"}), "schema", PAYLOAD_INVALID, "at"),
    ("spots", of(GOOD | {"plate_confidence": 1.5}), "schema", PAYLOAD_INVALID, "plate_confidence"),
    ("spots", of(GOOD | {"evidence": "x\x00y"}), "schema", PAYLOAD_INVALID, "evidence"),
    ("spots", of(spot("nowhere", NOW)), "unknown_spot", UNWILLING, "nowhere"),
    ("spots", of(spot("lot-9-001", NOW)), "not_your_spot", NOT_AUTHORIZED, "lot-9-001"),
    ("spots", of(spot("lot-7-001", "10:02:01")), "in_future", UNWILLING, "at"),
    ("spots", of(GOOD | {"at": "2021-01-01T00:00:00Z"}), "too_old", UNWILLING, "at"),
    ("spots", b" " * (256 * 1024) + json.dumps(of(GOOD)).encode(), "too_large", QUOTA, "262144"),
    ("passage", passage(1, NOW, "豫A12345"), "topic", NOT_AUTHORIZED, "camera"),
    ("weather", {"seq": 1}, "topic", NOT_AUTHORIZED, "weather"),
    ("status", {"online": True}, "schema", PAYLOAD_INVALID, "at"),
]


@pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])
async def test_every_reason_is_acknowledged_kept_and_said(postgres_url, tmp_path, version):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        await here.add_site("lot-9", ["lot-9-001"])
        card = await here.a_camera("cam-1", "lot-7-001")
        async with here.talking(card, version=version) as camera:
            reasons = [await camera.say(kind, said) for kind, said, *_ in WHOLE]
            assert await camera.spots(1, GOOD) == 0

        assert reasons == [code if version == 5 else 0 for *_, code, _ in WHOLE]
        rows = await here.refused()
        assert [row["reason"] for row in rows] == [reason for _, _, reason, *_ in WHOLE]
        for row, (kind, said, _, _, word) in zip(rows, WHOLE, strict=True):
            raw = said if isinstance(said, bytes) else json.dumps(said, ensure_ascii=False).encode()
            assert word in row["detail"], row["detail"]
            assert (row["device"], row["topic"], row["payload"]) == ("cam-1", f"{card.topic}/{kind}", raw[:4096])
        assert len(await here.readings()) == 1


async def test_a_gate_is_refused_by_its_lane(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        card = await here.a_gate("gate-1", "1", "2")
        async with here.talking(card) as gate:
            assert await gate.say("passage", passage(1, NOW, "豫A12345", lane="3")) == UNWILLING
            assert await gate.say("passage", passage(2, NOW, "豫A12345", lane="2")) == 0

        assert [(row["reason"], row["site"]) for row in await here.refused()] == [("unknown_lane", "lot-8")]


async def test_the_good_readings_beside_bad_ones_are_taken(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        await here.add_site("lot-9", ["lot-9-001"])
        card = await here.a_camera("cam-1", "lot-7-001", "lot-7-002", "lot-7-003")
        good = [GOOD, spot("lot-7-002", NOW, "free"), spot("lot-7-003", NOW, **CAR)]
        bad = [
            spot("nowhere", NOW), spot("lot-9-001", NOW), spot("lot-7-001", "11:00"), spot("lot-7-002", NOW, "gone"), {"spot": 7}, "text",
        ]  # fmt: skip
        async with here.talking(card) as camera:
            mixed = [good[0], *bad[:3], good[1], *bad[3:], good[2]]
            assert await camera.spots(1, *mixed) == 0

        assert sorted(one.spot for one in await here.readings()) == ["lot-7-001", "lot-7-002", "lot-7-003"]
        rows = await here.refused()
        assert [row["reason"] for row in rows] == ["unknown_spot", "not_your_spot", "in_future", "schema", "schema", "schema"]
        assert [row["detail"].split(":")[0] for row in rows] == [f"spots[{number}]" for number in (1, 2, 3, 5, 6, 7)]


async def test_a_device_may_not_speak_under_another_topic(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        card = await here.a_camera("cam-1", "lot-7-001")
        other = await here.let_in(await here.add_device("lot-7", "camera", "cam-2"))
        topics = [f"{other.topic}/spots", "onelot/2/town/lot-7/cam-1/spots", "spots", f"{card.topic}/extra/spots", "$SYS/spots"]
        async with here.talking(card) as camera:
            reasons = [await camera.say("", of(GOOD), topic=topic) for topic in topics]

        assert reasons == [NOT_AUTHORIZED] * len(topics)
        assert [row["topic"] for row in await here.refused()] == topics
        assert await here.readings() == []


async def test_a_spot_that_another_device_owns_is_not_yours(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        owner = await here.a_camera("cam-1", "lot-7-001", "lot-7-002", spots=["lot-7-001"])
        other = await here.let_in(await here.add_device("lot-7", "camera", "cam-2"))
        async with here.talking(owner) as first, here.talking(other) as second:
            assert await second.spots(1, GOOD) == NOT_AUTHORIZED
            assert await second.spots(2, spot("lot-7-002", NOW)) == 0
            assert await first.spots(1, spot("lot-7-002", NOW)) == NOT_AUTHORIZED
            assert await first.spots(2, GOOD) == 0


async def test_a_refused_message_does_not_hold_up_a_batch(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        card = await here.a_camera("cam-1", *[f"lot-7-{number:03}" for number in range(50)])
        async with here.talking(card, window=200) as camera:
            answers = []
            for number in range(50):
                answers.append(await camera.send("spots", of(spot(f"lot-7-{number:03}", NOW), seq=number)))
                answers.append(await camera.send("spots", b"rubbish"))
            reasons = [await answer for answer in answers]

        assert reasons == [0, PAYLOAD_INVALID] * 50
        assert (len(await here.readings()), len(await here.refused())) == (50, 50)


async def test_paho_hears_the_reason(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        card = await here.a_camera("cam-1", "lot-7-001")
        async with Stranger(here.listener.port, card.device, card.password, paho.MQTTv5) as device:
            heard = []
            device.client.on_publish = lambda client, data, packet_id, reason, properties: heard.append(reason.value)
            for said in (b"rubbish", json.dumps(of(GOOD)).encode()):
                await asyncio.to_thread(device.client.publish(f"{card.topic}/spots", said, qos=1).wait_for_publish, 10)

        assert sorted(heard) == [0, PAYLOAD_INVALID]


async def test_quality_zero_and_two_are_taken_and_refused_alike(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        card = await here.a_camera("cam-1", "lot-7-001", "lot-7-002")
        async with Stranger(here.listener.port, card.device, card.password, paho.MQTTv5) as device:
            device.client.publish(f"{card.topic}/spots", json.dumps(of(GOOD)), qos=0, retain=True)
            device.client.publish(f"{card.topic}/spots", b"rubbish", qos=2)
            last = device.client.publish(f"{card.topic}/spots", json.dumps(of(spot("lot-7-002", text(NOW)[11:19]), seq=2)), qos=2)
            await asyncio.to_thread(last.wait_for_publish, 10)

        assert len(await here.readings()) == 2
        assert [row["reason"] for row in await here.refused()] == ["not_json"]
