"""The listener over real sockets: who is let in, what is acknowledged and when, who is cut off, and what comes down."""

import asyncio
import contextlib

import pytest

from gateway_mqtt import codec
from gateway_mqtt.codec import V5, V311
from gateway_mqtt.listener import DeviceAway, DeviceBusy, DeviceRefused, DeviceSilent
from tests.gateway_mqtt import doors
from tests.gateway_mqtt.doors import TOPIC, MemoryDoor, both_versions, device, listening, on_both_loops, wired

WILL = (TOPIC + "cam-1/status", b'{"online":false}')

# Letting in.

REFUSALS = {
    "wrong password": ({"password": b"guess"}, 0x86, 4),
    "no user name": ({"name": "", "password": None}, 0x87, 5),
    "level too high": ({"level": 6}, 0x84, None),
    "level too low": ({"level": 3, "protocol": b"MQIsdp"}, 0x84, 1),
    "level of a mosquitto bridge": ({"level": 0x84}, 0x84, 1),
    "will that nobody may publish": ({"will": ("a/#", b"")}, 0x90, None),
}


@pytest.mark.parametrize(("more", "reason", "_"), REFUSALS.values(), ids=REFUSALS.keys())
@on_both_loops
async def test_refused_connect_gets_its_reason_in_5_0(more, reason, _):
    async with listening() as (listener, door), wired(listener) as wire:
        await wire.send(doors.connect(V5, **more), doors.publish(V5, b"sent too early", packet_id=1))

        expected = codec.connack(V311, reason) if more.get("level") in (3, 0x84) else codec.connack(V5, reason)
        assert await wire.rest() == expected
        assert (door.connections, door.messages, door.ends) == ([], [], [])


@pytest.mark.parametrize(
    ("more", "_", "code"), [case for case in REFUSALS.values() if case[2]], ids=["password", "name", "level", "bridge"]
)
@on_both_loops
async def test_refused_connect_gets_its_code_in_3_1_1(more, _, code):
    async with listening() as (listener, _), wired(listener, V311) as wire:
        await wire.send(doors.connect(V311, **more))

        assert await wire.rest() == bytes((0x20, 2, 0, code))


@on_both_loops
async def test_old_client_without_an_id_must_want_a_clean_session():
    async with listening() as (listener, _), wired(listener, V311) as wire:
        await wire.send(doors.connect(V311, client_id=b"", flags=0))

        assert await wire.rest() == b"\x20\x02\0\x02"


@on_both_loops
async def test_client_without_an_id_is_given_one():
    async with listening() as (listener, _), wired(listener) as wire:
        await wire.send(doors.connect(V5, client_id=b""))

        _, body = await wire.packet()
        assert b"\x12" in body and b"onelot-" in body


@on_both_loops
async def test_authentication_methods_are_refused():
    async with listening() as (listener, _), wired(listener) as wire:
        await wire.send(doors.connect(V5, properties=b"\x15" + doors.text("SCRAM")))

        assert await wire.rest() == codec.connack(V5, codec.BAD_AUTHENTICATION_METHOD)


@on_both_loops
async def test_connect_too_large_is_refused_before_it_has_come():
    async with listening(connect_bytes_max=100) as (listener, _), wired(listener) as wire, wired(listener, V311) as old:
        await wire.send(b"\x10\xff\x7f\0\x04MQTT\x05")
        await old.send(b"\x10\xff\x7f\0\x04MQTT\x04")

        assert await wire.rest() == codec.connack(V5, codec.TOO_LARGE)
        assert await old.rest() == b"\x20\x02\0\x05"


@both_versions
@on_both_loops
async def test_one_device_too_many_is_refused_but_the_same_device_may_come_again(version):
    async with listening(connections_max=1) as (listener, _door), device(listener, version), wired(listener, version) as other:
        await other.send(doors.connect(version, "cam-2"))
        assert await other.rest() == codec.connack(version, codec.QUOTA_EXCEEDED)

        async with device(listener, version):
            assert listener.connected == 1


