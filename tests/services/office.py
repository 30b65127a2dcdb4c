"""An office for cases: a fresh database, departments that say what a test tells them, and a clock whose hands may be moved."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from foundation import events, journal, postgres
from foundation.caller import Caller
from foundation.http import Call
from foundation.postgres import Transaction
from foundation.seal import Keys
from onelot.places import places_of
from parking.tariffs.calendar import official
from services.cases import store
from services.cases.change_draft import change_draft
from services.cases.desk import Office, opened
from services.cases.follow import EffectsFollower, StepsFollower
from services.cases.model import Opened
from services.cases.move_case import appeal_case, decide_case, supplement_case, withdraw_case
from services.cases.open_case import open_case
from services.cases.submit_case import submit_case
from services.catalog.publish_matter import publish_built_in
from services.catalog.shelf import Shelf, Versions
from services.identity import people
from services.rules.model import Known
from simulators import population
from tests.services.conftest import Hands

PHONE = "+8613800000011"
STAFF = uuid.UUID("00000000-0000-7000-8000-00000000000a")


@dataclass
class Departments:
    """Each element's answer; those of a department that is down are unknown."""

    clock: Hands
    says: dict[str, Any]
    down: set[str] = field(default_factory=set)
    asked: list[tuple[uuid.UUID, str, tuple[str, ...]]] = field(default_factory=list)

    async def ask(self, *, person: uuid.UUID, agency: str, purpose: str, case: uuid.UUID, elements: Sequence[str]) -> Mapping[str, Known]:
        self.asked.append((case, purpose, tuple(elements)))
        return {element: self._known(element) for element in elements}

    def _known(self, element: str) -> Known:
        source = element.partition(".")[0]
        if source in self.down:
            return Known(state="unknown", source=source)
        value = self.says.get(element)
        return Known(state="none" if value is None else "value", value=value, source=source, as_of=self.clock.city())


@dataclass
class Lines:
    kept: list[tuple[uuid.UUID, uuid.UUID, tuple[str, ...]]] = field(default_factory=list)

    async def record(
        self, tx: Transaction, *, person: uuid.UUID, staff: uuid.UUID, agency: str, purpose: str, case: uuid.UUID, fields: Sequence[str]
    ) -> None:
        self.kept.append((person, staff, tuple(fields)))


@dataclass
class Counter:
    """The office with one applicant before it."""

    office: Office
    departments: Departments
    lines: Lines
    clock: Hands
    person: uuid.UUID

    @property
    def database(self) -> postgres.Database:
        return self.office.database

    def call(self, matter: str, *, key: str | None = None, person: uuid.UUID | None = None) -> Call:
        headers = {"Idempotency-Key": key} if key else {}
        caller = Caller(person or self.person, uuid.uuid4(), "L3")
        return Call({}, None, None, caller, headers, matter.encode(), "127.0.0.1", "POST /api/v1/services/cases")

    async def begin(self, matter: str, *, key: str | None = None, person: uuid.UUID | None = None) -> Opened:
        found = self.office.shelf.live(matter)
        assert found is not None
        reply = await open_case(self.office, self.call(matter, key=key, person=person), found[1], found[0])
        body = reply.body if isinstance(reply.body, str) else bytes(reply.body).decode().strip('"')  # type: ignore[call-overload]
        return await self.look(uuid.UUID(body))

    async def look(self, case: uuid.UUID) -> Opened:
        async with self.database.transaction() as tx:
            found = await store.load_case(tx, case)
            assert found is not None
            return await opened(self.office, tx, found)

    async def save(self, found: Opened, patch: dict[str, Any], *, if_match: str | None = None) -> Opened:
        return await change_draft(self.office, person=self.person, case=found.case.id, patch=patch, if_match=if_match)

    async def submit(self, found: Opened) -> Opened:
        await submit_case(self.office, person=self.person, case=found.case.id)
        await self.follow()
        return await self.look(found.case.id)

    async def decide(self, found: Opened, decision: Any, reason: str = "because", *, agency: str = "police") -> Opened:
        await decide_case(
            self.office, staff=STAFF, agencies=frozenset({agency}), case=found.case.id, decision=decision, reason=reason
        )  # fmt: skip
        await self.follow()
        return await self.look(found.case.id)

    async def supplement(self, found: Opened, patch: dict[str, Any]) -> Opened:
        await supplement_case(self.office, person=self.person, case=found.case.id, patch=patch)
        await self.follow()
        return await self.look(found.case.id)

    async def appeal(self, found: Opened) -> Opened:
        await appeal_case(self.office, person=self.person, case=found.case.id)
        await self.follow()
        return await self.look(found.case.id)

    async def withdraw(self, found: Opened) -> Opened:
        return await withdraw_case(self.office, person=self.person, case=found.case.id)

    async def reviewed(self) -> Opened:
        """A residence permit that lies in the inbox."""
        found = await self.begin("residence_permit")
        await self.save(found, {"reason": "job"})
        return await self.submit(found)

    async def follow(self) -> None:
        """The followers have heard everything."""
        for follower in (StepsFollower(self.office), EffectsFollower(self.office), StepsFollower(self.office)):
            while await journal.catch_up(self.database, follower):
                pass

    async def facts(self, *kinds: str) -> list[events.Fact]:
        async with self.database.snapshot() as tx:
            entries = await journal.read(tx, "fact", 0, datetime(1, 1, 1, tzinfo=UTC))
        return [entry.event for entry in entries if entry.kind in kinds or not kinds]  # type: ignore[misc]


async def open_counter(database: postgres.Database, keys: Keys, clock: Hands) -> Counter:
    bearer = population.person_of(PHONE)
    cars = [{"plate": car.plate, "colour": car.colour} for car in bearer.plates]
    assert bearer.home is not None
    departments = Departments(
        clock,
        {
            "police.name": bearer.name, "police.id_no": bearer.id_no, "police.plates": cars,
            "housing.address": bearer.home.address, "housing.zone": bearer.home.zone, "housing.since": "2020-01-01",
        },
    )  # fmt: skip
    lines = Lines()
    await publish_built_in(database, now=clock.city())
    office = Office(keys, clock, Versions(), official(), database, Shelf(database), departments, lines, places_of("zhengzhou"))
    await office.shelf.load()
    person = await database.run(lambda tx: people.find_or_make(tx, keys, PHONE, clock.wall()))
    return Counter(office, departments, lines, clock, person)
