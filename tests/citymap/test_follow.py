"""A board that starts late, from rows or from a file, knows what one knows that heard everything."""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from citymap import follow, snapshot
from citymap.board import Board
from citymap.errors import SnapshotUnusable
from citymap.follow import BoardFollower, SpotsFollower, board_of
from citymap.import_sites import import_sites
from citymap.model import micros
from citymap.snapshot import Marks
from foundation import events, ids, journal, postgres
from foundation.clock import Clock
from foundation.events import DeviceHeard, Event, Reading
from foundation.postgres import Database
from tests.citymap.city import CITY, GRACE, T0, a_site, a_spot, at, board, counted, file, heard, numbers, passed, places, seen, site

LATER = micros(T0 + GRACE + timedelta(minutes=5))
TOWN = file(
    *(a_spot("lot-7-001"), a_spot("lot-7-002"), a_spot("lot-7-003", **{"class": "electric"})),
    a_site("lot-7"),
    a_site("lot-8", counted_by="gates", capacity=50),
    a_site("lot-9", counted_by="counter"),
)


def story() -> list[Reading | DeviceHeard]:
    spots = [seen("occupied", at(2 * n), spot=f"lot-7-00{n % 3 + 1}", device=f"cam-{n % 2}", seq=n) for n in range(20)]
    ties = [seen("free", at(90), seq=7, device=device, spot="lot-7-003") for device in ("cam-1", "cam-0", "cam-2")]
    gates = [
        passed(way, at(n * 30), plate=plate)
        for n, (way, plate) in enumerate([("in", "A"), ("in", ""), ("out", "A"), ("in", "B"), ("in", "B")])
    ]  # type: ignore[arg-type]
    counts = [counted(20, at(-60)), counted(22, at(35)), counted(20, at(40), place="lot-9", capacity=60)]
    presence = [
        heard(T0, device="cam-1", name="A"),
        heard(at(10), device="cam-1", name="B"),
        heard(at(11), device="cam-1", name="A", connected=False),
    ]
    return [*spots, *ties, *gates, *counts, *presence]


async def append(db: Database, *told: Reading | DeviceHeard) -> None:
    rows = [events.told(event, event.at) for event in told]
    seen_keys = [ids.new_id().bytes for _ in rows]
    columns = ([one.at for one in rows], [one.kind for one in rows], [one.key for one in rows], [one.body for one in rows])
    async with db.pool.acquire() as connection:
        await connection.fetch(
            "SELECT * FROM journal.append_readings($1, $2, $3, $4, $5, $6)", [T0.date()] * len(rows), seen_keys, *columns
        )
    db.bell.ring("reading")


@pytest.fixture
async def town(db: Database) -> Database:
    """The three sites, and days for readings of the time of the stories."""
    await import_sites(db, TOWN, bounds=CITY, now=T0)
    async with db.pool.acquire() as connection:
        await connection.execute("SELECT journal.make_partitions($1, $1, 1)", T0.date())
    return db


def straight(told: Sequence[Event]) -> Board:
    lots = (site("lot-7", capacity=3), site("lot-8", counted_by="gates", capacity=50), site("lot-9", counted_by="counter", capacity=3))
    lot = Board(places(*lots), micros(T0))
    lot.apply(told)
    lot.tick(LATER)
    return lot


@pytest.mark.parametrize("order", [1, 2, 3])
async def test_a_board_from_rows_is_the_board_that_heard_everything_in_any_order(town: Database, order: int) -> None:
    told = story()
    random.Random(order).shuffle(told)
    await append(town, *told)
    while await journal.catch_up(town, SpotsFollower(), batch=7):
        pass

    found, marks = await board_of(town, micros(T0))
    found.tick(LATER)

    assert found.picture() == straight(story()).picture()
    assert marks.reading.position == len(told)


async def test_what_the_rows_have_not_yet_is_followed(town: Database) -> None:
    await append(town, *story())
    await journal.catch_up(town, SpotsFollower(), batch=9)

    follower = BoardFollower(town, Clock())
    follower.board, follower.marks = await board_of(town, micros(T0))
    while await follower.catch_up():
        pass
    follower.board.tick(LATER)

    assert follower.board.picture() == straight(story()).picture()


async def test_saying_it_again_changes_no_row(town: Database) -> None:
    await append(town, *story())
    await journal.catch_up(town, SpotsFollower())
    before, _ = await board_of(town, micros(T0))

    async with town.pool.acquire() as connection:
        await connection.execute("UPDATE journal.cursor SET position = 0, recorded_at = '-infinity'")
    await journal.catch_up(town, SpotsFollower(), batch=5)

    assert (await board_of(town, micros(T0)))[0].picture() == before.picture()


