"""Pay a debt after the stay: one bill, all that an unproved plate owes, or what a top-up can bear."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from foundation import ids
from foundation.errors import Conflict, NotFound
from foundation.events import DebtPaid
from foundation.postgres import Transaction
from parking.bills import store
from parking.bills.model import Bill
from parking.bills.settle_bills import receivable_of, wallet_of
from parking.ledger import settle as ledger
from parking.ledger.model import AccountKind, DebtPayment


async def pay_bill(tx: Transaction, bill: UUID, payer: UUID, *, now: datetime) -> None:
    """Pay one bill of one's own from the wallet. Raises NotFound, and Conflict when nothing is owed or the wallet holds too little."""
    row = await tx.row(store.queries.lock_bill, bill)
    if row is None or row["person"] != payer:
        raise NotFound
    found = store.bill_of(row)
    if found.owed == 0:
        raise Conflict("the bill is paid already", code="already_paid")
    if not await _pay(tx, found, payer, now):
        raise Conflict("the wallet holds too little; top it up first", code="too_little")


async def pay_dues(tx: Transaction, plate_token: bytes, payer: UUID, *, now: datetime) -> int:
    """Pay all that a plate owes, whoever holds it; answers the fen paid. Raises Conflict."""
    owed = [store.bill_of(row) for row in await tx.fetch(store.queries.lock_dues, plate_token)]
    if not owed:
        raise Conflict("this plate owes nothing", code="already_paid")
    for bill in owed:
        if not await _pay(tx, bill, payer, now):
            raise Conflict("the wallet holds too little for all of it; top it up first", code="too_little")
    return sum(bill.owed for bill in owed)


async def collect_debts(tx: Transaction, person: UUID, *, now: datetime) -> int:
    """After a top-up: the person's sure debts, oldest first, whole bills only, as far as the wallet goes."""
    collected = 0
    for row in await tx.fetch(store.queries.debts_of_person, person):
        bill = store.bill_of(row)
        if not await _pay(tx, bill, person, now):
            break
        collected += bill.owed
    return collected


async def _pay(tx: Transaction, bill: Bill, payer: UUID, now: datetime) -> bool:
    """Whether the wallet could bear it."""
    names = [
        wallet_of(payer),
        receivable_of(bill.plate_token, bill.person),
        (AccountKind.PAYABLE, bill.operator),
        (AccountKind.DEFERRED, bill.operator),
    ]
    wallet, receivable, payable, deferred = await ledger.open_accounts(tx, names)
    posting = ids.id_of("debt", bill.id, bill.version, bill.paid, payer)
    payment = DebtPayment(posting, bill.session, wallet, receivable, payable, deferred, bill.owed, now)
    (outcome,) = await ledger.pay_debt(tx, [payment])
    if outcome == "too_little":
        return False
    assert outcome == "paid", f"a debt is paid once, under its bill's lock: {outcome}"
    await store.save_payments(tx, [(posting, bill.id, payer, "wallet", bill.owed, now)])
    await tx.execute(store.queries.set_paid, bill.id, bill.owed, "paid")
    tx.tell(DebtPaid(bill=bill.id, session=bill.session, payer=payer, amount=bill.owed), at=now)
    return True


async def due_of(tx: Transaction, plate_tokens: Sequence[bytes]) -> dict[bytes, int]:
    """Fen that plates owe, whoever holds them: an amount tells nobody whether a plate is held."""
    return {row["plate_token"]: row["owed"] for row in await tx.fetch(store.queries.dues, list(plate_tokens))}
