"""What the map answers when asked: sites, their spots, and where to park near a point."""

import functools
import gzip
import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
import numpy as np

from citymap import bays, views
from citymap.areas import bounds_of
from citymap.board import Board
from citymap.datum import Datum
from citymap.follow import BoardFollower
from citymap.model import CLASS_NUMBER, FRESHNESS
from citymap.near import Pricing, Search
from citymap.near_bytes import NearBytes, NearItem
from citymap.places import Places
from citymap.views import Labels, OperatorSiteView, SiteView, SpotView
from foundation import spelling
from foundation.clock import Clock
from foundation.errors import Away, NotFound, invalid
from foundation.http import Call, Page, Paged, Raw, Reply, Route, Text, Who, cursor_of, place_of

DIGITS_MAX: Final = 5
FOREVER: Final = "public, max-age=31536000, immutable"  # With the version in the address it is about that version alone.

Metres = Annotated[float, msgspec.Meta(ge=1, le=5000)]
Seconds = Annotated[int, msgspec.Meta(ge=60, le=30 * 86_400)]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]
Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
SpotClass = Literal["standard", "electric", "accessible", "family", "loading", "motorcycle"]


class OneQuery(msgspec.Struct, kw_only=True):
    crs: Datum | None = None


class SitesQuery(Paged, kw_only=True):
    bbox: str | None = None
    crs: Datum | None = None


class SpotsQuery(Paged, kw_only=True):
    crs: Datum | None = None


class NearQuery(msgspec.Struct, kw_only=True):
    lon: Longitude
    lat: Latitude
    radius: Metres = 1000.0
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    arrive: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    stay_s: Seconds = 3600
    spot_class: SpotClass | None = msgspec.field(default=None, name="class")
    crs: Datum | None = None


class MapQuery(msgspec.Struct, kw_only=True):
    spot_class: SpotClass | None = msgspec.field(default=None, name="class")


class MapSites(msgspec.Struct, frozen=True):
    """All sites in columns, for a map that shows the city at once; counts are of the class asked for, -1 where nobody knows."""

    id: Sequence[str]
    zh: Sequence[str]
    en: Sequence[str]
    type: Sequence[str]
    lon: Sequence[float]
    lat: Sequence[float]
    capacity: Sequence[int]
    free: Sequence[int]
    unknown: Sequence[int]
    freshness: Sequence[str]


class Spellings(msgspec.Struct, frozen=True):
    """How the names of all sites sound, without tones and gaps, and their first letters: for whoever types one."""

    id: Sequence[str]
    pinyin: Sequence[str]
    initials: Sequence[str]


class BaysQuery(msgspec.Struct, kw_only=True):
    v: int | None = None


def routes(follower: BoardFollower, clock: Clock, pricing: Pricing, labels: Labels) -> list[Route]:
    search, told = Search(pricing), NearBytes()

    def board() -> Board:
        if not follower.started:
            raise Away("the map is still loading", retry_after_s=1)
        return follower.board

    async def get_sites(call: Call) -> Page[SiteView]:
        now, query = board(), call.query
        chosen = range(len(now.places.sites)) if query.bbox is None else _in_box(now, query.bbox)
        some, cursor = page_after([now.places.sites[site].id for site in chosen], query)
        return Page([views.site_view(now, chosen[place], labels, query.crs) for place in some], cursor)

    async def get_site(call: Call) -> SiteView:
        now = board()
        return views.site_view(now, _site(now, call), labels, call.query.crs)

    async def get_spots(call: Call) -> Page[SpotView]:
        now = board()
        spots = now.places.spots_of(_site(now, call))
        some, cursor = page_after(now.places.spot_ids[spots], call.query)
        return Page([views.spot_view(now, spots.start + place, call.query.crs) for place in some], cursor)

    def tell_near(query: NearQuery) -> bytes:
        now = board()
        if not (math.isfinite(query.lon) and math.isfinite(query.lat)):
            raise invalid("?lon", "number", "lon and lat are degrees")
        spot_class = None if query.spot_class is None else CLASS_NUMBER[query.spot_class]
        arrive = query.arrive or clock.city()
        found = search.near(
            *(now, query.lon, query.lat),
            radius_m=query.radius, limit=query.limit, spot_class=spot_class, arrive=arrive, stay_s=query.stay_s,
        )  # fmt: skip
        return told.page(now, found, spot_class, query.crs)

    async def get_near(call: Call) -> msgspec.Raw:
        return msgspec.Raw(tell_near(call.query))

    async def get_operator_sites(call: Call) -> Page[OperatorSiteView]:
        now, all_of_it, operators = board(), call.me.has("admin"), call.me.scopes("operator")
        mine = [number for number, site in enumerate(now.places.sites) if all_of_it or site.operator in operators]
        some, cursor = page_after([now.places.sites[site].id for site in mine], call.query)
        return Page([views.operator_site_view(now, mine[place], labels, call.query.crs) for place in some], cursor)

    sites = "/api/v1/sites"
    return [
        Route("GET", sites, get_sites, "Sites, all or those in a box", query=SitesQuery, answer=Page[SiteView]),
        Route("GET", f"{sites}/{{site}}", get_site, "A site as it is now", query=OneQuery, answer=SiteView),
        Route("GET", f"{sites}/{{site}}/spots", get_spots, "The spots of a site", query=SpotsQuery, answer=Page[SpotView]),
        *_map_routes(board),
        Route(
            *("GET", "/api/v1/near", get_near, "Where to park near a point, best first"),
            query=NearQuery, answer=Page[NearItem], quick=tell_near,
        ),
        Route(
            *("GET", "/api/v1/operator/sites", get_operator_sites, "One's own sites, and what is wrong with them"),
            who=Who.OPERATOR, query=SpotsQuery, answer=Page[OperatorSiteView],
        ),
    ]  # fmt: skip


