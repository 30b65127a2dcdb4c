"""Where to park: what fits, all of it before the limit, the best first, and what a search over everything finds."""

import math
import time
from datetime import datetime
from typing import NamedTuple

import numpy as np
import pytest

from benchmarks import bench_board
from citymap import near as search
from citymap.board import Board
from citymap.model import micros
from citymap.near import NoPricing, Pricing, Search
from tests.citymap.city import T0, at, board, counted, places, seen, site

HERE = (113.665, 34.752)
NIGHT = datetime.fromisoformat("2026-03-02T22:00:00+08:00")


class Prices:
    """A price for each site that has one."""

    edition = 0

    def __init__(self, **fen: int) -> None:
        self._fen = {name.replace("_", "-"): price for name, price in fen.items()}

    def price(self, site: str, arrive: datetime, stay_s: int) -> int | None:
        return self._fen.get(site)


class Hit(NamedTuple):
    site: int
    door: int
    distance_m: int
    walk_s: int
    price: int | None
    free: int
    why: tuple[str, ...]


def near(
    lot: Board, *, limit: int = 10, spot_class: int | None = None, stay_s: int = 3600, arrive: datetime = T0, prices: Pricing | None = None
) -> list[Hit]:
    asked = {"radius_m": 1000.0, "limit": limit, "spot_class": spot_class, "stay_s": stay_s}
    found = Search(prices or NoPricing()).near(lot, *HERE, arrive=arrive, **asked)  # type: ignore[arg-type]
    hits = []
    for number, door, metres, seconds in zip(found.sites, found.doors, found.metres, found.seconds, strict=True):
        state, price = search.state_of(lot, number, spot_class), found.terms.price(number)
        hits.append(Hit(number, door, metres, seconds, price, state.free, search.why(state, price, sure=found.terms.sure(number))))
    return hits


def names(lot: Board, found: list[Hit]) -> list[str]:
    return [lot.places.sites[one.site].id for one in found]


def row_of(count: int, **more: object) -> Board:
    """Car parks in a row to the east, fifteen metres apart, each with one free spot."""
    lots = [site(f"lot-{n:05d}", lon=HERE[0] + n * 1.6e-4, **more) for n in range(1, count + 1)]
    lot = Board(places(*lots, spots=1), micros(T0))
    lot.apply([seen("free", spot=f"{one.id}-001", device=f"cam-{one.id}") for one in lots])
    return lot


def test_the_nearer_of_two_equals_comes_first_with_its_walk() -> None:
    lot = row_of(2)

    found = near(lot)

    assert names(lot, found) == ["lot-00001", "lot-00002"]
    assert found[1].distance_m == pytest.approx(29, abs=1)
    assert found[1].walk_s == pytest.approx(29 * 1.3 / 1.25, abs=1)
    assert found[0].why == ("free_places", "few_left", "price_unknown", "hours_unknown")


def test_only_sites_with_a_fitting_place_are_offered_and_unknown_ones_come_last() -> None:
    lot = board(site("lot-1"), site("lot-2", lon=113.6655), site("lot-3", lon=113.666))
    lot.apply([*(seen("occupied", spot=f"lot-1-00{n}") for n in (1, 2, 3)), seen("free", spot="lot-3-001")])

    found = near(lot)

    assert names(lot, found) == ["lot-3", "lot-2"]
    assert "places_unknown" in found[1].why and "never_heard" in found[1].why


def test_a_class_is_asked_for_and_only_its_places_count() -> None:
    lot = board()
    lot.apply([seen("free"), seen("free", spot="lot-7-002"), seen("occupied", spot="lot-7-003")])

    assert [one.free for one in near(lot, spot_class=0)] == [2]
    assert near(lot, spot_class=1) == []
    assert near(lot, spot_class=2) == []


def test_a_price_moves_a_site_and_nothing_is_not_a_price() -> None:
    lot = row_of(3)

    found = near(lot, prices=Prices(lot_00001=4000, lot_00003=0))

    assert names(lot, found) == ["lot-00003", "lot-00002", "lot-00001"]
    assert [one.price for one in found] == [0, None, 4000]
    assert "free_of_charge" in found[0].why


def test_walk_is_to_the_nearest_entrance() -> None:
    lot = board(site(lon=113.67, entrances=((113.675, 34.752), (113.6652, 34.752))))
    lot.apply([seen("free")])

    (found,) = near(lot)

    assert found.distance_m == pytest.approx(18, abs=1)
    assert lot.places.doors.lon[found.door] == 113.6652


