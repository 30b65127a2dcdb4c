"""How long handing in takes, how many cases an hour two cores decide, one rule for one person, and a whole catalogue loaded."""

import asyncio
import functools
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.databases import own_database
from benchmarks.rows import Row, measured
from foundation import events, ids, journal, migrate, postgres, seal, sql
from foundation.clock import Clock
from foundation.postgres import Database, Transaction
from onelot.places import places_of
from services.cases import store
from services.cases.desk import Office
from services.cases.follow import EffectsFollower, StepsFollower
from services.cases.model import Case
from services.cases.submit_case import submit_case
from services.catalog import draft, model
from services.catalog import store as catalog
from services.catalog.model import Matter
from services.catalog.prove_matter import prove
from services.catalog.publish_matter import BUILT_IN, files_of, publish_built_in
from services.catalog.shelf import Shelf, Versions
from services.identity import people
from services.identity.personal import personal_key
from services.rules import engine
from services.rules.model import Known

NAMES: Final = ("services.submit_p99_ms", "services.cases_per_hour", "rules.decision_us", "catalog.load_s")
RATE: Final = 10  # Applications a second: twenty times the busiest hour of a city with 5,000 cases a day.
SECONDS: Final = 30
WARM: Final = 20
CASES: Final = 500
IN_FLIGHT: Final = 32
MATTERS: Final = 953
DECISIONS: Final = 5_000
MATTER: Final = "resident_parking"


@dataclass(frozen=True)
class AllDaysWorked:
    def is_rest(self, day: date) -> bool:
        return day.weekday() >= 5


class Fresh:
    """Departments that are never asked: what the drafts hold is fresh."""

    async def ask(self, *, person: uuid.UUID, agency: str, purpose: str, case: uuid.UUID, elements: Sequence[str]) -> Mapping[str, Known]:
        raise AssertionError("nothing is stale here")

    async def record(
        self, tx: Transaction, *, person: uuid.UUID, staff: uuid.UUID, agency: str, purpose: str, case: uuid.UUID, fields: Sequence[str]
    ) -> None:
        raise AssertionError("nobody reads here")


async def measure(postgres_url: str, place: Path) -> list[Row]:
    """Four rows. Makes a database of its own on the server and drops it again; `place` holds the keys for as long."""
    async with own_database(postgres_url, "services") as url, postgres.connect(url, size=16) as database:
        await migrate.migrate(url)
        await journal.prepare(database)
        keys = seal.Keys(place / f"bench-{secrets.token_hex(4)}.json")
        await publish_built_in(database, now=datetime.now(UTC))
        shelf, fresh = Shelf(database), Fresh()
        await shelf.load()
        office = Office(keys, Clock(), Versions(), AllDaysWorked(), database, shelf, fresh, fresh, places_of("zhengzhou"))
        rows = [await _submit(office), await _hour(office)]
        return [*rows, _decision(), await _load(database)]


async def _drafts(office: Office, count: int) -> list[Case]:
    """So many complete drafts of one applicant."""
    live = office.shelf.live(MATTER)
    assert live is not None
    version, matter = live
    now = office.clock.city()
    person = await office.database.run(lambda tx: people.find_or_make(tx, office.keys, "+8613800000001", now))
    made: list[Case] = []

    async def work(tx: Transaction) -> None:
        key = await personal_key(tx, office.keys, person, now)
        sealed = store.sealed(key, draft.begun(matter, memory(now)))
        for _ in range(count):
            case = Case(ids.new_id(), person, MATTER, version, matter.agency, "draft", 1, sealed, now, None, None, None, None, False)
            await store.add_case(tx, case)
            made.append(case)

    await office.database.run(work)
    return made


def memory(now: datetime) -> dict[str, Known]:
    said = {
        "police.name": "张三", "police.id_no": "990000199010150126", "housing.zone": "jinshui-07",
        "police.plates": [{"plate": "豫A12345", "colour": "blue"}],
    }  # fmt: skip
    return {element: Known(state="value", value=value, source=draft.agency_of(element), as_of=now) for element, value in said.items()}


async def _submit(office: Office) -> Row:
    """Open loop: an application each tenth of a second whether or not the last one is through, the rules deciding meanwhile. Between two
    of them a bare durable write of one row, which says what this machine makes anybody wait just now."""
    cases = await _drafts(office, WARM + RATE * SECONDS)
    deciding = asyncio.create_task(_decide_for_ever(office))
    for case in cases[:WARM]:  # Schema, rules and flow of a version are compiled once in the life of a process.
        await submit_case(office, person=case.person, case=case.id)
    bare = sql.Query("bare", "UPDATE services.person SET used_at = $2 WHERE id = $1")
    ours, peers = await asyncio.gather(
        _open_loop([functools.partial(submit_case, office, person=case.person, case=case.id) for case in cases[WARM:]], 0.0),
        _open_loop([functools.partial(_write, office, bare, case.person) for case in cases[WARM:]], 0.5),
    )
    deciding.cancel()
    late, peer = _at(ours.taken, 0.99), _at(peers.taken, 0.99)
    note = (
        f"open loop at {RATE}/s, median {_at(ours.taken, 0.5):.1f} ms; peer: one row written and committed, median"
        f" {_at(peers.taken, 0.5):.1f} ms; this process's CPU {ours.cpu_ms:.1f} ms an application, rules, letters, licence included"
    )
    return Row(
        name="services.submit_p99_ms", value=late, unit="ms", baseline=peer, ratio=late / peer, goal=35.0, met=late <= 35.0, note=note
    )


