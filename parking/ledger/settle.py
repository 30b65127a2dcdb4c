"""Everything that moves money or asks where it is; each takes an open transaction first, so a bill and its posting commit together.

Every request carries an id made from its fact (foundation.ids.id_of). The same id with the same body is `repeated` and
moves nothing; with another body it is a `conflict`. Nothing here is refused for lack of money but a debt's payment:
a session that its wallet cannot bear becomes a debt.
"""

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from foundation import money
from foundation.postgres import Transaction
from parking.ledger import model, store
from parking.ledger.model import (
    AccountKind,
    Code,
    DebtPayment,
    Discrepancy,
    Entry,
    MoveStatus,
    Outcome,
    PayOutcome,
    Posting,
    RefundOutcome,
    SessionMoney,
    Settlement,
    Status,
)

ENTRIES_MAX = 500
_PAY_OUTCOMES: tuple[PayOutcome, ...] = ("paid", "too_little", "not_owed")


async def settle(tx: Transaction, settlements: Sequence[Settlement]) -> list[Outcome]:
    """Book what each session costs now less what was booked, with the meaning of one after the other in the given order.

    A positive amount is paid by the wallet as far as it holds (not at all without one, or when `collect` is off); the rest
    is a debt. A negative one takes back the open debt, then gives back what was paid: to the wallet, or without one to the
    platform's account `unclaimed`. What the operator's account can no longer bear is paid by `advanced:<operator>`, whose
    negative balance is what that operator owes the platform. Raises MoreThanPaid, UnknownAccount, IdTaken.
    """
    runs = model.runs_of(settlements)
    if len(runs) > 1:
        await _lock_all(tx, settlements)
    booked: dict[int, Outcome] = {}
    for places in runs:
        booked |= await _book(tx, settlements, places)
    if len(booked) == len(settlements):
        return [booked[place] for place in range(len(settlements))]
    before = await _booked_before(tx, [one.id for place, one in enumerate(settlements) if place not in booked])
    return [booked.get(place) or _outcome_before(one, before.get(one.id)) for place, one in enumerate(settlements)]


async def _book(tx: Transaction, settlements: Sequence[Settlement], places: Sequence[int]) -> dict[int, Outcome]:
    """Outcomes of what was booked now, by place."""
    run = [settlements[place] for place in places]
    paid = await (store.settle if run[0].amount > 0 else store.correct)(tx, run)
    return {places[nth]: Outcome("booked", fen, run[nth].amount - fen) for nth, fen in paid.items()}


async def _lock_all(tx: Transaction, requests: Sequence[Settlement | DebtPayment]) -> None:
    """Several calls in one transaction would lock in several orders; so everything is locked first, in the one order."""
    await lock_accounts(tx, [model.PLATFORM_FEE, *itertools.chain.from_iterable(one.accounts() for one in requests)])


async def _booked_before(tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, Posting]:
    return await store.postings_by_id(tx, ids) if ids else {}


def _outcome_before(asked: Settlement, posting: Posting | None) -> Outcome:
    if posting is None:
        assert asked.amount == 0, "what was neither booked now nor before had nothing to book"
        return Outcome("booked", 0, 0)
    if posting.digest != asked.digest():
        return Outcome("conflict", 0, 0)
    return Outcome("repeated", posting.paid, posting.debt)


async def pay_debt(tx: Transaction, payments: Sequence[DebtPayment]) -> list[PayOutcome]:
    """Pay debts one after the other, each whole or not at all.

    `not_owed`: the session does not owe so much on this account (any more), as when two gates collect the same debt at once.
    """
    if len(payments) > model.BATCH_MAX:
        await _lock_all(tx, payments)
    statuses: dict[int, int] = {}
    for start in range(0, len(payments), model.BATCH_MAX):
        now = await store.pay_debt(tx, payments[start : start + model.BATCH_MAX])
        statuses |= {start + place: status for place, status in now.items()}
    before = await _booked_before(tx, [one.id for place, one in enumerate(payments) if place not in statuses])
    return [
        _PAY_OUTCOMES[statuses[place]] if place in statuses else _same(before[one.id], one.digest()) for place, one in enumerate(payments)
    ]


def _same(posting: Posting, digest: int) -> Literal["repeated", "conflict"]:
    return "repeated" if posting.digest == digest else "conflict"


