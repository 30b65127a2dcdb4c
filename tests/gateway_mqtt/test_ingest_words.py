"""How the door reads a device: repeats that are no news, a clock that is wrong, who is there and who went."""

import asyncio
from datetime import timedelta

import pytest

from foundation import journal
from gateway_mqtt.speakers import HEARD_EVERY
from simulators.mqtt_client import Will
from tests.gateway_mqtt.town import CAR, at, eventually, spot, text, town

ONE, TWO = "lot-7-001", "lot-7-002"


async def states(here, name=ONE):
    return [(one.state, one.at) for one in await here.readings() if one.spot == name]


# No news


async def test_a_repeat_is_acknowledged_and_not_stored(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:00:00")
        card = await here.a_camera("cam-1", ONE, TWO)
        async with here.talking(card) as camera:
            await camera.spots(1, spot(ONE, "10:00:00", **CAR), spot(TWO, "10:00:00", "free"))
            for minute in range(1, 5):
                here.clock.set(f"10:0{minute}:00")
                when = f"10:0{minute}:00"
                assert await camera.spots(1 + minute, spot(ONE, when, **CAR), spot(TWO, when, "free")) == 0
            other = CAR | {"plate": "豫A54321"}
            assert await camera.spots(6, spot(ONE, "10:04:00", **other), spot(TWO, "10:04:00")) == 0

        assert [when for _, when in await states(here)] == [at("10:00:00"), at("10:04:00")]
        assert [state for state, _ in await states(here, TWO)] == ["free", "occupied"]
        heard = await here.sql("SELECT heard_at FROM gateway.device_health")
        assert not heard or heard[0]["heard_at"] >= at("10:00:00")


async def test_a_repeat_after_a_gap_is_stored_since_what_is_missing_may_make_it_news(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:05:00")
        card = await here.a_camera("cam-1", ONE)
        async with here.talking(card) as camera:
            await camera.spots(1, spot(ONE, "10:00:00", **CAR))
            await camera.spots(3, spot(ONE, "10:02:00", **CAR))
            await camera.spots(4, spot(ONE, "10:03:00", **CAR))
            await camera.spots(2, spot(ONE, "10:01:00", "free"))

        assert sorted(await states(here), key=lambda one: one[1]) == [
            ("occupied", at("10:00:00")), ("free", at("10:01:00")), ("occupied", at("10:02:00")),
        ]  # fmt: skip


async def test_a_gap_makes_news_of_every_spot_and_not_only_of_the_next_message(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:05:00")
        card = await here.a_camera("cam-1", ONE, TWO)
        async with here.talking(card) as camera:
            await camera.spots(1, spot(ONE, "10:00:00"), spot(TWO, "10:00:00"))
            await camera.spots(3, spot(ONE, "10:02:00"))
            await camera.spots(4, spot(TWO, "10:03:00"))
            await camera.spots(2, spot(TWO, "10:01:00", "free"))

        assert ("occupied", at("10:03:00")) in await states(here, TWO)
        assert await here.shown(TWO) == ("occupied", at("10:03:00"))


async def test_news_that_is_on_its_way_makes_news_of_what_follows(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:05:00")
        card = await here.a_camera("cam-1", ONE)
        async with here.talking(card) as camera:
            await camera.spots(1, spot(ONE, "10:00:00", "free"))
            async with here.commits_held_up():
                answers = [
                    await camera.send("spots", {"seq": seq, "spots": [spot(ONE, f"10:0{seq}:00", state)]})
                    for seq, state in ((2, "occupied"), (3, "free"), (4, "occupied"), (5, "free"))
                ]
            assert await asyncio.gather(*answers) == [0] * 4

        assert [state for state, _ in await states(here)] == ["free", "occupied", "free", "occupied", "free"]


async def test_a_repeat_is_not_acknowledged_for_the_sake_of_what_is_not_stored(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:05:00")
        card = await here.a_camera("cam-1", ONE)
        said = {"seq": 1, "spots": [spot(ONE, "10:00:00")]}
        async with here.commits_held_up():
            first = await here.connect(card)
            await first.send("spots", said)
            await eventually(lambda: held_up(here))
            second = await here.connect(card)
            again = await second.send("spots", said)
            repeat = await second.send("spots", {"seq": 2, "spots": [spot(ONE, "10:01:00")]})
            done, _ = await asyncio.wait([again, repeat], timeout=0.3)
            assert not done
        assert await asyncio.gather(again, repeat) == [0, 0]
        await second.client.close()

        assert [when for _, when in await states(here)] == [at("10:00:00"), at("10:01:00")]


async def held_up(here):
    return await here.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()")


async def test_a_late_repeat_of_an_older_moment_is_stored(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:05:00")
        card = await here.a_camera("cam-1", ONE)
        async with here.talking(card) as camera:
            await camera.spots(1, spot(ONE, "10:03:00"))
            await camera.spots(2, spot(ONE, "10:01:00"))

        assert len(await states(here)) == 2


# The clock


async def corrected(camera, here, seq, name=ONE, when="10:00:00", **more):
    """The reading of one spot as it was stored, which is news whatever came before."""
    await camera.spots(seq, spot(name, when, evidence=f"{seq}", **more))
    return next(one for one in await here.readings() if one.seq == seq)


async def test_a_slow_clock_is_corrected_by_its_statuses_and_frozen_into_the_reading(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:00:00.900")
        card = await here.a_camera("cam-1", ONE)
        async with here.talking(card) as camera:
            before = await corrected(camera, here, 1, when="09:58:00")
            await camera.status("09:58:00")  # 120.9 s behind
            first = await corrected(camera, here, 3, when="09:58:00")
            await camera.status("09:58:20")  # 100.9 s behind: the smaller one is nearer the truth
            second = await corrected(camera, here, 5, when="09:58:00")
            await camera.status("09:57:00")
            third = await corrected(camera, here, 7, when="09:58:00")

        assert (before.offset_s, before.at) == (None, at("09:58:00"))
        assert (first.offset_s, first.at, first.raw_at) == (120, at("10:00:00"), at("09:58:00"))
        assert (second.offset_s, second.at) == (100, at("09:59:40"))
        assert third.offset_s == 100


async def test_a_fast_clock_is_corrected_before_it_is_judged(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:00:00.300")
        card = await here.a_camera("cam-1", ONE)
        async with here.talking(card) as camera:
            assert await camera.spots(1, spot(ONE, "11:00:00")) == 0x83
            await camera.status("11:00:00")
            reading = await corrected(camera, here, 2, when="11:00:00")

        assert (reading.offset_s, reading.at) == (-3600, at("10:00:00"))  # What is left of a second is the network's.


async def test_less_than_a_second_is_the_network_s(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:00:00.950")
        card = await here.a_camera("cam-1", ONE)
        async with here.talking(card) as camera:
            await camera.status("10:00:00")
            assert (await corrected(camera, here, 1)).offset_s == 0
            await camera.status("10:00:01.900")
            assert (await corrected(camera, here, 3)).offset_s == 0


async def test_only_statuses_teach_the_clock(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:00:00")
        card = await here.a_camera("cam-1", ONE)
        async with here.talking(card) as camera:
            await camera.status("10:00:00")
            await camera.say("spots", {"seq": 1, "sent": text("09:00:00"), "spots": [spot(ONE, "09:00:00")]})
            reading = await corrected(camera, here, 3, when="09:30:00")

        assert (reading.offset_s, reading.at) == (0, at("09:30:00"))


async def test_a_status_that_is_sent_again_after_a_break_does_not_teach_the_clock(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:00:00")
        card = await here.a_camera("cam-1", ONE)
        first = await here.connect(card)
        await first.status("10:00:00")
        first.client.abort()
        await first.client.closed
        here.clock.set("10:01:08")
        async with here.talking(card) as camera:
            await camera.status("10:00:00")
            late = await corrected(camera, here, 2, when="10:00:30")
            await camera.status("10:01:08")
            right = await corrected(camera, here, 4, when="10:01:00")

        assert (late.offset_s, late.at) == (None, at("10:00:30"))
        assert (right.offset_s, right.at) == (0, at("10:01:00"))


async def test_each_connection_is_judged_by_itself_so_a_jump_is_learned_anew(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:00:00")
        card = await here.a_camera("cam-1", ONE)
        async with here.talking(card) as camera:
            await camera.status("09:00:00")
            behind = await corrected(camera, here, 1, when="09:00:00")
            await camera.status("10:30:00")  # It jumped ahead, and the next status shows it.
            ahead = await corrected(camera, here, 3, when="10:30:00")
        async with here.talking(card) as camera:
            unknown = await corrected(camera, here, 5, when="09:59:00")
            await camera.status("08:00:00")  # It jumped back.
            back = await corrected(camera, here, 7, when="08:00:00")

        assert [(one.offset_s, one.at) for one in (behind, ahead, back)] == [
            (3600, at("10:00:00")), (-1800, at("10:00:00")), (7200, at("10:00:00")),
        ]  # fmt: skip
        assert (unknown.offset_s, unknown.at) == (None, at("09:59:00"))


async def test_messages_that_waited_keep_the_clock_of_the_connection_that_brought_them(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:00:00")
        card = await here.a_camera("cam-1", ONE, TWO)
        first = await here.connect(card)
        await first.status("09:00:00")
        async with here.commits_held_up():
            await first.send("spots", {"seq": 1, "spots": [spot(ONE, "09:00:00")]})
            await eventually(lambda: held_up(here))
            await first.send("spots", {"seq": 2, "spots": [spot(TWO, "09:00:01")]})
            await first.client.send(f"{card.topic}/status", b"{}", qos=0)
            await eventually(lambda: waiting(here, 2))
            second = await here.connect(card)
            await second.send("status", {"at": text("10:00:00")})
        await second.client.close()

        await eventually(lambda: readings(here, 2))
        assert {one.spot: one.at for one in await here.readings()} == {ONE: at("10:00:00"), TWO: at("10:00:01")}


async def waiting(here, number):
    return sum(map(len, here.ingest._queue)) >= number


async def readings(here, number):
    return len(await here.readings()) >= number


async def test_a_clock_that_was_never_set_teaches_nothing_and_its_readings_are_taken_at_arrival(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:00:00")
        card = await here.a_camera("cam-1", ONE, TWO)
        never = {"at": "1970-01-01T00:00:41Z"}
        async with here.talking(card) as camera:
            await camera.say("status", {"online": True} | never)
            assert await camera.spots(1, spot(ONE, "10:00:00") | never) == 0
            assert await camera.spots(2, spot(ONE, "10:00:00") | never) == 0  # Repeated: the same raw time is the same reading.
            assert await camera.spots(3, spot(TWO, "10:00:00") | {"at": "2019-12-31T23:59:59Z"}) == 0
            await camera.status("09:59:50")
            set_now = await corrected(camera, here, 5, when="09:59:50")

        first, second, _ = await here.readings()
        assert [(one.no_clock, one.at, one.offset_s) for one in (first, second)] == [(True, at("10:00:00"), None)] * 2
        assert (set_now.no_clock, set_now.at) == (False, at("10:00:00"))


@pytest.mark.parametrize(("when", "reason"), [("09:59:59", 0x83), ("10:00:00", 0)])
async def test_seventy_two_hours_are_taken_and_not_a_second_more(postgres_url, tmp_path, when, reason):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set(at("10:00:00"))
        card = await here.a_camera("cam-1", ONE)
        async with here.talking(card) as camera:
            assert await camera.spots(1, spot(ONE, at(when) - timedelta(hours=72))) == reason
            assert await camera.spots(2, spot(ONE, at("10:02:00"))) == 0


# Who is there


async def history(here, entries):
    async def ask():
        found = await here.readings("heard")
        return found if len(found) >= entries else None

    return await eventually(ask)


async def test_coming_speaking_and_going_are_in_the_journal(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:00:00")
        card = await here.a_camera("cam-1", ONE, spots=[ONE])
        async with here.talking(card) as camera:
            await history(here, 1)
            here.clock.set(at("10:00:00") + HEARD_EVERY)
            await camera.status(at("10:00:00") + HEARD_EVERY)
            await history(here, 2)
            here.clock.set("10:02:00")
        found = await history(here, 3)

        assert [(one.connected, one.at) for one in found] == [
            (True, at("10:00:00")), (True, at("10:00:00") + HEARD_EVERY), (False, at("10:02:00")),
        ]  # fmt: skip
        assert len({one.connection for one in found}) == 1
        assert {(one.device, one.site, one.device_kind, one.spots) for one in found} == {("cam-1", "lot-7", "camera", (ONE,))}


async def test_a_will_says_that_its_connection_ended_and_is_no_status(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:00:00")
        card = await here.a_camera("cam-1", ONE)
        gone = Will(f"{card.topic}/status", b'{"at":"%s","online":false}' % text("08:00:00").encode())
        camera = await here.connect(card, will=gone)
        await camera.status("10:00:00")
        await history(here, 1)
        here.clock.set("10:01:00")
        camera.client.abort()
        found = await history(here, 2)

        assert [(one.connected, one.at) for one in found] == [(True, at("10:00:00")), (False, at("10:01:00"))]
        await here.ingest.speakers.save_health()
        (row,) = await here.sql("SELECT offset_s FROM gateway.device_health")
        assert row["offset_s"] == 0
        assert await here.refused() == []


async def test_a_device_that_says_nothing_is_not_said_to_be_heard(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:00:00")
        card = await here.a_camera("cam-1", ONE)
        async with here.talking(card) as camera:
            await history(here, 1)
            here.clock.set("10:10:01")
            here.ingest.speakers.tell_who_speaks()
            assert here.ingest.speakers.presence == []
            await camera.spots(1, spot(ONE, "10:10:01"))
            *_, last = await history(here, 2)
            assert (last.connected, last.at) == (True, at("10:10:01"))


async def test_the_health_of_a_device_says_what_it_did(postgres_url, tmp_path):
    async with town(postgres_url, tmp_path) as here:
        here.clock.set("10:00:00")
        card = await here.a_camera("cam-1", ONE)
        async with here.talking(card) as camera:
            await camera.status("09:59:50", firmware="2.1")
            await camera.spots(1, spot(ONE, "09:59:50", **CAR))
            await camera.spots(4, spot(ONE, "09:59:51"))
            await camera.say("spots", b"rubbish")
            here.clock.set("10:00:30")
            await here.ingest.speakers.save_health()  # The presence loop may be doing the same, and have taken what there is.

            counted = ("readings", "plates_read", "plates_due", "refused", "seq_gaps", "no_clock", "offset_s", "firmware")
            said = dict(zip(counted, [2, 1, 2, 1, 1, 0, 10, "2.1"], strict=True))
            await eventually(lambda: health_is(here, said))


async def health_is(here, said):
    (row,) = await here.sql("SELECT * FROM gateway.device_health")
    return said == {name: row[name] for name in said}


async def test_a_day_for_which_there_is_no_room_yet_is_waited_for(postgres_url, tmp_path):
    """A city whose time runs faster may be ahead of the partitions that are made for it."""
    async with town(postgres_url, tmp_path, age_seconds_max=1.0) as here:
        later = at("10:00:00") + timedelta(days=200)
        card = await here.a_camera("cam-1", ONE)
        here.clock.set(later)
        async with here.talking(card) as camera:
            answer = await camera.send("spots", {"seq": 1, "spots": [spot(ONE, later)]})
            await eventually(lambda: lateness(here))
            assert not answer.done()
            await journal.prepare(here.database, here.clock)
            assert await asyncio.wait_for(answer, 5) == 0

        assert len(await here.readings()) == 1


async def lateness(here):
    return any("ingest" in one for one in here.supervisor.late())
