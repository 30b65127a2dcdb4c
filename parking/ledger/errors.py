"""What the ledger refuses. Everything here is a mistake of ours, not of a driver: a driver's "too little" is an outcome.

LedgerError
├── MoreThanPaid      ├── UnknownAccount    ├── IdTaken
└── BoundBroken       └── NotByHand
"""


class LedgerError(Exception):
    """The ledger refused, and nothing of the transaction may stand."""


class MoreThanPaid(LedgerError):
    """A correction wants to give back more than the session has paid and owes."""


class UnknownAccount(LedgerError):
    """A posting names an account that was never opened."""


class IdTaken(LedgerError):
    """The same id was booked with another payer at the same moment; asked again, the answer is "conflict"."""


class BoundBroken(LedgerError):
    """A balance would leave its bounds, or a leg joins accounts that have nothing to do with one another."""


class NotByHand(LedgerError):
    """Somebody tried to write, change or delete a row of the ledger without its functions."""
