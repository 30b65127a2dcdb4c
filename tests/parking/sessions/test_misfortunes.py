"""What goes wrong with stays and their money, row by row of the failure catalogue; the cases of the field by their names."""

import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from foundation import ids
from foundation.errors import Conflict, NotFound
from foundation.sql import Query
from parking.bills import pay_bill
from parking.ledger import settle
from parking.ledger.model import AccountKind
from parking.sessions.follow import forget_once
from tests.parking.sessions.city import CHAINED, NINE, City

A, B, OTHER = "豫A8B012", "豫A88012", "豫A12345"


def minute(number: float) -> datetime:
    return NINE + timedelta(minutes=number)


async def rows(city: City, text: str, *values: object) -> list[dict[str, object]]:
    return [dict(row) for row in await city.database.fetch(Query("rows", text), *values)]


# The cases of the field that stays meet


async def test_boot_default_free_then_occupied(city: City) -> None:
    site = await city.site("s")

    await city.hear(city.seen(site, "1", minute(-60), "occupied", "豫A5D330"))
    city.clock.put(minute(60.6))
    await city.hear(city.seen(site, "1", minute(60.5), "free", seq=1))
    await city.conclude(minute(60.7))
    assert await city.told() == ["-60-* open"]
    await city.hear(city.seen(site, "1", minute(60) + timedelta(seconds=50), "occupied", "豫A5D330", seq=2))
    await city.hear(city.seen(site, "1", minute(120), "free", seq=3))
    await city.conclude(minute(122))

    assert await city.told() == ["-60-120 closed 1700=0+1700 open"]
    [stay] = await city.stays()
    assert json.loads(stay["gaps"]) == [[minute(60.5).isoformat(), (minute(60) + timedelta(seconds=50)).isoformat()]]
    assert await rows(city, "SELECT version FROM parking.bill_version WHERE bill = $1", stay["bill"]) == [{"version": 1}]


async def test_unknown_exit_is_taken_in_once(city: City) -> None:
    site = await city.site("s")
    exit = city.passed(site, minute(180), "out", "豫A40C77", lane="2")

    await city.hear(exit)
    await city.hear(exit)
    await city.conclude()

    assert await city.told() == ["180-180 closed 0=0+0 paid entry_missing"]
    assert [row["certainty"] for row in await city.stays()] == ["doubtful"]


async def test_confusable_pair_are_two_real_cars(city: City) -> None:
    site, owner = await city.site("s"), ids.new_id()
    await city.prove(A, owner, minute(-1000))
    await city.top_up(owner, 100_000)

    await city.hear(city.passed(site, minute(-60), "in", A, confidence=0.97), city.passed(site, minute(-50), "in", "豫AB8012"))
    await city.hear(city.passed(site, minute(0), "out", "豫AB8012"))
    await city.conclude()
    assert await city.told() == ["-60-* open", "-50-0 closed 500=0+500 open"]
    await city.hear(city.passed(site, minute(30), "out", B, confidence=0.71))
    await city.conclude()

    first, _, exit = await city.stays()
    assert (first["state"], exit["why"], exit["certainty"]) == ("open", ["entry_missing", "near_plate"], "doubtful")
    assert exit["candidate"] == first["id"]
    assert await city.wallet(owner) == 100_000


async def test_two_look_alikes_inside_are_no_proposal(city: City) -> None:
    site = await city.site("s")

    await city.hear(city.passed(site, minute(30), "out", B), city.passed(site, minute(-60), "in", A))
    [first, exit] = await city.stays()
    assert exit["candidate"] == first["id"]
    await city.hear(city.passed(site, minute(-50), "in", "豫AB8012"))
    *_, exit = await city.stays()
    assert (exit["candidate"], exit["why"]) == (None, ["entry_missing"])
    await city.hear(city.passed(site, minute(20), "out", "豫AB8012"))

    *_, exit = await city.stays()
    assert exit["candidate"] == first["id"]