@on_both_loops
async def test_sockets_beyond_all_limits_are_hung_up_on():
    async with listening(connections_max=1, waiting_max=0) as (listener, _), device(listener), wired(listener) as other:
        assert await other.rest() == b""


@on_both_loops
async def test_silence_before_connect_ends_at_its_time():
    async with listening(connect_s=0.02) as (listener, _), wired(listener) as wire:
        assert await wire.rest() == b""
        assert listener.counts["connect_timeout"] == 1


@pytest.mark.parametrize("first", [b"\xc0\0", b"GET / HTTP/1.1\r\n\r\n", b"\x30\x03\0\x01t", b"\x16\x03\x01\x02\0\x01"])
@on_both_loops
async def test_who_begins_with_anything_else_gets_no_answer(first):
    async with listening() as (listener, _), wired(listener) as wire:
        await wire.send(first)

        assert await wire.rest() == b""


@on_both_loops
async def test_malformed_old_connect_gets_no_answer_as_its_standard_says():
    async with listening() as (listener, _), wired(listener) as wire:
        await wire.send(doors.connect(V311, flags=0x03))

        assert await wire.rest() == b""


@on_both_loops
async def test_door_that_fails_at_log_in_costs_that_connection_only():
    class Broken(MemoryDoor):
        def log_in(self, username, password, address):
            return super().log_in(username, password, address) if username == "cam-2" else 1 / 0

    async with listening(Broken()) as (listener, _), device(listener, name="cam-2") as healthy, wired(listener) as wire:
        await wire.send(doors.connect(V5))

        assert await wire.rest() == codec.connack(V5, codec.SERVER_ERROR)
        await healthy.send(b"\xc0\0")
        assert await healthy.packet() == (0xD0, b"")


# Messages.


@both_versions
@on_both_loops
async def test_message_is_handed_on_as_it_came(version):
    async with listening() as (listener, door), device(listener, version) as wire:
        await wire.send(doors.publish(version, b"one", packet_id=7, flags=0x09))  # DUP and RETAIN

        assert await wire.packet() == (0x40, b"\0\x07")
        [message] = door.messages
        assert (message.topic, message.payload, message.qos, message.packet_id) == (TOPIC + "cam-1/status", b"one", 1, 7)
        assert (message.retain, message.connection.login.device, message.connection.version) == (True, "cam-1", version)
        assert message.connection.address == "127.0.0.1"


@both_versions
@on_both_loops
async def test_nothing_is_acknowledged_before_the_door_says_so(version):
    async with listening(MemoryDoor(patient=True)) as (listener, door), device(listener, version) as wire:
        await wire.send(doors.publish(version, b"kept?", packet_id=1), b"\xc0\0")

        assert await wire.packet() == (0xD0, b"")  # The answer to a later ping comes first.
        door.messages[0].connection.acknowledge([1])
        assert await wire.packet() == (0x40, b"\0\x01")


@both_versions
@on_both_loops
async def test_acknowledgements_follow_the_order_of_the_messages(version):
    async with listening(MemoryDoor(patient=True)) as (listener, door), device(listener, version) as wire:
        for packet_id in (5, 3, 9):
            await wire.publish(b"", packet_id=packet_id)
        await wire.publish(b"unnumbered", qos=0)
        await door.until(lambda: len(door.messages) == 4)
        connection = door.connections[0]

        connection.acknowledge([9, 3])
        connection.acknowledge([1, 9])  # Never sent, and twice: both mean nothing.
        connection.acknowledge([5])

        assert [(await wire.packet())[1] for _ in range(3)] == [b"\0\x05", b"\0\x03", b"\0\x09"]
        assert listener.unacknowledged == 0
        assert door.payloads[-1] == b"unnumbered"


