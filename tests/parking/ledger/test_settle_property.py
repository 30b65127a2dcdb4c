"""Whatever a session was said to cost on the way, in the end it has cost what was said last, and nobody else paid for it."""

import dataclasses

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from foundation import ids
from parking.ledger import settle
from parking.ledger.model import AccountKind

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("target"), st.integers(0, 2000)),
        st.tuples(st.just("top up"), st.integers(1, 1500)),
        st.tuples(st.just("pay"), st.just(0)),
        st.tuples(st.just("pay out"), st.integers(1, 2000)),
    ),
    max_size=12,
)


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True, database=None
)
@given(steps=STEPS, last=st.integers(0, 2000), together=st.booleans(), fee_bp=st.sampled_from([0, 60, 3333]))
async def test_any_history_of_targets_ends_at_the_last_one(
    town, steps: list[tuple[str, int]], last: int, together: bool, fee_bp: int
) -> None:
    session = ids.new_id()
    wallet, receivable = await town.open((AccountKind.WALLET, str(session)), (AccountKind.RECEIVABLE, str(session)))
    mine = dataclasses.replace(town, wallet=wallet, receivable=receivable)
    before = await town.holds(town.payable, town.deferred)
    filled = booked = 0
    waiting = []

    async def flush() -> None:
        await mine.settle(*waiting)
        waiting.clear()

    for nth, (what, number) in enumerate([*steps, ("target", last)]):
        if what == "target":
            asked = mine.settlement(number - booked, session=session, fact=nth, owed=booked, fee_bp=fee_bp)
            booked = number
            waiting.append(asked)
        if what != "target" or not together:
            await flush()
        if what == "top up":
            await mine.fill(number, (session, nth))
            filled += number
        elif what == "pay":
            async with town.database.snapshot() as tx:
                owed = (await settle.money_of(tx, session)).owed
            if owed:
                await mine.pay(mine.debt(mine.settlement(0, session=session), owed, nth))
        elif what == "pay out" and (held := (await town.holds(town.payable))[0]):
            await town.pay_out(min(held, number))
    await flush()

    async with town.database.snapshot() as tx:
        money = await settle.money_of(tx, session)
    holds, owes = await town.holds(wallet, receivable)
    assert (money.paid - money.returned + money.owed, -owes) == (last, money.owed)
    assert holds + owes == filled - last
    assert money.fee <= (money.paid - money.returned) * fee_bp // 10_000
    assert (await town.holds(town.deferred))[0] - before[1] == money.owed
