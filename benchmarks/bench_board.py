"""How fast the map starts, follows and answers, on a made-up city of 1,200 sites and 354,100 spots that is the same every time."""

import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from benchmarks.databases import own_database
from citymap import follow, near, snapshot
from citymap.board import Board
from citymap.devices import Connection
from citymap.grid import Ints, distances
from citymap.import_sites import import_sites
from citymap.model import CLASSES, TYPES, Bounds, Name, Site, micros
from citymap.places import Places
from citymap.snapshot import Marks
from foundation import ids, journal, migrate, postgres
from foundation.events import SpotSeen, SpotState

SITES, SPOTS = 1_200, 354_100
CITY: Final = Bounds(113.44, 34.57, 113.88, 34.93)
NOW: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CHANGES = 5_000
QUERIES = 300
TRIES = 3
DATABASE: Final = "onelot_bench_board"

Row = dict[str, object]
NAMES = ("citymap.start_snapshot_s", "citymap.start_postgres_s", "citymap.apply5000_core_share", "citymap.near_engine_vs_numpy")


async def measure(postgres_url: str, place: Path) -> list[Row]:
    """All rows of this file. Makes a database of its own on the server and drops it again."""
    board = made_board()
    measured = [_start_snapshot(board)]
    try:
        async with own_database(postgres_url, "board") as url:
            await migrate.migrate(url)
            measured.append(await _start_postgres(url, board))
    except postgres.Refused as error:
        measured.append(_row("citymap.start_postgres_s", None, "s", None, 1.5, f"cannot run here: {error}"))
    return [*measured, _apply5000(board), _near(board)]


def _row(name: str, value: float | None, unit: str, baseline: float | None, goal: float, note: str, *, ratio: float | None = None) -> Row:
    met = None if value is None else (ratio >= goal if ratio is not None else value <= goal)
    return {"name": name, "value": value, "unit": unit, "baseline": baseline, "ratio": ratio, "goal": goal, "met": met, "note": note}


def made_board(sites: int = SITES, now: datetime = NOW, *, dense: bool = False) -> Board:
    """The city, at nine in the morning unless said otherwise: every spot heard once, half of them taken, each site with one box for its
    cameras."""
    board = Board(made_places(sites, dense=dense), micros(now))
    for site in board.places.sites:
        device = board.devices.meet(f"cam-{site.id}", site.id, micros(now))
        board.devices.connected(device, Connection(ids.id_of("connection", site.id), micros(now)))
    random = np.random.default_rng(7)
    board.spot_state[:] = random.integers(0, 2, SPOTS)
    board.spot_at[:] = micros(now) - random.integers(0, 3_600_000_000, SPOTS)
    board.spot_device[:] = board.places.spot_site
    board.recount()
    return board


