"""An application is handed in: departments that were silent or are long ago are asked once more, then everything is judged at once."""

import dataclasses
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from foundation import events
from foundation.errors import Conflict, Invalid
from foundation.postgres import Transaction
from services.cases import model, store
from services.cases.change_draft import own_locked
from services.cases.desk import Office, asked, outside_of
from services.cases.model import Opened
from services.catalog import draft
from services.catalog.model import Matter
from services.evidence import store as evidence
from services.forms.outside import files_named
from services.rules.model import Known


@dataclass(frozen=True, slots=True)
class Stale:
    """What has to be asked before this can be handed in."""

    matter: Matter
    elements: list[str]


async def submit_case(desk: Office, *, person: uuid.UUID, case: uuid.UUID) -> Opened:
    """Raises NotFound, Conflict, Invalid with every gap and fault."""
    done = await desk.database.run(lambda tx: _submitted(desk, tx, person, case, None))
    if isinstance(done, Stale):
        # Outside of any transaction: a slow department must not hold a lock.
        fresh = await asked(desk, done.matter, person, case, done.elements)
        done = await desk.database.run(lambda tx: _submitted(desk, tx, person, case, fresh))
    assert isinstance(done, Opened), "nobody is asked twice"
    return done


async def _submitted(
    desk: Office, tx: Transaction, person: uuid.UUID, case: uuid.UUID, fresh: Mapping[str, Known] | None
) -> Opened | Stale:
    """Handed in, or what is to be asked first, where nobody was asked yet. A draft with gaps asks nobody."""
    found = await own_locked(desk, tx, person, case)
    if found.case.state != "draft":
        raise Conflict("this was handed in already")
    whole = draft.filled(found.matter, found.draft, fresh)
    errors = draft.judged(found.matter, whole, outside_of(desk, found))
    if errors:
        raise Invalid("something is missing, or not as it should be", errors=errors)
    stale = draft.stale(found.matter, whole, desk.clock.city()) if fresh is None else []
    return Stale(found.matter, stale) if stale else await _hand_in(desk, tx, found, whole)


async def _hand_in(desk: Office, tx: Transaction, found: Opened, whole: draft.Draft) -> Opened:
    now = desk.clock.city()
    due = model.due_after(now, found.matter.promise_days, desk.calendar)
    case = dataclasses.replace(
        found.case, state="submitted", revision=found.case.revision + 1, sealed=store.sealed(found.key, whole), submitted_at=now, due_at=due
    )
    pledge_at = model.pledge_after(0, now) if draft.pledged(found.matter, whole) else None
    await store.hand_in(tx, case, pledge_at)
    await hand_in_files(tx, found, whole)
    told = events.CaseSubmitted(
        case=case.id, person=case.person, matter=case.matter, version=case.version, agency=case.agency, sealed=case.sealed
    )
    tx.tell(told, at=now)
    return dataclasses.replace(found, case=case, draft=whole)


async def hand_in_files(tx: Transaction, found: Opened, whole: draft.Draft) -> None:
    """What the form names stays with the case; what was uploaded besides is forgotten."""
    if found.files:
        await evidence.submit_files(tx, found.case.id, [uuid.UUID(one) for one in files_named(found.matter.form, whole.form)])
