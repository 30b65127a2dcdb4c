"""The line beside a site and the heat of a district: what was counted then, gaps as gaps, and nobody else's sites."""

import json
from datetime import UTC, datetime, timedelta

from citymap import history, pulse
from citymap.board import Board
from citymap.follow import BoardFollower
from citymap.import_sites import import_sites
from citymap.model import Bounds
from foundation.clock import Clock
from foundation.postgres import Database
from tests.citymap.city import T0, at, board, seen, site

HOUR = timedelta(hours=1)


async def test_moments_are_written_once_and_a_gap_stays_one(db: Database) -> None:
    lot = await registered(db)
    lot.apply([seen("free", at(1)), seen("occupied", at(2), spot="lot-7-002")])
    await history.remember(db, lot, T0)
    lot.apply([seen("occupied", at(400))])
    await history.remember(db, lot, T0)
    await history.remember(db, lot, T0 + 2 * history.STEP)

    lines = await history.lines_of(db, ["lot-7"], T0 - history.STEP, 4)

    assert lines == {"lot-7": [None, 1, None, 0]}


def test_cycle_follows_the_restart() -> None:
    """Moments follow the clock on the wall and not the start of whoever writes them down: each begins on a whole five minutes."""
    starts = [datetime(2026, 3, 2, 8, minute, second, tzinfo=UTC) for minute, second in ((10, 37), (14, 59), (15, 0), (20, 0), (31, 2))]

    assert [history.step_of(start).strftime("%H:%M:%S") for start in starts] == ["08:10:00", "08:10:00", "08:15:00", "08:20:00", "08:30:00"]


async def test_site_of_which_nothing_is_known_leaves_no_moment(db: Database) -> None:
    await history.remember(db, await registered(db), T0)

    assert await history.lines_of(db, ["lot-7"], T0, 1) == {"lot-7": [None]}


async def test_heat_is_the_share_of_a_district_by_hour(db: Database) -> None:
    lot = await registered(db)
    lot.apply([seen("free", at(1)), seen("occupied", at(2), spot="lot-7-002"), seen("free", at(3), spot="lot-7-003")])
    await history.remember(db, lot, T0)

    hours = await pulse._Heat(db).of(T0 - HOUR)

    assert hours["jinshui"][:3] == [None, 0.667, None]


async def test_old_moments_are_forgotten(db: Database) -> None:
    lot = await registered(db)
    lot.apply([seen("free", at(1))])
    await history.remember(db, lot, T0)

    assert await history.forget_once(db, T0 + history.KEPT) == 0
    assert await history.forget_once(db, T0 + history.KEPT + history.STEP) == 1


def test_district_is_what_stands_before_the_number() -> None:
    assert [pulse.district_of(zone) for zone in ("jinshui-07", "zheng-dong-12", "airport", "")] == ["jinshui", "zheng-dong", "airport", ""]


def test_sums_leave_out_sites_whose_capacity_nobody_knows() -> None:
    lot = board(site(), site("lot-8", counted_by="gates", capacity=0), site("lot-9", counted_by="gates", capacity=40))
    lot.apply([seen("free", at(1))])

    total = pulse._counts(lot, range(3))

    assert (total.sites, total.capacity) == (2, 43)
    assert total.free + total.occupied + total.unknown + total.out_of_order == total.capacity


async def registered(db: Database) -> Board:
    """lot-7 in the database and on a board."""
    about = {
        "kind": "site",
        "name": {"zh": "测", "en": "Lot"},
        "type": "surface",
        "operator": "op",
        "counted_by": "spots",
        "zone": "jinshui-07",
    }
    rows = [feature("lot-7", 113.665, about)]
    rows += [feature(f"lot-7-{number:03d}", 113.665 + number / 1e5, {"kind": "spot", "site": "lot-7"}) for number in (1, 2, 3)]
    text = json.dumps({"type": "FeatureCollection", "features": rows}).encode()
    await import_sites(db, text, bounds=Bounds(113, 34, 114, 35), now=T0)
    follower = BoardFollower(db, Clock())
    await follower.start()
    return follower.board


def feature(name: str, lon: float, about: dict[str, object]) -> dict[str, object]:
    return {"type": "Feature", "id": name, "geometry": {"type": "Point", "coordinates": [lon, 34.752]}, "properties": about}