def test_equally_good_ones_stand_in_order_of_id() -> None:
    lots = [site(name) for name in ("lot-c", "lot-a", "lot-b")]
    lot = board(*lots)
    lot.apply([seen("free", spot=f"{one.id}-001") for one in lots])

    assert names(lot, near(lot)) == ["lot-a", "lot-b", "lot-c"]
    assert names(lot, near(lot, limit=2)) == ["lot-a", "lot-b"]


def only_one_fits(count: int, fitting: int) -> Board:
    """Closed at night or one hour at most, all but one."""
    hours = {True: "Mo-Su 07:00-21:00", False: "24/7"}
    lots = [
        site(
            f"lot-{n:05d}",
            lon=HERE[0] + n * 1e-7,
            opening_hours=hours[n % 2 == 0 and n != fitting],
            max_stay_s=None if n == fitting else 3600,
        )
        for n in range(1, count + 1)
    ]
    lot = Board(places(*lots, spots=1), micros(T0))
    lot.spot_state[:] = 0
    lot.recount()
    return lot


@pytest.mark.parametrize(("count", "fitting"), [(20, 11), (20_000, 15_000)])
def test_eleventh_of_twenty_is_the_only_hit(count: int, fitting: int) -> None:
    lot = only_one_fits(count, fitting)
    near(lot, arrive=NIGHT, stay_s=36_000)  # The index is made when first asked.

    began = time.perf_counter()
    found = near(lot, arrive=NIGHT, stay_s=36_000)

    assert names(lot, found) == [f"lot-{fitting:05d}"]
    assert time.perf_counter() - began < 0.25


def test_a_site_whose_capacity_nobody_knows_is_not_offered() -> None:
    lot = board(site("lot-8", counted_by="counter"))
    lot.apply([counted(0, capacity=0)])

    assert near(lot) == []


def test_a_late_device_is_said_in_the_reasons() -> None:
    lot = board()
    lot.apply([seen("free"), seen("free", spot="lot-7-002", device="cam-2", received=at(500))])
    lot.tick(micros(at(700)))

    assert "freshness_late" in near(lot)[0].why


def test_nothing_is_near_in_an_empty_city() -> None:
    assert near(Board(places(), micros(T0))) == []


@pytest.mark.parametrize("seed", range(4))
def test_the_cells_find_what_a_search_over_everything_finds(seed: int) -> None:
    random = np.random.default_rng(seed)
    lots = [site(f"lot-{n:03d}", lon=113.5 + x, lat=34.6 + y) for n, (x, y) in enumerate(random.uniform(0, 0.3, (300, 2)))]
    lot = Board(places(*lots, spots=2), micros(T0))
    lot.spot_state[:] = random.integers(0, 3, len(lot.spot_state))
    lot.recount()

    for lon, lat in random.uniform((113.45, 34.55), (113.85, 34.95), (40, 2)).tolist():
        for radius in (300.0, 1000.0, 5000.0):
            found = Search(NoPricing()).near(lot, lon, lat, radius_m=radius, limit=500, spot_class=None, arrive=T0, stay_s=60)
            assert dict(zip(found.sites, found.metres, strict=True)) == everything(lot, lon, lat, radius)


def everything(lot: Board, lon: float, lat: float, radius: float) -> dict[int, int]:
    """By the haversine formula, one after the other."""
    found = {}
    for number, one in enumerate(lot.places.sites):
        a = math.sin(math.radians(one.lat - lat) / 2) ** 2
        a += math.cos(math.radians(lat)) * math.cos(math.radians(one.lat)) * math.sin(math.radians(one.lon - lon) / 2) ** 2
        metres = 2 * 6_371_008.8 * math.asin(math.sqrt(a))
        if metres <= radius and lot.shown[number, 0] + lot.shown[number, 2] > 0:
            found[number] = round(metres)
    return found


def test_the_ranking_is_that_of_the_benchmarks_search_without_an_index() -> None:
    lots = [site(f"lot-{n:03d}", lon=HERE[0] + n * 3e-4) for n in range(60)]
    lot = Board(places(*lots, spots=6), micros(T0))
    lot.spot_state[:] = np.random.default_rng(1).integers(0, 3, len(lot.spot_state))
    lot.recount()

    assert [one.site for one in near(lot, limit=20)] == bench_board._brute(lot, *HERE).tolist()
