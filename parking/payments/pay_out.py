"""All that a wallet holds is paid out, once for each reference of the bank: its owner leaves, or wants it back."""

from datetime import datetime
from uuid import UUID

from foundation import ids
from foundation.errors import Conflict
from foundation.events import WalletPaidOut
from foundation.postgres import Transaction
from parking.bills.settle_bills import wallet_of
from parking.ledger import settle
from parking.ledger.model import AccountKind


async def pay_out(tx: Transaction, person: UUID, *, provider: str, reference: str, at: datetime) -> int:
    """How many fen; the same reference again says the same. Raises Conflict when there is nothing to pay out."""
    wallet, clearing = await settle.open_accounts(tx, [wallet_of(person), (AccountKind.CLEARING, provider)])
    posting = ids.id_of("paid out", person, reference)
    amount, fresh = await settle.pay_out(tx, id=posting, wallet=wallet, clearing=clearing, at=at)
    if amount == 0:
        raise Conflict("this wallet holds nothing that could be paid out")
    if fresh:
        tx.tell(WalletPaidOut(posting=posting, person=person, amount=amount), at=at)
    return amount
