"""What settling, correcting, paying, refunding and moving mean: one small story each, the books proved after every one."""

import asyncio
import dataclasses

import pytest

from foundation import ids
from parking.ledger import errors, model, settle
from parking.ledger.model import AccountKind, Code


async def test_a_wallet_pays_what_it_holds_and_the_rest_is_a_debt(town) -> None:
    await town.fill(700)

    outcomes = await town.settle(town.settlement(1000))

    assert outcomes == [("booked", 700, 300)]
    assert await town.holds(town.wallet, town.payable, town.receivable, town.deferred) == [0, 700, -300, 300]


# wallet | amounts asked in one call | paid | debt
SEQUENCES = """
   0 |  100           | 0             | 100
 100 |  100           | 100           | 0
 250 |  100 100 100   | 100 100 50    | 0 0 50
 250 |  300 100       | 250 0         | 50 100
1000 |  1 999 1       | 1 999 0       | 0 0 1
"""


@pytest.mark.parametrize("line", SEQUENCES.strip().splitlines())
async def test_a_batch_means_the_same_as_one_after_the_other(town, line: str) -> None:
    wallet, amounts, paid, debts = ([int(word) for word in column.split()] for column in line.split("|"))
    if wallet[0]:
        await town.fill(wallet[0])

    outcomes = await town.settle(*(town.settlement(amount, fact=place) for place, amount in enumerate(amounts)))

    assert outcomes == [("booked", *one) for one in zip(paid, debts, strict=True)]


async def test_without_a_wallet_or_without_collecting_all_is_debt(town) -> None:
    await town.fill(1000)

    outcomes = await town.settle(town.settlement(100, wallet=None), town.settlement(200, collect=False))

    assert outcomes == [("booked", 0, 100), ("booked", 0, 200)]
    assert await town.holds(town.wallet, town.receivable) == [1000, -300]


async def test_the_platform_takes_its_part_of_what_is_paid_and_none_of_a_debt(town) -> None:
    await town.fill(999)

    await town.settle(town.settlement(2000, fee_bp=60))

    assert await town.holds(town.payable, model.PLATFORM_FEE, town.deferred) == [999 - 5, 5, 1001]


async def test_nothing_to_settle_leaves_no_posting(town) -> None:
    nothing = town.settlement(0)

    assert await town.settle(nothing) == [("booked", 0, 0)]
    async with town.database.snapshot() as tx:
        assert await settle.postings_of(tx, nothing.session) == []


async def test_a_repeated_id_answers_what_was_booked_first(town) -> None:
    await town.fill(60)
    asked = town.settlement(100)
    await town.settle(asked)
    await town.fill(500, "second")

    assert await town.settle(asked) == [("repeated", 60, 40)]
    assert await town.settle(dataclasses.replace(asked, owed=40)) == [("repeated", 60, 40)]
    assert await town.holds(town.wallet) == [500]


async def test_a_repeated_correction_answers_what_was_booked_first(town) -> None:
    await town.fill(60)
    first = town.settlement(100)
    fewer = town.settlement(-70, session=first.session, owed=40)
    await town.settle(first, fewer)

    assert await town.settle(first, fewer) == [("repeated", 60, 40), ("repeated", -30, -40)]


async def test_an_id_with_another_body_is_a_conflict_and_moves_nothing(town) -> None:
    asked = town.settlement(100)
    await town.settle(asked)

    others = [dataclasses.replace(asked, amount=amount) for amount in (101, -100, 0)]

    assert [await town.settle(other) for other in others] == [[("conflict", 0, 0)]] * 3
    assert await town.holds(town.receivable) == [-100]


async def test_the_same_request_twice_in_one_call_counts_once(town) -> None:
    await town.fill(1000)
    asked = town.settlement(100)

    outcomes = await town.settle(asked, town.settlement(10), asked, dataclasses.replace(asked, amount=7))

    assert outcomes == [("booked", 100, 0), ("booked", 10, 0), ("repeated", 100, 0), ("conflict", 0, 0)]
    assert await town.holds(town.wallet) == [890]


async def test_a_correction_takes_back_the_debt_first_and_then_refunds(town) -> None:
    await town.fill(600)
    first = town.settlement(1000)
    await town.settle(first)

    outcomes = await town.settle(town.settlement(-500, session=first.session, owed=400, before=first.id))

    assert outcomes == [("booked", -100, -400)]
    assert await town.holds(town.wallet, town.payable, town.receivable, town.deferred) == [100, 500, 0, 0]


