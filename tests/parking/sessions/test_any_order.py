"""Whatever order a history is heard in, the stays, what each costs and what each driver has are the same.

What is equal at rest: which stays there are (unit, beginning, end, state, certainty, codes, plate, holder, proposal), what each bill
asks for, whether it may be taken unasked, and each driver's wallet less debts. What may differ: ids, versions, how often a bill was
corrected, and which of a driver's bills the money of a wallet went to, since it was taken when it was there.
"""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from foundation import ids, seal
from foundation.events import SpotSeen, VehiclePassed
from foundation.postgres import Database, Record
from foundation.sql import Query
from parking.ledger.model import AccountKind
from parking.sessions import fold_stays
from parking.sessions.model import BY_HAND, Seen
from parking.sessions.store import Observation
from parking.tariffs.calendar import official
from parking.tariffs.model import PermitSpan, Stay
from parking.tariffs.price_stay import price_stay
from parking.tariffs.read_tariff import read_tariff
from tests.parking.sessions.city import CHAINED, LOT, NINE, PERMITS, City, FixedClock

PLATES = ("豫A8B012", "豫A88012", "豫AB8012", "豫A12345")  # The second may be a misreading of the first or the third, or another car.
DRIVERS = 3


@dataclass(frozen=True)
class Said:
    """A reading: at a spot (0 and 1, or 2 of another site) or at a gate (3 and 4, two lanes of two sites)."""

    place: int
    at: int  # seconds
    yes: bool  # occupied, in
    plate: int | None
    confidence: float
    seq: int


@dataclass(frozen=True)
class Told:
    """A fact, in the order of facts: money for a driver, or a plate proved, released, or a tariff published, or a permit for a plate
    granted or ended: `number` says when it begins or ends, and twice that when it is told."""

    what: str
    driver: int
    plate: int
    number: int


TIMES = st.builds(lambda hour, step: 3600 * hour + 15 * step, st.sampled_from([0, 0, 1, 2, 5]), st.integers(0, 20))
SAID = st.builds(
    Said, st.sampled_from([0, 0, 1, 2, 3, 3, 3, 4]), TIMES, st.booleans(), st.sampled_from([None, 0, 0, 1, 2, 3]),
    st.sampled_from([0.7, 0.9, 0.95]), st.integers(0, 3),
)  # fmt: skip
CROWD = st.builds(  # Everything within moments, on one spot and at one gate.
    Said, st.sampled_from([0, 3]), st.integers(0, 25).map(lambda step: 5 * step), st.booleans(), st.sampled_from([0, 1, 3]), st.just(0.9),
    st.integers(0, 3),
)  # fmt: skip
TOLD = st.builds(
    Told, st.sampled_from(["money", "proof", "proof", "release", "tariff", "permit", "permit", "end"]), st.integers(0, DRIVERS - 1),
    st.integers(0, 3), st.sampled_from([0, 100, 700, 3000, 9000]),
)  # fmt: skip


