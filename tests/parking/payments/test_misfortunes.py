"""Everything that a bank and a network can do wrong ends in the same books: the money once, or not at all."""

import asyncio
import contextlib
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation import ids
from foundation.sql import Query
from parking.payments import apply_news, model, poll_topups
from parking.payments.model import Cause, News, State
from simulators.bank import Fault

BOOKED_ALL_THE_SAME = [fault for fault in Fault if fault not in (Fault.AWAY, Fault.LOST_REQUEST, Fault.DECLINE)]


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.ERROR_AFTER_EFFECT, Fault.FORGED_ANSWER])
async def test_an_order_whose_answer_is_lost_is_unknown_and_then_paid_once(town, fault):
    await town.stop_bank()
    await town.start_bank(pay_after_ms=60_000)
    await town.fault(fault)
    topup = await town.top_up()
    await town.poll()
    assert await town.state(topup) == "unknown"

    await town.stop_bank()
    await town.start_bank()
    assert await town.call_back(model.number_of(topup), "SUCCESS", "100.00") == 200

    order = await town.bank_order()
    assert (order["heard"], await town.wallet(), await town.told()) == (1, (10_000, [10_000]), 1)


@pytest.mark.parametrize("fault", BOOKED_ALL_THE_SAME)
async def test_whatever_goes_wrong_the_asking_ends_in_one_booking(town, fault):
    await town.fault(fault, ms=30)
    topup = await town.top_up()

    await town.poll_until(topup, "paid")

    order = await town.bank_order()
    assert (order["heard"], order["charges"]) == (1, 1)
    assert (await town.wallet(), await town.told()) == ((10_000, [10_000]), 1)


@pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.AWAY])
async def test_an_order_that_never_arrived_is_asked_about_and_submitted_again_under_its_number(town, fault):
    await town.fault(fault)
    topup = await town.top_up()

    await town.poll_until(topup, "paid")

    assert (await town.steps(topup))[:5] == ["created", "submitted", "unknown", "absent", "submitted"]
    order = await town.bank_order()
    assert (order["number"], order["charges"], await town.told()) == (model.number_of(topup), 1, 1)


async def test_a_bank_that_is_away_for_days_never_makes_a_payment_fail(town):
    await town.stop_bank()
    topup = await town.top_up()
    for _ in range(30):
        await town.poll()
        town.clock.pass_by(hours=1)
    assert await town.steps(topup) == ["created", "submitted", "unknown"]

    await town.start_bank()

    await town.poll_until(topup, "paid")
    assert await town.wallet() == (10_000, [10_000])


async def test_a_declined_order_fails_and_moves_no_money(town):
    await town.fault(Fault.DECLINE)
    topup = await town.top_up()
    await town.poll()

    assert await town.answered() == 200
    assert (await town.ask("GET", f"/api/v1/me/wallet/topups/{topup}"))[1]["state"] == "failed"
    assert (await town.wallet(), await town.told()) == ((0, []), 0)


async def test_a_failure_is_asked_about_for_a_while_and_then_left_alone(town):
    await town.fault(Fault.DECLINE)
    await town.top_up()
    looks = 0
    for _ in range(40):
        looks += await town.poll()
        town.clock.pass_by(hours=1)

    assert looks == 1 + len(model.LOOKS)


@pytest.mark.parametrize("fault", [Fault.WRONG_SIGNATURE, Fault.UNKNOWN_KEY, Fault.WRONG_AMOUNT, Fault.WRONG_MERCHANT])
async def test_a_callback_that_proves_nothing_or_disagrees_is_refused_and_moves_nothing(town, fault):
    await town.fault(fault)
    topup = await town.top_up()
    await town.poll()

    assert await town.answered() == (401 if fault in (Fault.WRONG_SIGNATURE, Fault.UNKNOWN_KEY) else 409)
    assert await town.state(topup) == "accepted"
    assert (await town.wallet(), await town.told()) == ((0, []), 0)


async def test_another_amount_alarms_and_is_kept_as_evidence(town):
    alarms = apply_news.ALARMS.labels("other_amount")._value.get()
    topup = await _accepted(town)

    assert await town.call_back(model.number_of(topup), "SUCCESS", "100.01", notify_id="n1") == 409

    assert apply_news.ALARMS.labels("other_amount")._value.get() == alarms + 1
    kept = await town.database.row(Query("x", "SELECT notify_id, verdict, times FROM parking.payment_notify"))
    assert tuple(kept) == ("n1", "other_amount", 1)


async def test_money_for_a_number_we_do_not_know_alarms_and_is_not_thanked_for(town):
    assert await town.call_back("TU" + "A" * 26, "SUCCESS", "100.00") == 409


