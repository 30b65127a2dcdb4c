"""Arbitrary bytes, cuts and mutations of good packets: they may cost the connection they come by, never another, never the process."""

import asyncio
import contextlib
import random

import pytest

from gateway_mqtt import codec
from gateway_mqtt.codec import V5, V311
from tests.gateway_mqtt import doors
from tests.gateway_mqtt.doors import TOPIC, device, listening, on_both_loops, wired

ATTACKS = 150


@pytest.mark.parametrize("seed", [1, 2])
@on_both_loops
async def test_noise_costs_nobody_else_anything(seed):
    dice = random.Random(seed)
    async with listening(connect_s=0.5, linger_s=0.05) as (listener, door), device(listener, name="healthy") as healthy:
        errors = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        for attack in range(ATTACKS):
            await assault(listener, noise(dice, attack % 2), dice)
            await healthy.publish(b"%d" % attack, packet_id=attack + 1, device="healthy")
            assert await healthy.packet() == (0x40, (attack + 1).to_bytes(2, "big"))

        own = [message.payload for message in door.messages if message.connection.login.device == "healthy"]
        assert own == [b"%d" % attack for attack in range(ATTACKS)]
        assert listener.counts["failed"] == 0
        assert errors == []
        assert listener.unacknowledged == 0


@pytest.mark.parametrize("seed", [3, 4])
@on_both_loops
async def test_good_packets_in_any_pieces_are_served_as_if_whole(seed):
    dice = random.Random(seed)
    async with listening() as (listener, door):
        for version in (V311, V5):
            stream = b"".join(good_packets(version)) + b"\xe0\0"
            async with wired(listener, version) as wire:
                for piece in pieces(stream, dice, 60):
                    await wire.send(piece)
                    await asyncio.sleep(0)
                await wire.rest()

        assert [end[1] for end in door.ends] == [True, True]
        assert (
            door.payloads == [b"one", *(b"more %d" % number for number in range(6)), b"kept", b"elsewhere", b"two", bytes(300), b"zero"] * 2
        )


async def assault(listener, raw, dice):
    with contextlib.suppress(ConnectionError):
        async with wired(listener) as wire:
            for piece in pieces(raw, dice, dice.choice([1, 3, 20])):
                await wire.send(piece)
            if dice.random() < 0.5:
                wire.abort()


def noise(dice, mutate):
    version = dice.choice([V311, V5])
    packets = list(good_packets(version))
    if mutate:
        raw = bytearray(b"".join(packets))
        for _ in range(dice.randint(1, 8)):
            raw[dice.randrange(len(raw))] = dice.randrange(256)
        return bytes(raw[: dice.randint(1, len(raw))])
    rubbish = dice.randbytes(dice.randint(1, 300))
    return packets[0] + rubbish if dice.random() < 0.7 else rubbish


def good_packets(version):
    yield doors.connect(version, will=(TOPIC + "cam-1/status", b"{}"), keep_alive_s=30)
    yield doors.subscribe(version, (TOPIC + "cam-1/command", 1), ("#", 0))
    yield doors.publish(version, b"one", packet_id=1)
    for number in range(6):
        yield doors.publish(version, b"more %d" % number, packet_id=10 + number, flags=0x08 if number == 4 else 0)
    yield doors.publish(version, b"kept", packet_id=20, flags=0x01)
    yield doors.publish(version, b"elsewhere", packet_id=21, kind="spots")
    yield doors.publish(version, b"two", packet_id=2, qos=2, properties=b"\x26" + doors.text("k") + doors.text("v"))
    yield b"\x62\x02\0\x02"
    yield doors.publish(version, bytes(300), packet_id=3, properties=b"\x01\x01\x02\0\0\0\x09")
    yield doors.publish(version, b"zero", qos=0)
    yield doors.publish(version, b"an answer", packet_id=4, kind="answer", properties=b"\x09" + doors.text("who"))
    yield b"\xc0\0"
    yield b"\x40\x02\0\x07"
    yield doors.packet(0xA2, b"\0\x08" + (b"\0" if version == codec.V5 else b"") + doors.text("x"))


def pieces(raw, dice, count):
    cuts = sorted(dice.randrange(len(raw) + 1) for _ in range(count - 1))
    return [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
