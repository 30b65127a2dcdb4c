"""What every act on a case stands on: keys, matters, departments, the calendar and the clocks, handed in once."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from foundation.clock import Clock
from foundation.errors import NotFound
from foundation.postgres import Database, Transaction
from foundation.seal import Keys
from services.cases import store
from services.cases.model import Case, Opened, WorkingDays
from services.catalog.model import Matter
from services.catalog.shelf import Shelf, Versions
from services.evidence import store as evidence
from services.forms import model as forms
from services.forms.outside import FileFact, Outside, Places
from services.identity.personal import known_key
from services.rules.model import Known


class Registers(Protocol):
    async def ask(self, *, person: uuid.UUID, agency: str, purpose: str, case: uuid.UUID, elements: Sequence[str]) -> Mapping[str, Known]:
        """What the departments say of this person, each element a value, none, or unknown. Never raises for a silent one."""


class Accesses(Protocol):
    async def record(
        self, tx: Transaction, *, person: uuid.UUID, staff: uuid.UUID, agency: str, purpose: str, case: uuid.UUID, fields: Sequence[str]
    ) -> None:
        """A line that the person sees: who read what of her, and why."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What a step needs."""

    keys: Keys
    clock: Clock
    versions: Versions
    calendar: WorkingDays


@dataclass(frozen=True, slots=True)
class Office(Desk):
    """What the doors need besides."""

    database: Database
    shelf: Shelf
    registers: Registers
    accesses: Accesses
    places: Places


async def opened(desk: Desk, reader: store.Reader, case: Case) -> Opened:
    """Raises NotFound when the applicant was erased."""
    key = await known_key(reader, desk.keys, case.person)
    if key is None:
        raise NotFound
    matter = await desk.versions.get(reader, case.matter, case.version)
    steps = await store.steps_of(reader, case.id) if case.submitted_at else []
    rechecks = await store.rechecks_of(reader, case.id) if case.state == "approved" else []
    asks_for_files = any(forms.FILE in field.schema for field in forms.fields_of(matter.form))
    files = await evidence.files_of(reader, case.id) if asks_for_files else ()
    return Opened(case, matter, store.unsealed(key, case.sealed), steps, rechecks, files, key)


def outside_of(desk: Office, found: Opened) -> Outside:
    """What an answer of this case may name that lies outside of its form."""
    return Outside({str(file.id): FileFact(file.field, file.kind) for file in found.files}, desk.places)


async def own_case(desk: Office, person: uuid.UUID, case: uuid.UUID) -> Case:
    """One of the person's own. Raises NotFound for a stranger's exactly as for one that never was."""
    found = await store.load_case(desk.database, case)
    if found is None or found.person != person:
        raise NotFound
    return found


async def locked_case(desk: Desk, tx: Transaction, case: uuid.UUID) -> Opened:
    """The case, held until the transaction ends. Raises NotFound."""
    found = await store.lock_case(tx, case)
    if found is None:
        raise NotFound
    return await opened(desk, tx, found)


async def asked(desk: Office, matter: Matter, person: uuid.UUID, case: uuid.UUID, elements: Collection[str]) -> dict[str, Known]:
    """What the departments say of these elements, each asked for the purpose that its source names."""
    by_purpose: dict[str, list[str]] = {}
    for element, source in matter.asked().items():
        if element in elements:
            by_purpose.setdefault(matter.sources[source].purpose, []).append(element)
    found: dict[str, Known] = {}
    for purpose, names in by_purpose.items():
        answers: Mapping[str, Known] = await desk.registers.ask(
            person=person, agency=matter.agency, purpose=purpose, case=case, elements=names
        )
        found |= {name: answers.get(name, Known(state="unknown")) for name in names}
    return found
