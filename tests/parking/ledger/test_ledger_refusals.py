"""What PostgreSQL itself refuses: everything but the ledger's functions to the application, and every false row to the owner."""

import uuid

import pytest

from foundation import postgres
from foundation.sql import Query
from parking.ledger import errors, settle, store

LEG = "gen_random_uuid(), 0, 1, gen_random_uuid(), now()"
INSERT = "INSERT INTO ledger.posting (id, digest, code, ref, event_at, d0, c0, a0) VALUES"

# As the application: it may read and call functions, nothing else.
BY_HAND = {
    "insert a posting": f"{INSERT} ({LEG}, {{wallet}}, {{payable}}, 1)",
    "change a posting": "UPDATE ledger.posting SET a0 = 1",
    "delete a posting": "DELETE FROM ledger.posting",
    "empty the postings": "TRUNCATE ledger.posting",
    "write a balance": "UPDATE ledger.balance SET credits = 1000000 WHERE account = {wallet}",
    "loosen a bound": "UPDATE ledger.balance SET low = NULL",
    "insert a balance": "INSERT INTO ledger.balance (account, credits) VALUES ({wallet}, 5)",
    "delete a balance": "DELETE FROM ledger.balance",
    "open an account": "INSERT INTO ledger.account (id, kind, owner) VALUES ((1::bigint << 48) + 7, 1, 'me')",
    "rename an account": "UPDATE ledger.account SET owner = 'me' WHERE id = {wallet}",
    "change a kind": "UPDATE ledger.kind SET low = NULL",
    "turn off a trigger": "ALTER TABLE ledger.balance DISABLE TRIGGER ALL",
    "replace a function": "CREATE FUNCTION ledger.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "use an inner function": """SELECT ledger.give_back(5, gen_random_uuid(), 0, gen_random_uuid(), NULL, now(), {wallet}, {payable},
                                                         100, 100, 0, NULL, NULL, 0)""",
    "take a number": "SELECT nextval('ledger.posting_seq')",
    "move the numbers": "SELECT setval('ledger.posting_seq', 1)",
    "lock the books": "SELECT 1 FROM ledger.balance FOR NO KEY UPDATE",
    "shadow the books": "CREATE TEMP TABLE x AS TABLE ledger.balance; UPDATE ledger.balance SET credits = 1",
}


@pytest.mark.parametrize("what", BY_HAND)
async def test_the_application_cannot(town, what: str) -> None:
    await town.fill(1000)

    async with town.database.pool.acquire() as connection:
        with pytest.raises(postgres.Refused) as refused:
            await connection.execute(BY_HAND[what].format(wallet=town.wallet, payable=town.payable))

    assert refused.value.sqlstate == "42501"
    assert await town.holds(town.wallet) == [1000]


async def test_a_temporary_table_of_the_same_name_deceives_no_function(town) -> None:
    await town.fill(1000)

    async with town.database.transaction() as tx:
        await tx.execute(
            Query("shadow", "CREATE TEMP TABLE balance AS SELECT account, low, high, debits, 9999 AS credits FROM ledger.balance")
        )
        await tx.execute(Query("path", "SET LOCAL search_path = pg_temp, ledger"))
        (outcome,) = await settle.settle(tx, [town.settlement(1500)])

    assert (outcome.paid, outcome.debt) == (1000, 500)


async def test_what_is_refused_comes_in_the_ledgers_own_words(town) -> None:
    with pytest.raises(errors.NotByHand):
        async with town.database.transaction() as tx:
            with store.refusals():
                await tx.execute(Query("sabotage", "UPDATE ledger.balance SET credits = 1"))


# As the owner, who may write: no false row stands. SQLSTATE, and the row or statement.
FALSE = {
    "an overdraft": ("23514", f"{INSERT} ({LEG}, {{wallet}}, {{payable}}, 1001)"),
    "a debt paid too often": ("23514", f"{INSERT} ({LEG}, {{deferred}}, {{receivable}}, 1)"),
    "an operator's overdraft": ("23514", f"{INSERT} ({LEG}, {{payable}}, {{wallet}}, 1)"),
    "nothing moved": ("23514", f"{INSERT} ({LEG}, {{wallet}}, {{payable}}, 0)"),
    "a negative amount": ("23514", f"{INSERT} ({LEG}, {{payable}}, {{wallet}}, -5)"),
    "a leg to itself": ("23514", f"{INSERT} ({LEG}, {{wallet}}, {{wallet}}, 5)"),
    "kinds that never meet": ("23514", f"{INSERT} ({LEG}, {{wallet}}, {{deferred}}, 5)"),
    "half a leg": ("23514", f"{INSERT.replace('a0)', 'a0, d1, c1)')} ({LEG}, {{wallet}}, {{payable}}, 5, {{wallet}}, {{payable}})"),
    "a second leg of nothing": ("23514", f"{INSERT.replace('a0)', 'a0, d1, c1, a1)')} ({LEG}, {{wallet}}, {{payable}}, 5, 1, 2, -5)"),
    "half a balance": ("23502", f"{INSERT} ({LEG}, {{wallet}}, NULL, 5)"),
    "an account never opened": ("OL002", f"{INSERT} ({LEG}, {{wallet}}, {{payable}} + 999999, 5)"),
    "a settlement of no session": ("23514", f"{INSERT} (gen_random_uuid(), 0, 1, NULL, now(), {{wallet}}, {{payable}}, 5)"),
    "a refund of nothing": ("23514", f"{INSERT} (gen_random_uuid(), 0, 3, gen_random_uuid(), now(), {{wallet}}, {{payable}}, 5)"),
    "an id twice": ("23505", f"{INSERT} ({{known}}, 0, 1, gen_random_uuid(), now(), {{wallet}}, {{payable}}, 5)"),
    "a changed posting": ("OL003", "UPDATE ledger.posting SET a0 = a0 + 1"),
    "a deleted posting": ("OL003", "DELETE FROM ledger.posting"),
    "emptied postings": ("OL003", "TRUNCATE ledger.posting"),
    "a balance by hand": ("OL003", "UPDATE ledger.balance SET credits = credits + 1 WHERE account = {wallet}"),
    "a new balance by hand": ("OL003", "INSERT INTO ledger.balance (account, credits) VALUES ({wallet}, 5)"),
    "a deleted balance": ("OL003", "DELETE FROM ledger.balance WHERE account = {wallet}"),
    "a renamed account": ("OL003", "UPDATE ledger.account SET owner = 'me' WHERE id = {wallet}"),
    "an id of another kind": ("23514", "INSERT INTO ledger.account (id, kind, owner) VALUES ((5::bigint << 48) + 7, 1, 'me')"),
    "an owner without a name": ("23514", "INSERT INTO ledger.account (id, kind, owner) VALUES ((1::bigint << 48) + 7, 1, '')"),
}


@pytest.mark.parametrize("what", FALSE)
async def test_not_even_the_owner_can_book(town, what: str) -> None:
    await town.fill(1000)
    async with town.database.snapshot() as tx:
        known = (await tx.value(Query("known", "SELECT id FROM ledger.posting"))) or uuid.UUID(int=0)
    names = {
        "wallet": town.wallet,
        "payable": town.payable,
        "deferred": town.deferred,
        "receivable": town.receivable,
        "known": f"'{known}'",
    }
    sqlstate, statement = FALSE[what]

    with pytest.raises(postgres.Refused) as refused:
        await town.owner(statement.format(**names))

    assert refused.value.sqlstate == sqlstate
    assert await town.holds(town.wallet) == [1000]


async def test_more_than_a_hundred_in_one_call_is_refused_there_too(town) -> None:
    nothing = ", ".join(["NULL"] * 10)

    for function in ("settle", "correct"):
        with pytest.raises(postgres.Refused) as refused:
            await town.owner(f"SELECT * FROM ledger.{function}(array_fill(gen_random_uuid(), ARRAY[101]), {nothing})")
        assert refused.value.sqlstate == "OL004"
