"""The load publisher counts honestly, or every ratio that stands on it is worth nothing."""

import json

import pytest

from benchmarks import mqtt_load
from simulators import mqtt_client
from tests.gateway_mqtt.doors import PASSWORD, TOPIC, MemoryDoor, both_versions, listening, on_both_loops


def devices(count, *spots):
    names = [f"cam-{number}" for number in range(count)]
    return [mqtt_load.Device(name, PASSWORD.decode(), TOPIC + name, list(spots)) for name in names]


@both_versions
@on_both_loops
async def test_every_message_arrives_and_is_counted(version):
    async with listening() as (listener, door):
        result = await mqtt_load.run_load("127.0.0.1", listener.port, devices(7), messages=100, window=3, version=version)

        assert (result.messages, result.unacknowledged, result.refused, result.connections) == (100, 0, 0, 7)
        assert len(set(door.payloads)) == 100
        assert 0 < result.latency_p50_ms <= result.latency_p99_ms <= result.latency_max_ms


@on_both_loops
async def test_a_stated_rate_is_kept():
    async with listening() as (listener, door):
        result = await mqtt_load.run_load("127.0.0.1", listener.port, devices(3), messages=100, rate=1_000)

        assert result.messages == len(door.messages) == 100
        assert result.messages_per_s < 1_050


@on_both_loops
async def test_what_is_never_acknowledged_is_said():
    async with listening(MemoryDoor(patient=True)) as (listener, _):
        result = await mqtt_load.run_load("127.0.0.1", listener.port, devices(2), messages=10, timeout_s=0.05)

        assert (result.messages, result.unacknowledged) == (0, 10)


@on_both_loops
async def test_a_lost_connection_ends_the_measuring():
    class Leaving(MemoryDoor):
        def publish(self, messages):
            messages.connection.close()

    async with listening(Leaving()) as (listener, _):
        result = await mqtt_load.run_load("127.0.0.1", listener.port, devices(1), messages=10, timeout_s=30)

        assert result.unacknowledged == 10


@on_both_loops
async def test_a_refused_device_is_an_error():
    async with listening() as (listener, _):
        with pytest.raises(mqtt_client.ConnectRefused):
            await mqtt_load.run_load("127.0.0.1", listener.port, [mqtt_load.Device("cam", "guess", "t")], messages=1)


def test_devices_with_spots_report_changes_of_them():
    [camera] = devices(1, "lot-7-001", "lot-7-002")

    messages = [json.loads(mqtt_load.default_payload(camera, number)) for number in range(4)]

    assert [(message["spots"][0]["spot"][-1], message["spots"][0]["state"]) for message in messages] == [
        ("1", "occupied"),
        ("2", "occupied"),
        ("1", "free"),
        ("2", "free"),
    ]
    assert [message["seq"] for message in messages] == [1, 2, 3, 4]