def made_places(sites: int = SITES, *, dense: bool = False) -> Places:
    """Sites around 60 hot spots, sizes with a heavy tail that sum to the spots of the reference city. A dense one has an old town in
    its middle, where a page looks first."""
    random = np.random.default_rng(1)
    hot = random.uniform((CITY.w, CITY.s), (CITY.e, CITY.n), (60, 2))
    if dense:
        hot[:12] = random.normal(((CITY.w + CITY.e) / 2, (CITY.s + CITY.n) / 2), 0.01, (12, 2))
    where = np.clip(hot[random.integers(0, 60, sites)] + random.normal(0, 0.012, (sites, 2)), (CITY.w, CITY.s), (CITY.e, CITY.n))
    sizes = np.maximum(20, random.pareto(1.6, sites) * 150).astype(np.int64)
    sizes = np.maximum(10, sizes * SPOTS // sizes.sum())
    sizes[int(sizes.argmax())] += SPOTS - int(sizes.sum())
    made = [_made_site(number, float(where[number, 0]), float(where[number, 1])) for number in range(sites)]
    spot_site = np.repeat(np.arange(sites, dtype=np.int32), sizes)
    spread = np.clip(where[spot_site] + random.normal(0, 0.0004, (SPOTS, 2)), (CITY.w, CITY.s), (CITY.e, CITY.n))
    spot_class = random.choice(len(CLASSES), SPOTS, p=(0.8, 0.12, 0.03, 0.02, 0.02, 0.01)).astype(np.uint8)
    names = [f"{made[site].id}-{place:05d}" for site, size in enumerate(sizes.tolist()) for place in range(size)]
    return Places(made, names, spot_site, spot_class, np.ascontiguousarray(spread[:, 0]), np.ascontiguousarray(spread[:, 1]))


def _made_site(number: int, lon: float, lat: float) -> Site:
    where, kind = Name(f"{number}号停车场", f"Car park {number}"), TYPES[number % len(TYPES)]
    site = Site(id=f"zz-{number:04d}", name=where, type=kind, operator="op-bench", counted_by="spots", capacity=0, lon=lon, lat=lat)
    return msgspec.structs.replace(site, opening_hours="24/7")


def _best(work: Callable[[], object], tries: int = TRIES) -> float:
    """Seconds of the best of a few tries: what the code needs, without what the machine did beside it."""
    times = []
    for _ in range(tries):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def _start_snapshot(board: Board) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "board"
        snapshot.write(path, snapshot.cut(board, Marks()))
        seconds = _best(lambda: snapshot.read(path, micros(NOW)))
        return _row(
            "citymap.start_snapshot_s", round(seconds, 3), "s", None, 0.3, f"{path.stat().st_size / 1e6:.1f} MB, file in the page cache"
        )


async def _start_postgres(url: str, board: Board) -> Row:
    async with postgres.connect(url) as database:
        await journal.prepare(database)
        began = time.perf_counter()
        await import_sites(database, geojson(board.places), bounds=CITY, now=NOW)
        imported = time.perf_counter() - began
        seconds = []
        for _ in range(TRIES):
            began = time.perf_counter()
            await follow.board_of(database, micros(NOW))
            seconds.append(time.perf_counter() - began)
    note = f"354,100 spots by binary COPY; the import before it took {imported:.1f} s"
    return _row("citymap.start_postgres_s", round(min(seconds), 3), "s", None, 1.5, note)


def geojson(places: Places) -> bytes:
    """The city as a file that `onelot import` takes."""
    return msgspec.json.encode({"type": "FeatureCollection", "features": [*_site_features(places), *_spot_features(places)]})


def _site_features(places: Places) -> Iterator[object]:
    for site in places.sites:
        said = {"name": site.name, "type": site.type, "operator": site.operator, "counted_by": site.counted_by, "opening_hours": "24/7"}
        properties: dict[str, object] = {"kind": "site", **said}
        yield _feature(site.id, site.lon, site.lat, properties)


def _spot_features(places: Places) -> Iterator[object]:
    columns = (places.spot_site.tolist(), places.spot_class.tolist(), places.spot_lon.tolist(), places.spot_lat.tolist())
    for spot, site, spot_class, lon, lat in zip(places.spot_ids, *columns, strict=True):
        yield _feature(spot, lon, lat, {"kind": "spot", "site": places.sites[site].id, "class": CLASSES[spot_class]})


def _feature(name: str, lon: float, lat: float, properties: dict[str, object]) -> object:
    return {"type": "Feature", "id": name, "geometry": {"type": "Point", "coordinates": (lon, lat)}, "properties": properties}


def _apply5000(board: Board) -> Row:
    """One second of 5,000 changes in batches of 250, as the follower gathers them; CPU seconds of that second."""
    batches = [_changes(board, number) for number in range(20)]
    shares = []
    for round_number in range(TRIES):
        fresh = [[_later(event, round_number) for event in batch] for batch in batches]
        began = time.process_time()
        for batch in fresh:
            board.apply(batch)
        shares.append(time.process_time() - began)
    bodies = [msgspec.json.encode(event) for batch in batches for event in batch]
    decoder = msgspec.json.Decoder(SpotSeen)
    decode = _best(lambda: [decoder.decode(body) for body in bodies])
    note = f"batches of {CHANGES // 20}; decoding their JSON before costs {decode:.3f} more"
    return _row("citymap.apply5000_core_share", round(min(shares), 4), "of a core", None, 0.02, note)


def _changes(board: Board, number: int) -> list[SpotSeen]:
    random = np.random.default_rng(100 + number)
    spots = random.integers(0, SPOTS, CHANGES // 20).tolist()
    return [_seen(board, spot, number, "free" if board.spot_state[spot] else "occupied") for spot in spots]


def _seen(board: Board, spot: int, seq: int, state: SpotState) -> SpotSeen:
    site = board.places.sites[int(board.places.spot_site[spot])].id
    name, told = board.places.spot_ids[spot], ids.id_of(spot, seq, state).bytes
    return SpotSeen(device=f"cam-{site}", site=site, spot=name, state=state, seq=seq, at=NOW, raw_at=NOW, received_at=NOW, id=told)


def _later(event: SpotSeen, round_number: int) -> SpotSeen:
    state: SpotState = event.state if round_number % 2 == 0 else ("free" if event.state == "occupied" else "occupied")
    return msgspec.structs.replace(event, at=NOW + timedelta(seconds=1 + round_number), state=state)


def _near(board: Board) -> Row:
    """The twenty best within a kilometre of random doors: through the cells, and by asking every door of the city."""
    random = np.random.default_rng(3)
    doors = board.places.doors
    points = [(float(doors.lon[door]) + 0.002, float(doors.lat[door])) for door in random.integers(0, len(doors.lon), QUERIES).tolist()]
    search = near.Search(near.NoPricing())
    for lon, lat in points[:20]:
        assert _ours(search, board, lon, lat) == _brute(board, lon, lat).tolist()
    ours, peers = [], []
    for _ in range(TRIES):  # Turn about, so that what the machine does beside falls on both.
        ours.append(_best(lambda: [_ours(search, board, lon, lat) for lon, lat in points], 1))
        peers.append(_best(lambda: [_brute(board, lon, lat) for lon, lat in points], 1))
    value, baseline = min(ours) / QUERIES * 1e6, min(peers) / QUERIES * 1e6
    note = "both in numpy, one core; ours also says prices, opening hours and reasons"
    return _row("citymap.near_engine_vs_numpy", round(value, 1), "us", round(baseline, 1), 1.5, note, ratio=round(baseline / value, 2))


def _ours(search: near.Search, board: Board, lon: float, lat: float) -> list[int]:
    return search.near(board, lon, lat, radius_m=1000.0, limit=20, spot_class=None, arrive=NOW, stay_s=3600).sites


def _brute(board: Board, lon: float, lat: float) -> Ints:
    """The same ranking over all doors at once, without an index."""
    doors, owner = board.places.doors, board.places.doors.owner
    distance = distances(lon, lat, doors.lon, doors.lat)
    free, unknown = board.shown[owner, 0], board.shown[owner, 2]
    fits = (distance <= 1000.0) & ((free > 0) | (unknown > 0)) & (board.capacity[owner] > 0)
    cost = near.cost_of(distance * (near.DETOUR / near.WALK_M_PER_S), np.full(len(owner), near.UNPRICED_YUAN / 2), free.astype(np.int64))
    best = np.lexsort((owner, cost, free <= 0, ~fits))[: min(20, int(fits.sum()))]
    return owner[best]
