"""Money as the contract writes it: an integer of fen and its currency, never a fraction."""

from typing import Annotated

import msgspec

CURRENCY = "CNY"
FEN_MAX = 100_000_000_00  # one hundred million yuan: beyond any bill, far below a bigint's end


class Money(msgspec.Struct, frozen=True):
    amount: int
    currency: str = CURRENCY


class Amount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Money as somebody sends it: only a JSON integer will do, since 1.0 and "100" show a sender who guesses units."""

    amount: msgspec.Raw
    currency: Annotated[str, msgspec.Meta(pattern="^CNY$")]


def money(fen: int) -> Money:
    return Money(fen)


def fen_of(raw: msgspec.Raw) -> int | None:
    """The integer a sender wrote, or nothing when it is any other JSON value or out of range."""
    text = bytes(raw).strip()
    if not text.lstrip(b"-").isdigit() or len(text) > 12:
        return None
    fen = int(text)
    return fen if 0 < fen <= FEN_MAX else None
