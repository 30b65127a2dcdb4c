"""What the ledger believes: kinds of account, requests and their digests, outcomes, and a division that loses nothing."""

import enum
import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal, InvalidOperation, localcontext
from typing import Literal
from uuid import UUID

from foundation import money

BATCH_MAX = 100  # postings a call: beyond it the locks of a batch are held too long for those who wait
KIND_BITS = 48
OWNER_LENGTH_MAX = 200
WEIGHT_DIGITS_MAX = 50


class AccountKind(enum.IntEnum):
    """In the order in which accounts are locked; bounds are in the table ledger.kind."""

    WALLET = 1
    CLEARING = 2
    RECEIVABLE = 3
    DEFERRED = 4
    PAYABLE = 5
    PLATFORM_FEE = 6
    SUSPENSE = 7


PLATFORM_FEE = AccountKind.PLATFORM_FEE << KIND_BITS
ROUNDING = AccountKind.SUSPENSE << KIND_BITS
UNCLAIMED = (AccountKind.SUSPENSE << KIND_BITS) + 1
PAYERS = (AccountKind.WALLET, AccountKind.CLEARING)
PAYEES = (*PAYERS, AccountKind.SUSPENSE)


class Code(enum.IntEnum):
    """Why a posting was made."""

    SETTLED = 1
    TOPPED_UP = 2
    REFUNDED = 3
    DEBT_PAID = 4
    CORRECTED = 5
    DEBT_MOVED = 6
    PAID_OUT = 7


def kind_of(account: int) -> AccountKind:
    """An account's id begins with its kind."""
    return AccountKind(account >> KIND_BITS)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a session costs now less what is booked, in fen. `owed` is what of it is open debt, the bill being locked."""

    id: UUID
    session: UUID
    wallet: int | None
    receivable: int
    payable: int
    deferred: int
    amount: int
    owed: int
    at: datetime
    collect: bool = True
    fee_bp: int = 0
    before: UUID | None = None

    def __post_init__(self) -> None:
        _within(-money.FEN_MAX, self.amount, money.FEN_MAX)
        _within(0, self.owed, money.FEN_MAX)
        _within(0, self.fee_bp, 10_000)

    @property
    def payer(self) -> int | None:
        return self.wallet if self.collect else None

    def digest(self) -> int:
        """`owed` and `at` are not part of it: asked again later, they may differ while the request is the same."""
        return digest_of(
            *(Code.SETTLED, self.session.int, self.wallet, self.receivable, self.payable, self.deferred),
            *(self.amount, self.collect, self.fee_bp, None if self.before is None else self.before.int),
        )

    def accounts(self) -> tuple[int, ...]:
        owner = (self.receivable, self.payable, self.deferred)
        return owner if self.wallet is None else (self.wallet, *owner)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What moved: `paid` by the wallet and `debt` added, both signed, in fen. A repeated id answers what was booked first."""

    status: Literal["booked", "repeated", "conflict"]
    paid: int
    debt: int


@dataclass(frozen=True, slots=True)
class DebtPayment:
    """One session's debt, paid whole by a wallet (or a provider's clearing account)."""

    id: UUID
    session: UUID
    wallet: int
    receivable: int
    payable: int
    deferred: int
    amount: int
    at: datetime

    def __post_init__(self) -> None:
        _within(1, self.amount, money.FEN_MAX)

    def digest(self) -> int:
        return digest_of(Code.DEBT_PAID, self.session.int, self.wallet, self.receivable, self.payable, self.deferred, self.amount)

    def accounts(self) -> tuple[int, ...]:
        return (self.wallet, self.receivable, self.payable, self.deferred)


PayOutcome = Literal["paid", "repeated", "conflict", "too_little", "not_owed"]
Status = Literal["booked", "repeated", "conflict"]
MoveStatus = Literal["booked", "repeated", "conflict", "not_owed"]


@dataclass(frozen=True, slots=True)
class RefundOutcome:
    """What was given back, in fen; 0 when `too_much` was asked or the id is in conflict."""

    status: Literal["booked", "repeated", "conflict", "too_much"]
    amount: int


@dataclass(frozen=True, slots=True)
class Leg:
    debit: int
    credit: int
    amount: int


