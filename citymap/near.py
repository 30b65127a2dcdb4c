"""Where to park near a point: only what fits, the best first, and the reasons beside it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from citymap import opening_hours
from citymap.board import Board
from citymap.grid import Floats, Ints
from citymap.model import FRESHNESS, LIVE, NEVER
from foundation import clock

WALK_M_PER_S: Final = 1.25
DETOUR: Final = 1.3  # Streets are longer than the line between two points.
FEN_PER_YUAN: Final = 100
UNPRICED_YUAN: Final = 10.0  # A price that nobody knows is not a price of nothing.


class Pricing(Protocol):
    """What a whole stay costs, in fen; None when nobody can say."""

    def price(self, site: str, arrive: datetime, stay_s: int) -> int | None: ...


class NoPricing:
    """A city without tariffs."""

    def price(self, site: str, arrive: datetime, stay_s: int) -> int | None:
        return None


@dataclass(frozen=True, slots=True)
class Found:
    """One site near a point: numbers of the site and of its nearest door, metres, seconds of walk, fen, and why it stands here."""

    site: int
    door: int
    distance_m: int
    walk_s: int
    price: int | None
    free: int
    unknown: int
    why: tuple[str, ...]


def near(
    board: Board,
    lon: float,
    lat: float,
    *,
    radius_m: float,
    limit: int,
    spot_class: int | None,
    arrive: datetime,
    stay_s: int,
    pricing: Pricing,
) -> list[Found]:
    """The best `limit` sites within a radius that have a fitting place and let one in for the stay; those of which that is
    not known come after. The limit is applied last. Equal ones stand in order of id."""
    sites, doors, distance = _reachable(board, lon, lat, radius_m)
    free, unknown = _fitting(board, sites, spot_class)
    hours, sure = _admitting(board, sites, arrive, stay_s)
    fits = ((free > 0) | (unknown > 0)) & hours & (board.places.max_stay_s[sites] >= stay_s)
    sites, doors, distance, free, unknown, sure = sites[fits], doors[fits], distance[fits], free[fits], unknown[fits], sure[fits]
    walk = distance * (DETOUR / WALK_M_PER_S)
    prices = [pricing.price(board.places.sites[site].id, arrive, stay_s) for site in sites.tolist()]
    yuan = np.array([UNPRICED_YUAN if price is None else price / FEN_PER_YUAN for price in prices], np.float64)
    cost = cost_of(walk, yuan, free)
    best = np.lexsort((sites, cost, free <= 0))[:limit].tolist()  # Sites are numbered in order of id.
    return [
        Found(
            site := int(sites[place]),
            int(doors[place]),
            round(float(distance[place])),
            round(float(walk[place])),
            prices[place],
            int(free[place]),
            int(unknown[place]),
            _why(board, site, int(free[place]), int(unknown[place]), prices[place], bool(sure[place])),
        )
        for place in best
    ]


def cost_of(walk_s: Floats, yuan: Floats, free: Ints) -> Floats:
    """Minutes of walk, half a minute for a yuan, and the risk that few free places are gone on arrival."""
    return walk_s / 60.0 + 0.5 * yuan + 12.0 / (free + 2.0)


def _reachable(board: Board, lon: float, lat: float, radius_m: float) -> tuple[Ints, Ints, Floats]:
    """Sites by the nearest of their doors."""
    grid, owner = board.places.doors
    doors, distance = grid.around(lon, lat, radius_m)
    if len(owner) == len(board.places.sites):  # Every site has a door, so each has one: nothing to choose.
        return owner[doors], doors, distance
    order = np.lexsort((doors, distance, owner[doors]))
    doors, distance = doors[order], distance[order]
    sites, first = np.unique(owner[doors], return_index=True)
    return sites, doors[first], distance[first]


def _fitting(board: Board, sites: Ints, spot_class: int | None) -> tuple[Ints, Ints]:
    """Free and unknown places; a site whose capacity nobody knows has neither."""
    known = board.capacity[sites] > 0
    if spot_class is None:
        free, unknown = board.shown[sites, 0], board.shown[sites, 2]
    else:
        free, unknown = board.class_free[sites, spot_class], board.class_unknown[sites, spot_class]
    return np.where(known, free, 0).astype(np.int64), np.where(known, unknown, 0).astype(np.int64)


def _admitting(board: Board, sites: Ints, arrive: datetime, stay_s: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Whether each lets one in and out at these times, and whether that is known; each different text is read once."""
    texts, which = board.places.opening_hours
    begin, end = clock.local(arrive), clock.local(arrive + timedelta(seconds=stay_s))
    said = [(opening_hours.is_open(text, begin), opening_hours.is_open(text, end)) for text in texts]
    admits = np.array([into is not False and out is not False for into, out in said], np.bool_)
    sure = np.array([into is not None for into, _ in said], np.bool_)
    return admits[which[sites]], sure[which[sites]]


def _why(board: Board, site: int, free: int, unknown: int, price: int | None, sure: bool) -> tuple[str, ...]:
    fresh = int(board.freshness[site])
    stale = f"freshness_{FRESHNESS[fresh]}" if fresh != LIVE else ""
    words = (
        "free_places" if free > 0 else "places_unknown",
        "some_unknown" if free > 0 and unknown > 0 else "",
        "few_left" if 0 < free <= 3 else "",
        "price_unknown" if price is None else "free_of_charge" if price == 0 else "",
        "" if sure else "hours_unknown",
        stale,
        "never_heard" if board.as_of[site] == NEVER else "",
    )
    return tuple(word for word in words if word)
