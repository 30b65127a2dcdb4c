"""What is still open between a person and the car parks: nobody is forgotten while money is."""

from dataclasses import dataclass
from uuid import UUID

from foundation.postgres import Transaction
from parking.bills import store
from parking.bills.settle_bills import wallet_of
from parking.ledger import settle as ledger


@dataclass(frozen=True, slots=True)
class OpenMoney:
    """Fen in the wallet and fen owed; stays that are not over, and top-ups that are on their way."""

    wallet: int
    owed: int
    bills: int
    stays: int
    topups: int


async def open_money(tx: Transaction, person: UUID) -> OpenMoney:
    """With her wallet held until the transaction ends: nothing comes in between looking and acting."""
    [wallet] = await ledger.open_accounts(tx, [wallet_of(person)])
    await ledger.lock_accounts(tx, [wallet])
    row = await tx.row(store.queries.open_of_person, person)
    assert row is not None, "sums of nothing are a row, too"
    return OpenMoney(await ledger.balance_of(tx, wallet), row["owed"], row["bills"], row["stays"], row["topups"])