async def test_a_missing_key_alarms_by_its_id_and_the_query_learns_the_truth(town):
    alarms = apply_news.ALARMS.labels("notify_key_missing")._value.get()
    await town.fault(Fault.UNKNOWN_KEY)
    topup = await town.top_up()
    await town.poll()
    assert await town.answered() == 401

    await town.poll_until(topup, "paid")

    assert apply_news.ALARMS.labels("notify_key_missing")._value.get() > alarms


async def test_an_old_callback_is_a_replay(town):
    topup = await _accepted(town)

    assert await town.call_back(model.number_of(topup), "SUCCESS", "100.00", at=time.time() - 301) == 401
    assert await town.call_back(model.number_of(topup), "SUCCESS", "100.00", at=time.time() + 301) == 401
    assert await town.call_back(model.number_of(topup), "SUCCESS", "100.00", at=time.time() - 290) == 200


async def test_rubbish_at_the_callback_is_refused(town):
    for body in (b"", b"{}", b"\xff", b'{"notify_id": "n", "order": 1}'):
        status, _ = await town.ask("POST", "/api/v1/providers/sim-bank/notify", body)
        assert status == 401


async def test_a_signed_amount_that_is_no_yuan_text_is_refused(town):
    topup = await _accepted(town)

    for amount in ("1e2", "-1.00", "", "100.001", "１00.00"):
        assert (amount, await town.call_back(model.number_of(topup), "SUCCESS", amount)) == (amount, 401)
    assert await town.state(topup) == "accepted"


async def test_old_failure_after_success(town):
    """Bad news about an earlier attempt, heard late and twice, changes nothing."""
    topup = await _accepted(town)
    number = model.number_of(topup)

    answers = [
        await town.call_back(number, "FAIL", "100.00", notify_id="n1"),
        await town.call_back(number, "SUCCESS", "100.00", notify_id="n2"),
        await town.call_back(number, "FAIL", "100.00", notify_id="n1"),
        await town.call_back(number, "FAIL", "100.00", notify_id="n3"),
    ]

    assert answers == [200] * 4
    assert await town.steps(topup) == ["created", "submitted", "accepted", "failed", "paid"]
    assert (await town.wallet(), await town.told()) == ((10_000, [10_000]), 1)
    times = await town.database.fetch(Query("x", "SELECT notify_id, times FROM parking.payment_notify ORDER BY 1"))
    assert [tuple(row) for row in times] == [("n1", 2), ("n2", 1), ("n3", 1)]


async def test_paid_after_the_driver_cancelled(town):
    """Money that arrives after the top-up was given up has a place in the books, once."""
    await town.fault(Fault.DECLINE)
    topup = await town.top_up()
    await town.poll()
    await town.answered()
    for _ in range(20):  # Asked through the ladder, believed, left alone.
        town.clock.pass_by(hours=1)
        await town.poll()

    assert [await town.call_back(model.number_of(topup), "SUCCESS", "100.00") for _ in range(2)] == [200, 200]

    assert (await town.wallet(), await town.told()) == ((10_000, [10_000]), 1)
    assert await town.poll() == 0


async def test_callbacks_that_our_door_cannot_take_are_repeated_and_outlive_the_bank(town):
    town.deaf = True
    topup = await town.top_up()
    await town.poll()
    assert await town.answered() == 503
    await town.stop_bank()
    town.deaf = False

    await town.start_bank()
    statuses = [await town.answered()]
    while statuses[-1] != 200:
        statuses.append(await town.answered())

    assert (await town.state(topup), await town.wallet()) == ("paid", (10_000, [10_000]))
    assert (await town.bank_order())["charges"] == 1


async def test_the_same_number_with_another_amount_is_refused_by_the_bank(town):
    topup = await _accepted(town)
    alarms = apply_news.ALARMS.labels("provider_refuses")._value.get()

    with pytest.raises(poll_topups.ProviderRefuses, match="AMOUNT_DIFFERS"):
        await town.provider.submit(model.number_of(topup), 9_999)
    assert (await town.provider.submit(model.number_of(topup), 10_000)).state is State.ACCEPTED
    assert apply_news.ALARMS.labels("provider_refuses")._value.get() == alarms


async def test_a_poller_that_died_with_a_lease_is_followed_by_another(town):
    topup = await town.top_up()
    await town.fault(Fault.NO_NOTIFY)
    await town.fault(Fault.LOST_ANSWER)
    asked = asyncio.Event()

    class Dying:
        name = town.provider.name

        async def submit(self, number, amount):
            asked.set()
            await asyncio.Event().wait()

    dying = asyncio.create_task(poll_topups.poll_once(town.database, Dying(), town.clock, ids.new_id()))
    await asked.wait()
    dying.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await dying

    assert await town.poll() == 0  # Its lease is nobody's to take, the successor has another run.
    town.clock.pass_by(seconds=19)
    assert await town.poll() == 0
    town.clock.pass_by(seconds=2)
    assert await town.poll() == 1  # Well within 60 s; and asked about, since the dead one may have been heard.
    assert await town.steps(topup) == ["created", "submitted", "absent"]
    await town.poll_until(topup, "paid")
    assert (await town.bank_order())["charges"] == 1
    assert await poll_topups.list_overdue(town.database, town.provider.name, town.clock.wall()) == []


