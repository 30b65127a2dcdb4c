"""Where to park near a point: only what fits, the best first, and the reasons beside it."""

import functools
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec
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


class Found(msgspec.Struct, frozen=True, gc=False):
    """One site near a point: numbers of the site and of its nearest door, metres, seconds of walk, fen, and why it stands here.
    `state` is what of it changes: capacity, free and unknown places that fit, as of when, and freshness."""

    site: int
    door: int
    distance_m: int
    walk_s: int
    price: int | None
    state: tuple[int, int, int, int, int]
    why: tuple[str, ...]

    @property
    def free(self) -> int:
        return self.state[1]

    @property
    def unknown(self) -> int:
        return self.state[2]


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
    best = np.lexsort((sites, cost, free <= 0))[:limit]  # Sites are numbered in order of id.
    found = sites[best]
    columns = (board.capacity[found], free[best], unknown[best], board.as_of[found], board.freshness[found])
    states = zip(*(column.tolist() for column in columns), strict=True)
    told = (
        found.tolist(),
        doors[best].tolist(),
        np.rint(distance[best]).astype(np.int64).tolist(),
        np.rint(walk[best]).astype(np.int64).tolist(),
    )
    priced, surely = [prices[place] for place in best.tolist()], sure[best].tolist()
    return [
        Found(site, door, far, walked, price, state, _why(state, price, known))
        for site, door, far, walked, price, state, known in zip(*told, priced, states, surely, strict=True)
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
    begin, end = (clock.local(at).replace(second=0, microsecond=0) for at in (arrive, arrive + timedelta(seconds=stay_s)))
    said = [(_is_open(text, begin), _is_open(text, end)) for text in texts]
    admits = np.array([into is not False and out is not False for into, out in said], np.bool_)
    sure = np.array([into is not None for into, _ in said], np.bool_)
    return admits[which[sites]], sure[which[sites]]


@functools.lru_cache(4096)
def _is_open(text: str, at: datetime) -> bool | None:
    """By whole minutes, as opening hours are written: most who ask mean now."""
    return opening_hours.is_open(text, at)


def _why(state: tuple[int, int, int, int, int], price: int | None, sure: bool) -> tuple[str, ...]:
    _, free, unknown, as_of, fresh = state
    return _words(min(free, 4), unknown > 0, None if price is None else price == 0, sure, fresh, as_of == NEVER)


@functools.cache
def _words(free: int, some_unknown: bool, gratis: bool | None, sure: bool, fresh: int, never: bool) -> tuple[str, ...]:
    """`free` is counted up to four."""
    words = (
        "free_places" if free > 0 else "places_unknown",
        "some_unknown" if free > 0 and some_unknown else "",
        "few_left" if 0 < free <= 3 else "",
        "price_unknown" if gratis is None else "free_of_charge" if gratis else "",
        "" if sure else "hours_unknown",
        f"freshness_{FRESHNESS[fresh]}" if fresh != LIVE else "",
        "never_heard" if never else "",
    )
    return tuple(word for word in words if word)