class Universe:
    """The same history in one order of hearing."""

    def __init__(self, city: City, said: Sequence[Said]) -> None:
        self.city = city
        self.drivers = [ids.new_id() for _ in range(DRIVERS)]
        self.names = {city.token(plate): plate for plate in PLATES}
        self.sites: list[str] = []
        self.permits: dict[str, uuid.UUID] = {}  # Of each plate the newest.
        self.said = said

    async def found(self) -> None:
        self.sites = [
            await self.city.site("a", more=f"{CHAINED}\n{PERMITS}"), await self.city.site("b", publish=False),
            await self.city.site("g", more=f"{CHAINED}\n{PERMITS}"), await self.city.site("h", operator="other", more=PERMITS, zone="y"),
        ]  # fmt: skip

    def reading(self, number: int) -> SpotSeen | VehiclePassed:
        said = self.said[number]
        at = NINE + timedelta(seconds=said.at)
        plate = None if said.plate is None else PLATES[said.plate]
        self.city.seq = number  # The same id in every universe.
        if said.place < 3:
            site, spot = self.sites[said.place // 2], f"s{said.place}"
            return self.city.seen(
                site, spot, at, "occupied" if said.yes else "free", plate if said.yes else None, confidence=said.confidence, seq=said.seq
            )
        site = self.sites[said.place - 1]
        return self.city.passed(site, at, "in" if said.yes else "out", plate, confidence=said.confidence, seq=said.seq)

    async def tell(self, fact: Told) -> None:
        driver, plate, at = self.drivers[fact.driver], PLATES[fact.plate], NINE + timedelta(seconds=fact.number * 2)
        if fact.what == "money" and fact.number:
            await self.city.top_up(driver, fact.number)
        elif fact.what == "proof":
            await self.city.prove(plate, driver, at, auto_pay=fact.number != 100)
        elif fact.what == "release":
            await self.city.release(plate, driver, at)
        elif fact.what == "tariff":
            await self.city.publish(f"{self.sites[1]}-tariff")
            await self.city.tell_tariff(f"{self.sites[1]}-tariff")
        elif fact.what == "permit":
            end, zone = at + timedelta(hours=1 + fact.driver), "zy"[fact.driver % 2]
            self.permits[plate] = await self.city.grant(plate, at, end, at=NINE + timedelta(seconds=fact.number), zone=zone)
        elif fact.what == "end" and plate in self.permits:
            await self.city.end_permit(self.permits[plate], plate, at, at=NINE + timedelta(seconds=fact.number))

    async def rest(self) -> tuple[list[str], list[int]]:
        await self.city.conclude(NINE + timedelta(days=1))
        await self.city.proved()
        rows = await self.city.stays()
        plate_of = {row["id"]: self.names.get(row["plate_token"], "") for row in rows}
        stays = sorted(str((*self.stay(row), plate_of.get(row["candidate"], ""), *self.bill(row))) for row in rows)
        return stays, [await self.worth(driver) for driver in self.drivers]

    def stay(self, row: Record) -> tuple[object, ...]:
        unit, plate = row["unit"].removeprefix(self.city.name).partition("|")[0], self.names.get(row["plate_token"], "")
        found = unit, row["entered_at"], row["left_at"], row["state"], row["certainty"], row["why"], plate, self.person(row["person"])
        return (*map(str, found[:3]), *found[3:])

    def bill(self, row: Record) -> tuple[object, ...]:
        """A bill that was taken back is as good as none."""
        if row["bill_state"] in (None, "void"):
            assert not row["total"]
            return ()
        return row["total"], row["lines"], self.person(row["bill_person"]), row["bill_certainty"], row["bill_collects"]

    def person(self, person: uuid.UUID | None) -> int:
        return self.drivers.index(person) if person in self.drivers else -1

    async def worth(self, driver: uuid.UUID) -> int:
        """Wallet less debts."""
        text = "SELECT coalesce(sum(owed), 0)::bigint FROM parking.bill WHERE person = $1"
        owed = int(await self.city.database.value(Query("owed", text), driver))
        receivables = [await self.city.balance(AccountKind.RECEIVABLE, f"{token.hex()}:{driver}") for token in self.names]
        assert -sum(receivables) == owed
        await self.no_debt_waits_for_money_that_is_there(driver)
        return await self.city.wallet(driver) - owed

    async def no_debt_waits_for_money_that_is_there(self, driver: uuid.UUID) -> None:
        text = "SELECT owed FROM parking.bill WHERE person = $1 AND owed > 0 AND collect ORDER BY entered_at, id LIMIT 1"
        oldest = await self.city.database.value(Query("oldest", text), driver)
        assert oldest is None or oldest > await self.city.wallet(driver)


@given(
    st.lists(SAID, min_size=1, max_size=12) | st.lists(CROWD, min_size=3, max_size=18),
    st.lists(TOLD, max_size=5),
    st.randoms(use_true_random=False),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_any_order_of_hearing_ends_in_the_same_stays_and_money(
    connected: Database, keys: seal.Keys, said: list[Said], told: list[Told], chance: random.Random
) -> None:
    first, second = [Universe(City(connected, keys, FixedClock()), said) for _ in range(2)]

    await first.found()
    for fact in told:
        await first.tell(fact)
    await first.city.hear(*(first.reading(number) for number in sorted(range(len(said)), key=lambda number: said[number].at)))
    await second.found()
    await in_some_order(second, told, chance)

    one, other = await first.rest(), await second.rest()
    assert one == other


async def in_some_order(universe: Universe, told: list[Told], chance: random.Random) -> None:
    """Every reading at least once, in batches; facts in their order between them; and the looks at what is due."""
    heard = [*range(len(universe.said)), *(chance.randrange(len(universe.said)) for _ in range(3))]
    chance.shuffle(heard)
    facts = list(told)
    clock = NINE
    while heard or facts:
        act = chance.randrange(4)
        if act == 0 and facts:
            fact = facts.pop(0)
            note(f"fact {fact}")
            await universe.tell(fact)
        elif act == 1:
            clock += timedelta(seconds=chance.choice([0, 30, 600, 4000, 20000]))
            note(f"now {clock}")
            await universe.city.conclude(clock)
        elif heard:
            batch = [heard.pop() for _ in range(min(len(heard), chance.randrange(1, 5)))]
            note(f"hear {batch}")
            await universe.city.hear(*(universe.reading(number) for number in batch))


@given(
    st.lists(st.tuples(st.integers(5, 300), st.integers(20, 400)), min_size=1, max_size=3),
    st.lists(st.tuples(*[st.integers(-60, 700)] * 4), min_size=1, max_size=2),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_readings_and_permits_in_any_order_give_the_same_due(
    connected: Database, keys: seal.Keys, visits: list[tuple[int, int]], permits: list[tuple[int, int, int, int]], chance: random.Random
) -> None:
    """Each permit is told, begins, is ended and is told to end at minutes of its own; what is due follows from these alone."""
    city = City(connected, keys, FixedClock())
    site = await city.site("s", more=PERMITS)
    stays = list[tuple[int, int]]()
    for gap, length in visits:
        entry = (stays[-1][1] if stays else 0) + gap
        stays.append((entry, entry + length))
    acts = [partial(_stands, city, site, entry, exit) for entry, exit in stays]
    acts += [partial(_holds, city, chance, *permit) for permit in permits]
    chance.shuffle(acts)
    for act in acts:
        await act()
        if chance.random() < 0.5:
            await city.conclude(NINE + timedelta(days=2))
    await city.conclude(NINE + timedelta(days=2))

    spans = [(max(told, since), min(since + 300, max(ended, told_ended))) for told, since, ended, told_ended in permits]
    held = tuple(PermitSpan(_minute(start), _minute(end)) for start, end in spans if start < end)
    tariff = read_tariff(LOT.format(code="oracle", more=PERMITS))
    expected = [price_stay(tariff, Stay(_minute(entry), _minute(exit), permits=held), official()).total for entry, exit in stays]
    assert [row["total"] for row in await city.stays()] == expected
    await city.proved()


def _minute(number: float) -> datetime:
    return NINE + timedelta(minutes=number)


async def _stands(city: City, site: str, entry: int, exit: int) -> None:
    await city.hear(city.seen(site, "1", _minute(entry), "occupied", PLATES[0]), city.seen(site, "1", _minute(exit), "free"))


async def _holds(city: City, chance: random.Random, told: int, since: int, ended: int, told_ended: int) -> None:
    permit = await city.grant(PLATES[0], _minute(since), _minute(since + 300), at=_minute(told))
    if chance.random() < 0.5:
        await city.conclude(NINE + timedelta(days=2))
    await city.end_permit(permit, PLATES[0], _minute(ended), at=_minute(told_ended))


TAKEN_BACK = " 0=0+0 void"  # Of what was billed before a later word took it back; by the other order nothing was billed.


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.booleans()), min_size=1, max_size=8),
    st.lists(st.tuples(st.booleans(), st.integers(0, 45)), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_departures_said_by_hand_in_any_order_end_the_same_stays(
    connected: Database, keys: seal.Keys, seen: list[tuple[bool, int, bool]], said: list[tuple[bool, int]], chance: random.Random
) -> None:
    """At a spot and at a gate, some ten minutes apart and some within moments."""
    told = []
    for shuffled in (False, True):
        city = City(connected, keys, FixedClock())
        sites = [await city.site("spot"), await city.site("gate")]
        acts = [partial(_is_seen, city, sites, *one, number) for number, one in enumerate(seen)]
        acts += [partial(_is_said, city, sites, *one) for one in said]
        if shuffled:
            chance.shuffle(acts)
        for act in acts:
            await act()
        await city.conclude(NINE + timedelta(days=2))
        await city.proved()
        told.append([one.replace(TAKEN_BACK, "") for one in await city.told()])

    assert told[0] == told[1]


def _moment(step: int) -> datetime:
    return NINE + timedelta(minutes=10 * (step // 4), seconds=7 * (step % 4))


async def _is_seen(city: City, sites: Sequence[str], gate: bool, step: int, comes: bool, number: int) -> None:
    city.seq = number
    if gate:
        await city.hear(city.passed(sites[1], _moment(step), "in" if comes else "out", PLATES[0]))
    else:
        await city.hear(city.seen(sites[0], "1", _moment(step), "occupied" if comes else "free", PLATES[3] if comes else None))


async def _is_said(city: City, sites: Sequence[str], gate: bool, step: int) -> None:
    unit = f"{sites[1]}|{city.token(PLATES[0]).hex()}" if gate else f"{sites[0]}-1"
    one = Seen(ids.id_of("said", unit, step).bytes, _moment(step), 0, BY_HAND, "out" if gate else "free", raw_at=_moment(step))
    found = Observation(unit, sites[int(gate)], "" if gate else unit, one, "ticket:1", one.at)
    await city.database.run(lambda tx: fold_stays.fold_stays(tx, [found], keys=city.keys, now=city.clock.city()))