async def test_a_correction_never_takes_back_the_debt_of_another_session(town) -> None:
    other, this = town.settlement(300, wallet=None, fact="other"), town.settlement(100, wallet=None, fact="this")
    await town.settle(other, this)

    with pytest.raises(errors.MoreThanPaid):
        await town.settle(town.settlement(-200, session=this.session, owed=200))

    assert await town.holds(town.receivable) == [-400]


async def test_a_correction_gives_back_the_platforms_part_in_proportion(town) -> None:
    await town.fill(1000)
    first = town.settlement(1000, fee_bp=1000)
    await town.settle(first)

    await town.settle(town.settlement(-333, session=first.session, fact=1))
    assert await town.holds(town.wallet, town.payable, model.PLATFORM_FEE) == [333, 601, 66]
    await town.settle(town.settlement(-667, session=first.session, fact=2))
    assert await town.holds(town.wallet, town.payable, model.PLATFORM_FEE) == [1000, 0, 0]


# wallet before | charged | fee bp | paid out | corrected | owed || wallet after | payable after | advanced
ADVANCES = """
1000 | 1000 | 0    | 1000 | 300  | 0   || 300  | 0   | -300
1000 | 1000 | 0    | 900  | 300  | 0   || 300  | 0   | -200
1000 | 1000 | 1000 | 900  | 1000 | 0   || 1000 | 0   | -900
1000 | 1500 | 0    | 900  | 800  | 500 || 300  | 0   | -200
1000 | 1500 | 1000 | 800  | 800  | 500 || 300  | 130 | -300
"""


@pytest.mark.parametrize("line", ADVANCES.strip().splitlines())
async def test_a_refund_that_the_operator_cannot_bear_is_advanced_by_the_platform(town, line: str) -> None:
    wallet, charged, fee, out, back, owed, wallet_after, payable, advanced = (int(word) for word in line.replace("||", "|").split("|"))
    await town.fill(wallet)
    first = town.settlement(charged, fee_bp=fee)
    await town.settle(first)
    await town.pay_out(out)

    await town.settle(town.settlement(-back, session=first.session, owed=owed))

    (account,) = await town.open((AccountKind.SUSPENSE, "advanced:op-1"))
    assert await town.holds(town.wallet, town.payable, account, town.receivable) == [wallet_after, payable, advanced, 0]


async def test_what_nobody_known_has_paid_comes_back_to_the_unclaimed_account(town) -> None:
    debt = town.settlement(100, wallet=None)
    await town.settle(debt)
    assert await town.pay(town.debt(debt, 100, wallet=town.clearing)) == ["paid"]

    assert await town.settle(town.settlement(-40, session=debt.session, wallet=None)) == [("booked", -40, 0)]

    assert await town.holds(town.clearing, town.payable, model.UNCLAIMED) == [-100, 60, 40]


async def test_charges_and_corrections_of_one_wallet_keep_their_order(town) -> None:
    await town.fill(100)
    first = town.settlement(100, fact="first")

    outcomes = await town.settle(
        first,
        town.settlement(30, fact="second"),
        town.settlement(-50, session=first.session, fact="less"),
        town.settlement(60, fact="third"),
    )

    assert outcomes == [("booked", 100, 0), ("booked", 0, 30), ("booked", -50, 0), ("booked", 50, 10)]


async def test_more_than_a_batch_is_settled_in_order(town) -> None:
    await town.fill(150)

    outcomes = await town.settle(*(town.settlement(1, fact=place) for place in range(230)))

    assert outcomes == [("booked", 1, 0)] * 150 + [("booked", 0, 1)] * 80


async def test_a_debt_is_paid_whole_or_not_at_all(town) -> None:
    debt = town.settlement(300)
    await town.settle(debt)
    await town.fill(299)

    assert await town.pay(town.debt(debt, 300)) == ["too_little"]
    await town.fill(1, "one more fen")
    assert await town.pay(town.debt(debt, 300)) == ["paid"]

    assert await town.holds(town.wallet, town.payable, town.receivable, town.deferred) == [0, 300, 0, 0]


async def test_paying_a_debt_again_is_repeated_another_way_is_not_owed(town) -> None:
    debt, other = town.settlement(300, fact="this"), town.settlement(300, fact="other")
    await town.settle(debt, other)
    await town.fill(1000)
    payment = town.debt(debt, 300)

    assert await town.pay(payment, payment) == ["paid", "repeated"]
    assert await town.pay(dataclasses.replace(payment, amount=299), town.debt(debt, 300, "another gate")) == ["conflict", "not_owed"]
    assert await town.holds(town.receivable) == [-300]


