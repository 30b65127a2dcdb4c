"""Where to park near a point: only what fits, the best first, and the reasons beside it."""

import functools
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from citymap import doors, opening_hours
from citymap.board import Board
from citymap.grid import Floats, Ints
from citymap.model import FRESHNESS, LIVE, NEVER
from citymap.places import Numbers, Places
from foundation import clock

WALK_M_PER_S: Final = 1.25
DETOUR: Final = 1.3  # Streets are longer than the line between two points.
FEN_PER_YUAN: Final = 100
UNPRICED_YUAN: Final = 10.0  # A price that nobody knows is not a price of nothing.
NO_PRICE: Final = -1
TERMS_MAX: Final = 64  # Stays asked for at the same time: of the minutes of arrival and leaving, most ask from now for an hour.


class Pricing(Protocol):
    """What a whole stay that begins in this minute costs, in fen; None when nobody can say. Another edition, other prices."""

    @property
    def edition(self) -> int: ...

    def price(self, site: str, arrive: datetime, stay_s: int) -> int | None: ...


class NoPricing:
    """A city without tariffs."""

    edition = 0

    def price(self, site: str, arrive: datetime, stay_s: int) -> int | None:
        return None


class State(NamedTuple):
    """What of a site changes; free and unknown places are those that fit."""

    capacity: int
    free: int
    unknown: int
    as_of: int
    freshness: int


class Terms:
    """What a stay at these minutes meets at every site: whether one is let in and out and for so long, whether its hours are
    known, and the price, which is asked for where somebody searches."""

    def __init__(self, places: Places, pricing: Pricing, arrive: datetime, stay_s: int) -> None:
        self._sites, self._pricing, self._arrive, self._stay_s = places.sites, pricing, arrive, stay_s
        texts, which = places.opening_hours
        begin, end = (clock.local(at).replace(second=0, microsecond=0) for at in (arrive, arrive + timedelta(seconds=stay_s)))
        said = [(opening_hours.is_open(text, begin), opening_hours.is_open(text, end)) for text in texts]
        admits = np.array([into is not False and out is not False for into, out in said], np.bool_)
        self.admits: npt.NDArray[np.bool_] = admits[which] & (places.max_stay_s >= stay_s)
        self._sure: npt.NDArray[np.bool_] = np.array([into is not None for into, _ in said], np.bool_)[which]
        self._fen: Ints = np.full(len(places.sites), NO_PRICE, np.int64)
        self._half_yuan: Floats = np.full(len(places.sites), np.nan, np.float64)  # Not asked yet.
        self._unasked = len(places.sites)

    def half_yuan(self, sites: Ints) -> Floats:
        """What a price weighs in the cost of each site."""
        if self._unasked and np.isnan(found := self._half_yuan.take(sites)).any():
            self._ask(sites[np.isnan(found)])
        return self._half_yuan.take(sites)

    def _ask(self, sites: Ints) -> None:
        for site in sites.tolist():
            fen = self._pricing.price(self._sites[site].id, self._arrive, self._stay_s)
            self._half_yuan[site] = 0.5 * (UNPRICED_YUAN if fen is None else fen / FEN_PER_YUAN)
            self._fen[site] = NO_PRICE if fen is None else fen
        self._unasked -= len(sites)

    def price(self, site: int) -> int | None:
        fen = self._fen.item(site)
        return None if fen == NO_PRICE else fen

    def sure(self, site: int) -> bool:
        """Whether its hours are known."""
        return self._sure.item(site)


class Found(NamedTuple):
    """Sites near a point, the best first: numbers of the sites and of the nearest door of each, metres, seconds of walk, and the
    revision of what the board shows of each."""

    terms: Terms
    sites: list[int]
    doors: list[int]
    metres: list[int]
    seconds: list[int]
    revisions: list[int]


