"""How the map speaks of sites and spots: the shapes of the contract, made from a board."""

from typing import Literal, Protocol

import msgspec

from citymap.board import Board
from citymap.datum import Datum, to_datum
from citymap.model import CLASSES, COUNTED_BY, FRESHNESS, STATES, Name, instant
from foundation.clock import rfc3339

Freshness = Literal["live", "late", "silent", "static"]
State = Literal["free", "occupied", "unknown", "out_of_order"]


class Location(msgspec.Struct, frozen=True):
    lon: float
    lat: float


class ClassView(msgspec.Struct, frozen=True):
    capacity: int
    free: int
    unknown: int


class TariffLabel(msgspec.Struct, frozen=True):
    """The tariff that is in force at a site."""

    id: str
    version: int
    text: Name


class Labels(Protocol):
    """What the map says of tariffs without knowing them."""

    def tariff(self, site: str) -> TariffLabel | None: ...


class NoLabels:
    """A city without tariffs."""

    def tariff(self, site: str) -> TariffLabel | None:
        return None


class SiteView(msgspec.Struct, frozen=True, kw_only=True):
    """A site; the four states sum to its capacity. All of them are null, never a guess, when nobody knows the capacity."""

    id: str
    name: Name
    type: str
    operator: str
    location: Location
    entrances: list[Location]
    counted_by: str
    capacity: int | None
    free: int | None
    occupied: int | None
    unknown: int | None
    out_of_order: int | None
    classes: dict[str, ClassView]
    as_of: str | None
    freshness: Freshness
    trend: Literal["rising", "falling", "stable"]
    tariff: TariffLabel | None
    max_height_cm: int | None
    max_stay_s: int | None
    opening_hours: str
    zone: str
    crs: Datum | msgspec.UnsetType = msgspec.UNSET


class OperatorSiteView(SiteView, frozen=True, kw_only=True):
    """The same for whoever runs it, with what is wrong with it."""

    problems: list[str]


class SpotView(msgspec.Struct, frozen=True, kw_only=True):
    """A bay; never a plate."""

    id: str
    lon: float
    lat: float
    spot_class: str = msgspec.field(name="class")
    state: State
    as_of: str | None
    crs: Datum | msgspec.UnsetType = msgspec.UNSET


class SiteState(msgspec.Struct, frozen=True, kw_only=True):
    """A site as live sockets tell it."""

    id: str
    free: int | None
    occupied: int | None
    unknown: int | None
    out_of_order: int | None
    as_of: str | None
    freshness: Freshness


class SpotState(msgspec.Struct, frozen=True, kw_only=True):
    """A bay as live sockets tell it."""

    id: str
    site: str
    state: State
    as_of: str | None


def site_view(board: Board, site: int, labels: Labels, crs: Datum | None) -> SiteView:
    return SiteView(**_site_fields(board, site, labels, crs))  # type: ignore[arg-type]  # the fields stand below, by name


def operator_site_view(board: Board, site: int, labels: Labels, crs: Datum | None) -> OperatorSiteView:
    problems = problems_of(board, site)
    return OperatorSiteView(problems=problems, **_site_fields(board, site, labels, crs))  # type: ignore[arg-type]  # as above


def problems_of(board: Board, site: int) -> list[str]:
    """Codes for what an operator should mend."""
    inside, counted = board.inside.get(site), COUNTED_BY[board.places.counted_by[site]]
    problems = {
        "capacity_missing": board.capacity[site] <= 0,
        "more_spots_than_capacity": 0 < board.places.registered[site] < board.places.spots[site],
        "never_counted": counted != "spots" and (inside is None or inside.count is None),
        "count_beyond_capacity": inside is not None and not 0 <= (inside.occupied() or 0) <= board.capacity[site],
        "devices_silent": board.freshness[site] in (1, 2),
    }
    return [code for code, wrong in problems.items() if wrong]


def _site_fields(board: Board, site: int, labels: Labels, crs: Datum | None) -> dict[str, object]:
    held = board.places.sites[site]
    free, occupied, unknown, out_of_order = _numbers(board, site)
    return {
        "id": held.id,
        "name": held.name,
        "type": held.type,
        "operator": held.operator,
        "location": location(held.lon, held.lat, crs),
        "entrances": [location(lon, lat, crs) for lon, lat in held.entrances],
        "counted_by": held.counted_by,
        "capacity": None if free is None else int(board.capacity[site]),
        "free": free,
        "occupied": occupied,
        "unknown": unknown,
        "out_of_order": out_of_order,
        "classes": _classes(board, site),
        "as_of": as_of(int(board.as_of[site])),
        "freshness": FRESHNESS[board.freshness[site]],
        "trend": board.trend(site),
        "tariff": labels.tariff(held.id),
        "max_height_cm": held.max_height_cm,
        "max_stay_s": held.max_stay_s,
        "opening_hours": held.opening_hours,
        "zone": held.zone,
        "crs": crs or msgspec.UNSET,
    }


def _numbers(board: Board, site: int) -> tuple[int | None, int | None, int | None, int | None]:
    free, occupied, unknown, out_of_order = board.shown[site].tolist()
    return (None, None, None, None) if free < 0 else (free, occupied, unknown, out_of_order)


def _classes(board: Board, site: int) -> dict[str, ClassView]:
    columns = zip(
        CLASSES, board.class_capacity[site].tolist(), board.class_free[site].tolist(), board.class_unknown[site].tolist(), strict=True
    )
    return {name: ClassView(capacity, free, unknown) for name, capacity, free, unknown in columns if capacity > 0}


def spot_view(board: Board, spot: int, crs: Datum | None) -> SpotView:
    places = board.places
    lon, lat = to_datum(crs or "wgs84", float(places.spot_lon[spot]), float(places.spot_lat[spot]))
    return SpotView(
        id=places.spot_ids[spot],
        lon=lon,
        lat=lat,
        spot_class=CLASSES[places.spot_class[spot]],
        state=STATES[board.spot_shown[spot]],
        as_of=as_of(int(board.spot_at[spot])),
        crs=crs or msgspec.UNSET,
    )


def site_state(board: Board, site: int) -> SiteState:
    free, occupied, unknown, out_of_order = _numbers(board, site)
    return SiteState(
        id=board.places.sites[site].id,
        free=free,
        occupied=occupied,
        unknown=unknown,
        out_of_order=out_of_order,
        as_of=as_of(int(board.as_of[site])),
        freshness=FRESHNESS[board.freshness[site]],
    )


def spot_state(board: Board, spot: int) -> SpotState:
    places = board.places
    site = places.sites[int(places.spot_site[spot])].id
    return SpotState(id=places.spot_ids[spot], site=site, state=STATES[board.spot_shown[spot]], as_of=as_of(int(board.spot_at[spot])))


def as_of(at: int) -> str | None:
    held = instant(at)
    return None if held is None else rfc3339(held)


def location(lon: float, lat: float, crs: Datum | None) -> Location:
    return Location(*to_datum(crs or "wgs84", lon, lat))