async def top_up(tx: Transaction, *, id: UUID, wallet: int, clearing: int, amount: int, at: datetime) -> Status:
    """Money that a provider holds for us becomes a person's."""
    _positive(amount)
    digest = model.digest_of(Code.TOPPED_UP, wallet, clearing, amount)
    if await store.top_up(tx, id, digest, wallet, clearing, amount, at):
        return "booked"
    return _same((await _booked_before(tx, [id]))[id], digest)


async def pay_out(tx: Transaction, *, id: UUID, wallet: int, clearing: int, at: datetime) -> tuple[int, bool]:
    """All that a wallet holds goes out; answers how much went under this id, and whether it went just now."""
    digest = model.digest_of(Code.PAID_OUT, wallet, clearing)
    amount = await store.pay_out(tx, id, digest, wallet, clearing, at)
    if amount is not None:
        return amount, amount > 0
    before = (await _booked_before(tx, [id]))[id]
    assert before.digest == digest, "the id follows from whose wallet it is"
    return sum(leg.amount for leg in before.legs), False


async def refund(
    tx: Transaction, *, id: UUID, session: UUID, payment: UUID, wallet: int | None, amount: int | None, at: datetime
) -> RefundOutcome:
    """Give back a part of the payment posted as `payment`; with no amount the rest, which is paid less refunded.

    All refunds of a payment together never exceed it, nor what its session has paid and not got back: `too_much`.
    """
    if amount is not None:
        _positive(amount)
    digest = model.digest_of(Code.REFUNDED, session.int, payment.int, wallet, amount)
    back = await store.refund(tx, id, digest, session, wallet, payment, amount, at)
    if back is not None:
        return RefundOutcome("booked", back) if back else RefundOutcome("too_much", 0)
    posting = (await _booked_before(tx, [id]))[id]
    if posting.digest != digest:
        return RefundOutcome("conflict", 0)
    return RefundOutcome("repeated", -posting.paid)


async def move_debt(tx: Transaction, *, id: UUID, session: UUID, source: int, target: int, amount: int, at: datetime) -> MoveStatus:
    """A session's debt goes to another receivable: from a plate to the person who proved it."""
    _positive(amount)
    digest = model.digest_of(Code.DEBT_MOVED, session.int, source, target, amount)
    status = await store.move_debt(tx, id, digest, session, source, target, amount, at)
    if status is None:
        return _same((await _booked_before(tx, [id]))[id], digest)
    return "not_owed" if status else "booked"


async def open_accounts(tx: Transaction, wanted: Sequence[tuple[AccountKind, str]]) -> list[int]:
    """Ids in the order asked, opening what is not there. Accounts that exist are only read."""
    return await store.open_accounts(tx, wanted) if wanted else []


async def lock_accounts(tx: Transaction, accounts: Sequence[int]) -> None:
    """For a transaction that will make several calls: without it two of them may wait for each other and one is run again."""
    await store.lock_accounts(tx, accounts)


async def balance_of(tx: Transaction, account: int) -> int:
    """Credits less debits, in fen; what is not open holds nothing."""
    return (await store.balances_of(tx, [account])).get(account, 0)


async def balances_of(tx: Transaction, accounts: Sequence[int]) -> dict[int, int]:
    """Credits less debits of each account, in fen."""
    return dict.fromkeys(accounts, 0) | await store.balances_of(tx, accounts)


async def entries(tx: Transaction, account: int, before: int | None = None, limit: int = 50) -> list[Entry]:
    """An account's postings, newest first, below the `seq` of the last one seen. At most ENTRIES_MAX."""
    return await store.entries(tx, account, before, min(limit, ENTRIES_MAX))


async def postings_of(tx: Transaction, session: UUID) -> list[Posting]:
    """Everything booked for a session, oldest first."""
    return await store.postings_of(tx, session)


async def money_of(tx: Transaction, session: UUID) -> SessionMoney:
    """A session's sums over its postings."""
    return await store.session_money(tx, session)


async def proof(tx: Transaction) -> list[Discrepancy]:
    """All balances computed again from all postings: must be empty."""
    return await store.proof(tx)


def _positive(amount: int) -> None:
    if not 0 < amount <= money.FEN_MAX:
        raise ValueError(f"{amount} fen is not an amount to move")
