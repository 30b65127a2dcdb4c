"""Take over another system's tariff: the elements of OCPI 2.2.1 that say the same in our format, as strictly as our own."""

from datetime import datetime
from decimal import Decimal, InvalidOperation

from parking.tariffs import yaml_nodes
from parking.tariffs.model import WEEKDAYS, Step, Tariff, Window
from parking.tariffs.read_tariff import clock_of
from parking.tariffs.yaml_nodes import Mapped, Node

# Where a word of OCPI is known but has no equal here, taking it over in silence would change the price.
_TARIFF_KEYS = ("id", "currency", "type", "country_code", "party_id", "last_updated", "tariff_alt_text", "elements")
_ELEMENT_KEYS = ("price_components", "restrictions")
_COMPONENT_KEYS = ("type", "price", "step_size", "vat")
_RESTRICTIONS = ("day_of_week", "start_time", "end_time")
_RESTRICTIONS_WITHOUT_EQUAL = (
    "start_date", "end_date", "min_kwh", "max_kwh", "min_current", "max_current", "min_power", "max_power", "min_duration",
    "max_duration", "reservation",
)  # fmt: skip
_DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_TIME = ("TIME", "PARKING_TIME")
_MAX_ELEMENTS = 60


def read_ocpi_elements(text: str | bytes, *, code: str, version: int, effective_from: datetime) -> Tariff:
    """The elements as windows, the first that matches winning in both formats. Prices are per hour in yuan; `step_size` is
    in seconds, an hour where it is left out. Raises TariffFaults for every word without an equal in our format.
    """
    root = yaml_nodes.read(text).only(*_TARIFF_KEYS)
    if currency := root.get("currency"):
        currency.word(("CNY",))
    listed = root.need("elements")
    elements = listed.items() if listed else []
    if not 1 <= len(elements) <= _MAX_ELEMENTS:
        root.node.fault(f"a tariff has 1 to {_MAX_ELEMENTS} elements")
    windows = tuple(_window(element, place) for place, element in enumerate(elements[:_MAX_ELEMENTS]))
    root.node.faults.raise_if_any()
    return Tariff(code, version, effective_from, windows)


def _window(element: Node, place: int) -> Window:
    node = element.mapping().only(*_ELEMENT_KEYS)
    value = node.get("restrictions")
    restrictions = value.mapping() if value else Mapped(element, {})
    _refuse_unequal(restrictions)
    days = restrictions.maybe_words("day_of_week", _DAYS)
    first, last = restrictions.get("start_time"), restrictions.get("end_time")
    start, end = clock_of(first) if first else 0, clock_of(last) if last else 86_400
    end = end or 86_400  # OCPI writes the day's own end as 00:00.
    if start == end:
        element.fault("an element that begins when it ends has no length")
    if days and end < start:
        element.fault(
            "start_time after end_time with day_of_week: engines disagree which day owns the hours after midnight; split the element"
        )
    words = tuple(WEEKDAYS[_DAYS.index(day)] for day in days) if days else None
    return Window(f"element-{place + 1}", (_step(node),), start, end, words)


def _refuse_unequal(restrictions: Mapped) -> None:
    for name, value in restrictions.values.items():
        if name in _RESTRICTIONS_WITHOUT_EQUAL:
            value.fault(f"the restriction {name!r} is not taken over: it has no equal here")
        elif name not in _RESTRICTIONS:
            value.fault(f"unknown restriction {name!r}{yaml_nodes.nearest(name, (*_RESTRICTIONS, *_RESTRICTIONS_WITHOUT_EQUAL))}")


def _step(element: Mapped) -> Step:
    listed = element.need("price_components")
    components = listed.items() if listed else []
    if len(components) != 1:
        element.node.fault("an element with one price component is expected: one dimension, time")
        return Step(60, 0)
    node = components[0].mapping().only(*_COMPONENT_KEYS)
    if kind := node.need("type"):
        kind.word(_TIME)
    if vat := node.get("vat"):
        vat.fault("vat is not taken over: prices here are what the driver pays")
    price, size = node.need("price"), node.whole("step_size", 3600, least=60, most=86_400)
    if size % 60:
        node.node.fault("step_size has to be whole minutes")
    fen = _fen(price, size) if price else 0
    return Step(max(1, size // 60), fen)


def _fen(node: Node, seconds: int) -> int:
    """A price in yuan per hour as whole fen per step."""
    try:
        fen = Decimal(node.raw()) * 100 * seconds / 3600
        whole = int(fen)
    except (InvalidOperation, ValueError, OverflowError):
        node.fault(f"{node.raw()!r} is not a price")
        return 0
    if fen != whole or not 0 <= whole <= 10_000_00:
        node.fault(f"{node.raw()} an hour is not a whole number of fen for each step of {seconds} s")
    return whole
