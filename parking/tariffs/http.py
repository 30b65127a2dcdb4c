"""What a stay would cost, asked before it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Literal, Protocol
from uuid import UUID

import msgspec

from foundation import plates
from foundation.clock import whole_seconds
from foundation.errors import Conflict, NotFound, invalid
from foundation.http import Call, Route, Who
from foundation.money import Money, money
from parking.tariffs.book import Book
from parking.tariffs.model import PermitSpan, Stay
from parking.tariffs.render import LineView, line_views

STAY_DAYS_MAX = 400
STEPS_HOURS_MAX = 24
STEP_LOOK_S = 900  # Prices are looked at so often; between two that differ the step is found by halving.

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


class OwnPlate(msgspec.Struct, frozen=True):
    """A proved plate of the caller's, and what its permits cover of a stay."""

    colour: str
    permits: tuple[PermitSpan, ...]


class OwnPlates(Protocol):
    """The caller's plate with this text, at this site over this span; None when she has not proved to hold it."""

    async def __call__(self, person: UUID, plate: str, site: str, entry: datetime, exit: datetime) -> OwnPlate | None: ...


class PriceStep(msgspec.Struct, frozen=True):
    """A stay of more than `after_s` seconds costs this."""

    after_s: int
    total: Money


class StepsView(msgspec.Struct, frozen=True):
    """What stays from the same moment cost, the longer the dearer: each step up to `to`, as a staircase."""

    tariff: TariffName
    steps: list[PriceStep]


def routes(book: Book, own_plate: OwnPlates) -> list[Route]:
    async def get_steps(call: Call) -> StepsView:
        query = call.query
        return steps_of(book, _stay(query, query.plate_colour, query.vehicle_type))

    async def get_quote(call: Call) -> QuoteView:
        query = call.query
        return quote_of(book, _stay(query, query.plate_colour, query.vehicle_type))

    async def get_my_quote(call: Call) -> QuoteView:
        plate = plates.plate_of(call.query.plate)
        if plates.plate_fault(plate.text, plate.colour):
            raise invalid("?plate", "plate_format", "this is not a plate")
        stay = _stay(call.query, plate.colour, "small")
        own = await own_plate(call.me.person, plate.text, stay.site, stay.entry, stay.exit)
        if own is not None:  # Of any other plate nobody learns from a quote that it has a permit.
            stay = msgspec.structs.replace(stay, plate_colour=own.colour, permits=own.permits)
        return quote_of(book, stay)

    return [
        Route("GET", "/api/v1/quote", get_quote, "What a stay would cost, line by line", query=QuoteQuery, answer=QuoteView),
        Route(
            "GET",
            "/api/v1/quote/steps",
            get_steps,
            "What stays from one moment cost by their length",
            query=QuoteQuery,
            answer=StepsView,
        ),
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


def _stay(query: QuoteQuery | MyQuoteQuery, colour: str, vehicle_type: str) -> Stay:
    entry, exit = whole_seconds(query.from_), whole_seconds(query.to)
    if exit < entry:
        raise invalid("?to", "order", "to is before from")
    if (exit - entry).days > STAY_DAYS_MAX:
        raise invalid("?to", "too_long", f"a stay is quoted for {STAY_DAYS_MAX} days at most")
    return Stay(entry, exit, plate_colour=colour, vehicle_type=vehicle_type, site=query.site)


def quote_of(book: Book, stay: Stay) -> QuoteView:
    site = stay.site
    if not book.knows(site):
        raise NotFound(f"there is no site {site}")
    quoted = book.quote(site, stay)
    if quoted is None:
        raise Conflict(f"no tariff is in force at {site} at that time", code="no_tariff")
    rule = quoted.rule
    name = TariffName(rule.tariff.code, rule.tariff.version, quoted.sha256)
    return QuoteView(money(quoted.price.total), name, line_views(quoted.price.lines), quoted.price.provisional)


def steps_of(book: Book, longest: Stay) -> StepsView:
    """Every length at which the price of a stay that begins as this one rises, to the second."""
    if not timedelta() < longest.exit - longest.entry <= timedelta(hours=STEPS_HOURS_MAX):
        raise invalid("?to", "too_long", f"steps are told for more than nothing and at most {STEPS_HOURS_MAX} hours")

    def price(seconds: int) -> int:
        return quote_of(book, msgspec.structs.replace(longest, exit=longest.entry + timedelta(seconds=seconds))).total.amount

    steps, before, total = [PriceStep(0, money(price(1)))], 1, price(1)
    last = int((longest.exit - longest.entry).total_seconds())
    for now in (*range(STEP_LOOK_S, last, STEP_LOOK_S), last):
        while (dearer := price(now)) != total:
            after = _last_at(price, total, before, now)
            before, total = after + 1, price(after + 1)
            steps.append(PriceStep(after, money(total)))
            if total == dearer:
                break
        before = now
    return StepsView(quote_of(book, longest).tariff, steps)


def _last_at(price: Callable[[int], int], total: int, low: int, high: int) -> int:
    """The last second at which a stay still costs `total`: it does at `low` and does not at `high`."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if price(middle) == total else (low, middle)
    return low
