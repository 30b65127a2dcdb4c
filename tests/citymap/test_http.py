"""What the map answers: the shapes of the contract, pages that neither skip nor repeat, and what is refused."""

import gzip
import re
import uuid
from typing import Any, cast

import msgspec
import pytest

from citymap import http
from citymap.board import Board
from citymap.follow import BoardFollower
from citymap.model import Name, micros
from citymap.near import NoPricing
from citymap.views import TariffLabel
from foundation import spelling
from foundation.caller import Caller, Role
from foundation.clock import Clock
from foundation.errors import Away, Invalid, NotFound, NotLoggedIn
from foundation.http import Call, Who, decode_query
from tests.citymap.city import T0, at, board, counted, places, seen, site


class Labels:
    def tariff(self, site: str) -> TariffLabel | None:
        return TariffLabel("lot-7-day", 1, Name("白天", "By day")) if site == "lot-7" else None


class Standing:
    def __init__(self, lot: Board, started: bool = True) -> None:
        self.board, self.started = lot, started


class Door:
    """Asks the routes as the real door does: query decoded by its type, answer encoded."""

    def __init__(self, lot: Board, *, started: bool = True) -> None:
        follower = cast(BoardFollower, Standing(lot, started))
        self.routes = {route.path: route for route in http.routes(follower, Clock(), NoPricing(), Labels())}

    async def get(self, path: str, caller: Caller | None = None, *, to: str = "", **query: object) -> Any:
        route = self.routes[path]
        asked = decode_query({name.rstrip("_"): str(value) for name, value in query.items()}, route.query or msgspec.Struct)
        call = Call({"site": to}, asked, None, caller, {}, b"", "127.0.0.1", f"GET {path}")
        return msgspec.json.decode(msgspec.json.encode(await route.handle(call)))


SITES, SITE, SPOTS, NEAR, MINE = (
    *("/api/v1/sites", "/api/v1/sites/{site}", "/api/v1/sites/{site}/spots", "/api/v1/near", "/api/v1/operator/sites"),
)


def lot_7() -> Board:
    lot = board(
        site(max_height_cm=210, opening_hours="24/7", entrances=((113.6652, 34.7521),)), site("lot-8", counted_by="gates", capacity=50)
    )
    lot.apply([seen("free", at(1)), seen("free", at(2), spot="lot-7-002"), seen("occupied", at(3), spot="lot-7-003")])
    return lot


async def test_a_site_is_answered_as_the_contract_shows_it() -> None:
    told = await Door(lot_7()).get(SITE, to="lot-7")

    assert told == {
        "id": "lot-7",
        "name": {"zh": "停车场", "en": "Car park"},
        "type": "surface",
        "operator": "op-demo",
        "zone": "",
        "location": {"lon": 113.665, "lat": 34.752},
        "entrances": [{"lon": 113.6652, "lat": 34.7521}],
        "counted_by": "spots",
        "capacity": 3,
        "free": 2,
        "occupied": 1,
        "unknown": 0,
        "out_of_order": 0,
        "classes": {"standard": {"capacity": 2, "free": 2, "unknown": 0}, "electric": {"capacity": 1, "free": 0, "unknown": 0}},
        "as_of": "2026-03-02T09:00:03+08:00",
        "freshness": "live",
        "trend": "stable",
        "tariff": {"id": "lot-7-day", "version": 1, "text": {"zh": "白天", "en": "By day"}},
        "max_height_cm": 210,
        "max_stay_s": None,
        "opening_hours": "24/7",
    }


async def test_a_site_that_is_not_there_is_not_found() -> None:
    for path in (SITE, SPOTS):
        with pytest.raises(NotFound):
            await Door(lot_7()).get(path, to="lot-99")


async def test_spots_of_a_gated_site_and_sites_without_a_tariff() -> None:
    door = Door(lot_7())

    assert (await door.get(SPOTS, to="lot-8"))["items"] == []
    told = await door.get(SITE, to="lot-8")
    assert (told["tariff"], told["as_of"], told["freshness"]) == (None, None, "static")
    assert told["classes"] == {"standard": {"capacity": 50, "free": 0, "unknown": 50}}


