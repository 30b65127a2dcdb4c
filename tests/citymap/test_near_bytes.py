"""The bytes of `near` say what the documented answer says, and say it anew when something changed."""

import msgspec
import pytest

from citymap import http as citymap_http
from citymap import near
from citymap.http import NearItem, NearQuery
from citymap.near import NoPricing
from foundation.http import Call, Page
from tests.citymap.city import T0, at, board, seen, site


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


async def asked(follower, **more):
    route = next(one for one in citymap_http.routes(follower, Clock(), Free(), None) if one.path == "/api/v1/near")
    query = NearQuery(lon=113.665, lat=34.752, **more)
    raw = await route.handle(Call({}, query, None, None, {}, b"", "", "GET"))
    answer = msgspec.json.decode(msgspec.json.encode(raw), type=Page[NearItem])
    assert msgspec.json.encode(answer) == msgspec.json.encode(raw), "another shape than the documented one"
    return answer.items


@pytest.mark.parametrize("crs", [None, "gcj02", "bd09"])
async def test_near_answers_what_it_documents(crs):
    follower = Follower()
    items = await asked(follower, crs=crs)

    assert {one.site.id for one in items} == {"lot-7", "lot-8", "lot-9"}
    assert {one.site.id: one.price.amount if one.price else None for one in items} == {"lot-7": 450, "lot-8": 0, "lot-9": None}
    assert all(one.why == found.why for one, found in zip(items, _found(follower), strict=True))


def _found(follower):
    asked = {"radius_m": 1000.0, "limit": 20, "spot_class": None, "arrive": T0, "stay_s": 3600, "pricing": Free()}
    return near.near(follower.board, 113.665, 34.752, **asked)


async def test_near_says_anew_what_changed():
    follower = Follower()
    before = {one.site.id: one.site for one in await asked(follower)}
    follower.board.apply([seen("occupied", at(5))])
    after = {one.site.id: one.site for one in await asked(follower)}

    assert (before["lot-7"].unknown, after["lot-7"].unknown) == (3, 2)
    assert before["lot-8"] == after["lot-8"]
    follower.board = board(site("lot-7"), site("lot-70"), spots=1)
    assert {one.site.id: one.site.capacity for one in await asked(follower)} == {"lot-7": 1, "lot-70": 1}
