"""Bills as their driver and their operator see them, and paying what is owed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

import msgspec

from foundation import masks, seal
from foundation.clock import Clock, rfc3339, whole_seconds
from foundation.errors import NotFound
from foundation.http import Call, Instant, Page, Paged, Reply, Route, Text, Who, once, page_of, place_of
from foundation.money import Money, money
from foundation.postgres import Database, Record, Transaction
from parking.bills import pay_bill, store
from parking.tariffs.render import LineView

State = Literal["open", "paid", "part_paid", "refunded", "void"]


class BillsQuery(Paged, kw_only=True):
    state: State | None = None


class OperatorBillsQuery(BillsQuery, kw_only=True):
    site: Text | None = None


class TariffName(msgspec.Struct, frozen=True):
    id: str
    version: int
    sha256: str


class PaymentView(msgspec.Struct, frozen=True):
    """Money taken back is negative and `refunded`."""

    rail: str
    amount: Money
    at: str
    state: Literal["paid", "refunded"]


class BillView(msgspec.Struct, frozen=True, omit_defaults=True):
    id: UUID
    session: UUID
    site: str
    plate: str
    entered_at: str
    left_at: str
    total: Money
    paid: Money
    state: State
    tariff: TariffName
    lines: list[LineView]
    payments: list[PaymentView]
    issued_at: str
    version: int
    certainty: str
    provisional: bool = False


class PayBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rail: Literal["wallet"]


class DuesPaid(msgspec.Struct, frozen=True):
    paid: Money


class UnprovedPlate(Protocol):
    """The token of a plate that the person has bound. Raises NotFound."""

    async def __call__(self, person: UUID, plate: str) -> bytes: ...


_lines = msgspec.json.Decoder(list[LineView])


class _Teller:
    def __init__(self, keys: seal.Keys) -> None:
        self._keys = keys

    async def views(self, tx: Transaction, rows: Sequence[Record], *, masked: bool = False) -> list[BillView]:
        found: dict[UUID, list[PaymentView]] = {}
        for row in await tx.fetch(store.queries.payments_of_bills, [row["id"] for row in rows]):
            state: Literal["paid", "refunded"] = "paid" if row["amount"] > 0 else "refunded"
            found.setdefault(row["bill"], []).append(PaymentView(row["rail"], money(row["amount"]), rfc3339(row["at"]), state))
        return [self._view(row, found.get(row["id"], []), masked) for row in rows]

    def _view(self, row: Record, payments: list[PaymentView], masked: bool) -> BillView:
        plate = self._plate(row["plate_sealed"])
        return BillView(
            row["id"], row["session"], row["site"], masks.masked_plate(plate) if masked else plate,
            rfc3339(whole_seconds(row["entered_at"])), rfc3339(whole_seconds(row["left_at"])), money(row["total"]),
            money(row["paid"]), row["state"],
            TariffName(row["tariff"], row["tariff_version"], row["tariff_sha256"]), _lines.decode(row["lines"]), payments,
            rfc3339(row["issued_at"]), row["version"], row["certainty"], row["provisional"],
        )  # fmt: skip

    def _plate(self, sealed: bytes) -> str:
        try:
            return self._keys.unseal(sealed).partition("\x1f")[0]
        except seal.SealBroken:
            return ""


def _place(cursor: str | None) -> tuple[datetime | None, UUID | None]:
    return place_of(cursor, Instant, UUID) or (None, None)


def id_of(text: str) -> UUID:
    """An id in a path; what is none is not there."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None


def routes(database: Database, keys: seal.Keys, clock: Clock, plate_of: UnprovedPlate) -> list[Route]:
    teller = _Teller(keys)

    async def list_my_bills(call: Call) -> Page[BillView]:
        at, last = _place(call.query.cursor)

        async def work(tx: Transaction) -> Page[BillView]:
            rows = await tx.fetch(store.queries.bills_of_person, call.me.person, call.query.state, at, last, call.query.limit + 1)
            page = page_of(rows, call.query.limit, lambda row: (row["issued_at"].isoformat(), row["id"]))
            return Page(await teller.views(tx, page.items), page.next_cursor)

        return await database.run(work)

    async def get_my_bill(call: Call) -> BillView:
        return await database.run(lambda tx: _mine(tx, teller, id_of(call.path["bill"]), call.me.person))

    async def pay_my_bill(call: Call) -> Reply:
        bill = id_of(call.path["bill"])

        async def work(tx: Transaction) -> Reply:
            await pay_bill.pay_bill(tx, bill, call.me.person, now=clock.city())
            return Reply(await _mine(tx, teller, bill, call.me.person))

        return await once(database, keys, call, work)

    async def pay_plate(call: Call) -> Reply:
        token = await plate_of(call.me.person, call.path["id"])

        async def work(tx: Transaction) -> Reply:
            return Reply(DuesPaid(money(await pay_bill.pay_dues(tx, token, call.me.person, now=clock.city()))))

        return await once(database, keys, call, work)

    return [
        Route("GET", "/api/v1/me/bills", list_my_bills, "My bills, newest first", Who.PERSON, BillsQuery, answer=Page[BillView]),
        Route("GET", "/api/v1/me/bills/{bill}", get_my_bill, "A bill with its derivation", Who.PERSON, answer=BillView),
        Route(
            "POST", "/api/v1/me/bills/{bill}/pay", pay_my_bill, "Pay a bill from the wallet",
            Who.PERSON, body=PayBody, answer=BillView, idempotent=True,
        ),
        Route(
            "POST", "/api/v1/me/plates/{id}/pay", pay_plate, "Pay what an unproved plate owes",
            Who.PERSON, body=PayBody, answer=DuesPaid, idempotent=True,
        ),
        _route_of_operators(database, teller),
    ]  # fmt: skip


def _route_of_operators(database: Database, teller: _Teller) -> Route:
    async def list_operator_bills(call: Call) -> Page[BillView]:
        at, last = _place(call.query.cursor)
        operators = None if call.me.has("admin") else sorted(call.me.scopes("operator"))

        async def work(tx: Transaction) -> Page[BillView]:
            rows = await tx.fetch(
                store.queries.bills_of_operators, operators, call.query.state, at, last, call.query.limit + 1, call.query.site
            )
            page = page_of(rows, call.query.limit, lambda row: (row["issued_at"].isoformat(), row["id"]))
            return Page(await teller.views(tx, page.items, masked=True), page.next_cursor)

        return await database.run(work)

    return Route(
        "GET", "/api/v1/operator/bills", list_operator_bills, "Bills of one's own sites, newest first",
        Who.OPERATOR, OperatorBillsQuery, answer=Page[BillView],
    )  # fmt: skip


async def _mine(tx: Transaction, teller: _Teller, bill: UUID, person: UUID) -> BillView:
    row = await tx.row(store.queries.bill_of_person, bill, person)
    if row is None:
        raise NotFound
    return (await teller.views(tx, [row]))[0]
