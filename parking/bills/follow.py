"""When money arrives in a wallet, the debts that wait for it are paid."""

from collections.abc import Sequence

from foundation.clock import Clock
from foundation.events import TopUpPaid
from foundation.journal import Entry, Journal
from foundation.postgres import Transaction
from parking.bills.pay_bill import collect_debts


class DebtsFollower:
    name = "parking.debts"
    journal: Journal = "fact"
    kinds = frozenset({TopUpPaid.kind})

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        for entry in entries:
            fact = entry.event
            assert isinstance(fact, TopUpPaid)
            await collect_debts(tx, fact.person, now=self._clock.city())
