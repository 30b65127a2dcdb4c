"""The live socket: all of it first, then whole states; whoever is slow gets the newest, and whoever comes back sees what is."""

import contextlib
import json
import re
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given, settings
from hypothesis import strategies as st

from citymap.board import Board, Changed
from citymap.fanout import BEAT_ROUNDS, ROUND_SECONDS, Area, Fanout, Watcher
from citymap.follow import BoardFollower
from citymap.live import live
from citymap.model import Bounds, micros
from citymap.views import site_state, spot_state
from foundation import errors
from foundation.clock import Clock
from foundation.events import Event
from foundation.websocket import Outgoing, frame
from tests.citymap.city import T0, at, board, counted, heard, passed, places, seen, site

BOX = [113.66, 34.75, 113.67, 34.76]
ELSEWHERE = [113.70, 34.75, 113.71, 34.76]


class StandingFollower:
    """A board that hears what a test tells it."""

    def __init__(self, lot: Board) -> None:
        self.board, self.started = lot, True
        self._pending = Changed()

    def tell(self, *told: Event) -> None:
        self._pending.add(self.board.apply(told))

    def tick(self, now: float) -> None:
        self._pending.add(self.board.tick(micros(at(now))))

    def take_changes(self) -> Changed:
        taken, self._pending = self._pending, Changed()
        return taken


class Wire:
    """A transport that holds as much as a test says."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.held, self.closing = 0, False

    def write(self, data: bytes) -> None:
        self.frames.append(data)

    def get_write_buffer_size(self) -> int:
        return self.held

    def is_closing(self) -> bool:
        return self.closing

    def take(self) -> list[dict[str, Any]]:
        taken, self.frames = self.frames, []
        return [json.loads(one[one.index(b"{") :]) for one in taken]


def outgoing(wire: Wire, **more: int) -> Outgoing:
    return Outgoing(cast(Any, wire), **more)


def fanout(follower: StandingFollower) -> Fanout:
    return Fanout(cast(BoardFollower, follower), Clock())


def driven(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that only yields."""
    with contextlib.suppress(StopIteration):
        while True:
            work.send(None)


def watching(out: Fanout, wire: Wire, level: str = "sites", box: list[float] = BOX, **more: int) -> Watcher:
    watcher = out.join(outgoing(wire, **more))
    assert watcher is not None
    out.look(watcher, Area(level, Bounds(*box)))  # type: ignore[arg-type]
    return watcher


# What a socket hears


@pytest.fixture
async def street() -> AsyncIterator[tuple[StandingFollower, Fanout, TestClient[Any, Any]]]:
    follower = StandingFollower(board(site(), site("lot-far", lon=113.705, lat=34.755)))
    out = fanout(follower)
    app = web.Application()
    app.router.add_get("/api/v1/live", live(out))
    async with TestClient(TestServer(app)) as client:
        yield follower, out, client


async def heard_by(socket: ClientWebSocketResponse) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((await socket.receive(5)).data)
    return told


async def test_a_snapshot_then_whole_states_with_the_next_numbers(street: tuple[StandingFollower, Fanout, ClientSession]) -> None:
    follower, out, client = street
    follower.tell(seen("free"), seen("free", spot="lot-7-002"))
    async with client.ws_connect("/api/v1/live") as socket:
        await socket.send_json({"subscribe": {"bbox": BOX, "level": "sites"}})
        first = await heard_by(socket)
        assert (first["type"], first["seq"]) == ("snapshot", 1)
        state = {"free": 2, "occupied": 0, "unknown": 1, "out_of_order": 0, "as_of": "2026-03-02T09:00:00+08:00", "freshness": "live"}
        assert first["sites"] == [{"id": "lot-7", **state}]
        await out.publish()  # What was pending is said again, as a whole state.
        again = await heard_by(socket)

        follower.tell(seen("occupied", at(3)), seen("free", spot="lot-far-001", device="cam-far"))
        await out.publish()

        told = await heard_by(socket)
        assert (again["seq"], told["type"], told["seq"]) == (2, "delta", 3)
        moved = {"free": 1, "occupied": 1, "as_of": "2026-03-02T09:00:03+08:00"}
        assert told["sites"] == [{"id": "lot-7", **state, **moved}]


async def test_a_new_subscribe_moves_and_single_spots_are_told(street: tuple[StandingFollower, Fanout, ClientSession]) -> None:
    follower, out, client = street
    follower.tell(seen("free"))
    async with client.ws_connect("/api/v1/live") as socket:
        await socket.send_json({"subscribe": {"bbox": ELSEWHERE}})
        assert [one["id"] for one in (await heard_by(socket))["sites"]] == ["lot-far"]

        await socket.send_json({"subscribe": {"bbox": BOX, "level": "spots"}})
        told = await heard_by(socket)

        assert (told["type"], told["seq"]) == ("snapshot", 2)
        assert [(one["id"], one["state"]) for one in told["spots"]] == [
            ("lot-7-001", "free"),
            ("lot-7-002", "unknown"),
            ("lot-7-003", "unknown"),
        ]
        await out.publish()
        assert [one["id"] for one in (await heard_by(socket))["spots"]] == ["lot-7-001"]


