"""The bytes of `near` say what the documented answer says, and say it anew when something changed."""

from datetime import timedelta

import msgspec
import numpy as np
import pytest

from citymap import http as citymap_http
from citymap import near_bytes, views
from citymap.board import Board
from citymap.http import NearQuery
from citymap.model import CLASS_NUMBER, CLASSES, NEVER, micros
from citymap.near import NoPricing
from citymap.near_bytes import NearItem
from foundation.http import Call, Page
from tests.citymap.city import T0, at, board, counted, places, seen, site
from tests.citymap.plain_near import plain_near


class Free(NoPricing):
    def price(self, site, arrive, stay_s):
        return {"lot-7": 450, "lot-8": 0}.get(site)


class Follower:
    started = True

    def __init__(self) -> None:
        self.board = board(site("lot-7", entrances=((113.6652, 34.7521),)), site("lot-8", lon=113.667), site("lot-9", lon=113.664))


class Clock:
    def city(self):
        return T0


def route_of(follower, pricing):
    return next(one for one in citymap_http.routes(follower, Clock(), pricing, None) if one.path == "/api/v1/near")


def told(route, **more):
    raw = route.quick(NearQuery(**{"lon": 113.665, "lat": 34.752} | more))
    answer = msgspec.json.decode(raw, type=Page[NearItem])
    assert msgspec.json.encode(answer) == raw, "another shape than the documented one"
    return answer.items


async def asked(follower, **more):
    route = route_of(follower, Free())
    query = NearQuery(lon=113.665, lat=34.752, **more)
    raw = await route.handle(Call({}, query, None, None, {}, b"", "", "GET"))
    assert bytes(raw) == route.quick(query)
    return told(route, **more)


@pytest.mark.parametrize("crs", [None, "gcj02", "bd09"])
async def test_near_answers_what_it_documents(crs):
    follower = Follower()
    items = await asked(follower, crs=crs)

    assert {one.site.id for one in items} == {"lot-7", "lot-8", "lot-9"}
    assert {one.site.id: one.price.amount if one.price else None for one in items} == {"lot-7": 450, "lot-8": 0, "lot-9": None}
    assert items == _plain(follower.board, Free(), crs=crs)


async def test_near_says_anew_what_changed():
    follower = Follower()
    before = {one.site.id: one.site for one in await asked(follower)}
    follower.board.apply([seen("occupied", at(5))])
    after = {one.site.id: one.site for one in await asked(follower)}

    assert (before["lot-7"].unknown, after["lot-7"].unknown) == (3, 2)
    assert before["lot-8"] == after["lot-8"]
    follower.board = board(site("lot-7"), site("lot-70"), spots=1)
    assert {one.site.id: one.site.capacity for one in await asked(follower)} == {"lot-7": 1, "lot-70": 1}


def _plain(city, pricing, *, lon=113.665, lat=34.752, radius=1000.0, limit=20, spot_class=None, arrive=T0, stay_s=3600, crs=None):
    number = None if spot_class is None else CLASS_NUMBER[spot_class]
    asked = {"radius_m": radius, "limit": limit, "spot_class": number, "arrive": arrive, "stay_s": stay_s, "crs": crs}
    return plain_near(city, lon, lat, pricing=pricing, **asked)


class Prices:
    """For every other site, and another one in each edition."""

    edition = 0

    def price(self, site, arrive, stay_s):
        number = int(site[-3:])
        return None if number % 2 else 100 * (number % 7) + 10 * self.edition * (stay_s // 3600)


def a_city(random) -> Board:
    """Sites with none to three doors, of every way to count, some of them closed, some for short stays."""
    made = []
    for number in range(60):
        lon, lat = (float(one) for one in (113.665 + random.normal(0, 0.006), 34.752 + random.normal(0, 0.006)))
        doors = tuple((lon + float(east), lat + float(north)) for east, north in random.normal(0, 0.001, (int(random.integers(0, 4)), 2)))
        hours = str(random.choice(["24/7", "", "Mo-Su 07:00-21:00", "Mo-Fr 08:00-09:30", "off"]))
        stay = random.choice([None, 3600, 7200])
        way = str(random.choice(["spots", "spots", "counter"]))
        made.append(site(f"lot-{number:03d}", lon=lon, lat=lat, entrances=doors, opening_hours=hours, max_stay_s=stay, counted_by=way))
    return Board(places(*made, spots=5), micros(T0))


def something(random, lot, seconds):
    """A batch of readings, some of them late."""
    for _ in range(40):
        number, when = int(random.integers(0, 60)), at(seconds + int(random.integers(-30, 30)))
        held = lot.places.sites[number]
        if held.counted_by == "spots":
            state = str(random.choice(["free", "occupied", "unknown", "out_of_order"]))
            yield seen(state, when, spot=f"{held.id}-{random.integers(1, 6):03d}", seq=seconds, device=f"cam-{number}")
        else:
            yield counted(int(random.integers(0, 12)), when, capacity=int(random.choice([0, 10])), place=held.id, device=f"cnt-{number}")


@pytest.mark.parametrize("seed", range(6))
def test_near_kept_from_before_says_what_near_from_scratch_says(seed):
    """Whatever changed meanwhile: states, silence, prices, minutes, classes asked for, and how it is asked."""
    random, follower, prices = np.random.default_rng(seed), Follower(), Prices()
    follower.board = a_city(random)
    route = route_of(follower, prices)
    for seconds in range(0, 400, 10):
        follower.board.apply(something(random, follower.board, seconds))
        follower.board.tick(micros(at(seconds)))
        prices.edition += int(random.integers(0, 8) == 0)
        asked = {
            "lon": 113.665 + float(random.normal(0, 0.01)), "lat": 34.752 + float(random.normal(0, 0.01)),
            "limit": int(random.integers(1, 40)), "radius": float(random.choice([50.0, 400.0, 1000.0, 5000.0])),
            "spot_class": random.choice([None, None, *CLASSES[:3]]), "crs": random.choice([None, None, "gcj02"]),
            "arrive": T0 + timedelta(seconds=int(random.integers(0, 80_000))), "stay_s": int(random.choice([60, 90, 3600, 7200])),
        }  # fmt: skip
        assert told(route, **asked) == _plain(follower.board, prices, **asked)
        assert told(route) == _plain(follower.board, prices)


@pytest.mark.parametrize("at", [NEVER, 0, 1_772_413_200_000_000, 1_772_413_200_000_999, 1_772_413_200_001_000, 1_772_413_200_999_999])
def test_since_when_is_told_as_everywhere(at):
    assert near_bytes._as_of(at) == msgspec.json.encode(views.as_of(at))
