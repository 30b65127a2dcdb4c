"""What every act on a case stands on: keys, matters, departments, the calendar and the clocks, handed in once."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from foundation.clock import Clock
from foundation.errors import NotFound
from foundation.postgres import Database, Transaction
from foundation.seal import Keys
from services.cases import store
from services.cases.model import Accesses, Case, Opened, Registers, WorkingDays
from services.catalog.model import Matter
from services.catalog.shelf import Shelf
from services.rules.model import Known


@dataclass(frozen=True, slots=True)
class Desk:
    database: Database
    keys: Keys
    clock: Clock
    shelf: Shelf
    registers: Registers
    accesses: Accesses
    calendar: WorkingDays


async def opened(desk: Desk, reader: store.Reader, case: Case) -> Opened:
    matter = await desk.shelf.version(case.matter, case.version)
    return Opened(case, matter, store.unsealed(desk.keys, case.sealed), await store.steps_of(reader, case.id))


async def own_case(desk: Desk, person: uuid.UUID, case: uuid.UUID) -> Case:
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


async def asked(desk: Desk, matter: Matter, person: uuid.UUID, case: uuid.UUID, elements: Collection[str]) -> dict[str, Known]:
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