@on_both_loops
async def test_reason_reaches_the_device_in_5_0_only():
    async with listening(MemoryDoor(patient=True)) as (listener, door):
        for version, expected in ((V5, b"\0\x01\x87"), (V311, b"\0\x01")):
            async with device(listener, version) as wire:
                await wire.publish(b"", packet_id=1)
                await door.until(lambda: door.messages)
                door.messages.pop().connection.acknowledge([1], {1: codec.NOT_AUTHORIZED})

                assert await wire.packet() == (0x40, expected)


@both_versions
@on_both_loops
async def test_repeated_id_is_handed_on_again_and_acknowledged_once_when_all_of_it_is_kept(version):
    async with listening(MemoryDoor(patient=True)) as (listener, door), device(listener, version) as wire:
        await wire.send(doors.publish(version, b"a", packet_id=1), doors.publish(version, b"b", packet_id=1, flags=8))
        await door.until(lambda: len(door.messages) == 2)
        connection = door.connections[0]

        connection.acknowledge([1])
        await wire.send(b"\xc0\0")
        assert await wire.packet() == (0xD0, b"")
        connection.acknowledge([1])

        assert await wire.packet() == (0x40, b"\0\x01")


@both_versions
@on_both_loops
async def test_qos_2_is_handed_on_once_however_often_it_comes(version):
    async with listening(MemoryDoor(patient=True)) as (listener, door), device(listener, version) as wire:
        await wire.publish(b"once", packet_id=1, qos=2)
        await wire.send(doors.publish(version, b"once", packet_id=1, qos=2, flags=8))
        await door.until(lambda: door.messages)
        door.connections[0].acknowledge([1])
        assert await wire.packet() == (0x50, b"\0\x01")

        await wire.publish(b"once", packet_id=1, qos=2)
        assert await wire.packet() == (0x50, b"\0\x01")
        await wire.send(b"\x62\x02\0\x01")
        assert await wire.packet() == (0x70, b"\0\x01")
        assert door.payloads == [b"once"]

        await wire.publish(b"another", packet_id=1, qos=2)
        await door.until(lambda: len(door.messages) == 2)


@on_both_loops
async def test_refused_qos_2_message_is_over():
    async with listening(MemoryDoor(patient=True)) as (listener, door), device(listener) as wire:
        await wire.publish(b"bad", packet_id=1, qos=2)
        await door.until(lambda: door.messages)
        door.connections[0].acknowledge([1], {1: codec.NOT_AUTHORIZED})
        assert await wire.packet() == (0x50, b"\0\x01\x87")

        await wire.publish(b"good", packet_id=1, qos=2)
        await door.until(lambda: len(door.messages) == 2)


@on_both_loops
async def test_release_of_an_unknown_id_is_answered_so():
    async with listening() as (listener, _), device(listener) as wire, device(listener, V311, "cam-2") as old:
        for each in (wire, old):
            await each.send(b"\x62\x02\0\x05")

        assert await wire.packet() == (0x70, b"\0\x05\x92")
        assert await old.packet() == (0x70, b"\0\x05")


WRONG = {
    "second CONNECT": (lambda v: doors.connect(v), codec.PROTOCOL_ERROR),
    "topic with a wildcard": (lambda v: doors.publish(v, b"", packet_id=1, topic=b"a/+"), codec.TOPIC_INVALID),
    "topic too long": (lambda v: doors.publish(v, b"", packet_id=1, topic=b"x" * 600), codec.TOPIC_INVALID),
    "topic with a NUL": (lambda v: doors.publish(v, b"", packet_id=1, topic=b"a\0b"), codec.MALFORMED),
    "packet too large": (lambda v: b"\x32\xff\xff\xff\x01", codec.TOO_LARGE),
    "packet of a server": (lambda v: b"\x20\x02\0\0", codec.MALFORMED),
    "release before it was received": (lambda v: doors.publish(v, b"", packet_id=1, qos=2) + b"\x62\x02\0\x01", codec.PROTOCOL_ERROR),
    "id of QoS 2 for QoS 1": (
        lambda v: doors.publish(v, b"", packet_id=1, qos=2) + doors.publish(v, b"", packet_id=1),
        codec.PROTOCOL_ERROR,
    ),
    "id of QoS 1 for QoS 2": (
        lambda v: doors.publish(v, b"", packet_id=1) + doors.publish(v, b"", packet_id=1, qos=2),
        codec.PROTOCOL_ERROR,
    ),
    "authentication": (lambda v: b"\xf0\0", codec.PROTOCOL_ERROR),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG.keys())
