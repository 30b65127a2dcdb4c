"""What a top-up is and which steps it may take: pure rules, no clock and no database."""

import base64
import enum
import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType, Protocol

from foundation import ids

FEN_MAX = 1_000_000  # Ten thousand yuan a top-up: above it a bank asks more than we do.
PENDING_MAX = 20  # Open top-ups of one person; each is asked for ever, so nobody may pile them up.
LOOKS = tuple(timedelta(seconds=s) for s in (2, 5, 15, 60, 600, 3600))  # Waits between looks; the last one is repeated.

YuanText = NewType("YuanText", str)  # A provider's decimal text in yuan; fen are integers and never look like this.
_YUAN = re.compile(r"(0|[1-9][0-9]{0,9})(?:\.([0-9]{1,2}))?")


class State(enum.StrEnum):
    CREATED = "created"  # Written with its number; nobody was called.
    SUBMITTED = "submitted"  # The provider is being called, or was when we died.
    UNKNOWN = "unknown"  # Called without an answer: asked until there is one, never given up.
    ACCEPTED = "accepted"  # The provider has the order and no money yet.
    ABSENT = "absent"  # The provider never saw the number: it may be submitted again, under the same one.
    FAILED = "failed"
    PAID = "paid"


S = State
EDGES: dict[State, frozenset[State]] = {
    S.CREATED: frozenset({S.SUBMITTED, S.PAID}),  # Paid without a call: our database was restored to before it.
    S.SUBMITTED: frozenset({S.UNKNOWN, S.ACCEPTED, S.ABSENT, S.FAILED, S.PAID}),
    S.UNKNOWN: frozenset({S.ACCEPTED, S.ABSENT, S.FAILED, S.PAID}),
    S.ACCEPTED: frozenset({S.FAILED, S.PAID}),
    S.ABSENT: frozenset({S.SUBMITTED, S.ACCEPTED, S.FAILED, S.PAID}),
    S.FAILED: frozenset({S.PAID}),  # Money that arrived has a place, however late.
    S.PAID: frozenset(),  # A paid top-up never fails; only a refund leads away from it.
}


class Cause(enum.StrEnum):
    """What made a top-up take a step."""

    PERSON = "person"
    POLLER = "poller"
    ANSWER = "answer"
    QUERY = "query"
    NOTIFY = "notify"


class Verdict(enum.StrEnum):
    """What became of a piece of news."""

    MOVED = "moved"
    NOTHING_NEW = "nothing_new"
    NO_SUCH_NUMBER = "no_such_number"
    OTHER_MERCHANT = "other_merchant"
    OTHER_AMOUNT = "other_amount"


REFUSED = frozenset({Verdict.NO_SUCH_NUMBER, Verdict.OTHER_MERCHANT, Verdict.OTHER_AMOUNT})


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUp:
    id: uuid.UUID
    person: uuid.UUID
    amount: int
    provider: str
    number: str
    state: State
    created_at: datetime
    polls: int
    pay_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a provider says of one order. `amount` in fen and `merchant` are what it names; None where it named none."""

    provider: str
    state: State
    cause: Cause
    amount: int | None = None
    ours: bool = True  # It names our merchant number.
    provider_ref: str | None = None
    pay_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """A callback whose signature was right."""

    id: str
    key_id: str
    digest: bytes
    number: str
    news: News


class Provider(Protocol):
    """A provider's client. Both calls raise ProviderAway when the truth is not known."""

    @property
    def name(self) -> str: ...

    async def submit(self, number: str, amount: int) -> News:
        """Order `amount` fen under our number; the same number again is the same order."""
        ...

    async def query(self, number: str) -> News: ...


def number_of(topup: uuid.UUID) -> str:
    """28 characters of A-Z and 2-7, since providers take at most 32 and no hyphens everywhere."""
    return "TU" + base64.b32encode(topup.bytes).decode().rstrip("=")


def posting_of(number: str) -> uuid.UUID:
    """The ledger's id of the money of a number: whoever books it, it is booked once."""
    return ids.id_of("topup", number)


def after(state: State, said: State) -> State | None:
    """The state after a piece of news, or None when it changes nothing."""
    return said if said is not State.SUBMITTED and said in EDGES[state] else None


def next_look(state: State, polls: int) -> timedelta | None:
    """How long to wait before the next look after `polls` of them; None when nothing is left to be asked.

    An absent order is submitted again at once. A failure is looked at through the whole ladder, since a success
    may still follow it and its callback may be lost; only then it is believed.
    """
    if state is State.PAID or (state is State.FAILED and polls > len(LOOKS)):
        return None
    if state is State.ABSENT:
        return timedelta(0)
    return LOOKS[min(max(polls, 1), len(LOOKS)) - 1]


def fen_from_yuan_text(text: YuanText) -> int:
    """Fen of a decimal text in yuan: "0.5" is 50. Raises ValueError for anything else, numbers included."""
    match = _YUAN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"not an amount in yuan: {text!r}")
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))


def yuan_text(fen: int) -> YuanText:
    return YuanText(f"{fen // 100}.{fen % 100:02d}")
