"""What payments answer when asked: the wallet, its top-ups, and the provider's callback."""

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol

import msgspec
import structlog
from prometheus_client import Counter

from foundation import http, money
from foundation.clock import Clock, rfc3339
from foundation.errors import NotFound, invalid
from foundation.http import Call, Paged, Reply, Route, Who
from foundation.money import Amount, Money
from foundation.postgres import Database, Transaction
from foundation.seal import Keys
from parking.ledger import model as ledger
from parking.ledger import settle
from parking.ledger.model import AccountKind, Code
from parking.payments import model, store
from parking.payments.apply_news import alarm
from parking.payments.errors import NotifyRefused
from parking.payments.hear_notify import hear_notify
from parking.payments.model import Notify, State, TopUp
from parking.payments.top_up import top_up

log = structlog.get_logger()

REFUSED = Counter("onelot_payments_notifies_refused_total", "Callbacks that did not prove who sent them", ["reason"])
WHAT = {
    Code.TOPPED_UP: "top_up",
    Code.SETTLED: "parking",
    Code.DEBT_PAID: "debt_paid",
    Code.REFUNDED: "refund",
    Code.CORRECTED: "correction",
    Code.DEBT_MOVED: "debt_moved",
    Code.PAID_OUT: "paid_out",
}


class BillOf(Protocol):
    """The bill of each of these sessions that has one; the house of stays knows."""

    async def __call__(self, tx: Transaction, sessions: Collection[uuid.UUID]) -> Mapping[uuid.UUID, uuid.UUID]: ...


class NotifyReader(Protocol):
    """A provider's reader of callbacks: raises NotifyRefused for what is not proven."""

    @property
    def name(self) -> str: ...

    def read_notify(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> Notify: ...


class TopUpSaid(msgspec.Struct, frozen=True, omit_defaults=True):
    """`state` is pending, paid or failed; a failed one turns paid when its money arrives after all."""

    id: uuid.UUID
    state: str
    amount: Money
    at: str
    pay_url: str | None = None


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One movement of a wallet: in is positive, out negative."""

    at: str
    amount: Money
    what: str
    bill: uuid.UUID | None = None


class Wallet(msgspec.Struct, frozen=True):
    balance: Money
    entries: list[Entry]
    next_cursor: str | None = None


class Thanks(msgspec.Struct, frozen=True):
    code: str = "SUCCESS"


def routes(database: Database, keys: Keys, clock: Clock, bank: NotifyReader, bill_of: BillOf) -> list[Route]:
    """`bank` is the provider that new top-ups go to."""

    async def create_topup(call: Call) -> Reply:
        amount = _fen(call.body)

        async def work(tx: Transaction) -> Reply:
            wall = clock.wall()
            at = clock.city_at(wall)
            topup = await top_up(tx, call.me.person, amount, provider=bank.name, at=at, wall=wall)
            return Reply(TopUpSaid(topup, "pending", money.money(amount), rfc3339(at)), 201)

        return await http.once(database, keys, call, work)

    async def get_topup(call: Call) -> TopUpSaid:
        topup = await store.fetch_topup(database, _id(call.path["topup"]), call.me.person)
        if topup is None:
            raise NotFound
        return _said(topup)

    async def get_wallet(call: Call) -> Wallet:
        return await _wallet(database, call.me.person, call.query, bill_of)

    async def notify(call: Call) -> Thanks:
        wall = clock.wall()
        try:
            heard = bank.read_notify(call.headers, call.raw, wall)
        except NotifyRefused as error:
            _count_refused(bank.name, error)
            raise
        await hear_notify(database, heard, clock.city_at(wall))
        return Thanks()

    me, wallet = Who.PERSON, "/api/v1/me/wallet"
    return [
        Route("GET", wallet, get_wallet, "My wallet and what moved it", me, query=Paged, answer=Wallet),
        Route("POST", f"{wallet}/topups", create_topup, "Top up my wallet", me, body=Amount, answer=TopUpSaid, status=201, idempotent=True),
        Route("GET", f"{wallet}/topups/{{topup}}", get_topup, "One of my top-ups", me, answer=TopUpSaid),
        Route("POST", f"/api/v1/providers/{bank.name}/notify", notify, "The bank calls back, signed", answer=Thanks, raw_body=True),
    ]


async def _wallet(database: Database, person: uuid.UUID, query: Paged, bill_of: BillOf) -> Wallet:
    before, limit = _before(query.cursor), min(query.limit, settle.ENTRIES_MAX - 1)  # One more is asked for, to know whether there is more.
    [account] = await database.run(lambda tx: settle.open_accounts(tx, [(AccountKind.WALLET, str(person))]))
    async with database.snapshot() as tx:  # Balance, entries and bills of one instant.
        balance = await settle.balance_of(tx, account)
        rows = await settle.entries(tx, account, before, limit + 1)
        bills = await bill_of(tx, {row.session for row in rows if row.session is not None})
    page = http.page_of(rows, limit, lambda row: [row.seq])
    return Wallet(money.money(balance), [_entry(row, bills) for row in page.items], page.next_cursor)


def _entry(row: ledger.Entry, bills: Mapping[uuid.UUID, uuid.UUID]) -> Entry:
    bill = bills.get(row.session) if row.session is not None else None
    return Entry(rfc3339(row.at), money.money(row.amount), WHAT[row.code], bill)


def _before(cursor: str | None) -> int | None:
    place = http.place_of(cursor, http.Position)
    return place[0] if place else None


def _fen(body: Amount) -> int:
    amount = money.fen_of(body.amount)
    if amount is None or amount > model.FEN_MAX:
        raise invalid("/amount", "amount", f"amount is a whole number of fen from 1 to {model.FEN_MAX}, written as a JSON integer")
    return amount


def _id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise NotFound from None


def _said(topup: TopUp) -> TopUpSaid:
    state = topup.state.value if topup.state in (State.PAID, State.FAILED) else "pending"
    return TopUpSaid(topup.id, state, money.money(topup.amount), rfc3339(topup.created_at), topup.pay_url)


def _count_refused(provider: str, error: NotifyRefused) -> None:
    """A missing key is ours to mend and alarms; the rest is noise from outside until it is much."""
    REFUSED.labels(error.reason).inc()
    if error.reason == "key":
        alarm("notify_key_missing", provider=provider, detail=error.detail)
    else:
        log.warning("notify_refused", provider=provider, reason=error.reason, detail=error.detail)