class Search:
    """Asks the board, and keeps what is the same for whoever asks for the same stay, while places and prices are."""

    def __init__(self, pricing: Pricing) -> None:
        self._pricing = pricing
        self._edition = pricing.edition
        self._places: Places | None = None
        self._terms: dict[tuple[int, int, int], Terms] = {}

    def near(
        self,
        board: Board,
        lon: float,
        lat: float,
        *,
        radius_m: float,
        limit: int,
        spot_class: int | None,
        arrive: datetime,
        stay_s: int,
    ) -> Found:
        """The best `limit` sites within a radius that have a fitting place and let one in for the stay; those of which that is
        not known come after. The limit is applied last. Equal ones stand in order of id."""
        block, terms = board.places.doors.about(lon, lat, radius_m), self._terms_of(board.places, arrive, stay_s)
        each, distance = doors.walked(block, lon, lat)
        free, unknown = _fitting(board, block.sites, spot_class)
        fits = ((np.maximum(free, unknown) > 0) & (distance <= radius_m) & terms.admits.take(block.sites)).nonzero()[0]
        free, sites = free.take(fits), block.sites.take(fits)
        walk = distance.take(fits) * (DETOUR / WALK_M_PER_S)
        best = _ranked(cost_of(walk, terms.half_yuan(sites), free), free <= 0)[:limit]
        places, sites = fits.take(best), sites.take(best)
        metres, seconds = list(map(round, distance.take(places).tolist())), list(map(round, walk.take(best).tolist()))
        return Found(terms, sites.tolist(), doors.nearest(block, each, places), metres, seconds, board.revision.take(sites).tolist())

    def _terms_of(self, places: Places, arrive: datetime, stay_s: int) -> Terms:
        """By whole minutes, as opening hours are written and prices are asked for."""
        if self._places is not places or self._edition != self._pricing.edition:
            self._places, self._edition, self._terms = places, self._pricing.edition, {}
        second = arrive.timestamp()
        minutes = int(second // 60), int((second + stay_s) // 60), stay_s
        found = self._terms.get(minutes)
        if found is None:
            if len(self._terms) >= TERMS_MAX:
                del self._terms[next(iter(self._terms))]
            found = self._terms[minutes] = Terms(places, self._pricing, arrive, stay_s)
        return found


def cost_of(walk_s: Floats, half_yuan: Floats, free: Numbers | Ints) -> Floats:
    """Minutes of walk, half a minute for a yuan, and the risk that few free places are gone on arrival."""
    return walk_s / 60.0 + half_yuan + 12.0 / (free + 2.0)


def _ranked(cost: Floats, full: npt.NDArray[np.bool_]) -> Ints:
    """Places in order: what is sure to be free before what is not known, then by cost, then as they stood, which is by id."""
    order = cost.argsort(kind="stable")
    if full.any():
        last = full.take(order)
        order = np.concatenate((order[~last], order[last]))
    return order


def _fitting(board: Board, sites: Ints, spot_class: int | None) -> tuple[Numbers, Numbers]:
    """Free and unknown places; a site whose capacity nobody knows has less than none."""
    if spot_class is None:
        shown = board.shown.take(sites, axis=0)
        return shown[:, 0], shown[:, 2]
    return board.class_free[:, spot_class].take(sites), board.class_unknown[:, spot_class].take(sites)


def state_of(board: Board, site: int, spot_class: int | None) -> State:
    """What the board shows of a site now, of a class when one is asked for."""
    if spot_class is None:
        free, unknown = board.shown.item(site, 0), board.shown.item(site, 2)
    else:
        free, unknown = board.class_free.item(site, spot_class), board.class_unknown.item(site, spot_class)
    return State(board.capacity.item(site), free, unknown, board.as_of.item(site), board.freshness.item(site))


def why(state: State, price: int | None, *, sure: bool) -> tuple[str, ...]:
    """The reasons, in words that pages translate; `sure` when its hours are known."""
    gratis = None if price is None else price == 0
    return _words(min(state.free, 4), state.unknown > 0, gratis, sure, state.freshness, state.as_of == NEVER)


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