async def test_two_gates_collect_one_debt_once(town) -> None:
    debts = [town.settlement(300, fact=place) for place in range(10)]
    await town.settle(*debts)
    await town.fill(6000)

    answers = await asyncio.gather(*(town.pay(*(town.debt(debt, 300, gate) for debt in debts)) for gate in range(4)))

    assert sorted(word for answer in answers for word in answer) == ["not_owed"] * 30 + ["paid"] * 10
    assert await town.holds(town.wallet, town.receivable) == [3000, 0]


async def test_oldest_debts_first_until_the_wallet_is_empty(town) -> None:
    debts = [town.settlement(amount, fact=amount) for amount in (100, 200, 50)]
    await town.settle(*debts)
    await town.fill(160)

    assert await town.pay(*(town.debt(debt, debt.amount) for debt in debts)) == ["paid", "too_little", "paid"]


async def test_a_top_up_counts_once(town) -> None:
    async def top_up(amount: int) -> str:
        async with town.database.transaction() as tx:
            return await settle.top_up(tx, id=ids.id_of("t"), wallet=town.wallet, clearing=town.clearing, amount=amount, at=town.now)

    assert [await top_up(500), await top_up(500), await top_up(501)] == ["booked", "repeated", "conflict"]
    assert await town.holds(town.wallet, town.clearing) == [500, -500]


async def test_a_plates_debt_moves_to_the_person_who_proved_it(town) -> None:
    debt = town.settlement(300, wallet=None)
    await town.settle(debt, town.settlement(70, wallet=None))
    (mine,) = await town.open((AccountKind.RECEIVABLE, "person-1"))

    async def move(amount: int, fact: str) -> str:
        async with town.database.transaction() as tx:
            return await settle.move_debt(
                tx, id=ids.id_of(fact), session=debt.session, source=town.receivable, target=mine, amount=amount, at=town.now
            )

    assert [await move(300, "a"), await move(300, "a"), await move(200, "a")] == ["booked", "repeated", "conflict"]
    assert await move(1, "b") == "not_owed"
    assert await town.holds(town.receivable, mine) == [-70, -300]
    await town.fill(300)
    assert await town.pay(town.debt(debt, 300), dataclasses.replace(town.debt(debt, 300, 2), receivable=mine)) == ["not_owed", "paid"]


async def refund(town, payment: model.Settlement, amount: int | None, part: object) -> tuple[str, int]:
    async with town.database.transaction() as tx:
        given = await settle.refund(
            tx,
            id=ids.id_of("refund", payment.id, part),
            session=payment.session,
            payment=payment.id,
            wallet=payment.wallet,
            amount=amount,
            at=town.now,
        )
    return given.status, given.amount


async def test_refund_in_parts_leaves_a_fen(town) -> None:
    """The rest is what is left, so the last part takes it all."""
    await town.fill(1000)
    bill = town.settlement(1000)
    await town.settle(bill)

    thirds = [await refund(town, bill, amount, part) for part, amount in (("first", 333), ("second", 333), ("rest", None))]

    assert thirds == [("booked", 333), ("booked", 333), ("booked", 334)]

    assert await refund(town, bill, 1, "fourth") == ("too_much", 0)
    assert await refund(town, bill, None, "fifth") == ("too_much", 0)
    assert await refund(town, bill, None, "rest") == ("repeated", 334)
    assert await refund(town, bill, 5, "rest") == ("conflict", 0)
    async with town.database.snapshot() as tx:
        assert await settle.money_of(tx, bill.session) == model.SessionMoney(paid=1000, returned=1000)


async def test_racing_refunds_never_exceed_what_was_paid(town) -> None:
    await town.fill(1000)
    bill = town.settlement(1000)
    await town.settle(bill)

    answers = await asyncio.gather(*(refund(town, bill, 300, part) for part in range(8)))

    assert sorted(answers) == [("booked", 300)] * 3 + [("too_much", 0)] * 5
    assert await town.holds(town.wallet, town.payable) == [900, 100]


async def test_a_refund_after_a_correction_gives_only_what_is_left(town) -> None:
    await town.fill(1000)
    bill = town.settlement(1000)
    await town.settle(bill, town.settlement(-800, session=bill.session))

    assert await refund(town, bill, 201, 1) == ("too_much", 0)
    assert await refund(town, bill, None, 2) == ("booked", 200)


async def test_a_refund_names_a_payment_of_its_own_session(town) -> None:
    await town.fill(1000)
    bill, unpaid = town.settlement(1000), town.settlement(500)
    await town.settle(bill, unpaid)

    assert await refund(town, unpaid, 1, 1) == ("too_much", 0)
    assert await refund(town, dataclasses.replace(bill, session=unpaid.session), 1, 2) == ("too_much", 0)