async def test_spots_never_say_a_plate() -> None:
    told = await Door(lot_7()).get(SPOTS, to="lot-7", limit=2)

    assert told["items"][0] == {
        "id": "lot-7-001",
        "lon": 113.66501,
        "lat": 34.752,
        "class": "standard",
        "state": "free",
        "as_of": "2026-03-02T09:00:01+08:00",
    }
    rest = await Door(lot_7()).get(SPOTS, to="lot-7", limit=2, cursor=told["next_cursor"])
    assert ([one["id"] for one in rest["items"]], rest["next_cursor"]) == (["lot-7-003"], None)


async def test_many_rows_in_the_same_second() -> None:
    """Sites in one place, heard in one second: ten, ten, five, each once."""
    door = Door(Board(places(*(site(f"lot-{n:02d}") for n in range(25))), micros(T0)))
    pages, cursor = [], None
    while cursor or not pages:
        told = await door.get(SITES, limit=10, **({"cursor": cursor} if cursor else {}))
        pages.append([one["id"] for one in told["items"]])
        cursor = told["next_cursor"]

    assert [len(page) for page in pages] == [10, 10, 5]
    assert sorted(name for page in pages for name in page) == [f"lot-{n:02d}" for n in range(25)]


async def test_a_box_chooses_the_sites_in_it() -> None:
    door = Door(board(site(), site("lot-far", lon=113.8)))

    told = await door.get(SITES, bbox="113.66,34.75,113.67,34.76")

    assert [one["id"] for one in told["items"]] == ["lot-7"]


async def test_capacity_zero_reads_as_room() -> None:
    lot = board(site("zz-0040", counted_by="counter"))
    lot.apply([counted(0, capacity=0, place="zz-0040")])
    door = Door(lot)

    told = await door.get(SITE, to="zz-0040")
    assert [told[name] for name in ("capacity", "free", "occupied", "unknown", "out_of_order")] == [None] * 5
    assert (await door.get(NEAR, lon=113.665, lat=34.752))["items"] == []
    mine = await door.get(MINE, caller("op-demo"))
    assert mine["items"][0]["problems"] == ["capacity_missing"]


def caller(operator: str, role: str = "operator") -> Caller:
    return Caller(uuid.uuid4(), uuid.uuid4(), roles=(Role(role, operator),))


async def test_an_operator_sees_its_own_sites_and_nobody_elses() -> None:
    door = Door(board(site(), site("lot-other", operator="op-other")))

    async def seen_by(who: Caller) -> list[str]:
        return [one["id"] for one in (await door.get(MINE, who))["items"]]

    assert await seen_by(caller("op-demo")) == ["lot-7"]
    assert await seen_by(caller("op-none")) == []
    assert await seen_by(caller("op-demo", role="staff")) == []
    assert await seen_by(caller("", role="admin")) == ["lot-7", "lot-other"]
    with pytest.raises(NotLoggedIn):
        await door.get(MINE)
    assert door.routes[MINE].who is Who.OPERATOR


