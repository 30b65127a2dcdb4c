"""A small city for tests: sites, spots, and what its devices say."""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from citymap.board import Board
from citymap.model import Bounds, Name, Site, micros
from citymap.places import Places, of_spots
from foundation.events import DeviceHeard, Direction, SpotSeen, SpotState, Vehicle, VehiclePassed, VehiclesCounted

T0 = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # 09:00 in the city
GRACE = timedelta(seconds=61)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def site(
    name: str = "lot-7", *, counted_by: str = "spots", capacity: int = 0, lon: float = 113.665, lat: float = 34.752, **more: object
) -> Site:
    held = {"name": Name("停车场", "Car park"), "type": "surface", "operator": "op-demo"} | more
    return Site(id=name, counted_by=counted_by, capacity=capacity, lon=lon, lat=lat, **held)  # type: ignore[arg-type]


def places(*sites: Site, spots: int = 3) -> Places:
    """Each site that counts by its spots has some, beside one another, all standard but the third, which is electric."""
    rows = [
        (f"{one.id}-{n:03d}", one.id, 1 if n == 3 else 0, round(one.lon + n * 1e-5, 7), one.lat)
        for one in sites
        for n in range(1, spots + 1)
    ]
    return of_spots(sites, [row for row in rows if any(one.id == row[1] and one.counted_by == "spots" for one in sites)])


def board(*sites: Site, spots: int = 3, now: datetime = T0) -> Board:
    return Board(places(*(sites or (site(),)), spots=spots), micros(now))


def identity(*parts: object) -> bytes:
    return hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).digest()


def seen(
    state: SpotState,
    when: datetime = T0,
    *,
    spot: str = "lot-7-001",
    seq: int = 1,
    device: str = "cam-1",
    received: datetime | None = None,
    place: str | None = None,
) -> SpotSeen:
    told = identity(device, spot, when, state)
    place = place or spot.rsplit("-", 1)[0]
    return SpotSeen(spot=spot, state=state, seq=seq, at=when, raw_at=when, received_at=received or when, device=device, site=place, id=told)


def passed(
    direction: Direction, when: datetime, *, plate: str = "豫A12345", place: str = "lot-8", device: str = "gate-1", lane: str = "1"
) -> VehiclePassed:
    vehicle = Vehicle(token=identity("plate", plate), sealed=b"", colour="blue") if plate else None
    told = identity(device, lane, when, direction, plate)
    common = {"seq": 1, "at": when, "raw_at": when, "received_at": when, "device": device, "site": place, "id": told}
    return VehiclePassed(lane=lane, direction=direction, vehicle=vehicle, **common)  # type: ignore[arg-type]


def counted(
    occupied: int, when: datetime = T0, *, capacity: int | None = None, place: str = "lot-8", seq: int = 1, device: str = "cnt-1"
) -> VehiclesCounted:
    told = identity(device, when, occupied, capacity)
    common = {"at": when, "raw_at": when, "received_at": when, "device": device, "site": place, "id": told}
    return VehiclesCounted(occupied=occupied, capacity=capacity, seq=seq, **common)  # type: ignore[arg-type]


def connection(name: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, name)


def heard(
    when: datetime, *, connected: bool = True, device: str = "cam-1", name: str = "A", place: str = "lot-7", kind: str = "camera"
) -> DeviceHeard:
    return DeviceHeard(device=device, site=place, device_kind=kind, connection=connection(name), connected=connected, at=when)


def numbers(board: Board, name: str = "lot-7") -> list[int]:
    """Free, occupied, unknown, out of order."""
    held: Sequence[int] = board.shown[board.places.site_number[name]].tolist()
    return list(held)


def shown(board: Board, spot: str = "lot-7-001") -> str:
    return ("free", "occupied", "unknown", "out_of_order")[board.spot_shown[board.places.spot_number[spot]]]


def freshness(board: Board, name: str = "lot-7") -> str:
    return ("live", "late", "silent", "static")[board.freshness[board.places.site_number[name]]]


# Files


CITY = Bounds(113.4, 34.5, 113.9, 35.0)


def feature(name: object, properties: Mapping[str, object], where: object = (113.665, 34.752)) -> dict[str, Any]:
    return {"type": "Feature", "id": name, "geometry": {"type": "Point", "coordinates": where}, "properties": dict(properties)}


def a_site(of: object = "lot-7", where: object = (113.665, 34.752), /, **more: object) -> dict[str, Any]:
    held = {"kind": "site", "name": {"zh": "七号停车场", "en": "Lot 7"}, "type": "surface", "operator": "op-demo", "capacity": 3}
    return feature(of, held | more, where)


def a_spot(of: object = "lot-7-001", site: object = "lot-7", /, **more: object) -> dict[str, Any]:
    return feature(of, {"kind": "spot", "site": site, "class": "standard"} | more)


def file(*features: object) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()
