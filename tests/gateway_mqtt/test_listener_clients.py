"""The listener as the world's own clients see it: paho, mosquitto's tools, and the lean client of the simulators."""

import asyncio
import queue
import shutil
import threading

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway_mqtt import codec
from gateway_mqtt.codec import V5, V311
from simulators import mqtt_client
from tests.gateway_mqtt.doors import PASSWORD, TOPIC, MemoryDoor, both_versions, listening, on_both_loops

OWN = TOPIC + "cam-1/"
MOSQUITTO_PUB = shutil.which("mosquitto_pub")
needs_mosquitto = pytest.mark.skipif(MOSQUITTO_PUB is None, reason="mosquitto_pub is not installed here")


class Paho:
    """paho's blocking client in its own thread; `outside` keeps its waits off the loop."""

    def __init__(self, listener, version, *, username="cam-1", password=PASSWORD, will=None):
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5 if version == V5 else paho.MQTTv311)
        self.client.username_pw_set(username, password.decode())
        if will:
            self.client.will_set(*will, qos=1)
        self.port = listener.port
        self.events = queue.Queue()
        self.gone = threading.Event()
        self.client.on_connect = lambda client, data, flags, reason, properties: self.events.put(reason)
        self.client.on_subscribe = lambda client, data, packet_id, reasons, properties: self.events.put(reasons)
        self.client.on_disconnect = lambda *_: self.gone.set()

    async def __aenter__(self):
        await asyncio.to_thread(self.client.connect, "127.0.0.1", self.port)
        self.client.loop_start()
        return self

    async def __aexit__(self, *_):
        self.client.disconnect()
        await asyncio.to_thread(self.client.loop_stop)

    async def event(self):
        return await asyncio.to_thread(self.events.get, True, 10)


@both_versions
@on_both_loops
async def test_paho_publishes_at_every_quality(version):
    async with listening() as (listener, door), Paho(listener, version) as device:
        assert not (await device.event()).is_failure
        for qos in (0, 1, 2):
            for number in range(30):
                sent = device.client.publish(OWN + "status", b"%d %d" % (qos, number), qos=qos)
        await asyncio.to_thread(sent.wait_for_publish, 10)

        assert [payload for payload in door.payloads if payload[0] == ord("0")] == [b"0 %d" % number for number in range(30)]
        assert sorted(door.payloads) == sorted(b"%d %d" % (qos, number) for qos in (0, 1, 2) for number in range(30))


@both_versions
@on_both_loops
async def test_paho_hears_why_it_is_refused(version):
    async with listening() as (listener, _), Paho(listener, version, password=b"guess") as device:
        reason = await device.event()

        assert reason.value == codec.BAD_PASSWORD  # paho translates the codes of 3.1.1.


@both_versions
@on_both_loops
async def test_paho_s_will_speaks_only_when_it_did_not_say_goodbye(version):
    async with listening() as (listener, door):
        async with Paho(listener, version, will=(OWN + "status", b"gone")) as device:
            await device.event()
        await door.until(lambda: len(door.ends) == 1)
        async with Paho(listener, version, will=(OWN + "status", b"gone")) as device:
            await device.event()
            device.client.socket().shutdown(2)
            await door.until(lambda: len(door.ends) == 2)

        assert [(clean, will) for _, clean, will, _ in door.ends[:2]] == [(True, None), (False, (OWN + "status", b"gone"))]


@both_versions
@on_both_loops
async def test_paho_obeys_a_command(version):
    async with listening() as (listener, _), Paho(listener, version) as device:

        def obey(client, _, message):
            if version == V311:
                client.publish(OWN + "answer", b"done: " + message.payload, qos=1)
                return
            properties = Properties(PacketTypes.PUBLISH)
            properties.CorrelationData = message.properties.CorrelationData
            client.publish(message.properties.ResponseTopic, b"done: " + message.payload, qos=1, properties=properties)

        device.client.on_message = obey
        await device.event()
        device.client.subscribe(OWN + "command", 1)
        assert [reason.value for reason in await device.event()] == [1]

        assert await listener.command("cam-1", b"open_barrier", timeout_s=10) == b"done: open_barrier"


@both_versions
@on_both_loops
async def test_paho_may_not_hear_others(version):
    async with listening() as (listener, _), Paho(listener, version) as device:
        await device.event()
        device.client.subscribe("#", 1)

        assert all(reason.is_failure for reason in await device.event())


@needs_mosquitto
@pytest.mark.parametrize("protocol", ["mqttv311", "mqttv5"])
@pytest.mark.parametrize("qos", ["0", "1", "2"])
@on_both_loops
async def test_mosquitto_pub_delivers(protocol, qos):
    async with listening() as (listener, door):
        where = ("-h", "127.0.0.1", "-p", str(listener.port), "-V", protocol, "-u", "cam-1", "-P", PASSWORD.decode())
        what = ("-q", qos, "-t", OWN + "status", "-m", "from mosquitto", "-r")
        process = await asyncio.create_subprocess_exec(str(MOSQUITTO_PUB), *where, *what)

        assert await process.wait() == 0
        await door.until(lambda: door.ends)
        assert [(message.payload, message.qos, message.retain) for message in door.messages] == [(b"from mosquitto", int(qos), True)]