async def test_near_answers_the_best_first_with_what_a_driver_asks() -> None:
    told = await Door(lot_7()).get(
        NEAR, lon=113.6652, lat=34.7525, radius=500, limit=5, class_="standard", arrive="2026-03-02T09:05:00+08:00", stay_s=3600
    )

    first, second = told["items"]
    assert (first["site"]["id"], first["site"]["free"], first["site"]["capacity"]) == ("lot-7", 2, 3)
    assert (first["site"]["entrance"], first["distance_m"], first["walk_s"]) == ({"lon": 113.6652, "lat": 34.7521}, 44, 46)
    assert (first["price"], first["p_free"]) == (None, None)
    assert (second["site"]["id"], second["why"][0]) == ("lot-8", "places_unknown")
    assert told["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"lat": 34.7}, "?lon"),
        ({"lon": 181, "lat": 34.7}, "?lon"),
        ({"lon": "nan", "lat": 34.7}, "?lon"),
        ({"lon": 113.6, "lat": "x"}, "?lat"),
        ({"lon": 113.6, "lat": 34.7, "radius": 5001}, "?radius"),
        ({"lon": 113.6, "lat": 34.7, "radius": 0}, "?radius"),
        ({"lon": 113.6, "lat": 34.7, "limit": 0}, "?limit"),
        ({"lon": 113.6, "lat": 34.7, "limit": 101}, "?limit"),
        ({"lon": 113.6, "lat": 34.7, "class_": "huge"}, "?class"),
        ({"lon": 113.6, "lat": 34.7, "arrive": "2026-03-02T09:05:00"}, "?arrive"),
        ({"lon": 113.6, "lat": 34.7, "stay_s": 1}, "?stay_s"),
        ({"lon": 113.6, "lat": 34.7, "crs": "utm"}, "?crs"),
    ],
)
async def test_a_wrong_parameter_is_named(query: dict[str, object], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        await Door(lot_7()).get(NEAR, **query)

    assert refused.value.errors[0].pointer == pointer


@pytest.mark.parametrize(
    "query", [{"bbox": "1,2,3"}, {"bbox": "a,b,c,d"}, {"bbox": "3,2,1,4"}, {"cursor": "rubbish"}, {"cursor": "WzFd"}, {"limit": 501}]
)
async def test_a_wrong_list_query_is_refused(query: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        await Door(lot_7()).get(SITES, **query)


async def test_coordinates_are_converted_at_the_door_and_said_so() -> None:
    door = Door(lot_7())

    told = await door.get(SITE, to="lot-7", crs="gcj02")

    assert told["crs"] == "gcj02"
    assert told["location"]["lon"] == pytest.approx(113.6711, abs=1e-3)
    assert told["entrances"][0]["lon"] - told["location"]["lon"] == pytest.approx(0.0002, abs=1e-6)
    assert (await door.get(SPOTS, to="lot-7", crs="bd09"))["items"][0]["crs"] == "bd09"
    assert (await door.get(NEAR, lon=113.665, lat=34.752, crs="gcj02"))["items"][0]["site"]["location"] == told["location"]


async def test_a_map_that_is_loading_says_so() -> None:
    with pytest.raises(Away) as away:
        await Door(lot_7(), started=False).get(SITES)

    assert away.value.retry_after_s == 1


async def test_pinyin_with_the_wrong_g() -> None:
    """Every name can be typed: its keys hold nothing that is not on a keyboard, and look-alikes in what is typed are the same letters."""
    names = ["二七广场停车场", "郑州东站", "经三路停车场", "绿城广场 P1", "女子医院（东）"]
    lots = [msgspec.structs.replace(site(f"lot-{number}"), name=Name(name, name)) for number, name in enumerate(names)]
    reply = await Door(board(*lots)).routes["/api/v1/map/spellings"].handle(Call({}, None, None, None, {}, b"", "", ""))
    told = msgspec.json.decode(gzip.decompress(cast(Any, reply).body.content))
    keys = dict(zip(names, zip(told["pinyin"], told["initials"], strict=True), strict=True))

    assert keys["二七广场停车场"] == ("erqiguangchangtingchechang", "eqgctcc")
    assert keys["绿城广场 P1"][0] == "lvchengguangchangp1"
    assert all(re.fullmatch("[a-z0-9]+", word) for words in keys.values() for word in words)
    typed = {
        "erqiguangchang": 0,
        "guangchang": 0,
        "zhengzhoudong": 1,
        "jing san lu": 2,
        "ɡuǎnɡchǎng": 0,
        "lǜ chéng": 3,
        "lücheng": 3,
        "NV": 4,
    }
    assert all(spelling.keys(word) in keys[names[place]][0] for word, place in typed.items())