def _map_routes(board: Callable[[], Board]) -> list[Route]:
    """What a map draws: the whole city in a few bytes."""

    async def get_map_sites(call: Call) -> Reply:
        return Reply(
            Raw(gzip.compress(msgspec.json.encode(_map_sites(board(), call.query.spot_class)), 1), "application/json", packed=True)
        )

    async def get_spellings(_: Call) -> Reply:
        return Reply(Raw(_spelt(board().places), "application/json", packed=True))

    async def get_bays(call: Call) -> Reply:
        tile = board().places.bay_tiles.tile(*_tile_of(call.path))
        if not len(tile.numbers):
            raise NotFound
        headers = {"ETag": f'"{tile.version:08x}"', "Cache-Control": FOREVER if call.query.v == tile.version else "no-cache"}
        if headers["ETag"] in call.headers.get("If-None-Match", ""):
            return Reply(None, 304, headers)
        return Reply(Raw(gzip.compress(tile.geometry, 5), "application/octet-stream", packed=True), headers=headers)

    return [
        Route("GET", "/api/v1/map/sites", get_map_sites, "All sites for a map, in columns", query=MapQuery, answer=MapSites),
        Route("GET", "/api/v1/map/spellings", get_spellings, "How the names of all sites are typed", answer=Spellings),
        Route("GET", "/api/v1/bays/{x}/{y}", get_bays, "Where the bays of a tile of zoom 14 lie", query=BaysQuery, binary=True),
    ]


def page_after(ids: Sequence[str], query: Paged) -> tuple[range, str | None]:
    """Places in a list that is in order of id, after the cursor; ids never repeat, so no page does."""
    place = place_of(query.cursor, Text)
    first = bisect_right(ids, place[0]) if place is not None else 0
    last = min(first + query.limit, len(ids))
    return range(first, last), cursor_of(ids[last - 1]) if last < len(ids) else None


def _in_box(board: Board, text: str) -> list[int]:
    try:
        w, s, e, n = (float(edge) for edge in text.split(","))
    except ValueError:
        raise invalid("?bbox", "bbox", "a box is four numbers: west,south,east,north") from None
    found: list[int] = board.places.sites_in(bounds_of((w, s, e, n), "?bbox")).tolist()
    return found


def _tile_of(path: Mapping[str, str]) -> tuple[int, int]:
    """One size serves every zoom at which bays are seen."""
    if not all(path[name].isdecimal() and len(path[name]) <= DIGITS_MAX and int(path[name]) < bays.TILES for name in "xy"):
        raise NotFound
    return int(path["x"]), int(path["y"])


def _map_sites(board: Board, spot_class: str | None) -> MapSites:
    places, known = board.places, board.capacity >= 0
    if spot_class is None:
        capacity, free, unknown = board.capacity, board.shown[:, 0], board.shown[:, 2]
    else:
        number = CLASS_NUMBER[spot_class]
        capacity, free, unknown = board.class_capacity[:, number], board.class_free[:, number], board.class_unknown[:, number]
    return MapSites(
        id=[site.id for site in places.sites],
        zh=[site.name.zh for site in places.sites],
        en=[site.name.en for site in places.sites],
        type=[site.type for site in places.sites],
        lon=places.site_lon.round(6).tolist(),
        lat=places.site_lat.round(6).tolist(),
        capacity=np.where(known, capacity, -1).tolist(),
        free=np.where(known, free, -1).tolist(),
        unknown=np.where(known, unknown, -1).tolist(),
        freshness=[FRESHNESS[number] for number in board.freshness.tolist()],
    )


@functools.lru_cache(1)
def _spelt(places: Places) -> bytes:
    """Packed. Names change when geometry does."""
    names = [site.name.zh for site in places.sites]
    told = Spellings(
        [site.id for site in places.sites], [spelling.pinyin(name) for name in names], [spelling.initials(name) for name in names]
    )
    return gzip.compress(msgspec.json.encode(told), 5)


def _site(board: Board, call: Call) -> int:
    site = board.places.site_number.get(call.path["site"])
    if site is None:
        raise NotFound
    return site