async def test_an_entry_that_comes_late_takes_the_proposal_back(city: City) -> None:
    site = await city.site("s")
    await city.hear(city.passed(site, minute(-60), "in", A), city.passed(site, minute(30), "out", B))

    await city.hear(city.passed(site, minute(-30), "in", B))
    await city.conclude()

    assert await city.told() == ["-60-* open", "-30-30 closed 500=0+500 open"]
    assert [row["candidate"] for row in await city.stays()] == [None, None]


async def test_letter_o_full_width_and_dots(city: City) -> None:
    """The door writes one plate of all spellings; here the five messages of one car are one stay."""
    site = await city.site("s")

    for number in range(5):
        await city.hear(city.seen(site, "1", minute(number), "occupied", "豫A80112", confidence=0.9 + number / 100))

    assert await city.told() == ["0-* open"]


async def test_jitter_counts_in_and_out(city: City) -> None:
    site = await city.site("s")
    moments = [("in", 0.0), ("out", 1.2), ("in", 1.9)]

    for direction, second in moments:
        await city.hear(city.passed(site, NINE + timedelta(seconds=second), direction, "豫A50E10"))
        await city.conclude(NINE + timedelta(seconds=second))
    assert await city.told() == ["0-* open"]
    await city.hear(city.passed(site, minute(60), "out", "豫A50E10"))
    await city.conclude(minute(61))

    assert await city.told() == ["0-60 closed 500=0+500 open"]


async def test_permission_of_previous_car_stays_on(city: City) -> None:
    site = await city.site("s")

    await city.hear(
        city.passed(site, NINE, "in", "豫A60F01"),
        city.passed(site, NINE + timedelta(seconds=4), "in"),
        city.passed(site, NINE + timedelta(seconds=9), "in", "豫A60F99"),
    )

    stays = await city.stays()
    assert [(row["plate_token"], row["why"]) for row in stays] == [
        (city.token("豫A60F01"), []),
        (None, ["no_plate"]),
        (city.token("豫A60F99"), []),
    ]
    assert stays[2]["entered_at"] == NINE + timedelta(seconds=9)


async def test_two_boots_both_begin_with_zero(city: City) -> None:
    site = await city.site("s")
    first = city.passed(site, minute(-60), "in", "豫A20M11", seq=0)

    await city.hear(first)
    await city.hear(city.passed(site, minute(-55), "in", "豫A20M22", seq=0))
    await city.hear(first)

    assert await city.told() == ["-60-* open", "-55-* open"]


async def test_clock_1970_until_time_sync(city: City) -> None:
    site, never_set = await city.site("s"), datetime(1970, 1, 1, 0, 0, 41, tzinfo=UTC)

    await city.hear(city.passed(site, minute(0), "in", "豫A90F27", raw_at=never_set, no_clock=True))
    await city.hear(city.passed(site, minute(2.5), "in", "豫AD20418", colour="green", raw_at=never_set, no_clock=True))
    await city.hear(city.passed(site, minute(4.5), "out", "豫A90F27", lane="2"))
    await city.conclude()

    assert await city.told() == ["0-4 closed 0=0+0 paid", "2-* open"]
    kept = await rows(city, "SELECT raw_at, no_clock FROM parking.observation WHERE starts_with(unit, $1) ORDER BY at", city.name)
    assert [row["no_clock"] for row in kept] == [True, True, False]
    assert kept[0]["raw_at"] == never_set


# The failure catalogue


async def test_a_missed_exit_ends_where_the_plate_was_last_proven(city: City) -> None:
    """Row 2: a new entry anywhere ends the old stay at the last proof, and the bill asks for no more."""
    street, lot = await city.site("s"), await city.site("g")

    await city.hear(city.seen(street, "1", minute(0), "occupied", A), city.seen(street, "1", minute(50), "occupied", A))
    await city.hear(city.passed(lot, minute(300), "in", A))
    await city.conclude()

    assert await city.told() == ["0-50 closed 500=0+500 open exit_missing_elsewhere", "300-* open earlier_exit_unseen"]