@both_versions
@on_both_loops
async def test_what_is_wrong_ends_the_connection_with_its_reason_and_its_will(case, version):
    raw, reason = case
    async with listening(MemoryDoor(patient=True)) as (listener, door), device(listener, version, will=WILL) as wire:
        await wire.send(raw(version), doors.publish(version, b"after the end", packet_id=99))

        assert await wire.rest() == codec.disconnect(version, reason)
        assert door.ends == [("cam-1", False, WILL, False)]
        assert b"after the end" not in door.payloads
        assert listener.unacknowledged == 0


@on_both_loops
async def test_topic_alias_was_not_offered():
    async with listening() as (listener, _), device(listener) as wire:
        await wire.send(doors.publish(V5, b"", packet_id=1, properties=b"\x23\0\x01"))

        assert await wire.rest() == codec.disconnect(V5, codec.TOPIC_ALIAS_INVALID)


@on_both_loops
async def test_more_at_once_than_announced_ends_the_connection():
    async with listening(MemoryDoor(patient=True), receive_maximum=2) as (listener, door), device(listener) as wire:
        await wire.send(*(doors.publish(V5, b"", packet_id=packet_id, qos=1 + packet_id % 2) for packet_id in (1, 2, 3)))

        assert await wire.rest() == codec.disconnect(V5, codec.RECEIVE_MAXIMUM)
        assert len(door.messages) == 2


@on_both_loops
async def test_unreleased_messages_of_qos_2_count_as_well():
    async with listening(receive_maximum=2) as (listener, _door), device(listener) as wire:
        await wire.send(*(doors.publish(V5, b"", packet_id=packet_id, qos=2) for packet_id in (1, 2, 3)))

        received = await wire.rest()
        assert received == b"\x50\x02\0\x01\x50\x02\0\x02" + codec.disconnect(V5, codec.RECEIVE_MAXIMUM)


@on_both_loops
async def test_old_client_that_cannot_be_told_of_a_limit_waits_at_it():
    async with listening(MemoryDoor(patient=True), receive_maximum=2) as (listener, door), device(listener, V311) as wire:
        await wire.send(*(doors.publish(V311, b"%d" % packet_id, packet_id=packet_id) for packet_id in range(1, 8)))
        for packet_id in range(1, 8):
            await door.until(lambda: len(door.messages) >= packet_id)  # noqa: B023
            assert len(door.messages) <= packet_id + 1
            door.connections[0].acknowledge([packet_id])

        assert [(await wire.packet())[1][1] for _ in range(7)] == list(range(1, 8))
        assert door.payloads == [b"%d" % packet_id for packet_id in range(1, 8)]


@on_both_loops
async def test_old_client_at_its_limit_wakes_when_its_messages_are_kept_during_a_pause():
    async with listening(MemoryDoor(patient=True), receive_maximum=1) as (listener, door), device(listener, V311) as wire:
        await wire.send(doors.publish(V311, b"1", packet_id=1), doors.publish(V311, b"2", packet_id=2))
        await door.until(lambda: door.messages)
        listener.pause()
        door.connections[0].acknowledge([1])
        assert await wire.packet() == (0x40, b"\0\x01")

        listener.resume()

        await door.until(lambda: len(door.messages) == 2)


# Back-pressure.


