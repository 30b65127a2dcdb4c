"""Several gateways of one city: a device has one connection among them all, and nothing is lost or kept twice on the way."""

import asyncio
import contextlib
import uuid

from foundation import postgres
from gateway_mqtt.twins import Twins
from tests.gateway_mqtt.town import at, eventually, passage, spot, town

ONE = "lot-7-001"


@contextlib.asynccontextmanager
async def two_gateways(postgres_url, tmp_path):
    """Both know a camera, and of one another."""
    async with town(postgres_url, tmp_path) as here, town(postgres_url, tmp_path) as there:
        card = await here.a_camera("cam-1", ONE)
        await there.registry.catch_up()
        await eventually(lambda: both_know(here, there))
        yield here, there, card


async def both_know(*towns):
    return not any(one.ingest.speakers.twins.alone for one in towns)


async def held(here):
    return {row["device"]: row["run"] for row in await here.sql("SELECT device, run FROM gateway.held")}


async def test_a_device_that_comes_to_another_gateway_is_let_go_by_the_first(postgres_url, tmp_path):
    async with two_gateways(postgres_url, tmp_path) as (here, there, card):
        before = await here.connect(card)
        await eventually(lambda: is_held(here, card.device, here))
        after = await there.connect(card)

        async with asyncio.timeout(5):
            await before.client.closed
        assert await is_held(here, card.device, there)
        assert await after.spots(1, spot(ONE, there.clock.city())) == 0
        assert await there.shown(ONE) == ("occupied", (await there.readings())[-1].at)
        await after.client.close()
        await eventually(lambda: nobody(here))


async def is_held(here, device, by):
    return (await held(here)).get(device) == by.ingest.speakers.twins.run


async def nobody(here):
    return await held(here) == {}


async def test_what_was_said_at_another_gateway_makes_the_old_word_news_again(postgres_url, tmp_path):
    async with two_gateways(postgres_url, tmp_path) as (here, there, card):
        for gateway, seq, when, state in ((here, 0, "10:00", "occupied"), (there, 0, "10:01", "free"), (here, 1, "10:02", "occupied")):
            gateway.clock.set(when + ":00")
            async with gateway.talking(card) as camera:
                assert await camera.spots(seq, spot(ONE, when + ":00", state)) == 0

        assert [one.state for one in await here.readings()] == ["occupied", "free", "occupied"]


async def test_the_later_of_two_connections_holds_whoever_says_so_first(postgres_url):
    async with postgres.connect(postgres_url) as database:
        a, b = Twins(database), Twins(database)
        lost: list[str] = []
        old, new = uuid.uuid4(), uuid.uuid4()
        b.opened("cam-1", new, at("10:00:01"))
        await b.tell({"cam-1": new}, lambda device, _: lost.append("b"))
        a.opened("cam-1", old, at("10:00:00"))
        await a.tell({"cam-1": old}, lambda device, _: lost.append("a"))
        await b.tell({"cam-1": new}, lambda device, _: lost.append("b"))

        assert lost == ["a"]


async def test_a_gateway_that_died_holds_nobody(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        card = await here.a_camera("cam-1", ONE)
        dead, connection = uuid.uuid4(), uuid.uuid4()
        await here.sql("INSERT INTO gateway.run VALUES ($1, now() - interval '11 seconds')", dead)
        await here.sql("INSERT INTO gateway.held VALUES ($1, $2, $3, now() + interval '1 day')", card.device, dead, connection)

        assert await here.sql("SELECT device FROM gateway.online") == []
        async with here.talking(card) as camera:
            await eventually(lambda: is_held(here, card.device, here))
            assert await camera.status() == 0
        await here.ingest.speakers.twins.leave()
        assert [row["id"] for row in await here.sql("SELECT id FROM gateway.run")] == [dead]


async def test_two_gateways_one_client_id(postgres_url, tmp_path):
    """The case of that name at our own door: gates that share a client id keep their connections; passages count once, whatever dies."""
    async with two_gateways(postgres_url, tmp_path) as (here, there, _):
        cards = [await here.a_gate(f"gate-{n}", site=f"lot-{20 + n}") for n in range(2)]
        await there.registry.catch_up()
        async with here.talking(cards[0], client_id="twin") as one, there.talking(cards[1], client_id="twin") as two:
            for seq in range(200):
                said = [talker.say("passage", passage(seq, "10:00:00", f"豫A{seq:05d}")) for talker in (one, two)]
                assert await asyncio.gather(*said) == [0, 0]
            assert not one.client.closed.done() and not two.client.closed.done()
        async with there.talking(cards[0]) as again:  # As after a kill -9: what may not have been acknowledged is sent again elsewhere.
            for seq in range(150, 200):
                await again.say("passage", passage(seq, "10:00:00", f"豫A{seq:05d}"))

        assert len(await here.readings("passage")) == 400