async def test_the_same_id_from_many_connections_is_booked_once(town) -> None:
    await town.fill(1000)
    asked = [town.settlement(10, fact=place) for place in range(20)]

    answers = await asyncio.gather(*(town.settle(*asked) for _ in range(8)))

    assert sorted(answer[0][0] for answer in answers) == ["booked"] + ["repeated"] * 7
    assert await town.holds(town.wallet) == [800]


async def test_the_same_id_without_a_wallet_from_many_connections_is_booked_once(town) -> None:
    asked = [town.settlement(10, fact=place, wallet=None) for place in range(20)]

    answers = await asyncio.gather(*(town.settle(*asked) for _ in range(8)))

    assert sorted(answer[0][0] for answer in answers) == ["booked"] + ["repeated"] * 7


async def test_an_id_that_two_payers_take_at_the_same_moment_is_booked_for_one(town) -> None:
    (other,) = await town.open((AccountKind.WALLET, "person-2"))
    asked = town.settlement(10)

    async with town.database.transaction() as first:
        await settle.settle(first, [asked])
        second = asyncio.create_task(town.settle(dataclasses.replace(asked, wallet=other)))
        done, _ = await asyncio.wait([second], timeout=0.2)
        assert not done
    with pytest.raises(errors.IdTaken):
        await second

    assert await town.settle(dataclasses.replace(asked, wallet=other)) == [("conflict", 0, 0)]


async def test_accounts_open_once_however_many_ask(town) -> None:
    wanted = [(kind, f"owner-{number}") for number in range(30) for kind in (AccountKind.WALLET, AccountKind.RECEIVABLE)]

    answers = await asyncio.gather(*(town.open(*wanted, *reversed(wanted)) for _ in range(8)))

    assert all(answer == answers[0] for answer in answers)
    assert answers[0][:60] == answers[0][:59:-1]
    assert [model.kind_of(account) for account in answers[0][:60]] == [kind for kind, _ in wanted]


async def test_entries_are_signed_and_page_without_gap_or_repetition(town) -> None:
    await town.fill(1000)
    first = town.settlement(700, fee_bp=100)
    await town.settle(first, town.settlement(-200, session=first.session), town.settlement(600))

    async with town.database.snapshot() as tx:
        page = await settle.entries(tx, town.wallet, None, 2)
        rest = await settle.entries(tx, town.wallet, page[-1].seq, 50)
        operator = await settle.entries(tx, town.payable)
        fees = await settle.entries(tx, model.PLATFORM_FEE)
        debts = await settle.entries(tx, town.receivable)

    assert [(entry.amount, entry.code) for entry in page + rest] == [
        (-500, Code.SETTLED),
        (200, Code.CORRECTED),
        (-700, Code.SETTLED),
        (1000, Code.TOPPED_UP),
    ]
    assert [entry.amount for entry in operator] == [500, -200 + 2, 700 - 7]
    assert [entry.amount for entry in fees] == [-2, 7]
    assert [entry.amount for entry in debts] == [-100]
    assert page[1].session == first.session


async def test_the_postings_of_a_session_say_what_each_moved(town) -> None:
    await town.fill(60)
    first = town.settlement(100)
    less = town.settlement(-70, session=first.session, owed=40, before=first.id)
    await town.settle(first, less)

    async with town.database.snapshot() as tx:
        postings = await settle.postings_of(tx, first.session)

    assert [(one.id, one.code, one.paid, one.debt, one.of) for one in postings] == [
        (first.id, Code.SETTLED, 60, 40, None),
        (less.id, Code.CORRECTED, -30, -40, first.id),
    ]


async def test_an_account_that_was_never_opened_is_refused(town) -> None:
    unknown = (AccountKind.WALLET << model.KIND_BITS) + 999_999

    for wrong in ({"wallet": unknown}, {"payable": unknown + (4 << model.KIND_BITS), "wallet": None, "receivable": unknown}):
        with pytest.raises(errors.UnknownAccount):
            await town.settle(town.settlement(100, **wrong))


async def test_accounts_of_the_wrong_kind_are_refused(town) -> None:
    await town.fill(1000)

    for wrong in ({"payable": town.deferred}, {"wallet": town.receivable}, {"wallet": None, "deferred": town.payable}):
        with pytest.raises(errors.BoundBroken):
            await town.settle(town.settlement(100, **wrong))


async def test_the_kinds_here_are_the_kinds_there(town) -> None:
    rows = await town.owner_rows("SELECT kind, name FROM ledger.kind ORDER BY kind")

    assert [(row["kind"], row["name"]) for row in rows] == [(kind.value, kind.name.lower()) for kind in AccountKind]