async def test_old_passages_are_folded_into_the_count(town: Database) -> None:
    await append(town, counted(10), *(passed("in", at(3600 * hour), plate=f"P{hour}") for hour in range(1, 120)))
    while await journal.catch_up(town, SpotsFollower(), batch=30):
        pass

    async with town.pool.acquire() as connection:
        left = await connection.fetchval("SELECT count(*) FROM citymap.passage")
    assert left < 100
    found, _ = await board_of(town, micros(at(3600 * 119)))
    assert found.inside[found.places.site_number["lot-8"]].occupied() == 10 + 119


async def test_a_site_that_is_imported_while_the_board_runs_is_there_before_its_first_reading(town: Database) -> None:
    follower = BoardFollower(town, Clock(speed=1.0))
    await follower.start()
    await append(town, seen("free"))
    await follower.catch_up()

    await import_sites(town, file(a_site("lot-1"), a_spot("lot-1-001", "lot-1")), bounds=CITY, now=T0)
    await append(town, seen("occupied", spot="lot-1-001"), seen("occupied", spot="lot-7-002"))
    await follower.catch_up()

    assert (numbers(follower.board, "lot-1"), numbers(follower.board)) == ([0, 1, 2, 0], [1, 1, 1, 0])
    changed = follower.take_changes()
    assert {follower.board.places.sites[one].id for one in changed.sites} == {"lot-1", "lot-7"}
    assert {follower.board.places.spot_ids[one] for one in changed.spots} == {"lot-1-001", "lot-7-001", "lot-7-002"}


async def test_a_follower_leaves_a_snapshot_and_the_next_goes_on_from_it(town: Database, tmp_path: Path) -> None:
    path = tmp_path / "board"
    await append(town, *story())
    first = BoardFollower(town, Clock(), snapshot_path=path)
    rounds = asyncio.Event()
    running = asyncio.create_task(first.run(rounds.set))
    await asyncio.wait_for(rounds.wait(), 5)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await append(town, seen("out_of_order", at(500), seq=99))

    second = BoardFollower(town, Clock(), snapshot_path=path)
    await second.start()
    assert second.marks.reading.position == len(story())
    await second.catch_up()

    assert second.board.spot_state[0] == 3
    assert second.board.spot_at[1] == first.board.spot_at[1]


async def test_a_snapshot_of_another_history_is_not_used(town: Database, tmp_path: Path) -> None:
    path = tmp_path / "board"
    await append(town, *story())
    first = BoardFollower(town, Clock(), snapshot_path=path)
    await first.start()
    await first.catch_up()
    first._leave_snapshot()
    async with town.pool.acquire() as connection:
        await connection.execute("DELETE FROM journal.reading")

    second = BoardFollower(town, Clock(), snapshot_path=path)
    await second.start()

    assert second.marks.reading.position == 0


async def test_a_snapshot_far_behind_the_rows_is_not_used(town: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "board"
    await append(town, seen("free"))
    first = BoardFollower(town, Clock(), snapshot_path=path)
    await first.start()
    await first.catch_up()
    first._leave_snapshot()
    await append(town, *story())
    await journal.catch_up(town, SpotsFollower())
    monkeypatch.setattr(follow, "REPLAY_MAX", 5)

    second = BoardFollower(town, Clock(), snapshot_path=path)
    await second.start()

    assert second.marks.reading.position == 1 + len(story())


def test_a_snapshot_says_the_same_as_the_board_it_was_cut_from(tmp_path: Path) -> None:
    lot = straight(story())

    snapshot.write(tmp_path / "deep" / "board", snapshot.cut(lot, Marks()))
    found, marks = snapshot.read(tmp_path / "deep" / "board", micros(T0))
    found.tick(LATER)

    assert found.picture() == lot.picture()
    assert marks == Marks()


def test_an_empty_board_has_a_snapshot_too(tmp_path: Path) -> None:
    snapshot.write(tmp_path / "board", snapshot.cut(Board(places(), micros(T0)), Marks()))

    found, _ = snapshot.read(tmp_path / "board", micros(T0))

    assert found.places.spot_ids == [] and found.places.sites == ()


@pytest.mark.parametrize("cut", [0, 5, 20, 200, -3])
def test_a_damaged_snapshot_is_refused(tmp_path: Path, cut: int) -> None:
    whole = b"".join(snapshot.cut(board(), Marks()))
    (tmp_path / "board").write_bytes(whole[:cut])

    with pytest.raises(SnapshotUnusable):
        snapshot.read(tmp_path / "board", micros(T0))


async def test_postgres_away_is_waited_for(town: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    follower, tries = BoardFollower(town, Clock()), 0
    start = follow.board_of

    async def away(database: Database, now: int) -> tuple[Board, Marks]:
        nonlocal tries
        tries += 1
        if tries < 2:
            raise postgres.AWAY[1]
        return await start(database, now)

    monkeypatch.setattr(follow, "board_of", away)
    rounds = asyncio.Event()
    running = asyncio.create_task(follower.run(rounds.set))

    await asyncio.wait_for(rounds.wait(), 5)

    assert follower.started and tries == 2
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
