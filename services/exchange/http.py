"""What the exchange answers when asked: who read what of me."""

import uuid

import msgspec

from foundation import http
from foundation.clock import rfc3339
from foundation.http import Call, Page, Paged, Reply, Route, Who
from foundation.postgres import Database, Record
from services.exchange import store
from services.exchange.model import Catalogue, Name


class NameView(msgspec.Struct, frozen=True):
    zh: str
    en: str


class FieldView(msgspec.Struct, frozen=True):
    """An element's code is a word of the catalogue; people read its name."""

    code: str
    name: NameView


class AccessView(msgspec.Struct, frozen=True):
    """`purpose` is a matter's code; `fields` are elements of the catalogue or pointers into the case's form."""

    id: uuid.UUID
    at: str
    who: NameView
    purpose: str
    case: uuid.UUID | None
    fields: list[str]
    names: list[FieldView]


def routes(database: Database, catalogue: Catalogue) -> list[Route]:
    async def get_accesses(call: Call) -> Reply:
        query, place = call.query, http.place_of(call.query.cursor, uuid.UUID)
        rows = await store.accesses_of(database, call.me.person, place[0] if place else None, query.limit + 1)
        views = [view_of(row, catalogue) for row in rows]
        return Reply(http.page_of(views, query.limit, lambda view: [view.id]), headers={"Cache-Control": "no-store"})

    return [
        Route("GET", "/api/v1/me/accesses", get_accesses, "Who read what of me", Who.PERSON, query=Paged, answer=Page[AccessView]),
    ]


def view_of(row: Record, catalogue: Catalogue) -> AccessView:
    agency = catalogue.agencies.get(row["agency"]) or Name(row["agency"], row["agency"])
    zh, en = ("工作人员", "staff") if row["by_staff"] else ("系统自动查询", "automatic")
    who = NameView(f"{agency.zh}（{zh}）", f"{agency.en} ({en})")
    return AccessView(row["id"], rfc3339(row["at"]), who, row["purpose"], row["case_id"], row["fields"], _names(row["fields"], catalogue))


def _names(codes: list[str], catalogue: Catalogue) -> list[FieldView]:
    known = [catalogue.elements[code] for code in codes if code in catalogue.elements]
    return [FieldView(one.code, NameView(one.name.zh, one.name.en)) for one in known]