async def test_the_late_exit_of_a_stay_that_was_inferred_raises_the_bill_by_the_difference(city: City) -> None:
    """Rows 2 and 8."""
    street, lot, owner = await city.site("s"), await city.site("g"), ids.new_id()
    await city.prove(A, owner, minute(-100))
    await city.top_up(owner, 600)
    await city.hear(city.seen(street, "1", minute(0), "occupied", A), city.seen(street, "1", minute(50), "occupied", A))
    await city.hear(city.passed(lot, minute(300), "in", A))
    assert await city.wallet(owner) == 600  # Doubtful: asked for, not taken.

    await city.hear(city.seen(street, "1", minute(70), "free"))
    await city.conclude()

    assert await city.told() == ["0-70 closed 800=300+500 part_paid", "300-* open"]
    await city.top_up(owner, 200)
    assert (await city.wallet(owner), (await city.bill_of(A))["state"]) == (0, "paid")


async def test_a_stay_after_an_exit_that_nobody_saw_is_billed_and_not_debited(city: City) -> None:
    """The other car still stands where it stood, and this one is its clone; or its exit was missed. Nobody can tell, so nobody takes."""
    street, lot, owner = await city.site("s"), await city.site("g"), ids.new_id()
    await city.prove(A, owner, minute(-100))
    await city.top_up(owner, 5000)

    await city.hear(
        city.seen(street, "1", minute(0), "occupied", A), city.passed(lot, minute(30), "in", A), city.passed(lot, minute(90), "out", A)
    )
    await city.conclude()
    assert await city.told() == ["0-0 closed 0=0+0 paid exit_missing_elsewhere", "30-90 closed 500=0+500 open earlier_exit_unseen"]
    assert await city.wallet(owner) == 5000

    await city.hear(city.passed(lot, minute(400), "in", A), city.passed(lot, minute(460), "out", A))
    await city.conclude()
    assert await city.wallet(owner) == 4500  # The next one has nothing to do with it.


async def test_an_unread_car_moments_after_another_prolongs_nobodys_stay(city: City) -> None:
    """It may be the same car or the next one: the first is billed to its exit, says its doubt, and nothing is taken."""
    street, owner = await city.site("s"), ids.new_id()
    await city.prove(A, owner, minute(-100))
    await city.top_up(owner, 5000)

    came, left = city.seen(street, "1", minute(0), "occupied", A), city.seen(street, "1", minute(30), "free")
    await city.hear(came, left, city.seen(street, "1", minute(30.5), "occupied"), city.seen(street, "1", minute(90), "free"))
    await city.conclude()

    assert await city.told() == ["0-30 closed 500=0+500 open unread_return", "30-90 closed no_plate"]
    assert await city.wallet(owner) == 5000


@pytest.mark.parametrize("late", [False, True])
async def test_an_unread_car_whose_plate_is_read_later_is_one_stay_again(city: City, late: bool) -> None:
    """The camera looks again each minute: before the first stay was billed, or long after."""
    street, owner = await city.site("s"), ids.new_id()
    await city.prove(A, owner, minute(-100))
    await city.top_up(owner, 5000)

    came, left = city.seen(street, "1", minute(0), "occupied", A), city.seen(street, "1", minute(30), "free")
    city.clock.put(minute(30.6))
    await city.hear(came, left, city.seen(street, "1", minute(30.5), "occupied"))
    await city.conclude(minute(80) if late else minute(30.9))
    first = "0-30 closed 500=0+500 open unread_return" if late else "0-* open unread_return"
    assert await city.told() == [first, "30-* open no_plate"]
    await city.hear(city.seen(street, "1", minute(31.5), "occupied", A), city.seen(street, "1", minute(90), "free"))
    await city.conclude(minute(92))

    [stay] = [row for row in await city.stays() if row["state"] != "void"]
    assert (stay["left_at"], stay["why"], stay["total"]) == (minute(90), [], 800)
    assert await city.wallet(owner) == 5000 - 800