@dataclass(frozen=True, slots=True)
class Posting:
    """One row of the ledger. `of` is the posting before it, or the payment that a refund gives back."""

    id: UUID
    seq: int
    at: datetime
    code: Code
    session: UUID | None
    digest: int
    of: UUID | None
    legs: tuple[Leg, ...]

    @property
    def paid(self) -> int:
        """Fen that came from payers to an operator; below zero what went back."""
        came = sum(leg.amount for leg in self.legs if kind_of(leg.debit) in PAYERS and kind_of(leg.credit) is AccountKind.PAYABLE)
        return came - sum(leg.amount for leg in self.legs if kind_of(leg.credit) in PAYEES)

    @property
    def debt(self) -> int:
        """Fen by which what is owed has grown."""
        grown = sum(leg.amount for leg in self.legs if kind_of(leg.credit) is AccountKind.DEFERRED)
        return grown - sum(leg.amount for leg in self.legs if kind_of(leg.debit) is AccountKind.DEFERRED)


@dataclass(frozen=True, slots=True)
class Entry:
    """One posting as one account sees it: in is positive, out negative."""

    seq: int
    at: datetime
    amount: int
    code: Code
    session: UUID | None


@dataclass(frozen=True, slots=True)
class SessionMoney:
    """A session's sums over its postings, in fen. What may still be refunded is `paid - returned`."""

    paid: int = 0
    returned: int = 0
    fee: int = 0
    owed: int = 0


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A balance that is not the sum of its postings: an incident."""

    account: int
    debits: int | None
    credits: int | None
    debits_posted: int | None
    credits_posted: int | None


def digest_of(*parts: int | None) -> int:
    """64 bits of what was asked, signed as PostgreSQL's bigint is: tells an honest repetition from a reused id."""
    text = " ".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big", signed=True)


def runs_of(settlements: Sequence[Settlement]) -> list[list[int]]:
    """Places cut into runs of one sign and at most BATCH_MAX that, booked one after the other, mean the same as the given order.

    An id stands in them once, where it comes first. When no wallet and no session stands on both sides, all charges may go
    before all corrections: two runs instead of many.
    """
    first = {one.id: place for place, one in reversed(list(enumerate(settlements)))}
    moving = [place for place in sorted(first.values()) if settlements[place].amount]
    charges = [place for place in moving if settlements[place].amount > 0]
    corrections = [place for place in moving if settlements[place].amount < 0]
    runs = [charges, corrections]
    if charges and corrections and _touched(settlements, charges) & _touched(settlements, corrections):
        runs = [list(run) for _, run in itertools.groupby(moving, lambda place: settlements[place].amount > 0)]
    return [run[start : start + BATCH_MAX] for run in runs for start in range(0, len(run), BATCH_MAX)]


def _touched(settlements: Sequence[Settlement], places: Sequence[int]) -> set[object]:
    return {key for place in places for key in (settlements[place].session, settlements[place].wallet) if key is not None}


def split_by_weights(amount: int, weights: Sequence[str]) -> tuple[list[int], int]:
    """Parts of `amount` fen by decimal weights, each floored, and the remainder for the named account (ROUNDING).

    Weights are decimal strings: a binary float has lost its digits before it arrives, so it is refused (TypeError).
    """
    if amount < 0:
        raise ValueError("an amount to divide is not negative")
    exact = _whole_numbers([_weight(text) for text in weights])
    total = sum(exact)
    if total <= 0:
        raise ValueError("weights add up to nothing")
    parts = [amount * weight // total for weight in exact]
    return parts, amount - sum(parts)


def _weight(text: str) -> Decimal:
    if not isinstance(text, str):
        raise TypeError(f"a weight is a decimal string, not {type(text).__name__}")
    try:
        weight = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a decimal") from None
    if (
        not weight.is_finite()
        or weight < 0
        or abs(weight.adjusted()) > WEIGHT_DIGITS_MAX
        or len(weight.as_tuple().digits) > WEIGHT_DIGITS_MAX
    ):
        raise ValueError(f"{text!r} is not a weight: a finite decimal from 0, of at most {WEIGHT_DIGITS_MAX} digits")
    return weight


def _whole_numbers(weights: Sequence[Decimal]) -> list[int]:
    """The same proportions as integers, exactly."""
    shift = max((-int(weight.as_tuple().exponent) for weight in weights), default=0)
    with localcontext(prec=6 * WEIGHT_DIGITS_MAX, rounding=ROUND_DOWN):
        return [int(weight.scaleb(max(shift, 0))) for weight in weights]


def _within(low: int, number: int, high: int) -> None:
    if not low <= number <= high:
        raise ValueError(f"{number} is not between {low} and {high}")