@needs_mosquitto
@pytest.mark.parametrize("protocol", ["mqttv311", "mqttv5"])
@on_both_loops
async def test_mosquitto_pub_says_why_it_is_refused(protocol):
    async with listening() as (listener, _):
        where = ("-h", "127.0.0.1", "-p", str(listener.port), "-V", protocol, "-u", "cam-1", "-P", "guess")
        said = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(str(MOSQUITTO_PUB), *where, "-t", "t", "-m", "m", stderr=said, stdout=said)

        out, err = await process.communicate()
        assert process.returncode
        assert b"not authorised" in (out + err).lower() or b"bad user" in (out + err).lower()


# The simulators' client.


async def lean(listener, version, **more):
    return await mqtt_client.connect("127.0.0.1", listener.port, "cam-1", PASSWORD, version=version, **more)


@both_versions
@on_both_loops
async def test_lean_client_publishes_within_its_window(version):
    async with listening(MemoryDoor(patient=True)) as (listener, door):
        client = await lean(listener, version, window=3)
        sending = asyncio.create_task(send_all(client, 10))
        for number in range(10):
            await door.until(lambda: len(door.messages) > number)  # noqa: B023
            assert client.in_flight <= 3
            door.connections[0].acknowledge([door.messages[number].packet_id])

        assert [await acknowledged for acknowledged in await sending] == [0] * 10
        assert door.payloads == [b"%d" % number for number in range(10)]
        await client.close()
        assert door.ends == [("cam-1", True, None, False)]


async def send_all(client, count):
    return [await client.send(OWN + "status", b"%d" % number) for number in range(count)]


@on_both_loops
async def test_lean_client_keeps_to_the_server_s_receive_maximum():
    async with listening(receive_maximum=2) as (listener, _):
        client = await lean(listener, V5)

        assert client.window == 2
        assert await client.publish(OWN + "status", b"", qos=0) == 0
        await client.close()


@both_versions
@on_both_loops
async def test_lean_client_obeys_at_once_or_later(version):
    async with listening() as (listener, _):
        later = []
        client = await lean(listener, version, on_command=lambda command: b"now" if command.payload == b"1" else later.append(command))
        assert await client.subscribe(OWN + "command") == 1
        assert await client.subscribe("#") >= 0x80

        assert await listener.command("cam-1", b"1", timeout_s=5) == b"now"
        asked = asyncio.create_task(listener.command("cam-1", b"2", timeout_s=5))
        while not later:
            await asyncio.sleep(0)
        client.answer(later[0], b"later")
        assert await asked == b"later"
        await client.close()


@both_versions
@on_both_loops
async def test_lean_client_hears_why_it_is_refused(version):
    async with listening() as (listener, _):
        with pytest.raises(mqtt_client.ConnectRefused) as refused:
            await mqtt_client.connect("127.0.0.1", listener.port, "cam-1", b"guess", version=version)

        assert refused.value.reason == (codec.BAD_PASSWORD if version == V5 else 4)


@both_versions
@on_both_loops
async def test_lean_client_learns_what_was_not_kept(version):
    async with listening(MemoryDoor(patient=True)) as (listener, door):
        client = await lean(listener, version, window=1, will=mqtt_client.Will(OWN + "status", b"gone"))
        first = await client.send(OWN + "status", b"1")
        second = asyncio.create_task(client.send(OWN + "status", b"2"))
        await door.until(lambda: door.messages)
        door.connections[0].close(codec.SERVER_ERROR)

        for lost in (first, second):
            with pytest.raises(mqtt_client.ConnectionGone):
                await lost
        assert await client.closed == (codec.SERVER_ERROR if version == V5 else None)
        with pytest.raises(mqtt_client.ConnectionGone):
            await client.send(OWN + "status", b"3")
        assert door.ends == [("cam-1", False, (OWN + "status", b"gone"), False)]


@on_both_loops
async def test_lean_client_pings_well_before_its_keep_alive_ends():
    pings: asyncio.Queue[float] = asyncio.Queue()

    async def serve(reader, writer):
        assert (await reader.readexactly(2))[0] == 0x10
        writer.write(b"\x20\x02\0\0")
        while not (await reader.readuntil(b"\xc0\0")).startswith(b"\xe0"):
            pings.put_nowait(asyncio.get_running_loop().time())
            writer.write(b"\xd0\0")

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        client = await mqtt_client.connect("127.0.0.1", server.sockets[0].getsockname()[1], "x", b"y", version=V311, keep_alive_s=1)
        first, second = await pings.get(), await pings.get()
        client.abort()

    assert second - first < 1