async def test_a_car_read_moments_after_an_unread_one_pays_from_its_own_entry(city: City) -> None:
    street = await city.site("s")

    came, left = city.seen(street, "1", minute(0), "occupied"), city.seen(street, "1", minute(300), "free")
    await city.hear(came, left, city.seen(street, "1", minute(300.5), "occupied", A), city.seen(street, "1", minute(330), "free"))
    await city.conclude()

    assert await city.told() == ["0-300 closed no_plate", "300-330 closed 500=0+500 open"]


async def test_a_doubt_that_ends_lets_the_wallet_pay(city: City) -> None:
    """Row 4: two places at once go on, and nobody is debited until it is decided."""
    one, other, owner = await city.site("s"), await city.site("t"), ids.new_id()
    await city.prove(A, owner, minute(-100))
    await city.top_up(owner, 5000)
    clone = city.seen(other, "1", minute(30), "occupied", A, seq=1)
    await city.hear(city.seen(one, "1", minute(0), "occupied", A), clone, city.seen(one, "1", minute(60), "free"))
    await city.conclude()
    assert await city.told() == ["0-60 closed 500=0+500 open two_places", "30-* open two_places"]
    assert await city.wallet(owner) == 5000

    await city.hear(city.seen(other, "1", minute(30), "occupied", OTHER, seq=2))
    await city.conclude()

    assert await city.told() == ["0-60 closed 500=500+0 paid", "30-* open"]
    assert await city.wallet(owner) == 4500


@pytest.mark.parametrize("gated", [False, True])
async def test_a_misread_plate_corrected_after_billing_moves_the_money_at_once(city: City, gated: bool) -> None:
    """Row 5: the wrong driver has it back and the right one pays, in one transaction."""
    site, wrong, right = await city.site("s"), ids.new_id(), ids.new_id()
    await city.prove(OTHER, wrong, minute(-100))
    await city.prove(A, right, minute(-100))
    await city.top_up(wrong, 1000)
    await city.top_up(right, 1000)
    if gated:
        await city.hear(city.passed(site, NINE, "in", OTHER, seq=1), city.passed(site, minute(60), "out", OTHER, seq=2))
    else:
        await city.hear(city.seen(site, "1", NINE, "occupied", OTHER, seq=1), city.seen(site, "1", minute(60), "free", seq=2))
    await city.conclude()
    assert (await city.wallet(wrong), await city.wallet(right)) == (500, 1000)

    if gated:
        await city.hear(city.passed(site, NINE, "in", A, seq=3), city.passed(site, minute(60), "out", A, seq=4))
    else:
        await city.hear(city.seen(site, "1", NINE, "occupied", A, seq=3))
    await city.conclude()

    assert (await city.wallet(wrong), await city.wallet(right)) == (1000, 500)
    assert [row["person"] for row in await city.stays()] == [right]


async def test_the_correction_heard_first_is_the_same(city: City) -> None:
    site = await city.site("s")

    await city.hear(city.passed(site, NINE, "in", A, seq=3))
    await city.hear(city.passed(site, NINE, "in", OTHER, seq=1))

    assert [row["plate_token"] for row in await city.stays()] == [city.token(A)]


async def test_an_event_late_by_hours_changes_the_bill_by_a_posting(city: City) -> None:
    """Row 8: nothing is edited; the ledger holds the first posting and the difference."""
    site, owner = await city.site("s"), ids.new_id()
    await city.prove(A, owner, minute(-1000))
    await city.top_up(owner, 10_000)
    await city.hear(city.seen(site, "1", minute(60), "occupied", A), city.seen(site, "1", minute(180), "free"))
    await city.conclude(minute(200))
    assert await city.told() == ["60-180 closed 1100=1100+0 paid"]

    await city.hear(city.seen(site, "1", minute(120), "free", seq=0))
    await city.conclude(minute(500))

    assert await city.told() == ["60-120 closed 500=500+0 paid"]
    assert await city.wallet(owner) == 9_500
    [stay] = await city.stays()
    async with city.database.transaction() as tx:
        assert [posting.paid for posting in await settle.postings_of(tx, stay["id"])] == [1100, -600]


