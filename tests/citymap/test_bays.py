"""Tiles of bays: places to the centimetre, angles that rows tell, and states that a picture and its changes keep true."""

import json
import math
import struct
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from citymap import bays
from citymap.board import Board, Changed
from citymap.fanout import Area, Fanout
from citymap.follow import BoardFollower
from citymap.live import NOWHERE, area_of
from citymap.model import STATES, micros
from citymap.places import Places, of_spots
from foundation.clock import Clock
from foundation.errors import Invalid
from foundation.websocket import Outgoing
from tests.citymap.city import T0, at, seen, site
from tests.citymap.test_live import StandingFollower, Wire, driven

LON, LAT, METRE = 113.665, 34.752, 1 / 111_195


def row_of(step_m: float, degrees: float, count: int = 12) -> Places:
    """A row of bays whose middles lie `step_m` apart, along a street that runs at this angle from east to south."""
    across, along = math.cos(math.radians(degrees)), -math.sin(math.radians(degrees))
    rows = [
        (f"lot-7-{n:03d}", "lot-7", 0, LON + n * step_m * across * METRE / math.cos(math.radians(LAT)), LAT + n * step_m * along * METRE)
        for n in range(count)
    ]
    return of_spots([site()], rows)


def only_tile(places: Places) -> bays.Tile:
    x, y = (int(part[0]) for part in bays.mercator(places.spot_lon, places.spot_lat))
    return places.bay_tiles.tile(x, y)


def decoded(tile: bays.Tile) -> dict[str, Any]:
    magic, version, count, ids = bays.HEAD.unpack_from(tile.geometry)
    assert (magic, version) == (bays.MAGIC, tile.version)
    kinds = np.dtype("<u2"), np.dtype("<u2"), np.dtype("u1"), np.dtype("u1"), np.dtype("<u2")
    found, place = [], bays.HEAD.size
    for kind in kinds:
        found.append(np.frombuffer(tile.geometry, kind, count, place))
        place += count * kind.itemsize
    names = "x", "y", "angle", "class", "site"
    return dict(zip(names, found, strict=True)) | {"sites": json.loads(tile.geometry[place : place + ids])}


def test_a_bay_lies_where_it_lies_to_a_few_centimetres() -> None:
    places = row_of(2.5, 20)
    tile = only_tile(places)
    held = decoded(tile)

    x = (tile.x + held["x"] / bays.STEPS) / bays.TILES * 360 - 180
    assert np.abs(x - places.spot_lon[tile.numbers]).max() / METRE < 0.05
    assert held["sites"] == ["lot-7"]


@given(st.integers(0, 179))
def test_bays_beside_one_another_lie_across_their_row_and_those_behind_one_another_along(degrees: int) -> None:
    def angle(step_m: float) -> float:
        return float(decoded(only_tile(row_of(step_m, degrees)))["angle"][3]) * 180 / 256

    def apart(one: float, other: float) -> float:
        return min((one - other) % 180, (other - one) % 180)

    assert apart(angle(2.5), degrees + 90) < 2
    assert apart(angle(6.4), degrees) < 2


def test_bays_above_one_another_are_not_drawn() -> None:
    deck = site("deck-1", type="underground")
    places = of_spots([deck], [("deck-1-001", "deck-1", 0, LON, LAT)])

    assert len(only_tile(places).numbers) == 0


def test_a_tile_changes_its_mark_with_its_bays_and_with_nothing_else() -> None:
    same = only_tile(row_of(2.5, 20)).version
    others = of_spots([site(), site("a", lon=114.0)], [("a-001", "a", 0, 114.0, LAT)])

    assert only_tile(row_of(2.5, 20)).version == same
    assert only_tile(row_of(2.5, 21)).version != same
    assert only_tile(others).version != same


