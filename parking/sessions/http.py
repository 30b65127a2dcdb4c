"""Stays as their driver and their operator see them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from foundation import masks, seal
from foundation.clock import Clock, rfc3339, whole_seconds
from foundation.errors import NotFound
from foundation.http import Call, Instant, Page, Paged, Reply, Route, Text, Who, once, page_of, place_of
from foundation.money import Money, money
from foundation.postgres import Database, Record, Transaction
from parking.bills import apply_permits
from parking.permits import store as permits
from parking.permits.model import Permit, Presence
from parking.sessions import fold_stays, store
from parking.sessions.close_stay import close_stay
from parking.tariffs.book import Book
from parking.tariffs.model import Stay


class SessionsQuery(Paged, kw_only=True):
    state: Literal["open", "closed"] | None = None


class OperatorSessionsQuery(Paged, kw_only=True):
    state: Literal["open", "closed", "void"] | None = None
    certainty: Literal["sure", "doubtful"] | None = None
    site: Text | None = None


class SessionView(msgspec.Struct, frozen=True):
    """`fee` of an open stay is what it would cost if it ended now; None when no tariff is in force."""

    id: UUID
    site: str
    spot: str | None
    plate: str | None
    entered_at: str
    left_at: str | None
    state: str
    certainty: str
    why: list[str]
    fee: Money | None
    bill: UUID | None


class CloseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`evidence` names what proves it: the hash of a picture, the number of a ticket or a report; never a text about somebody."""

    left_at: Annotated[datetime, msgspec.Meta(tz=True)]
    evidence: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9:._/-]{1,100}$")]


class OperatorSessionView(SessionView, frozen=True):
    """`candidate` of an exit without an entry is the one stay inside whose plate may have been misread: a proposal, to be decided."""

    candidate: UUID | None


class _Teller:
    """Rows as views; plates are opened for whoever may see them."""

    def __init__(self, database: Database, keys: seal.Keys, book: Book, clock: Clock) -> None:
        self._database, self._keys, self._book, self._clock = database, keys, book, clock

    async def views(self, rows: Sequence[Record]) -> list[SessionView]:
        held = await self._held(rows)
        return [self._view(row, held.get(row["plate_token"], ())) for row in rows]

    async def operator_views(self, rows: Sequence[Record]) -> list[OperatorSessionView]:
        """Plates are masked."""
        held = await self._held(rows)
        return [self.operator_view(row, held.get(row["plate_token"], ())) for row in rows]

    def operator_view(self, row: Record, held: Sequence[Permit] = ()) -> OperatorSessionView:
        return OperatorSessionView(**msgspec.structs.asdict(self._view(row, held, masked=True)), candidate=row["candidate"])

    async def _held(self, rows: Sequence[Record]) -> Mapping[bytes, Sequence[Permit]]:
        """Permits of what still runs up a fee."""
        running = {row["plate_token"] for row in rows if row["state"] == "open" and row["plate_token"]}
        return await permits.permits_of(self._database, running) if running else {}

    def _view(self, row: Record, held: Sequence[Permit], *, masked: bool = False) -> SessionView:
        plate = fold_stays.text_of(row["plate_sealed"], self._keys) if row["plate_sealed"] else None
        left_at = row["left_at"] and rfc3339(whole_seconds(row["left_at"]))
        shown = plate and (masks.masked_plate(plate) if masked else plate)
        return SessionView(
            row["id"], row["site"], row["spot"] or None, shown or None, rfc3339(whole_seconds(row["entered_at"])), left_at,
            row["state"], row["certainty"], row["why"], self._fee(row, held), row["bill"] if row["state"] == "closed" else None,
        )  # fmt: skip

    def _fee(self, row: Record, held: Sequence[Permit]) -> Money | None:
        if row["state"] == "closed":
            return None if row["total"] is None else money(row["total"])
        entered_at, now = whole_seconds(row["entered_at"]), whole_seconds(row["seen_left_at"] or self._clock.city())
        left_at = max(now, entered_at)
        spans = apply_permits.spans_of(held, [Presence(row["zone"] or "", entered_at, left_at)])
        stay = Stay(entered_at, left_at, row["plate_colour"] or "other", row["vehicle_type"], spans, site=row["site"])
        quoted = self._book.quote(row["site"], stay)
        return money(quoted.price.total) if quoted else None


def _id_of(text: str) -> UUID:
    """What is no id names nothing. Raises NotFound."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None


def place_in_time(cursor: str | None) -> tuple[datetime | None, UUID | None]:
    return place_of(cursor, Instant, UUID) or (None, None)


def routes(database: Database, keys: seal.Keys, book: Book, clock: Clock) -> list[Route]:
    teller = _Teller(database, keys, book, clock)

    async def list_my_sessions(call: Call) -> Page[SessionView]:
        at, last = place_in_time(call.query.cursor)
        rows = await database.fetch(store.queries.sessions_of_person, call.me.person, call.query.state, at, last, call.query.limit + 1)
        page = page_of(rows, call.query.limit, lambda row: (row["entered_at"].isoformat(), row["id"]))
        return Page(await teller.views(page.items), page.next_cursor)

    async def list_operator_sessions(call: Call) -> Page[OperatorSessionView]:
        at, last = place_in_time(call.query.cursor)
        operators = None if call.me.has("admin") else sorted(call.me.scopes("operator"))
        rows = await database.fetch(
            store.queries.sessions_of_operators, operators, call.query.state, at, last, call.query.limit + 1, call.query.certainty,
            call.query.site,
        )  # fmt: skip
        page = page_of(rows, call.query.limit, lambda row: (row["entered_at"].isoformat(), row["id"]))
        return Page(await teller.operator_views(page.items), page.next_cursor)

    async def close_session(call: Call) -> Reply:
        session = _id_of(call.path["session"])
        operators = None if call.me.has("admin") else call.me.scopes("operator")

        async def work(tx: Transaction) -> Reply:
            await close_stay(
                tx, keys, session, left_at=call.body.left_at, evidence=call.body.evidence, said_by=call.me.person, operators=operators,
                now=clock.city(),
            )  # fmt: skip
            row = await tx.row(store.queries.session_of_operators, session)
            assert row is not None, "closed a moment ago"
            return Reply(teller.operator_view(row))

        return await once(database, keys, call, work)

    return [
        Route(
            "POST", "/api/v1/operator/sessions/{session}/close", close_session, "Say when a car left that no device saw leave",
            Who.OPERATOR, body=CloseBody, answer=OperatorSessionView, idempotent=True,
        ),
        Route(
            "GET", "/api/v1/me/sessions", list_my_sessions, "My stays, newest first",
            Who.PERSON, SessionsQuery, answer=Page[SessionView],
        ),
        Route(
            "GET", "/api/v1/operator/sessions", list_operator_sessions, "Stays at one's own sites, newest first",
            Who.OPERATOR, OperatorSessionsQuery, answer=Page[OperatorSessionView],
        ),
    ]  # fmt: skip