async def test_an_exit_before_its_entry_waits_for_it(city: City) -> None:
    """Row 9."""
    site = await city.site("s")

    await city.hear(city.passed(site, minute(60), "out", A))
    await city.conclude()
    await city.hear(city.passed(site, minute(0), "in", A))
    await city.conclude()

    assert await city.told() == ["0-60 closed 500=0+500 open"]
    assert len(await city.stays(void=True)) == 1


async def test_debts_are_collected_oldest_first_and_whole(city: City) -> None:
    """Rows 16 and 23."""
    site, owner = await city.site("s"), ids.new_id()
    await city.prove(A, owner, minute(-1000))
    for start in (0, 200, 400):
        await city.hear(city.seen(site, "1", minute(start), "occupied", A), city.seen(site, "1", minute(start + 60), "free"))
        await city.conclude()

    await city.top_up(owner, 1400)

    assert [row["bill_state"] for row in await city.stays()] == ["paid", "paid", "open"]
    assert await city.wallet(owner) == 400


async def test_without_leave_nothing_is_taken(city: City) -> None:
    site, owner = await city.site("s"), ids.new_id()
    await city.prove(A, owner, minute(-1000), auto_pay=False)
    await city.hear(city.seen(site, "1", minute(0), "occupied", A), city.seen(site, "1", minute(60), "free"))
    await city.conclude()

    await city.top_up(owner, 1000)

    assert (await city.wallet(owner), await city.told()) == (1000, ["0-60 closed 500=0+500 open"])


async def test_debts_move_to_the_first_who_proves_the_plate(city: City) -> None:
    """Row 18 and the design's §7: the receivable moves by a posting, and the wallet pays at once."""
    site, owner = await city.site("s"), ids.new_id()
    await city.top_up(owner, 700)
    for start in (0, 200):
        await city.hear(city.seen(site, "1", minute(start), "occupied", A), city.seen(site, "1", minute(start + 60), "free"))
    await city.conclude()

    await city.prove(A, owner, minute(-1000))

    assert [row["bill_person"] for row in await city.stays()] == [owner, owner]
    assert [(row["paid"], row["owed"]) for row in await city.stays()] == [(500, 0), (0, 500)]
    assert await city.balance(AccountKind.RECEIVABLE, f"{city.token(A).hex()}:-") == 0
    assert await city.balance(AccountKind.RECEIVABLE, f"{city.token(A).hex()}:{owner}") == -500


async def test_who_sells_a_car_keeps_the_bills_and_who_buys_it_never_sees_them(city: City) -> None:
    """Row 18."""
    site, seller, buyer = await city.site("s"), ids.new_id(), ids.new_id()
    await city.prove(A, seller, minute(-1000))
    for start in (0, 200):
        await city.hear(city.seen(site, "1", minute(start), "occupied", A), city.seen(site, "1", minute(start + 60), "free"))
    await city.conclude()

    await city.prove(A, buyer, minute(100))

    assert [(row["person"], row["bill_person"]) for row in await city.stays()] == [(seller, seller), (buyer, buyer)]
    async with city.database.transaction() as tx:
        old = (await city.stays())[0]["bill"]
        with pytest.raises(NotFound):
            await pay_bill.pay_bill(tx, old, buyer, now=NINE)


async def test_a_plate_given_up_before_a_stay_was_heard_is_nobodys(city: City) -> None:
    site, owner = await city.site("s"), ids.new_id()
    await city.prove(A, owner, minute(-1000))
    await city.top_up(owner, 1000)
    await city.hear(city.seen(site, "1", minute(10), "occupied", A), city.seen(site, "1", minute(70), "free"))
    await city.conclude()
    assert await city.wallet(owner) == 500

    await city.release(A, owner, minute(5))

    assert await city.wallet(owner) == 1000
    assert [(row["person"], row["owed"]) for row in await city.stays()] == [(None, 500)]


