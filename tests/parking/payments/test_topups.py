"""A wallet is topped up through the bank: the straight way, and what people see of it."""

import asyncio
import contextlib
import uuid

import pytest

from foundation import ids
from foundation.clock import Clock
from foundation.sql import Query
from parking.ledger import settle
from parking.ledger.model import AccountKind, Settlement
from parking.payments import model
from parking.payments.poll_topups import poll_once, poll_topups
from parking.payments.providers import sim_bank

TOPUPS = "/api/v1/me/wallet/topups"


async def test_a_top_up_is_paid_unasked(town):
    topup = await town.top_up(10_000)
    await town.poll()

    assert await town.answered() == 200
    assert await town.steps(topup) == ["created", "submitted", "accepted", "paid"]
    assert await town.wallet() == (10_000, [10_000])
    assert (await town.ask("GET", f"{TOPUPS}/{topup}"))[1]["state"] == "paid"
    assert await town.told() == 1


async def test_the_running_poller_calls_the_bank_at_once(town):
    rounds = asyncio.Event()
    poller = asyncio.create_task(poll_topups(town.database, town.provider, town.clock, rounds.set))
    await rounds.wait()

    topup = await town.top_up(500)

    assert await asyncio.wait_for(town.answered(), 0.9) == 200  # Sooner than its next look, since the bell was rung.
    assert await town.state(topup) == "paid"
    poller.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await poller


async def test_the_number_is_on_disk_before_the_bank_hears_it(town):
    topup = await town.top_up()
    seen = []

    class Witness(sim_bank.SimBank):
        async def submit(self, number, amount):
            seen.append((number, await town.state(topup)))
            return await super().submit(number, amount)

    await poll_once(town.database, Witness(town.provider._settings, town.client, Clock()), town.clock, town.run)

    assert seen == [(model.number_of(topup), "submitted")]


NO_AMOUNTS = ("1.0", '"100"', "0", "-5", "1000001", "1e2", "true", "null", "9" * 30, "[1]")
OTHER_BODIES = (b'{"amount": 1}', b'{"amount": 1, "currency": "USD"}', b'{"amount": 1, "currency": "CNY", "fee": 0}', b"[]", b"")


async def test_an_amount_that_is_no_integer_of_fen_is_refused_by_its_field(town):
    for amount in NO_AMOUNTS:
        status, problem = await town.ask("POST", TOPUPS, b'{"amount": %s, "currency": "CNY"}' % amount.encode())
        assert (amount, status, problem["errors"][0]["pointer"]) == (amount, 422, "/amount")


async def test_another_currency_or_field_is_refused(town):
    for body in OTHER_BODIES:
        assert (body, (await town.ask("POST", TOPUPS, body))[0]) == (body, 422)


async def test_one_fen_is_an_amount(town):
    await town.top_up(1)
    await town.poll()
    await town.answered()

    assert await town.wallet() == (1, [1])


async def test_the_same_key_makes_one_top_up(town):
    body = {"amount": 100, "currency": "CNY"}
    answers = await asyncio.gather(*(town.ask("POST", TOPUPS, body, key="once") for _ in range(4)))

    assert {status for status, _ in answers} == {201}
    assert len({answer["id"] for _, answer in answers}) == 1
    assert (await town.ask("POST", TOPUPS, body | {"amount": 200}, key="once"))[0] == 409
    assert await town.poll() == 1


async def test_a_top_up_is_seen_only_by_its_person(town):
    topup = await town.top_up()

    town.person = ids.new_id()

    assert (await town.ask("GET", f"{TOPUPS}/{topup}"))[0] == 404
    assert (await town.ask("GET", f"{TOPUPS}/rubbish"))[0] == 404
    assert await town.wallet() == (0, [])


async def test_open_top_ups_of_a_person_are_bounded(town):
    for _ in range(model.PENDING_MAX):
        await town.top_up(1)

    assert (await town.ask("POST", TOPUPS, {"amount": 1, "currency": "CNY"}))[0] == 429