DOOMED = """
import asyncio, sys
from foundation import ids, postgres
from foundation.clock import Clock
from parking.payments.poll_topups import poll_once

class Waiting:
    name = "sim-bank"
    async def submit(self, number, amount):
        print("leased", number, flush=True)
        await asyncio.Event().wait()

async def main():
    async with postgres.connect(sys.argv[1]) as database:
        await poll_once(database, Waiting(), Clock(), ids.new_id())

asyncio.run(main())
"""


async def test_new_worker_under_the_old_name(town, postgres_url):
    """A lease belongs to one run and ends by time: another takes the payment up within a minute, and the bank charges once."""
    topup = await town.top_up()
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", DOOMED, postgres_url, stdout=asyncio.subprocess.PIPE)
    assert (await killed.stdout.readline()).split() == [b"leased", model.number_of(topup).encode()]
    killed.kill()
    await killed.wait()

    looked = []
    while not any(looked):
        assert len(looked) < 60, "not taken up within a minute"
        looked.append(await town.poll())
        town.clock.pass_by(seconds=1)
    await town.poll_until(topup, "paid")

    assert not any(looked[:20])  # The lease of the dead is respected, then it is over.
    order = await town.bank_order()
    assert (order["heard"], order["charges"], await town.wallet()) == (1, 1, (10_000, [10_000]))


async def test_several_pollers_ask_about_each_top_up_once(town):
    for _ in range(12):
        await town.top_up(100)

    runs = [poll_topups.poll_once(town.database, town.provider, town.clock, ids.new_id()) for _ in range(4)]

    assert sum(await asyncio.gather(*runs)) == 12
    async with town.client.get(town.bank_url + "/control/orders") as response:
        assert [order["heard"] for order in (await response.json())["items"]] == [1] * 12


async def test_what_nobody_looks_at_is_listed_as_overdue(town):
    topup = await town.top_up()
    town.clock.pass_by(seconds=61)

    [(number, state, _)] = await poll_topups.list_overdue(town.database, town.provider.name, town.clock.wall())

    assert (number, state) == (model.number_of(topup), "created")


async def test_one_bad_look_stops_no_other(town):
    first, second = await town.top_up(1), await town.top_up(2)

    class Biased(type(town.provider)):
        async def submit(self, number, amount):
            if amount == 1:
                raise RuntimeError("a bug")
            return await super().submit(number, amount)

    biased = Biased(town.provider._settings, town.client, town.provider._clock)
    await poll_topups.poll_once(town.database, biased, town.clock, town.run)
    assert await town.state(first) == "submitted"
    assert await town.state(second) in ("accepted", "paid")

    town.clock.pass_by(seconds=21)
    await town.poll_until(first, "paid")
    await town.poll_until(second, "paid")


SAID = st.tuples(
    st.sampled_from([State.ACCEPTED, State.PAID, State.FAILED, State.ABSENT, State.UNKNOWN]),
    st.sampled_from([Cause.NOTIFY, Cause.QUERY, Cause.ANSWER]),
    st.sampled_from([10_000, 10_000, 10_000, None, 9_999]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(SAID, max_size=8), together=st.booleans())
async def test_any_order_and_repetition_of_news_ends_in_one_booking(town, said, together):
    town.person = ids.new_id()
    topup, before = await _submitted_by_hand(town), await town.told()
    number = model.number_of(topup)
    paid = any(state is State.PAID and amount != 9_999 for state, _, amount in said)

    takes = [_take(town, number, *one) for one in said]
    if together:
        await asyncio.gather(*takes)
    else:
        for take in takes:
            await take

    assert (await town.state(topup) == "paid") == paid
    assert (await town.wallet())[1] == ([10_000] if paid else [])
    assert await town.told() - before == int(paid)


async def _take(town, number, state, cause, amount):
    news = News(provider=town.provider.name, state=state, cause=cause, amount=amount)
    await town.database.run(lambda tx: apply_news.apply_news(tx, number, news, town.clock.city()))


async def _accepted(town):
    """A top-up that the bank has accepted and says nothing more about by itself."""
    await town.stop_bank()
    await town.start_bank(pay_after_ms=3_600_000)
    topup = await town.top_up()
    await town.poll()
    assert await town.state(topup) == "accepted"
    return topup


async def _submitted_by_hand(town):
    topup = await town.top_up()
    leave = Query("x", "UPDATE parking.topup SET state = 'submitted', cause = 'poller' WHERE id = $1")
    async with town.database.transaction() as tx:
        await tx.execute(leave, topup)
    return topup