@both_versions
@on_both_loops
async def test_paused_door_blocks_the_sender_and_loses_nothing(version):
    async with listening(receive_maximum=65_535) as (listener, door), device(listener, version) as wire:
        listener.pause()
        wire.writer.transport.set_write_buffer_limits(high=1)
        sent = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                while sent < 5_000:
                    await wire.publish(b"%d" % sent + bytes(9_000), packet_id=sent + 1)
                    sent += 1
        assert sent < 5_000, "45 MB went into a door that is shut"
        assert door.messages == []

        listener.resume()

        await door.until(lambda: len(door.messages) == sent + 1)
        assert [int(payload.rstrip(b"\0")) for payload in door.payloads] == list(range(sent + 1))


@both_versions
@on_both_loops
async def test_device_without_news_does_not_notice_a_pause(version):
    async with listening() as (listener, _door), device(listener, version, keep_alive_s=1) as wire:
        listener.pause()
        await wire.send(b"\xc0\0")
        assert await wire.packet() == (0xD0, b"")

        async with device(listener, version, "cam-2") as newcomer:
            await newcomer.send(b"\xc0\0")
            assert await newcomer.packet() == (0xD0, b"")


@on_both_loops
async def test_door_may_pause_in_the_middle_of_a_read_and_resume_at_once():
    class Careful(MemoryDoor):
        def publish(self, messages):
            super().publish(messages)
            self.listener.pause()
            if len(self.messages) % 2:
                self.listener.resume()

    async with listening(Careful()) as (listener, door), device(listener) as wire:
        door.listener = listener
        kinds = ("status", "spots")  # In turns, so that each message is handed on by itself.
        await wire.send(*(doors.publish(V5, b"%d" % number, packet_id=number, kind=kinds[number % 2]) for number in range(1, 6)))
        for count in (2, 4, 5):
            await door.until(lambda: len(door.messages) == count)  # noqa: B023
            listener.resume()

        assert door.payloads == [b"1", b"2", b"3", b"4", b"5"]


@on_both_loops
async def test_too_much_held_stops_all_reading_until_resume():
    async with listening(held_bytes_max=10) as (listener, door), device(listener) as one, device(listener, name="cam-2") as two:
        listener.pause()
        await one.publish(bytes(100), packet_id=1)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                while True:
                    await two.send(b"\xc0\0")
                    await two.packet()

        listener.resume()

        await door.until(lambda: door.messages)
        await two.send(b"\xc0\0")
        assert await two.packet() == (0xD0, b"")


@on_both_loops
async def test_silence_during_a_pause_is_not_held_against_a_device():
    async with listening(keep_alive_factor=0.2) as (listener, door), device(listener, keep_alive_s=1) as wire:
        listener.pause()
        await wire.publish(b"held", packet_id=1)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.4):
                await wire.rest()
        assert door.ends == []

        listener.resume()

        assert await wire.packet() == (0x40, b"\0\x01")
        assert await wire.rest() == codec.disconnect(V5, codec.KEEP_ALIVE_TIMEOUT)


@on_both_loops
async def test_device_that_does_not_read_is_not_read_and_then_cut_off():
    async with listening(write_bytes_max=2_000, socket_send_bytes=4_096, stall_s=0.1) as (listener, door):
        loop = asyncio.get_running_loop()
        sock = doors.small_buffers(listener)
        sock.setblocking(False)
        with sock:
            await loop.sock_sendall(sock, doors.connect(V5, will=WILL))
            pings = b"\xc0\0" * 5_000
            with contextlib.suppress(ConnectionError):
                while not door.ends:
                    await asyncio.wait_for(loop.sock_sendall(sock, pings), 10)

        await door.until(lambda: door.ends)
        assert door.ends == [("cam-1", False, WILL, False)]
        assert listener.counts["stalled"] == 1


# Leaving.


@both_versions
@on_both_loops
async def test_will_speaks_when_the_connection_breaks(version):
    async with listening() as (listener, door), device(listener, version, will=WILL) as wire:
        wire.abort()

        await door.until(lambda: door.ends)
        assert door.ends == [("cam-1", False, WILL, False)]


