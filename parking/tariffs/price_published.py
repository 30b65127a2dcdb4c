"""Price by what was published, or by what it should have said, whichever is lower: a correction is never collected upwards."""

from typing import NamedTuple

from parking.tariffs.calendar import Calendar
from parking.tariffs.model import Price, Stay
from parking.tariffs.price_stay import price_across
from parking.tariffs.store import Published


class Priced(NamedTuple):
    """A price and the hash of the version, or of its correction, that gave it."""

    price: Price
    sha256: str


def price_published(rule: Published, stay: Stay, calendar: Calendar) -> Priced:
    """Raises NothingCovers and NoVersionInForce."""
    best = Priced(price_across(rule.line, stay, calendar), rule.sha256)
    for one in rule.corrections:
        price = price_across(one.line, stay, calendar)
        if price.total < best.price.total:
            best = Priced(price, one.sha256 if one.version == rule.tariff.version else rule.sha256)
    return best
