"""The ledger's queries with their types, and what PostgreSQL refuses said in the ledger's own words."""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from foundation import postgres, sql
from foundation.postgres import Record, Transaction
from parking.ledger import errors, model
from parking.ledger.model import AccountKind, Code, DebtPayment, Discrepancy, Entry, Leg, Posting, SessionMoney, Settlement

queries = sql.load("parking.ledger")

NEWEST = 2**63 - 1
_REFUSALS: dict[str, type[errors.LedgerError]] = {
    "OL001": errors.MoreThanPaid,
    "OL002": errors.UnknownAccount,
    "OL003": errors.NotByHand,
    "23505": errors.IdTaken,
    "23514": errors.BoundBroken,
    "42501": errors.NotByHand,
}


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Foreign errors end here; a deadlock stays what it is, since the transaction is run again for it."""
    try:
        yield
    except postgres.Refused as error:
        refused = _REFUSALS.get(error.sqlstate or "")
        if refused is None:
            raise
        raise refused(str(error)) from error


async def open_accounts(tx: Transaction, wanted: Sequence[tuple[AccountKind, str]]) -> list[int]:
    with refusals():
        ids = await tx.value(queries.open_accounts, [int(kind) for kind, _ in wanted], [owner for _, owner in wanted])
    return cast(list[int], ids or [])


async def lock_accounts(tx: Transaction, accounts: Sequence[int]) -> None:
    with refusals():
        await tx.value(queries.lock_accounts, accounts)


async def settle(tx: Transaction, charges: Sequence[Settlement]) -> dict[int, int]:
    """Fen paid, by place in `charges`; a place that is missing was booked before."""
    rows = [
        (s.id, s.digest(), s.session, s.payer, s.receivable, s.payable, s.deferred, s.amount, s.fee_bp, s.before, s.at) for s in charges
    ]
    with refusals():
        booked = await tx.fetch(queries.settle, *_columns(rows))
    return {row[0] - 1: row[1] for row in booked}


async def correct(tx: Transaction, corrections: Sequence[Settlement]) -> dict[int, int]:
    """Fen paid (not above zero), by place in `corrections`; a place that is missing was booked before."""
    rows = [
        (s.id, s.digest(), s.session, s.wallet, s.receivable, s.payable, s.deferred, -s.amount, s.owed, s.before, s.at) for s in corrections
    ]
    with refusals():
        booked = await tx.fetch(queries.correct, *_columns(rows))
    return {row[0] - 1: row[1] for row in booked}


async def pay_debt(tx: Transaction, payments: Sequence[DebtPayment]) -> dict[int, int]:
    """0 paid, 1 too little, 2 not owed, by place in `payments`; a place that is missing was booked before."""
    rows = [(p.id, p.digest(), p.session, p.wallet, p.receivable, p.payable, p.deferred, p.amount, p.at) for p in payments]
    with refusals():
        return {row[0] - 1: row[1] for row in await tx.fetch(queries.pay_debt, *_columns(rows))}


async def refund(
    tx: Transaction, id: UUID, digest: int, session: UUID, wallet: int | None, payment: UUID, amount: int | None, at: datetime
) -> int | None:
    with refusals():
        return cast(int | None, await tx.value(queries.refund, id, digest, session, wallet, payment, amount, at))


async def top_up(tx: Transaction, id: UUID, digest: int, wallet: int, clearing: int, amount: int, at: datetime) -> bool:
    with refusals():
        return bool(await tx.value(queries.top_up, id, digest, wallet, clearing, amount, at))


async def pay_out(tx: Transaction, id: UUID, digest: int, wallet: int, clearing: int, at: datetime) -> int | None:
    with refusals():
        return cast(int | None, await tx.value(queries.pay_out, id, digest, wallet, clearing, at))


async def move_debt(
    tx: Transaction, id: UUID, digest: int, session: UUID, source: int, target: int, amount: int, at: datetime
) -> int | None:
    with refusals():
        return cast(int | None, await tx.value(queries.move_debt, id, digest, session, source, target, amount, at))


async def postings_by_id(tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, Posting]:
    return {row["id"]: _posting(row) for row in await tx.fetch(queries.postings_by_id, ids)}


async def postings_of(tx: Transaction, session: UUID) -> list[Posting]:
    return [_posting(row) for row in await tx.fetch(queries.postings_of, session)]


async def session_money(tx: Transaction, session: UUID) -> SessionMoney:
    row = await tx.row(queries.session_money, session)
    return SessionMoney(*row) if row else SessionMoney()


async def balances_of(tx: Transaction, accounts: Sequence[int]) -> dict[int, int]:
    return {row["account"]: row["balance"] for row in await tx.fetch(queries.balances_of, accounts)}


async def entries(tx: Transaction, account: int, before: int | None, limit: int) -> list[Entry]:
    rows = await tx.fetch(queries.entries, account, NEWEST if before is None else before, limit)
    return [Entry(row["seq"], row["event_at"], row["amount"], Code(row["code"]), row["ref"]) for row in rows]


async def proof(tx: Transaction) -> list[Discrepancy]:
    return [Discrepancy(*row) for row in await tx.fetch(queries.proof)]


def _columns(rows: Sequence[tuple[object, ...]]) -> list[tuple[object, ...]]:
    assert 0 < len(rows) <= model.BATCH_MAX
    return list(zip(*rows, strict=True))


def _posting(row: Record) -> Posting:
    legs = ((row["d0"], row["c0"], row["a0"]), (row["d1"], row["c1"], row["a1"]), (row["d2"], row["c2"], row["a2"]))
    return Posting(
        id=row["id"],
        seq=row["seq"],
        at=row["event_at"],
        code=Code(row["code"]),
        session=row["ref"],
        digest=row["digest"],
        of=row["of"],
        legs=tuple(Leg(*leg) for leg in legs if leg[2] is not None),
    )