@both_versions
@on_both_loops
async def test_will_is_silent_after_a_clean_goodbye(version):
    async with listening() as (listener, door), device(listener, version, will=WILL) as wire:
        await wire.send(b"\xe0\0", doors.publish(version, b"after goodbye", packet_id=1))

        assert await wire.rest() == b""
        assert door.ends == [("cam-1", True, None, False)]
        assert door.messages == []


@on_both_loops
async def test_device_may_ask_for_its_will_when_it_leaves():
    async with listening() as (listener, door), device(listener, will=WILL) as wire:
        await wire.send(b"\xe0\x01\x04")

        assert await wire.rest() == b""
        assert door.ends == [("cam-1", False, WILL, False)]


@both_versions
@on_both_loops
async def test_newer_connection_takes_over_and_the_old_will_is_dropped(version):
    async with listening(MemoryDoor(patient=True)) as (listener, door), device(listener, version, will=WILL) as old:
        await old.publish(b"not kept yet", packet_id=1)
        await door.until(lambda: door.messages)

        async with device(listener, version) as new:
            assert await old.rest() == codec.disconnect(version, codec.TAKEN_OVER)
            assert door.ends == [("cam-1", False, None, True)]
            door.connections[0].acknowledge([1])
            await new.send(b"\xc0\0")
            assert await new.packet() == (0xD0, b"")

        assert len({connection.number for connection in door.connections}) == 2
        await door.until(lambda: len(door.ends) == 2)


@both_versions
@on_both_loops
async def test_silence_beyond_the_keep_alive_ends_the_connection(version):
    async with listening(keep_alive_factor=0.03) as (listener, door), device(listener, version, keep_alive_s=1, will=WILL) as wire:
        assert await wire.rest() == codec.disconnect(version, codec.KEEP_ALIVE_TIMEOUT)
        assert door.ends == [("cam-1", False, WILL, False)]


@on_both_loops
async def test_pings_keep_a_connection_alive():
    async with listening(keep_alive_factor=0.3) as (listener, _door), device(listener, keep_alive_s=1) as wire:
        for _ in range(5):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wire.reader.read(1), 0.1)
            await wire.send(b"\xc0\0")
            assert await wire.packet() == (0xD0, b"")


@on_both_loops
async def test_longest_silence_is_ours_to_say():
    async with listening(keep_alive_factor=0.02, keep_alive_max_s=2) as (listener, _), wired(listener) as wire:
        await wire.send(doors.connect(V5, keep_alive_s=0))

        _, body = await wire.packet()
        assert b"\x13\0\x02" in body
        assert await wire.rest() == codec.disconnect(V5, codec.KEEP_ALIVE_TIMEOUT)


@both_versions
@on_both_loops
async def test_door_may_hang_up(version):
    async with listening(MemoryDoor(patient=True)) as (listener, door), device(listener, version) as wire:
        await wire.publish(b"cannot be kept", packet_id=1)
        await door.until(lambda: door.messages)
        door.connections[0].close(codec.SERVER_ERROR)

        assert await wire.rest() == codec.disconnect(version, codec.SERVER_ERROR)
        assert listener.unacknowledged == 0


@on_both_loops
async def test_door_that_fails_costs_that_connection_only():
    class Broken(MemoryDoor):
        def publish(self, messages):
            if messages.payloads[0] == b"poison":
                raise ZeroDivisionError
            super().publish(messages)

    async with listening(Broken()) as (listener, _door), device(listener) as one, device(listener, name="cam-2") as two:
        await one.publish(b"poison", packet_id=1)
        assert await one.rest() == codec.disconnect(V5, codec.SERVER_ERROR)

        await two.publish(b"fine", packet_id=1, device="cam-2")
        assert await two.packet() == (0x40, b"\0\x01")