async def test_a_bill_is_paid_once_and_by_its_own_driver(city: City) -> None:
    site, owner = await city.site("s"), ids.new_id()
    await city.prove(A, owner, minute(-1000), auto_pay=False)
    await city.hear(city.seen(site, "1", minute(0), "occupied", A), city.seen(site, "1", minute(60), "free"))
    await city.conclude()
    bill = (await city.bill_of(A))["id"]

    async def pay(who: uuid.UUID) -> None:
        await city.database.run(lambda tx: pay_bill.pay_bill(tx, bill, who, now=NINE))

    with pytest.raises(NotFound):
        await pay(ids.new_id())
    with pytest.raises(Conflict) as refused:
        await pay(owner)
    assert refused.value.more["code"] == "too_little"
    await city.top_up(owner, 600)
    await pay(owner)
    with pytest.raises(Conflict) as refused:
        await pay(owner)
    assert refused.value.more["code"] == "already_paid"


async def test_what_a_stranger_paid_goes_back_to_the_stranger(city: City) -> None:
    """A late reading makes the stay shorter; whoever paid gets the difference, the latest first."""
    site, stranger = await city.site("s"), ids.new_id()
    await city.top_up(stranger, 2000)
    await city.hear(city.seen(site, "1", minute(0), "occupied", A), city.seen(site, "1", minute(120), "free"))
    await city.conclude()
    assert await city.database.run(lambda tx: pay_bill.pay_dues(tx, city.token(A), stranger, now=NINE)) == 1100
    assert await city.wallet(stranger) == 900

    await city.hear(city.seen(site, "1", minute(60), "free", seq=0))
    await city.conclude()

    assert (await city.wallet(stranger), await city.told()) == (1500, ["0-60 closed 500=500+0 paid"])


async def test_a_crash_between_leaves_nothing(city: City) -> None:
    """Row 22: stays, bills, postings and cursor commit together or not at all."""
    site = await city.site("s")
    await city.hear(city.seen(site, "1", minute(0), "occupied", A))

    class Crash(Exception):
        pass

    exit = city.seen(site, "1", minute(60), "free")
    with pytest.raises(Crash):
        async with city.database.transaction():
            await city.hear(exit)
            raise Crash
    await city.hear(exit)
    await city.conclude()
    await city.conclude()

    assert await city.told() == ["0-60 closed 500=0+500 open"]


# Chains of visits


async def test_a_visit_that_is_heard_late_changes_what_the_next_one_costs(city: City) -> None:
    """Two visits of 14 minutes, 6 minutes apart, are one chain of 28 minutes; whatever is heard first."""
    site = await city.site("s", more=CHAINED)
    first = [city.passed(site, minute(0), "in", A), city.passed(site, minute(14), "out", A)]
    second = [city.passed(site, minute(20), "in", A), city.passed(site, minute(34), "out", A)]

    await city.hear(*second)
    await city.conclude()
    assert await city.told() == ["20-34 closed 0=0+0 paid"]
    await city.hear(*first)
    await city.conclude()

    assert await city.told() == ["0-14 closed 0=0+0 paid", "20-34 closed 500=0+500 open"]


async def test_a_visit_that_was_another_cars_leaves_the_chain(city: City) -> None:
    site = await city.site("s", more=CHAINED)
    await city.hear(city.seen(site, "1", minute(0), "occupied", A, seq=1), city.seen(site, "1", minute(14), "free"))
    await city.hear(city.seen(site, "2", minute(20), "occupied", A), city.seen(site, "2", minute(34), "free"))
    await city.conclude()
    assert (await city.told())[1] == "20-34 closed 500=0+500 open"

    await city.hear(city.seen(site, "1", minute(0), "occupied", OTHER, seq=99))
    await city.conclude()

    assert await city.told() == ["0-14 closed 0=0+0 paid", "20-34 closed 0=0+0 paid"]


