"""What a stay would cost, asked before it."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from foundation import plates
from foundation.clock import whole_seconds
from foundation.errors import Conflict, NotFound, invalid
from foundation.http import Call, Route, Who
from foundation.money import Money, money
from parking.tariffs.book import Book
from parking.tariffs.model import Stay
from parking.tariffs.render import LineView, line_views

STAY_DAYS_MAX = 400

At = Annotated[datetime, msgspec.Meta(tz=True)]


class QuoteQuery(msgspec.Struct, kw_only=True):
    site: str
    from_: At = msgspec.field(name="from")
    to: At
    plate_colour: Literal["blue", "yellow", "green", "yellow_green", "white", "black", "other"] = "blue"
    vehicle_type: Literal["small", "large", "motorcycle", "unknown"] = "small"


class MyQuoteQuery(msgspec.Struct, kw_only=True):
    site: str
    from_: At = msgspec.field(name="from")
    to: At
    plate: str


class TariffName(msgspec.Struct, frozen=True):
    id: str
    version: int
    sha256: str


class QuoteView(msgspec.Struct, frozen=True, omit_defaults=True):
    total: Money
    tariff: TariffName
    lines: list[LineView]
    provisional: bool = False


def routes(book: Book) -> list[Route]:
    async def get_quote(call: Call) -> QuoteView:
        return quote_of(book, call.query.site, call.query.from_, call.query.to, call.query.plate_colour, call.query.vehicle_type)

    async def get_my_quote(call: Call) -> QuoteView:
        plate = plates.plate_of(call.query.plate)
        if plates.plate_fault(plate.text, plate.colour):
            raise invalid("?plate", "plate_format", "this is not a plate")
        return quote_of(book, call.query.site, call.query.from_, call.query.to, plate.colour, "small")

    return [
        Route("GET", "/api/v1/quote", get_quote, "What a stay would cost, line by line", query=QuoteQuery, answer=QuoteView),
        Route(
            "GET",
            "/api/v1/me/quote",
            get_my_quote,
            "What a stay of this plate would cost",
            Who.PERSON,
            query=MyQuoteQuery,
            answer=QuoteView,
        ),
    ]


def quote_of(book: Book, site: str, entry: datetime, exit: datetime, colour: str, vehicle_type: str) -> QuoteView:
    entry, exit = whole_seconds(entry), whole_seconds(exit)
    if exit < entry:
        raise invalid("?to", "order", "to is before from")
    if (exit - entry).days > STAY_DAYS_MAX:
        raise invalid("?to", "too_long", f"a stay is quoted for {STAY_DAYS_MAX} days at most")
    if not book.knows(site):
        raise NotFound(f"there is no site {site}")
    quoted = book.quote(site, Stay(entry, exit, plate_colour=colour, vehicle_type=vehicle_type, site=site))
    if quoted is None:
        raise Conflict(f"no tariff is in force at {site} at that time", code="no_tariff")
    rule = quoted.rule
    name = TariffName(rule.tariff.code, rule.tariff.version, rule.sha256)
    return QuoteView(money(quoted.price.total), name, line_views(quoted.price.lines), quoted.price.provisional)