@pytest.mark.parametrize(
    ("said", "pointer", "code"),
    [
        ("{", "", "json"),
        ('{"subscribe": {"bbox": [1, 2, 3]}}', "/subscribe/bbox", "type"),
        ('{"subscribe": {"bbox": [3, 2, 1, 4]}}', "/subscribe/bbox", "bbox"),
        ('{"subscribe": {"bbox": [113, 34, 114, 35], "level": "spots"}}', "/subscribe/bbox", "too_large"),
        ('{"subscribe": {"bbox": [113, 34, 114, 35], "level": "cars"}}', "/subscribe/level", "type"),
        ("{}", "/subscribe", "missing"),
        ("[]", "", "type"),
    ],
)
async def test_a_wrong_subscribe_is_answered_and_the_socket_stays(
    street: tuple[StandingFollower, Fanout, ClientSession], said: str, pointer: str, code: str
) -> None:
    async with street[2].ws_connect("/api/v1/live") as socket:
        await socket.send_str(said)
        told = await heard_by(socket)

        assert (told["type"], told["problem"]["status"]) == ("error", 422)
        assert [(one["pointer"], one["code"]) for one in told["problem"]["errors"]] == [(pointer, code)]
        await socket.send_json({"subscribe": {"bbox": BOX}})
        assert (await heard_by(socket))["seq"] == 1


async def test_quiet_gap_after_reconnect(street: tuple[StandingFollower, Fanout, ClientSession]) -> None:
    follower, out, client = street
    async with client.ws_connect("/api/v1/live") as socket:
        await socket.send_json({"subscribe": {"bbox": BOX, "level": "spots"}})
        await heard_by(socket)
    follower.tell(seen("occupied"))
    await out.publish()
    assert out.watchers == set()

    async with client.ws_connect("/api/v1/live") as socket:
        await socket.send_json({"subscribe": {"bbox": BOX, "level": "spots"}})

        assert (await heard_by(socket))["spots"][0]["state"] == "occupied"


async def test_when_the_process_stops_every_socket_is_told_goodbye(street: tuple[StandingFollower, Fanout, ClientSession]) -> None:
    async with street[2].ws_connect("/api/v1/live") as socket:
        await socket.send_json({"subscribe": {"bbox": BOX}})
        await heard_by(socket)

        street[1].end()

        assert (await socket.receive(5)).type is WSMsgType.CLOSE
        assert socket.close_code == 1001


async def test_a_map_that_is_loading_says_so(street: tuple[StandingFollower, Fanout, ClientSession]) -> None:
    follower, out, _ = street
    follower.started = False

    with pytest.raises(errors.Away):
        await live(out)(cast(web.Request, None))


# Who is slow


def test_a_slow_client_gets_the_newest_state_of_each_thing_once() -> None:
    follower, wire = StandingFollower(board()), Wire()
    out = fanout(follower)
    watching(out, wire, "spots")
    wire.take()
    wire.held = 100_000
    for second in range(1, 6):
        follower.tell(seen("occupied" if second % 2 else "free", at(second)))
        driven(out.publish())
    assert wire.take() == []

    wire.held = 0
    driven(out.publish())

    (told,) = wire.take()
    assert (told["type"], told["seq"]) == ("delta", 2)
    assert [(one["id"], one["state"]) for one in told["spots"]] == [("lot-7-001", "occupied")]


def test_beyond_the_bound_a_slow_client_gets_a_new_snapshot() -> None:
    follower, wire = StandingFollower(board()), Wire()
    out = fanout(follower)
    watcher = watching(out, wire, "spots", waiting_max=2)
    wire.take()
    wire.held = 100_000
    follower.tell(*(seen("occupied", spot=f"lot-7-00{n}") for n in (1, 2, 3)))
    driven(out.publish())
    assert (watcher.outgoing.overrun, watcher.outgoing.waiting) == (True, {})

    wire.held = 0
    driven(out.publish())

    (told,) = wire.take()
    assert (told["type"], told["seq"], len(told["spots"])) == ("snapshot", 2, 3)
    assert not watcher.outgoing.overrun


def test_an_entry_is_encoded_alike_for_every_area_that_shows_it() -> None:
    follower, one, two = StandingFollower(board()), Wire(), Wire()
    out = fanout(follower)
    watching(out, one), watching(out, two, box=[113.6, 34.7, 113.7, 34.8])
    one.take(), two.take()

    follower.tell(seen("free"))
    driven(out.publish())

    assert one.take()[0]["sites"] == two.take()[0]["sites"]


@pytest.mark.parametrize(("size", "head"), [(5, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)])
def test_a_frame_says_its_length(size: int, head: int) -> None:
    assert len(frame(b"x" * size)) == size + head


# Stale board + deltas = fresh board