async def test_a_cursor_that_is_not_ours_is_refused(town):
    for cursor in ("rubbish", "WyJhIl0", "WzEuNV0", "WzFlOTld", "Wy0xXQ"):
        assert (cursor, (await town.ask("GET", f"/api/v1/me/wallet?cursor={cursor}"))[0]) == (cursor, 422)


async def test_the_wallet_says_what_moved_it_and_names_the_bill(town):
    session, town.bills = ids.new_id(), {}
    town.bills[session] = ids.new_id()
    await _paid(town, 10_000)
    await _park(town, session, 1_100)

    _, wallet = await town.ask("GET", "/api/v1/me/wallet")

    assert wallet["balance"] == {"amount": 8_900, "currency": "CNY"}
    assert [(entry["what"], entry["amount"]["amount"], entry.get("bill")) for entry in wallet["entries"]] == [
        ("parking", -1_100, str(town.bills[session])),
        ("top_up", 10_000, None),
    ]


async def test_a_top_up_that_arrives_during_a_settlement_is_ordered_by_the_wallet(town):
    for _ in range(5):
        town.person = ids.new_id()
        _, outcome = await asyncio.gather(_paid(town, 10_000), _park(town, ids.new_id(), 1_100))

        assert outcome.paid + outcome.debt == 1_100
        assert (await town.wallet())[0] == 10_000 - outcome.paid


async def _paid(town, amount):
    await town.top_up(amount)
    await town.poll()
    assert await town.answered() == 200


async def _park(town, session, amount):
    """A stay is settled for the person as the house of stays does it."""
    kinds = (AccountKind.WALLET, AccountKind.RECEIVABLE, AccountKind.PAYABLE, AccountKind.DEFERRED)
    owners = (str(town.person), str(town.person), "op-demo", "op-demo")

    async def work(tx):
        accounts = await settle.open_accounts(tx, list(zip(kinds, owners, strict=True)))
        named = dict(zip(("wallet", "receivable", "payable", "deferred"), accounts, strict=True))
        return await settle.settle(tx, [Settlement(id=session, session=session, amount=amount, owed=0, at=town.clock.city(), **named)])

    [outcome] = await town.database.run(work)
    return outcome


async def test_pages_of_the_wallet_neither_skip_nor_repeat(town):
    for amount in range(1, 8):
        await town.top_up(amount)
    await town.poll()
    for _ in range(7):
        await town.answered()

    seen, cursor = [], ""
    while cursor is not None:
        _, page = await town.ask("GET", f"/api/v1/me/wallet?limit=3{'&cursor=' + cursor if cursor else ''}")
        seen += [entry["amount"]["amount"] for entry in page["entries"]]
        cursor = page["next_cursor"]

    assert sorted(seen) == [1, 2, 3, 4, 5, 6, 7]


async def test_a_step_that_is_no_edge_cannot_be_written(town):
    topup = await town.top_up()
    await town.poll()
    await town.answered()

    with pytest.raises(Exception, match=r"topup_step_edge|topup_pending_is_asked"):
        async with town.database.transaction() as tx:
            await tx.execute(Query("x", "UPDATE parking.topup SET state = 'failed' WHERE id = $1"), topup)
    with pytest.raises(Exception, match="cannot be changed"):
        async with town.database.transaction() as tx:
            await tx.execute(Query("x", "UPDATE parking.topup SET amount = 1 WHERE id = $1"), topup)
    with pytest.raises(Exception, match="are kept"):
        async with town.database.transaction() as tx:
            await tx.execute(Query("x", "DELETE FROM parking.topup_step"))
    assert await town.state(topup) == "paid"


async def test_the_database_and_the_model_know_the_same_edges(connected):
    text = await connected.value(Query("x", "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'topup_step_edge'"))

    edges = {f"{was}>{state}" for was, states in model.EDGES.items() for state in states} | {">created"}

    assert {part for part in text.split("'") if ">" in part and part[-1].isalpha()} == edges


async def test_a_number_fits_every_provider():
    numbers = {model.number_of(uuid.uuid4()) for _ in range(100)}

    assert len(numbers) == 100
    assert all(len(number) <= 32 and number.isalnum() and number.isascii() for number in numbers)
