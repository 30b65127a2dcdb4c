"""Who is let in and who is not, what goes down to a device, what is forgotten, and what nobody gets to read."""

import asyncio
import json
import logging
import uuid
from datetime import UTC, datetime, timedelta

import paho.mqtt.client as paho
import prometheus_client
import pytest
import redis.asyncio
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from foundation import http
from foundation.bell import Bell
from foundation.caller import Caller, Role
from foundation.errors import Away, Conflict, Invalid, NotFound, TooMany
from gateway_mqtt import http as gateway_http
from gateway_mqtt import speakers as speakers_module
from onelot import forget_old
from simulators.mqtt_client import ConnectRefused
from tests.gateway_mqtt.town import CAR, Stranger, at, eventually, passage, spot, town

NOW = "10:00:00"


# Strangers


async def test_strangers_are_refused_at_connect_and_listed(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        card = await here.a_camera("cam-1", "lot-7-001")
        for name, password in (("cam-1", "guess"), ("cam-1", "again"), ("nobody", "x"), ("n" * 100, "x")):
            async with Stranger(here.listener.port, name, password, client_id=name[:20]) as stranger:
                assert stranger.answers[0].is_failure
        async with here.talking(card) as camera:
            assert await camera.status() == 0

        await here.ingest.speakers.save_strangers()
        rows = await here.sql("SELECT * FROM gateway.unknown_device")
        found = {row["username"]: (row["reason"], row["address"]) for row in rows}
        assert found == {
            "cam-1": ("wrong_password", "127.0.0.1"), "nobody": ("unknown", "127.0.0.1"), "n" * 64: ("unknown", "127.0.0.1"),
        }  # fmt: skip
        assert not await here.readings()


async def test_strangers_fill_neither_memory_nor_disk(postgres_url, tmp_path, monkeypatch):
    monkeypatch.setattr(speakers_module, "STRANGERS_MAX", 50)
    async with town(postgres_url, tmp_path) as here:
        for number in range(200):
            assert here.ingest.log_in(f"stranger-{number}", b"x", "10.0.0.1") is None
        assert len(here.ingest.speakers.strangers) == 50
        await here.ingest.speakers.save_strangers()
        assert here.ingest.speakers.strangers == {}

        await here.sql(
            "INSERT INTO gateway.unknown_device SELECT 'old-' || n, '10.0.0.2', 'unknown', now() - interval '1 day', now() - interval '1 h'"
            " FROM generate_series(1, 2000) n"
        )
        here.ingest.log_in("newest", b"x", "10.0.0.1")
        await here.ingest.speakers.save_strangers()
        (row,) = await here.sql(
            "SELECT count(*) AS rows, count(*) FILTER (WHERE username = 'newest') AS newest FROM gateway.unknown_device"
        )
        assert (row["rows"], row["newest"]) == (1000, 1)


async def test_strangers_are_not_forgotten_while_postgres_is_away(postgres_url, tmp_path, monkeypatch):
    async def away(*_):
        raise ConnectionRefusedError

    async with town(postgres_url, tmp_path) as here:
        here.ingest.log_in("nobody", b"x", "10.0.0.1")
        with monkeypatch.context() as patch:
            patch.setattr(here.ingest.speakers._database, "run", away)
            with pytest.raises(ConnectionRefusedError):
                await here.ingest.speakers.save_strangers()
        assert ("nobody", "10.0.0.1") in here.ingest.speakers.strangers


async def test_an_adopted_stranger_leaves_the_list(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        await here.add_site("lot-7", ["lot-7-001"])
        here.ingest.log_in("cam-9", b"x", "10.0.0.1")
        await here.ingest.speakers.save_strangers()
        card = await here.let_in(await here.add_device("lot-7", "camera", "cam-9"))
        async with here.talking(card) as camera:
            assert await camera.status() == 0

        assert await here.sql("SELECT * FROM gateway.unknown_device") == []


# Devices that come while the city runs


@pytest.mark.parametrize("with_redis", [True, False], ids=["redis", "redis away"])
async def test_a_device_added_while_all_runs_is_let_in_and_its_spots_are_known(postgres_url, tmp_path, redis_url, with_redis):
    url = redis_url if with_redis else "redis://127.0.0.1:1/0"
    client = redis.asyncio.Redis.from_url(url, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0))
    bell, other = Bell(client, "town"), Bell(client, "town")
    try:
        async with town(postgres_url, tmp_path, bell=bell) as here:
            here.supervisor.start("bell.hear", bell.hear)
            here.supervisor.start("bell.publish", other.publish)
            await here.add_site("lot-7", ["lot-7-001"])
            here.database.bell = other  # What comes now comes from another process, which rings here through Redis only.
            card = await here.add_device("lot-7", "camera", "cam-1")
            camera = await eventually(lambda: let_in(here, card))
            await here.add_site("lot-7", ["lot-7-001", "lot-7-002"], follow=False)
            assert await camera.say("spots", {"seq": 1, "spots": [spot("lot-7-002", datetime.now(UTC))]}) == 0
            await camera.client.close()

            assert await here.refused() == []
            assert [one.spot for one in await here.readings()] == ["lot-7-002"]
    finally:
        await client.aclose()


async def let_in(here, card):
    try:
        return await here.connect(card)
    except ConnectRefused:
        return None


async def test_a_new_secret_ends_the_connection_that_was_opened_with_the_old_one(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        card = await here.a_camera("cam-1", "lot-7-001")
        camera = await here.connect(card)
        new = await here.let_in(await here.add_device("lot-7", "camera", "cam-1"))
        async with asyncio.timeout(5):
            assert await camera.client.closed == 0x87
        with pytest.raises(ConnectRefused):
            await here.connect(card)
        async with here.talking(new) as again:
            assert await again.status() == 0


async def test_spots_that_another_device_took_over_are_not_left_without_an_owner(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        await here.a_camera("cam-1", "lot-7-001", spots=["lot-7-001"])
        await here.let_in(await here.add_device("lot-7", "camera", "cam-2", spots=["lot-7-001"]))
        await here.let_in(await here.add_device("lot-7", "camera", "cam-1", spots=[]))
        assert here.registry.owner_of("lot-7-001") == "cam-2"


# Commands down


def call(device="gate-1", *, lane="1", until=None, operator="op-demo"):
    body = http.decode_body(
        json.dumps({"command": "open_barrier", "lane": lane} | ({"until": until} if until else {})).encode(), gateway_http.BarrierCommand
    )
    caller = Caller(uuid.uuid4(), uuid.uuid4(), roles=(Role("operator", operator),))
    return http.Call({"device": device}, None, body, caller, {}, b"", "127.0.0.1", "POST")


def handler(here, commands=None):
    routes = gateway_http.routes(here.database, commands or here.listener, here.clock)
    return next(route.handle for route in routes if route.method == "POST")


class Barrier(Stranger):
    """A gate's controller by paho that answers each command."""

    def __init__(self, card, port, version, answer):
        super().__init__(port, card.device, card.password, version)
        self.card, self.answer, self.commands = card, answer, []
        self.client.on_message = self.obey
        self.listening = asyncio.Event()

    async def __aenter__(self):
        await super().__aenter__()
        subscribed = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()
        self.client.on_subscribe = lambda *_: loop.call_soon_threadsafe(subscribed.set_result, None)
        self.client.subscribe(f"{self.card.topic}/command", qos=1)
        await asyncio.wait_for(subscribed, 10)
        return self

    def obey(self, client, data, message):
        self.commands.append((message.topic, json.loads(message.payload)))
        if self.answer is None:
            return
        properties, topic = None, f"{self.card.topic}/answer"
        if message.properties is not None:
            properties = Properties(PacketTypes.PUBLISH)
            properties.CorrelationData = message.properties.CorrelationData
            topic = message.properties.ResponseTopic
        client.publish(topic, self.answer, qos=1, properties=properties)


@pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5], ids=["3.1.1", "5.0"])
async def test_an_operator_opens_a_barrier(postgres_url, tmp_path, version):
    async with town(postgres_url, tmp_path) as here:
        card = await here.a_gate("gate-1", "1", "2")
        async with Barrier(card, here.listener.port, version, b'{"ok": true}') as gate:
            answer = await handler(here)(call(lane="2", until="2026-03-02T01:00:00Z"))

        assert answer == gateway_http.CommandAnswer(ok=True)
        said = {"command": "open_barrier", "lane": "2", "until": "2026-03-02T09:00:00+08:00"}
        assert gate.commands == [(f"{card.topic}/command", said)]


@pytest.mark.parametrize("answer", [b"", b"rubbish", b'{"ok": "yes"}'])
async def test_an_answer_that_is_none_is_not_taken_for_one(postgres_url, tmp_path, answer):
    async with town(postgres_url, tmp_path) as here:
        card = await here.a_gate("gate-1")
        async with Barrier(card, here.listener.port, paho.MQTTv5, answer):
            with pytest.raises(Away):
                await handler(here)(call())


async def test_a_command_that_cannot_be_given_says_why(postgres_url, tmp_path, monkeypatch):
    async with town(postgres_url, tmp_path) as here:
        card = await here.a_gate("gate-1")
        command = handler(here)
        with pytest.raises(Conflict, match="not connected"):
            await command(call())
        async with here.talking(card):
            with pytest.raises(Conflict, match="does not listen"):
                await command(call())
        with pytest.raises(NotFound):
            await command(call(operator="op-other"))
        with pytest.raises(NotFound):
            await command(call("gate-2"))
        with pytest.raises(Invalid):
            await command(call(lane="9"))
        with pytest.raises(Invalid):
            call(until="2026-03-02T01:00:00")
        with pytest.raises(Away):
            await next(route.handle for route in gateway_http.routes(here.database, None, here.clock) if route.method == "POST")(call())


async def test_a_device_that_is_silent_busy_or_unwilling_is_said_to_be_so(postgres_url, tmp_path):
    class Hurried:
        def __init__(self, listener):
            self.listener = listener

        async def command(self, device, payload, *, timeout_s):
            return await self.listener.command(device, payload, timeout_s=0.1)

    async with town(postgres_url, tmp_path, commands_max=1) as here:
        card = await here.a_gate("gate-1")
        async with Barrier(card, here.listener.port, paho.MQTTv5, None):
            command = handler(here, Hurried(here.listener))
            with pytest.raises(Away, match="did not answer"):
                await command(call())
            with pytest.raises(TooMany):
                await command(call())


# What is forgotten


async def test_refused_messages_are_forgotten_after_a_week_of_the_city(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        card = await here.a_camera("cam-1", "lot-7-001")
        async with here.talking(card) as camera:
            for days in (8, 6, 0):
                here.clock.set(at(NOW) - timedelta(days=days))
                await camera.say("spots", b"rubbish")
        here.clock.set(NOW)
        await forget_old.forget_old(here.database, here.clock)

        assert [row["received_at"] for row in await here.refused()] == [at(NOW) - timedelta(days=6), at(NOW)]


# What nobody gets to read


async def test_no_plate_is_in_logs_metrics_or_the_journal(postgres_url, tmp_path, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    plates = ["豫A12345", "豫A54321", "粤B99999", "京AD12345"]
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        camera_card = await here.a_camera("cam-1", "lot-7-001")
        gate_card = await here.a_gate("gate-1")
        await here.sql(
            "CREATE FUNCTION journal.choke() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.kind = 'passage' THEN RAISE EXCEPTION 'no such value: %', NEW.body USING ERRCODE = '22003'; END IF; RETURN NEW; END $$"
        )
        async with here.talking(camera_card) as camera, here.talking(gate_card) as gate:
            await camera.spots(1, spot("lot-7-001", NOW, **CAR))
            await camera.spots(2, spot("lot-7-001", NOW, "free", plate=plates[1], plate_colour="green"))
            await camera.spots(3, spot("nowhere", NOW, plate=plates[1]))
            await camera.say("spots", {"seq": 4, "spots": [spot("lot-7-001", NOW, plate=7)]})
            await gate.say("passage", passage(1, NOW, plates[2], lane="7"))
            await here.sql("CREATE TRIGGER choke BEFORE INSERT ON journal.reading FOR EACH ROW EXECUTE FUNCTION journal.choke()")
            await gate.say("passage", passage(2, NOW, plates[2]))
            await here.sql("DROP TRIGGER choke ON journal.reading")
            await gate.say("passage", passage(3, NOW, plates[3], plate_colour="green"))
        await here.follow()

        metrics = prometheus_client.generate_latest().decode()
        bodies = "\n".join(row["body"] for row in await here.sql("SELECT body::text FROM journal.reading"))
        details = "\n".join(row["detail"] for row in await here.refused())
        written = "".join(capfd.readouterr()) + caplog.text
        for place in (metrics, bodies, details, written):
            assert not [plate for plate in plates if plate in place or plate[1:] in place]
            assert not [plate for plate in plates if plate[1:] in place.encode().decode("unicode_escape", "ignore")]


async def test_a_reading_s_identity_does_not_give_its_plate_away(postgres_url, tmp_path):
    """All else of its content stands beside it, so a hash without a key could be tried for every plate there is."""
    ids = []
    for number in range(2):
        place = tmp_path / str(number)
        async with town(postgres_url, place) as here:
            here.clock.set(NOW)
            card = await here.a_camera("cam-1", "lot-7-001")
            async with here.talking(card) as camera:
                await camera.spots(1, spot("lot-7-001", NOW, **CAR))
            ids += [one.id for one in await here.readings()][number:]
    assert len(set(ids)) == 2


async def test_a_spot_that_moved_here_a_moment_ago_is_not_refused_by_yesterday_s_facts(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        await here.add_site("lot-9", ["spot-9"])
        card = await here.a_camera("cam-1", "lot-7-001")
        here.database.bell = Bell()  # The import rings in another process, and the registry is told a second late.
        async with here.talking(card) as camera:
            assert await camera.spots(1, spot("spot-9", datetime.now(UTC))) == 0x87
            await here.add_site("lot-7", ["lot-7-001", "spot-9"], follow=False)
            assert await camera.spots(2, spot("spot-9", datetime.now(UTC))) == 0


async def test_two_devices_that_are_added_at_once_get_two_names(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        await here.add_site("lot-7", ["lot-7-001"])
        cards = await asyncio.gather(*(here.add_device("lot-7", "camera") for _ in range(6)))
        assert sorted(card.device for card in cards) == [f"lot-7-cam-{number}" for number in range(1, 7)]
        await here.registry.catch_up()
        for card in cards:
            async with here.talking(card) as camera:
                assert await camera.status() == 0


async def test_who_was_connected_when_the_process_ended_is_not_said_to_be_so(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        card = await here.a_camera("cam-1", "lot-7-001")
        await here.let_in(await here.add_device("lot-7", "camera", "cam-2"))
        before = "SELECT id, gen_random_uuid(), gen_random_uuid(), now() FROM gateway.device"
        await here.sql(f"INSERT INTO gateway.held (device, run, connection, opened_at) {before}")
    async with town(postgres_url, tmp_path) as again, again.talking(card) as camera:
        await camera.status()
        await eventually(lambda: online(again, {"cam-1": True, "cam-2": False}), 15)


async def online(here, wanted):
    rows = await here.sql("SELECT device FROM gateway.online")
    return {row["device"] for row in rows} == {device for device, is_there in wanted.items() if is_there}


@pytest.mark.parametrize("cursor", [("x",), (2**63,), (1.5,), ([],)])
async def test_a_cursor_that_is_not_ours_is_refused(postgres_url, tmp_path, cursor):
    async with town(postgres_url, tmp_path) as here:
        caller = Caller(uuid.uuid4(), uuid.uuid4(), roles=(Role("admin"),))
        asked = http.Call({}, http.Paged(cursor=http.cursor_of(*cursor)), None, caller, {}, b"", "", "GET")
        listing = next(route.handle for route in gateway_http.routes(here.database, None, here.clock) if route.path.endswith("refused"))
        with pytest.raises(Invalid):
            await listing(asked)