@on_both_loops
async def test_door_that_fails_to_hear_of_an_end_keeps_no_socket_alive():
    class Broken(MemoryDoor):
        def closed(self, connection, **ending):
            super().closed(connection, **ending)
            raise ZeroDivisionError

    async with listening(Broken()) as (listener, door), device(listener) as old, device(listener) as new:
        assert await old.rest() == codec.disconnect(V5, codec.TAKEN_OVER)
        await new.publish(b"fine", packet_id=1)
        assert await new.packet() == (0x40, b"\0\x01")
        assert len(door.ends) == 1


@both_versions
@on_both_loops
async def test_drain_waits_for_what_is_under_way_and_says_goodbye(version):
    async with listening(MemoryDoor(patient=True)) as (listener, door), device(listener, version, will=WILL) as wire:
        await wire.publish(b"last", packet_id=1)
        await door.until(lambda: door.messages)
        drained = asyncio.create_task(listener.drain(5))
        await asyncio.sleep(0)
        listener.resume()
        await wire.publish(b"too late", packet_id=2)
        door.connections[0].acknowledge([1])

        assert await wire.rest() == b"\x40\x02\0\x01" + codec.disconnect(version, codec.SHUTTING_DOWN)
        await wire.close()
        await drained
        assert door.ends == [("cam-1", False, None, False)]  # Our doing: the will says nothing.
        assert door.payloads == [b"last"]


@on_both_loops
async def test_drain_gives_up_at_its_time():
    async with listening(MemoryDoor(patient=True)) as (listener, door), device(listener) as wire:
        await wire.publish(b"never kept", packet_id=1)
        await door.until(lambda: door.messages)

        await listener.drain(0.01)

        assert await wire.rest() == codec.disconnect(V5, codec.SHUTTING_DOWN)
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", wire.writer.get_extra_info("peername")[1])


# Commands down.


@both_versions
@on_both_loops
async def test_device_hears_its_own_commands_only(version):
    async with listening() as (listener, _), device(listener, version) as wire:
        own, others = TOPIC + "cam-1/command", ["#", TOPIC + "cam-2/command", TOPIC + "+/command", "$SYS/x", "$share/a/b"]
        await wire.send(doors.subscribe(version, (own, 2), *((name, 1) for name in others)))

        refusal = 0x87 if version == V5 else 0x80
        _, body = await wire.packet()
        assert list(body[-6:]) == [1, *[refusal] * 5]

        both = doors.text(own) + doors.text("#")
        await wire.send(doors.packet(0xA2, b"\0\x03" + (b"\0" if version == V5 else b"") + both))
        assert await wire.packet() == (0xB0, b"\0\x03" + (b"\0\0\x11" if version == V5 else b""))
        with pytest.raises(DeviceAway):
            await listener.command("cam-1", b"open", timeout_s=1)


@contextlib.asynccontextmanager
async def obedient(listener, version, **more):
    async with device(listener, version, **more) as wire:
        await wire.send(doors.subscribe(version, (TOPIC + "cam-1/command", 1)))
        await wire.packet()
        yield wire


def parts(body, version):
    """(packet id, correlation, payload) of a command as the listener writes it."""
    at = 2 + int.from_bytes(body[:2], "big")
    packet_id, at = body[at : at + 2], at + 2
    if version == V311:
        return packet_id, b"", body[at:]
    end = at + 1 + body[at]
    return packet_id, body[end - 8 : end], body[end:]


def answer(version, correlation, payload, packet_id=1):
    properties = b"\x09" + doors.text(correlation) if version == V5 else b""
    return doors.publish(version, payload, packet_id=packet_id, kind="answer", properties=properties)


@both_versions
@on_both_loops
async def test_answer_finds_who_asked(version):
    async with listening() as (listener, door), obedient(listener, version) as wire:
        asked = asyncio.create_task(listener.command("cam-1", b"open", timeout_s=5))
        header, body = await wire.packet()
        packet_id, correlation, payload = parts(body, version)
        await wire.send(b"\x40\x02" + packet_id, answer(version, correlation, b"done"))

        assert (header, payload) == (0x32, b"open")
        assert await asked == b"done"
        assert await wire.packet() == (0x40, b"\0\x01")
        assert door.messages == []