async def test_all_visits_of_a_chain_heard_at_once(city: City) -> None:
    site = await city.site("s", more=CHAINED)
    passages = [(0, "in"), (14, "out"), (20, "in"), (34, "out"), (40, "in"), (54, "out")]

    await city.hear(*(city.passed(site, minute(at), way, A) for at, way in passages))
    await city.conclude()
    before = await city.told()
    await city.hear(city.passed(site, minute(12), "out", A, lane="2"))
    await city.conclude()

    assert before == ["0-14 closed 0=0+0 paid", "20-34 closed 500=0+500 open", "40-54 closed 0=0+0 paid"]
    assert (await city.told())[0] == "0-12 closed 0=0+0 paid"


# No tariff


async def test_a_stay_that_no_tariff_prices_waits_for_one(city: City) -> None:
    site = await city.site("s", publish=False)
    await city.hear(city.seen(site, "1", minute(0), "occupied", A), city.seen(site, "1", minute(60), "free"))
    await city.conclude()
    assert await city.told() == ["0-60 closed no_tariff"]

    await city.publish(f"{site}-tariff")
    await city.tell_tariff(f"{site}-tariff")

    assert await city.told() == ["0-60 closed 500=0+500 open"]


async def test_a_site_that_gets_its_tariff_later_prices_what_waited(city: City) -> None:
    other = await city.site("other")
    site = await city.site("s", publish=False, tariff="")
    await city.hear(city.seen(site, "1", minute(0), "occupied", A), city.seen(site, "1", minute(60), "free"))
    await city.conclude()
    assert await city.told() == ["0-60 closed no_tariff"]

    await city.change_site("s", tariff=f"{other}-tariff")

    assert await city.told() == ["0-60 closed 500=0+500 open"]


async def test_a_billed_stay_keeps_its_tariff_when_the_site_gets_another(city: City) -> None:
    site = await city.site("s")
    await city.hear(city.seen(site, "1", minute(0), "occupied", A), city.seen(site, "1", minute(60), "free"))
    await city.conclude()

    await city.change_site("s", tariff="none-such")
    await city.hear(city.seen(site, "1", minute(40), "free", seq=0))
    await city.conclude()

    assert await city.told() == ["0-40 closed 500=0+500 open"]
    assert (await city.bill_of(A))["tariff"] == f"{site}-tariff"


# Kept how long


async def test_evidence_of_90_days_ago_is_forgotten_and_the_stay_stays(city: City) -> None:
    site = await city.site("s")
    await city.hear(city.seen(site, "1", minute(0), "occupied", A), city.seen(site, "1", minute(60), "free"))
    await city.hear(city.seen(site, "2", minute(0), "occupied", OTHER))
    await city.conclude()
    before = await city.told()

    city.clock.put(NINE + timedelta(days=90, hours=2))
    assert await forget_once(city.database, city.clock) == 2
    assert await forget_once(city.database, city.clock) == 0
    await city.hear(city.seen(site, "1", NINE + timedelta(days=90, hours=1), "free"))
    await city.hear(city.seen(site, "2", NINE + timedelta(days=90, hours=1), "free"))
    await city.conclude(NINE + timedelta(days=91))

    assert (await city.told())[0] == before[0]
    assert (await city.stays())[1]["left_at"] == NINE + timedelta(days=90, hours=1)


async def test_proofs_and_stays_at_the_same_moment_find_one_another(city: City) -> None:
    """Neither sees what the other has not committed; so they wait for one another."""
    site, driver = await city.site("s"), ids.new_id()
    await city.top_up(driver, 100_000)
    plates = [f"豫A1234{number}" for number in range(10)]

    for number, plate in enumerate(plates):
        stay = [city.seen(site, str(number), minute(0), "occupied", plate), city.seen(site, str(number), minute(60), "free")]
        await asyncio.gather(city.hear(*stay), city.prove(plate, driver, minute(-10)), city.conclude())
    await city.conclude()

    assert {row["person"] for row in await city.stays()} == {driver}
    assert await city.wallet(driver) == 100_000 - 10 * 500