class Picture:
    """What a client believes, by the contract: a snapshot replaces, a delta's entries replace by id."""

    def __init__(self) -> None:
        self.things: dict[str, dict[str, Any]] = {}
        self.sequence = 0

    def hear(self, told: dict[str, Any], level: str) -> None:
        assert told["seq"] == self.sequence + 1
        self.sequence = told["seq"]
        entries = {one["id"]: one for one in told[level]}
        self.things = entries if told["type"] == "snapshot" else self.things | entries


steps = st.one_of(
    st.builds(
        seen,
        st.sampled_from(("free", "occupied")),
        st.integers(0, 99).map(at),
        spot=st.sampled_from(("lot-7-001", "lot-7-002", "lot-6-001")),
    ),
    st.builds(passed, st.sampled_from(("in", "out")), st.integers(0, 999).map(at), plate=st.sampled_from("ABC")),
    st.builds(counted, st.integers(0, 50), st.integers(0, 99).map(at)),
    st.builds(heard, st.integers(0, 999).map(at), connected=st.booleans(), name=st.sampled_from("AB")),
    st.sampled_from(("round", "beat", "slow", "quick", "cut", "time")),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=60), st.sampled_from(("sites", "spots")))
def test_a_stale_picture_and_what_is_told_make_the_fresh_one(history: list[Any], level: str) -> None:
    lots = (site(), site("lot-6", lon=113.6651), site("lot-8", counted_by="gates", capacity=50))
    follower = StandingFollower(Board(places(*lots), micros(T0)))
    out, wire, picture, now = fanout(follower), Wire(), Picture(), 0.0
    watcher = watching(out, wire, level, waiting_max=2)

    for step in [*history, "quick", "round", "round"]:
        if step in ("round", "beat"):
            driven(out.publish() if step == "round" else out.beat())
        elif step in ("slow", "quick"):
            wire.held = 100_000 if step == "slow" else 0
        elif step == "time":
            now += 100
            follower.tick(now)
        elif step == "cut":  # The link is lost with what was on it, and the client comes back.
            out.leave(watcher)
            wire, picture = Wire(), Picture()
            watcher = watching(out, wire, level, waiting_max=2)
        else:
            follower.tell(step)
        for told in wire.take():
            picture.hear(told, level)

    say = site_state if level == "sites" else spot_state
    count = len(lots) if level == "sites" else len(follower.board.places.spot_ids)
    fresh = [say(follower.board, number) for number in range(count)]
    assert picture.things == {one.id: {name: getattr(one, name) for name in one.__struct_fields__} for one in fresh}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(steps, st.tuples(st.sampled_from(("look", "slow", "quick")), st.integers(0, 1))), max_size=60))
def test_change_before_the_picture(history: list[Any]) -> None:
    """Wherever one looks next, on the same socket and however slow: first all of it, then what came after, each once."""
    follower = StandingFollower(board(site(), site("lot-far", lon=113.705, lat=34.755)))
    out, wires, pictures, due, looks = fanout(follower), [Wire(), Wire()], [Picture(), Picture()], [True, True], [0, 0]
    watchers = [watching(out, wire, "spots", waiting_max=2) for wire in wires]

    for step in [*history, ("quick", 0), ("quick", 1), "round", "round"]:
        if isinstance(step, tuple):
            what, who = step
            wires[who].held = {"slow": 100_000, "quick": 0, "look": wires[who].held}[what]
            if what == "look":
                due[who], looks[who] = True, looks[who] + 1
                out.look(watchers[who], Area("spots", Bounds(*(BOX, ELSEWHERE)[looks[who] % 2])))
        elif step in ("round", "beat"):
            driven(out.publish() if step == "round" else out.beat())
        elif not isinstance(step, str):
            follower.tell(step)
        for who, wire in enumerate(wires):
            for told in wire.take():
                assert told["type"] == "snapshot" or not due[who]
                due[who] = False
                pictures[who].hear(told, "spots")

    for picture, seen_last in zip(pictures, looks, strict=True):
        inside = follower.board.places.spots_in(Bounds(*(BOX, ELSEWHERE)[seen_last % 2])).tolist()
        fresh = [spot_state(follower.board, number) for number in inside]
        assert picture.things == {one.id: {name: getattr(one, name) for name in one.__struct_fields__} for one in fresh}


def test_silence_means_a_dead_socket_since_the_living_beats() -> None:
    follower, quiet, busy = StandingFollower(board(site(), site("lot-far", lon=113.705, lat=34.755))), Wire(), Wire()
    out = fanout(follower)
    watching(out, quiet, box=ELSEWHERE), watching(out, busy)
    driven(out.beat())
    driven(out.publish())
    quiet.take(), busy.take()
    follower.tell(seen("free"))
    driven(out.publish())
    busy.take()

    driven(out.beat())

    (told,) = quiet.take()
    assert (told["type"], told["sites"], busy.take()) == ("delta", [], [])
    page = (Path(__file__).parents[2] / "web/src/api/live.ts").read_text()
    patience = int(re.findall(r"SILENCE_MS = ([\d_]+)", page)[0]) / 1000
    assert 2 * BEAT_ROUNDS * ROUND_SECONDS < patience < 15
