"""What the city and its operators see of the map over time: what is free where, how it was by hour, and the line beside a site."""

import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from citymap import history, store
from citymap.board import Board
from citymap.follow import BoardFollower
from citymap.http import page_after
from citymap.model import FREE, FRESHNESS, OCCUPIED, OUT_OF_ORDER, UNKNOWN
from foundation.clock import Clock, local, rfc3339
from foundation.errors import Away
from foundation.http import Call, Page, Paged, Route, Who
from foundation.postgres import Database

HOURS = 24
HEAT_SECONDS = 60.0  # The heat of a day is summed from hundreds of thousands of moments: once a minute is enough for an hour's colour.


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over sites whose capacity is known."""

    sites: int
    capacity: int
    free: int
    occupied: int
    unknown: int
    out_of_order: int


class OperatorCounts(Counts, frozen=True, kw_only=True):
    """`freshness` counts its sites: live, late, silent, static."""

    operator: str
    freshness: dict[str, int]


class Spike(msgspec.Struct, frozen=True, kw_only=True):
    """A site on the map of the city."""

    id: str
    lon: float
    lat: float
    capacity: int
    free: int
    unknown: int
    freshness: str


class District(msgspec.Struct, frozen=True, kw_only=True):
    """`hours` are the shares of free places of the last 24 hours, oldest first; null where nobody counted."""

    district: str
    counts: Counts
    hours: list[float | None]


class CityView(msgspec.Struct, frozen=True, kw_only=True):
    as_of: str
    total: Counts
    operators: list[OperatorCounts]
    districts: list[District]
    first_hour: str
    spikes: list[Spike]


class HistoryQuery(Paged, kw_only=True):
    hours: Annotated[int, msgspec.Meta(ge=1, le=168)] = 6


class SiteHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Free places every `step_s` seconds from `first` on; null where nobody knew."""

    site: str
    first: str
    step_s: int
    free: list[int | None]


def district_of(zone: str) -> str:
    """金水 of jinshui-07: a zone is a district and a number in it; one without a number is its own district."""
    head, dash, tail = zone.rpartition("-")
    return head if dash and tail.isdigit() else zone


def routes(follower: BoardFollower, database: Database, clock: Clock) -> list[Route]:
    heat = _Heat(database)

    def board() -> Board:
        if not follower.started:
            raise Away("the map is still loading", retry_after_s=1)
        return follower.board

    async def get_city(call: Call) -> CityView:
        now, at = board(), clock.city()
        first = local(at).replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
        hours = await heat.of(first)
        return CityView(
            as_of=rfc3339(at), total=_counts(now, range(len(now.places.sites))), operators=_operators(now),
            districts=_districts(now, hours), first_hour=rfc3339(first), spikes=_spikes(now),
        )  # fmt: skip

    async def get_history(call: Call) -> Page[SiteHistory]:
        everything, mine = call.me.has("admin"), call.me.scopes("operator")
        sites = [site.id for site in board().places.sites if everything or site.operator in mine]
        places, cursor = page_after(sites, call.query)
        some = [sites[place] for place in places]
        steps = call.query.hours * timedelta(hours=1) // history.STEP
        first = history.step_of(clock.city()) - (steps - 1) * history.STEP
        lines = await history.lines_of(database, some, first, steps)
        step_s = int(history.STEP.total_seconds())
        return Page([SiteHistory(site=site, first=rfc3339(first), step_s=step_s, free=lines[site]) for site in some], cursor)

    return [
        Route(
            *("GET", "/api/v1/operator/history", get_history, "How full one's own sites were"),
            who=Who.OPERATOR, query=HistoryQuery, answer=Page[SiteHistory],
        ),
        Route("GET", "/api/v1/city/places", get_city, "What is free, where and with whom", who=Who.CITY, answer=CityView),
    ]  # fmt: skip


class _Heat:
    """Shares of free places by district and hour, summed anew once a minute for whoever asks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._first: datetime | None = None
        self._summed_at = 0.0
        self._hours: dict[str, list[float | None]] = {}

    async def of(self, first: datetime) -> dict[str, list[float | None]]:
        """The HOURS hours from `first` on."""
        if first != self._first or time.monotonic() - self._summed_at > HEAT_SECONDS:
            self._hours, self._first, self._summed_at = await self._sum(first), first, time.monotonic()
        return self._hours

    async def _sum(self, first: datetime) -> dict[str, list[float | None]]:
        sums: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
        for row in await store.fetch_heat(self._database, first, first + timedelta(hours=HOURS)):
            held = sums[district_of(row["zone"]), (row["hour"] - first) // timedelta(hours=1)]
            held[0] += row["free"]
            held[1] += row["capacity"]
        hours: dict[str, list[float | None]] = defaultdict(lambda: [None] * HOURS)
        for (district, hour), (free, capacity) in sums.items():
            hours[district][hour] = round(free / capacity, 3)
        return hours


def _counts(board: Board, sites: Iterable[int]) -> Counts:
    return Counts(**_sums(board, sites))


def _sums(board: Board, sites: Iterable[int]) -> dict[str, int]:
    known = [site for site in sites if board.shown[site][FREE] >= 0]
    shown = board.shown[known].sum(axis=0)
    names = {"free": FREE, "occupied": OCCUPIED, "unknown": UNKNOWN, "out_of_order": OUT_OF_ORDER}
    return {"sites": len(known), "capacity": int(board.capacity[known].sum())} | {name: int(shown[at]) for name, at in names.items()}


def _operators(board: Board) -> list[OperatorCounts]:
    sites: dict[str, list[int]] = defaultdict(list)
    for number, site in enumerate(board.places.sites):
        sites[site.operator].append(number)
    return [
        OperatorCounts(operator=operator, freshness=_freshness(board, sites[operator]), **_sums(board, sites[operator]))
        for operator in sorted(sites)
    ]


def _freshness(board: Board, sites: Iterable[int]) -> dict[str, int]:
    held = [FRESHNESS[board.freshness[site]] for site in sites]
    return {name: held.count(name) for name in FRESHNESS}


def _districts(board: Board, hours: dict[str, list[float | None]]) -> list[District]:
    sites: dict[str, list[int]] = defaultdict(list)
    for number, site in enumerate(board.places.sites):
        sites[district_of(site.zone)].append(number)
    none: list[float | None] = [None] * HOURS
    return [District(district=name, counts=_counts(board, sites[name]), hours=hours.get(name, none)) for name in sorted(sites)]


def _spikes(board: Board) -> list[Spike]:
    capacity, shown, unknown = board.capacity.tolist(), board.shown[:, FREE].tolist(), board.shown[:, UNKNOWN].tolist()
    freshness = [FRESHNESS[number] for number in board.freshness]
    return [
        Spike(
            id=site.id, lon=site.lon, lat=site.lat, freshness=freshness[number],
            capacity=capacity[number], free=shown[number], unknown=unknown[number],
        )
        for number, site in enumerate(board.places.sites)
        if shown[number] >= 0
    ]  # fmt: skip