class Picture:
    """What a page holds: states by tile, from a whole picture and what changed since."""

    def __init__(self) -> None:
        self.states: dict[tuple[int, int], list[int]] = {}

    def hear(self, message: bytes) -> None:
        kind, _ = struct.unpack_from("<BxxxI", message)
        body = message[8:]
        while body:
            x, y, _, count = bays.TILE_HEAD.unpack_from(body)
            body = body[bays.TILE_HEAD.size :]
            if kind == 1:
                size = -(-count // 4)
                self.states[x, y] = [body[n // 4] >> (n % 4 * 2) & 3 for n in range(count)]
            else:
                size = count * 4
                for (entry,) in struct.iter_unpack("<I", body[:size]):
                    self.states[x, y][entry >> 2] = entry & 3
            body = body[size:]


def payloads(wire: Wire) -> Iterator[bytes]:
    frames, wire.frames = wire.frames, []
    for one in frames:
        assert one[0] == 0x82
        yield one[2 if one[1] < 126 else 4 if one[1] == 126 else 10 :]


def watched(places: Places) -> tuple[StandingFollower, Fanout, Wire, tuple[tuple[int, int], ...]]:
    follower, wire = StandingFollower(Board(places, micros(T0))), Wire()
    hall = Fanout(cast(BoardFollower, follower), Clock())
    watcher = hall.join(Outgoing(cast(Any, wire)))
    assert watcher is not None
    x, y = bays.mercator(places.spot_lon, places.spot_lat)
    tiles = tuple(sorted({(int(a), int(b)) for a, b in zip(x, y, strict=True)}))
    hall.look(watcher, Area("bays", NOWHERE, tiles))
    return follower, hall, wire, tiles


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, 11), st.sampled_from(["free", "occupied", "out_of_order"])), max_size=6), st.booleans()
        ),
        max_size=8,
    )
)
def test_an_old_picture_and_what_changed_since_are_the_picture_as_it_is_now(rounds: list[tuple[list[tuple[int, str]], bool]]) -> None:
    """Also for who was slow for a while: they get whole tiles when they take again."""
    follower, hall, wire, tiles = watched(row_of(400, 0))  # Twelve bays over three tiles.
    picture, seconds = Picture(), 0
    for told, slow in [*rounds, ([], False)]:
        wire.held = 1 << 20 if slow else 0
        for spot, state in told:
            seconds += 1
            follower.tell(seen(cast(Any, state), at(seconds), spot=f"lot-7-{spot:03d}"))
        driven(hall.publish())
        for message in payloads(wire):
            picture.hear(message)

    fresh = Picture()
    fresh.hear(struct.pack("<BxxxI", 1, 1) + bays.states(follower.board, tiles))
    assert len(tiles) > 1
    assert picture.states == fresh.states


def test_who_watches_bays_hears_of_new_geometry_with_its_new_mark() -> None:
    follower, hall, wire, tiles = watched(row_of(2.5, 0))
    before = next(payloads(wire))
    follower.board = follower.board.moved_to(row_of(2.5, 5, count=13))
    driven(hall.publish())
    driven(hall.publish())

    after = next(payloads(wire))
    assert bays.TILE_HEAD.unpack_from(after, 8)[2:] == (follower.board.places.bay_tiles.tile(*tiles[0]).version, 13)
    assert before[8:] != after[8:]


def test_states_have_the_order_of_the_board() -> None:
    assert STATES == ("free", "occupied", "unknown", "out_of_order")


def test_a_page_may_ask_for_as_many_tiles_as_a_screen_shows() -> None:
    asked = {"subscribe": {"level": "bays", "tiles": [[13364, 6500], [13364, 6500]]}}
    many = {"subscribe": {"level": "bays", "tiles": [[n, 6500] for n in range(17)]}}

    assert area_of(json.dumps(asked).encode()).tiles == ((13364, 6500),)
    for wrong in (many, {"subscribe": {"level": "bays"}}, {"subscribe": {"level": "bays", "tiles": [[99999, 1]]}}, {"subscribe": {}}):
        try:
            area_of(json.dumps(wrong).encode())
        except Invalid as refused:
            assert refused.errors[0].pointer.startswith("/subscribe")
        else:
            raise AssertionError(wrong)


def test_changed_is_told_by_place_in_the_tile() -> None:
    follower, _, _, tiles = watched(row_of(2.5, 0))
    follower.tell(seen("free", at(1), spot="lot-7-004"))
    changed: Changed = follower.take_changes()

    [(tile, body)] = bays.changes(follower.board, changed.spots, tiles)
    assert tile == tiles[0]
    assert struct.unpack_from("<I", body, bays.TILE_HEAD.size) == (4 << 2 | 0,)
