"""What is billed, and what a bill says of itself. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

State = Literal["open", "paid", "part_paid", "refunded", "void"]


@dataclass(frozen=True, slots=True)
class Billable:
    """A stay as far as money needs it. `left_at` is None while it has no believed end: nothing is due then."""

    session: UUID
    site: str
    plate_token: bytes
    plate_sealed: bytes
    plate_colour: str
    vehicle_type: str
    entered_at: datetime
    left_at: datetime | None
    certainty: Literal["sure", "doubtful"]
    person: UUID | None
    collect: bool  # The holder lets us take it from the wallet, and nothing about the stay is doubtful.
    void: bool = False


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill as it is stored."""

    id: UUID
    session: UUID
    site: str
    operator: str
    person: UUID | None
    plate_token: bytes
    entered_at: datetime
    left_at: datetime
    total: int
    paid: int
    owed: int
    version: int
    state: State
    lines: str
    certainty: str
    collect: bool
    tariff: str


def state_of(*, total: int, paid: int, owed: int, void: bool, refunded: bool) -> State:
    """The state that the amounts speak."""
    if void:
        return "void"
    if owed == 0:
        return "refunded" if refunded and total == 0 else "paid"
    return "part_paid" if paid else "open"
