"""The words of the map: what a site and a spot are, and the order in which columns of numbers name their states and classes."""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

STATES: Final = ("free", "occupied", "unknown", "out_of_order")
FREE, OCCUPIED, UNKNOWN, OUT_OF_ORDER = range(4)
CLASSES: Final = ("standard", "electric", "accessible", "family", "loading", "motorcycle")
TYPES: Final = ("on_street", "surface", "structure", "underground")
COUNTED_BY: Final = ("spots", "gates", "counter")
BY_SPOTS, BY_GATES, BY_COUNTER = range(3)
FRESHNESS: Final = ("live", "late", "silent", "static")
LIVE, LATE, SILENT, STATIC = range(4)

CLASS_NUMBER: Final = {name: number for number, name in enumerate(CLASSES)}
STATE_NUMBER: Final = {name: number for number, name in enumerate(STATES)}
COUNTED_NUMBER: Final = {name: number for number, name in enumerate(COUNTED_BY)}

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NEVER: Final = -(1 << 62)  # Before every instant, in microseconds since 1970.


class Name(msgspec.Struct, frozen=True):
    """What people read."""

    zh: str
    en: str


class Bounds(msgspec.Struct, frozen=True):
    """A box of WGS-84 degrees: west, south, east, north."""

    w: float
    s: float
    e: float
    n: float

    def hold(self, lon: float, lat: float) -> bool:
        return self.w <= lon <= self.e and self.s <= lat <= self.n


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A place to park. `capacity` is what was registered; 0 when nobody said."""

    id: str
    name: Name
    type: str
    operator: str
    counted_by: str
    capacity: int
    lon: float
    lat: float
    tariff: str = ""
    zone: str = ""
    max_height_cm: int | None = None
    max_stay_s: int | None = None
    opening_hours: str = ""
    entrances: tuple[tuple[float, float], ...] = ()


class Spot(msgspec.Struct, frozen=True, kw_only=True):
    """One bay."""

    id: str
    site: str
    spot_class: str
    lon: float
    lat: float


def micros(at: datetime) -> int:
    """Microseconds since 1970: what columns hold. Exact: a double holds a hundred times the microseconds there have been."""
    return round(at.timestamp() * 1_000_000)


def instant(at: int) -> datetime | None:
    """The instant of a column's value; None for never."""
    return None if at == NEVER else EPOCH + timedelta(microseconds=at)