@dataclass(frozen=True)
class Taken:
    """Milliseconds from when each was due, sorted; and what all that ran cost this process for each."""

    taken: list[float]
    cpu_ms: float


async def _open_loop(acts: Sequence[Callable[[], Awaitable[object]]], ahead: float) -> Taken:
    """`ahead` of a turn later than others that run beside it."""
    taken: list[float] = []

    async def one(act: Callable[[], Awaitable[object]], at: float) -> None:
        await act()
        taken.append(1000 * (time.perf_counter() - at))

    begin, cpu, waiting = time.perf_counter() + ahead / RATE, time.process_time(), []
    for number, act in enumerate(acts):
        at = begin + number / RATE
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        waiting.append(asyncio.create_task(one(act, at)))
    await asyncio.gather(*waiting)
    return Taken(sorted(taken), 1000 * (time.process_time() - cpu) / len(acts))


async def _write(office: Office, query: sql.Query, person: uuid.UUID) -> None:
    await office.database.run(lambda tx: tx.execute(query, person, datetime.now(UTC)))


def _at(taken: Sequence[float], share: float) -> float:
    return taken[int(len(taken) * share)]


async def _decide_for_ever(office: Office) -> None:
    """As the city does: woken by the bell."""
    await asyncio.gather(*(journal.follow(office.database, one, lambda: None) for one in (StepsFollower(office), EffectsFollower(office))))


async def _hour(office: Office) -> Row:
    """From draft to licence, letters and permit included, with so many handed in at once."""
    cases = await _drafts(office, CASES)
    turns = asyncio.Semaphore(IN_FLIGHT)

    async def one(case: Case) -> None:
        async with turns:
            await submit_case(office, person=case.person, case=case.id)

    before = await _decided(office.database)
    began = time.perf_counter()
    deciding = asyncio.create_task(_decide_for_ever(office))
    await asyncio.gather(*(one(case) for case in cases))
    while await _decided(office.database) < before + CASES:
        await asyncio.sleep(0.05)
    seconds = time.perf_counter() - began
    deciding.cancel()
    note = f"{CASES} applications, {IN_FLIGHT} at once, each to its licence; a big city has 5,000 a day"
    rate = CASES / seconds * 3600
    return Row(
        name="services.cases_per_hour", value=round(rate), unit="cases/h", baseline=None, ratio=None, goal=5000, met=rate >= 5000, note=note
    )


async def _decided(database: Database) -> int:
    """How many licences the facts tell of."""
    position, since, found = 0, postgres.BEGINNING, 0
    async with database.snapshot() as tx:
        while entries := await journal.read(tx, "fact", position, since):
            found += sum(entry.kind == events.LicenceIssued.kind for entry in entries)
            position = entries[-1].position
    return found


def _decision() -> Row:
    matter, _ = prove(files_of(BUILT_IN / MATTER))
    now = datetime.now(UTC)
    world = draft.world(matter, draft.begun(matter, memory(now)), now)
    engine.decide(matter.rules, world, "2026-03-02")
    began = time.perf_counter()
    for _ in range(DECISIONS):
        engine.decide(matter.rules, world, "2026-03-02")
    each = 1e6 * (time.perf_counter() - began) / DECISIONS
    note = f"one person through the {len(matter.rules.require)} rules of {MATTER}, each with its reason, article and values"
    return measured("rules.decision_us", each, "us", note, goal=100.0)


async def _load(database: Database) -> Row:
    """As many matters as the reference city has, each a version of its own, from PostgreSQL into memory, ready to be searched."""
    matter, _ = prove(files_of(BUILT_IN / MATTER))
    copies = [_copy(matter, number) for number in range(MATTERS)]

    async def work(tx: Transaction) -> None:
        for copy in copies:
            content = model.encoded(copy)
            version = model.version_of(content)
            await catalog.keep_version(tx, copy.code, version, content, datetime.now(UTC))
            await catalog.set_live(tx, copy, version, datetime.now(UTC))

    await database.run(work)
    began, cpu = time.perf_counter(), time.process_time()
    await Shelf(database).load()
    note = (
        f"{MATTERS} copies of {MATTER}, {len(model.encoded(matter)) / 1000:.1f} kB each, with the words they are found by, spelt when they"
        f" were published; {time.process_time() - cpu:.2f} s of this process's CPU"
    )
    return measured("catalog.load_s", time.perf_counter() - began, "s", note, goal=1.0)


def _copy(matter: Matter, number: int) -> Matter:
    """Another matter of the same size."""
    return msgspec.structs.replace(matter, code=f"{matter.code}_{number}")
