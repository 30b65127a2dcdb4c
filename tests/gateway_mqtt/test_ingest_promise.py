"""What a PUBACK promises: on disk, once, in order, whatever happens to PostgreSQL meanwhile."""

import asyncio
import contextlib
import dataclasses
import json
import tempfile
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from foundation import migrate
from gateway_mqtt import decode
from gateway_mqtt import ingest as ingest_module
from onelot import embedded, postgres_server
from onelot.child_process import Identity
from simulators.mqtt_client import ConnectionGone
from tests import bed
from tests.gateway_mqtt.town import at, eventually, passage, spot, town

NOW = "10:00:00"
SPOTS = [f"lot-7-{number:03}" for number in range(40)]


def of(seq, name=SPOTS[0], state="occupied"):
    return {"seq": seq, "spots": [spot(name, at("09:00:00") + timedelta(seconds=seq), state)]}


def turn(seq):
    """A change of a spot that is news whatever order it comes in."""
    return of(seq, SPOTS[seq % len(SPOTS)], ("free", "occupied")[seq // len(SPOTS) % 2])


async def held_up(here):
    return await here.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()")


async def test_nothing_is_acknowledged_before_it_is_on_disk(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        card = await here.a_camera("cam-1", *SPOTS)
        arrived: list[int] = []
        async with here.talking(card, window=300) as camera:
            async with here.commits_held_up():
                answers = [await camera.send("spots", turn(seq)) for seq in range(200)]
                for seq, answer in enumerate(answers):
                    answer.add_done_callback(lambda _, seq=seq: arrived.append(seq))
                await eventually(lambda: held_up(here))
                await asyncio.wait(answers, timeout=0.4, return_when=asyncio.FIRST_COMPLETED)
                assert arrived == []
                assert await here.readings() == []
            assert await asyncio.gather(*answers) == [0] * 200

        assert arrived == list(range(200))
        assert [one.seq for one in await here.readings()] == list(range(200))


async def test_acknowledgements_come_in_order_on_each_of_many_connections(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        await here.add_site("lot-7", SPOTS)
        cards = [await here.add_device("lot-7", "camera", f"cam-{number}", spots=[SPOTS[number]]) for number in range(8)]
        await here.registry.catch_up()
        arrived: dict[str, list[int]] = {card.device: [] for card in cards}

        async def talk(number, card):
            async with here.talking(card, window=50) as camera:
                answers = []
                for seq in range(100):
                    said = b"rubbish" if seq % 10 == 9 else of(seq, SPOTS[number], ("free", "occupied")[seq % 2])
                    answer = await camera.send("spots", said)
                    answer.add_done_callback(lambda _, seq=seq: arrived[card.device].append(seq))
                    answers.append(answer)
                return await asyncio.gather(*answers)

        await asyncio.gather(*(talk(number, card) for number, card in enumerate(cards)))

        assert all(order == list(range(100)) for order in arrived.values())
        assert (len(await here.readings()), len(await here.refused())) == (8 * 90, 8 * 10)


async def test_the_same_reading_counts_once_by_whichever_way_it_comes(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        card = await here.a_camera("cam-1", *SPOTS)
        for _ in range(6):
            talker = await here.connect(card)
            answers = [await talker.send("spots", turn(seq)) for seq in range(30)]
            answers += [await talker.send("spots", turn(29))]
            assert set(await asyncio.gather(*answers)) == {0}
            talker.client.abort()
            await talker.client.closed

        assert sorted(one.seq for one in await here.readings()) == list(range(30))


async def test_what_a_dying_connection_brought_and_its_repetition_count_once(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        card = await here.a_camera("cam-1", *SPOTS)
        async with here.commits_held_up():
            for _ in range(6):
                talker = await here.connect(card, window=100)
                answers = [await talker.send("spots", turn(seq)) for seq in range(40)]
            await eventually(lambda: held_up(here))
        assert await asyncio.gather(*answers) == [0] * 40
        await talker.client.close()
        await eventually(lambda: idle(here))

        assert sorted(one.seq for one in await here.readings()) == list(range(40))


async def idle(here):
    return here.ingest.idle()


async def test_two_connections_with_the_same_keys_neither_lose_nor_double_nor_stop(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        card = await here.a_camera("cam-1", *SPOTS)
        for turn_number in range(12):
            first, second = await two_connections(here, card)
            forward = [{"seq": seq, "spots": [turn(100 * turn_number + seq)["spots"][0]]} for seq in range(80)]
            answers = [await first.send("spots", said) for said in forward]
            answers += [await second.send("spots", said) for said in reversed(forward)]
            assert await asyncio.gather(*answers) == [0] * 160
            first.client.abort()
            second.client.abort()

        stored = [(one.spot, one.at) for one in await here.readings()]
        assert len(stored) == len(set(stored)) == 12 * 80


async def two_connections(here, card):
    """Of which the older one is kept alive behind the listener's back."""
    first = await here.connect(card, window=100)
    here.listener._devices.pop("cam-1")  # Or the next one would take over.
    return first, await here.connect(card, window=100)


async def test_a_deadlock_is_tried_again(postgres_url, tmp_path):
    insert = "INSERT INTO journal.reading_seen VALUES ($1, $2)"
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        card = await here.a_camera("cam-1", *SPOTS)
        both = {"seq": 2, "spots": [turn(1)["spots"][0], turn(2)["spots"][0]]}
        first, last = sorted(identities_of(here, card, both))
        async with here.talking(card) as camera:
            rival = await asyncpg.connect(postgres_url)
            try:
                transaction = rival.transaction()
                await transaction.start()
                await rival.execute(insert, at("09:00:00").date(), last)
                answer = await camera.send("spots", both)
                await eventually(lambda: waiting_for_a_row(here))
                with contextlib.suppress(asyncpg.DeadlockDetectedError):  # Whoever of the two looks first is the victim.
                    await rival.execute(insert, at("09:00:00").date(), first)
                await transaction.rollback()
            finally:
                await rival.close()
            assert await answer == 0

        assert len(await here.readings()) == 2


async def waiting_for_a_row(here):
    return await here.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")


def identities_of(here, card, message):
    device = here.registry.devices[card.device]
    world = decode.World(here.registry.site_of_spot, here.registry.owner_of, here.keys)
    raw = json.dumps(message).encode()
    heard = decode.Heard(device, world, here.keys.identities(device.id.encode()), decode.arrival(here.clock.city()), None)
    decoded = decode.decode_message(heard, "spots", raw)
    return [reading.id for reading in decoded.readings]


class Sender:
    """A device with its own account: says each reading until it is acknowledged, over as many connections as it takes."""

    def __init__(self, here, card, number):
        self.here, self.card, self.number = here, card, number
        self.unacknowledged: dict[int, dict] = {}
        self.acknowledged: set[int] = set()
        self.said = 0

    def reading(self, seq):
        return {"seq": seq, "spots": [spot(SPOTS[self.number], at("09:00:00") + timedelta(seconds=seq), ("free", "occupied")[seq % 2])]}

    async def run(self, until):
        while not until.is_set() or self.unacknowledged:
            with contextlib.suppress(ConnectionGone, OSError, TimeoutError):
                async with self.here.talking(self.card, window=64) as talker:
                    for seq in sorted(self.unacknowledged):
                        await self.say(talker, seq)
                    while not until.is_set():
                        self.said += 1
                        self.unacknowledged[self.said] = self.reading(self.said)
                        await self.say(talker, self.said)
                        await asyncio.sleep(0.003)
                    async with asyncio.timeout(30):
                        while self.unacknowledged:
                            await asyncio.sleep(0.01)

    async def say(self, talker, seq):
        answer = await talker.send("spots", self.unacknowledged[seq])
        answer.add_done_callback(lambda done: self.settle(seq, done))

    def settle(self, seq, done):
        if not done.cancelled() and done.exception() is None and done.result() == 0:
            self.acknowledged.add(seq)
            self.unacknowledged.pop(seq, None)


@contextlib.asynccontextmanager
async def senders(here, number):
    await here.add_site("lot-7", SPOTS)
    cards = [await here.add_device("lot-7", "camera", f"cam-{one}", spots=[SPOTS[one]]) for one in range(number)]
    await here.registry.catch_up()
    until = asyncio.Event()
    all_of_them = [Sender(here, card, one) for one, card in enumerate(cards)]
    tasks = [asyncio.ensure_future(one.run(until)) for one in all_of_them]
    try:
        yield all_of_them
        until.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 40)
    finally:
        for task in tasks:
            task.cancel()


async def nothing_lost_nothing_doubled(here, all_of_them):
    stored = [(one.device, one.seq) for one in await here.readings()]
    told = {(one.card.device, seq) for one in all_of_them for seq in one.acknowledged}
    assert len(stored) == len(set(stored))
    assert set(stored) == told
    assert all(not one.unacknowledged for one in all_of_them)


async def some(all_of_them, number):
    return sum(len(one.acknowledged) for one in all_of_them) >= number


async def test_connections_to_postgres_are_ended_while_messages_flow(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        async with senders(here, 8) as devices:
            for turn_number in range(6):
                before = sum(len(one.acknowledged) for one in devices)
                await eventually(lambda before=before: some(devices, before + 100))
                if turn_number % 2:
                    async with here.commits_held_up():  # In the middle of a commit.
                        await eventually(lambda: held_up(here))
                        await end_all(here)
                else:
                    await end_all(here)

        await nothing_lost_nothing_doubled(here, devices)


async def end_all(here):
    await here.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'onelot' AND datname = current_database()"
    )


async def test_postgres_is_stopped_and_started_while_messages_flow(tmp_path, monkeypatch):
    monkeypatch.setattr(ingest_module, "QUEUE_HIGH", 150)
    monkeypatch.setattr(ingest_module, "QUEUE_LOW", 50)
    with tempfile.TemporaryDirectory(prefix="onelot-tests-") as folder:
        servers = await embedded.start(Path(folder), postgres_settings=bed.FAST)
        try:
            await migrate.migrate(servers.owner_url)
            async with town(servers.owner_url, tmp_path, age_seconds_max=1.0) as here:
                here.clock.set(NOW)
                async with senders(here, 8) as devices:
                    await eventually(lambda: some(devices, 200))
                    await postgres_server.stop(servers.postgres)
                    await eventually(lambda: paused(here))
                    late = await eventually(lambda: lateness(here))
                    assert "gateway.ingest" in {one.split(":")[0] for one in late}
                    state = servers.place.state()
                    again = await postgres_server.start(
                        servers.place, state.postgres_port, Identity(state.identity), settings=bed.FAST, progress=print
                    )
                    servers = dataclasses.replace(servers, postgres=again)
                    done = sum(len(one.acknowledged) for one in devices)
                    await eventually(lambda: some(devices, done + 200), 20)
                    await eventually(lambda: not_paused(here))
                await eventually(lambda: in_time(here))

                await nothing_lost_nothing_doubled(here, devices)
        finally:
            await embedded.stop(servers)


async def paused(here):
    return here.listener.paused


async def not_paused(here):
    return not here.listener.paused


async def in_time(here):
    return not here.supervisor.late()


async def lateness(here):
    late = here.supervisor.late()
    return late if any("ingest" in one for one in late) else None


async def test_bytes_that_wait_hold_devices_back_too(postgres_url, tmp_path, monkeypatch):
    monkeypatch.setattr(ingest_module, "QUEUE_BYTES_HIGH", 400_000)
    monkeypatch.setattr(ingest_module, "QUEUE_BYTES_LOW", 100_000)
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        card = await here.a_camera("cam-1", *SPOTS)
        async with here.talking(card, window=40) as camera:
            async with here.commits_held_up():
                answers = [await camera.send("spots", b" " * 50_000 + json.dumps(turn(seq)).encode()) for seq in range(40)]
                await eventually(lambda: paused(here))
            assert await asyncio.gather(*answers) == [0] * 40
            await eventually(lambda: not_paused(here))
            assert here.ingest._waiting_bytes == 0


async def test_a_value_that_the_journal_cannot_hold_costs_its_message_only(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        card = await here.a_camera("cam-1", *SPOTS)
        await here.sql(
            "CREATE FUNCTION journal.choke() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.key = 'lot-7-003' THEN RAISE EXCEPTION 'no such value' USING ERRCODE = '22003'; END IF; RETURN NEW; END $$"
        )
        await here.sql("CREATE TRIGGER choke BEFORE INSERT ON journal.reading FOR EACH ROW EXECUTE FUNCTION journal.choke()")
        async with here.talking(card, window=50) as camera:
            answers = [await camera.send("spots", turn(seq)) for seq in range(20)]
            reasons = await asyncio.gather(*answers)

        assert reasons == [0x99 if seq == 3 else 0 for seq in range(20)]
        assert [row["reason"] for row in await here.refused()] == ["schema"]
        assert len(await here.readings()) == 19


async def test_a_refusal_that_cannot_be_written_either_is_waited_for(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path, age_seconds_max=1.0) as here:
        here.clock.set(NOW)
        card = await here.a_camera("cam-1", *SPOTS)
        await here.sql(
            "CREATE FUNCTION gateway.choke() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE EXCEPTION 'no such value' USING ERRCODE = '22003'; END $$"
        )
        await here.sql("CREATE TRIGGER choke BEFORE INSERT ON gateway.refused FOR EACH ROW EXECUTE FUNCTION gateway.choke()")
        async with here.talking(card) as camera:
            answers = [await camera.send("spots", said) for said in (turn(1), b"rubbish", turn(2))]
            await eventually(lambda: behind(here))
            await here.sql("DROP TRIGGER choke ON gateway.refused")
            assert await asyncio.wait_for(asyncio.gather(*answers), 5) == [0, 0x99, 0]


async def behind(here):
    return here.supervisor.late()


async def test_a_fault_of_ours_in_reading_a_message_costs_that_message_only(postgres_url, tmp_path, monkeypatch):
    def broken(heard, payload):
        raise ZeroDivisionError

    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        card = await here.a_camera("cam-1", *SPOTS)
        async with here.talking(card) as camera:
            with monkeypatch.context() as patch:
                patch.setitem(decode._TAKE, "spots", broken)
                assert await camera.say("spots", turn(1)) == 0x99
            assert await camera.say("spots", turn(2)) == 0


@pytest.mark.parametrize("share", [1, 200])
async def test_messages_of_two_hundred_readings_are_stored_whole(postgres_url, tmp_path, share):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(NOW)
        card = await here.a_gate("gate-1")
        many = await here.a_camera("cam-1", *SPOTS)
        async with here.talking(many) as camera, here.talking(card) as gate:
            for number in range(3):
                spots = [spot(SPOTS[one % 40], at("09:00:00") + timedelta(seconds=one + share * number)) for one in range(share)]
                assert await camera.say("spots", {"seq": 2 * number, "spots": spots}) == 0
            assert await gate.say("passage", passage(1, NOW, "豫A12345")) == 0

        assert len(await here.readings()) == 3 * share + 1