@on_both_loops
async def test_answers_of_5_0_may_come_in_any_order_and_those_of_3_1_1_come_in_theirs():
    for version, order, expected in ((V5, (1, 0), [b"0", b"1"]), (V311, (0, 1), [b"0", b"1"])):
        async with listening() as (listener, _), obedient(listener, version) as wire:
            asked = [asyncio.create_task(listener.command("cam-1", b"%d" % n, timeout_s=5)) for n in range(2)]
            commands = [parts((await wire.packet())[1], version) for _ in range(2)]
            for n in order:
                await wire.send(answer(version, commands[n][1], commands[n][2], packet_id=n + 1))

            assert await asyncio.gather(*asked) == expected


@both_versions
@on_both_loops
async def test_late_answer_never_passes_for_the_next_one(version):
    async with listening() as (listener, _), obedient(listener, version) as wire:
        with pytest.raises(DeviceSilent):
            await listener.command("cam-1", b"first", timeout_s=0.01)
        asked = asyncio.create_task(listener.command("cam-1", b"second", timeout_s=5))
        first, second = [parts((await wire.packet())[1], version) for _ in range(2)]
        await wire.send(answer(version, first[1], b"late", packet_id=1), answer(version, second[1], b"in time", packet_id=2))

        assert await asked == b"in time"


@on_both_loops
async def test_answer_reaches_who_asked_during_a_pause():
    async with listening() as (listener, _), obedient(listener, V5) as wire:
        listener.pause()
        asked = asyncio.create_task(listener.command("cam-1", b"open", timeout_s=5))
        _, correlation, _ = parts((await wire.packet())[1], V5)
        await wire.send(answer(V5, correlation, b"done"))

        assert await asked == b"done"


@both_versions
@on_both_loops
async def test_who_asks_hears_when_the_device_leaves(version):
    async with listening() as (listener, _), obedient(listener, version) as wire:
        asked = asyncio.create_task(listener.command("cam-1", b"open", timeout_s=5))
        await wire.packet()
        wire.abort()

        with pytest.raises(DeviceAway):
            await asked
        with pytest.raises(DeviceAway):
            await listener.command("cam-1", b"open", timeout_s=5)


@on_both_loops
async def test_device_may_refuse_a_command():
    async with listening() as (listener, _), obedient(listener, V5) as wire:
        asked = asyncio.create_task(listener.command("cam-1", b"open", timeout_s=5))
        packet_id, _, _ = parts((await wire.packet())[1], V5)
        await wire.send(b"\x40\x03" + packet_id + b"\x83")

        with pytest.raises(DeviceRefused):
            await asked


@on_both_loops
async def test_device_has_no_more_commands_at_once_than_it_takes():
    async with listening() as (listener, _), obedient(listener, V5, properties=b"\x21\0\x01") as wire:
        asked = asyncio.create_task(listener.command("cam-1", b"one", timeout_s=5))
        packet_id, correlation, _ = parts((await wire.packet())[1], V5)
        with pytest.raises(DeviceBusy):
            await listener.command("cam-1", b"two", timeout_s=5)

        await wire.send(b"\x40\x02" + packet_id, answer(V5, correlation, b"done"))
        assert await asked == b"done"
        with pytest.raises(DeviceSilent):
            await listener.command("cam-1", b"two", timeout_s=0.01)


@on_both_loops
async def test_device_gets_no_packet_larger_than_it_takes():
    async with listening() as (listener, _), obedient(listener, V5, properties=b"\x27\0\0\0\x64"):
        with pytest.raises(DeviceRefused):
            await listener.command("cam-1", bytes(100), timeout_s=5)


@on_both_loops
async def test_device_that_does_not_listen_is_away():
    async with listening() as (listener, _), device(listener):
        with pytest.raises(DeviceAway):
            await listener.command("cam-1", b"open", timeout_s=5)
