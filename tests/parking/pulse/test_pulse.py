"""The city's pulse counts each stay once, wherever it is finally said to have been, and money when it was booked."""

import random
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation import events, journal, postgres
from foundation.events import BillSettled, SessionClosed, SessionOpened, SessionVoided, SiteChanged
from foundation.journal import Entry
from foundation.postgres import Database
from parking.pulse import store
from parking.pulse.follow import PulseFollower, forget_once
from parking.pulse.model import Beat, Counted, differences, step_of
from parking.sites import store as sites

NINE = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


class Told:
    """Tells the follower facts as the journal does, and reads what it has counted."""

    def __init__(self, database: Database) -> None:
        self._database, self._position = database, 0

    async def tell(self, *told: tuple[events.Fact, datetime]) -> None:
        entries = []
        for fact, when in told:
            self._position += 1
            said = events.told(fact, when)
            entries.append(Entry(self._position, when, when, said.kind, said.key, said.body))
        await self._database.run(lambda tx: PulseFollower().apply(tx, entries))

    async def counts(self) -> dict[datetime, tuple[int, int, int]]:
        rows = await store.fetch_pulses(self._database, at(-1440), at(1440))
        return {row["at"]: (row["arrivals"], row["departures"], row["billed"]) for row in rows}


@pytest.fixture
async def told(postgres_url: str) -> AsyncIterator[Told]:
    async with postgres.connect(postgres_url, size=2) as database:
        await journal.prepare(database)
        for site, operator in (("lot-7", "op-a"), ("lot-8", "op-b")):
            fact = SiteChanged(site=site, operator=operator, type="surface", counted_by="spots", capacity=10)
            await database.run(lambda tx, fact=fact: sites.save_site(tx, fact))
        yield Told(database)


def opened(session: uuid.UUID, when: datetime, site: str = "lot-7") -> tuple[events.Fact, datetime]:
    return SessionOpened(session=session, site=site, entered_at=when), when


def closed(session: uuid.UUID, entered: datetime, left: datetime, version: int = 1) -> tuple[events.Fact, datetime]:
    return SessionClosed(session=session, site="lot-7", entered_at=entered, left_at=left, version=version), left


def settled(session: uuid.UUID, total: int, when: datetime, version: int = 1) -> tuple[events.Fact, datetime]:
    bill = BillSettled(bill=session, session=session, operator="op-a", version=version, total=total, paid=0, owed=total)
    return bill, when


async def test_stay_is_counted_where_it_came_and_left_and_was_billed(told: Told) -> None:
    stay = uuid.uuid4()

    await told.tell(opened(stay, at(1)), closed(stay, at(1), at(33)), settled(stay, 500, at(33)))

    assert await told.counts() == {at(0): (1, 0, 0), at(30): (0, 1, 500)}


async def test_later_word_moves_the_stay_and_books_the_difference_when_it_is_learnt(told: Told) -> None:
    stay = uuid.uuid4()
    await told.tell(opened(stay, at(1)), closed(stay, at(1), at(33)), settled(stay, 500, at(33)))

    await told.tell(closed(stay, at(1), at(11), 2), settled(stay, 200, at(60), 2))

    assert await told.counts() == {at(0): (1, 0, 0), at(10): (0, 1, 0), at(30): (0, 0, 500), at(60): (0, 0, -300)}


async def test_void_stay_never_came(told: Told) -> None:
    stay = uuid.uuid4()
    await told.tell(opened(stay, at(1)))

    await told.tell((SessionVoided(session=stay, site="lot-7"), at(2)))

    assert await told.counts() == {at(0): (0, 0, 0)}


async def test_operators_are_told_apart(told: Told) -> None:
    await told.tell(opened(uuid.uuid4(), at(1)), opened(uuid.uuid4(), at(2), "lot-8"), opened(uuid.uuid4(), at(3), "lot-8"))

    rows = await store.fetch_operators(told._database, at(-60), at(60))

    assert [(row["operator"], row["capacity"], row["arrivals"]) for row in rows] == [("op-a", 10, 1), ("op-b", 10, 2)]


async def test_batches_do_not_change_the_counts(told: Told) -> None:
    chance = random.Random(7)
    facts = []
    for _ in range(40):
        stay, came = uuid.uuid4(), at(chance.randrange(0, 60))
        facts += [opened(stay, came), closed(stay, came, came + timedelta(minutes=chance.randrange(1, 90))), settled(stay, 300, at(100))]
    await told.tell(*facts)
    whole = await told.counts()
    await told._database.run(lambda tx: tx.execute(store.queries.forget_pulses, at(1440)))
    while await forget_once(told._database, at(60 * 24 * 30)):
        pass

    for place in range(0, len(facts), 7):
        await told.tell(*facts[place : place + 7])

    assert await told.counts() == whole
    assert sum(billed for _, _, billed in whole.values()) == 40 * 300


async def test_what_is_long_over_is_forgotten_and_what_is_not_is_kept(told: Told) -> None:
    old, new = uuid.uuid4(), uuid.uuid4()
    await told.tell(opened(old, at(0)), closed(old, at(0), at(30)), opened(new, at(60 * 24 * 9)))

    assert await forget_once(told._database, at(60 * 24 * 9)) == 1
    assert await forget_once(told._database, at(60 * 24 * 9)) == 0


stays = st.builds(
    Counted, st.sampled_from(["a", "b"]), st.none() | st.integers(0, 300).map(at), st.none() | st.integers(0, 300).map(at), st.just(0)
)
histories = st.dictionaries(st.uuids(), stays, max_size=8)


@given(histories, histories, histories)
def test_differences_add_up_however_many_steps_they_are_told_in(first: object, second: object, third: object) -> None:
    def merged(*told: dict[uuid.UUID, Counted]) -> dict[uuid.UUID, Counted]:
        return {key: one for held in told for key, one in held.items()}

    one, two, three = merged(first), merged(first, second), merged(first, second, third)  # type: ignore[arg-type]  # strategies
    sums: dict[object, Beat] = {}
    for before, after in (({}, one), (one, two), (two, three)):
        for place, beat in differences(before, after).items():
            sums[place] = Beat(*(a + b for a, b in zip(sums.get(place, Beat()), beat, strict=True)))

    assert {place: beat for place, beat in sums.items() if any(beat)} == differences({}, three)


def test_five_minutes_begin_on_the_clock() -> None:
    assert step_of(datetime(2026, 3, 2, 9, 4, 59, tzinfo=UTC)) == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
