"""An application is handed in: departments that were silent or are long ago are asked once more, then everything is judged at once."""

import dataclasses
import uuid

from foundation import events
from foundation.errors import Conflict, Invalid
from foundation.postgres import Transaction
from services.cases import model, store
from services.cases.change_draft import own_locked
from services.cases.desk import Office, asked, opened, outside_of, own_case
from services.cases.model import Opened
from services.catalog import draft
from services.evidence import store as evidence
from services.forms.outside import files_named
from services.rules.model import Known


async def submit_case(desk: Office, *, person: uuid.UUID, case: uuid.UUID) -> Opened:
    """Raises NotFound, Conflict, Invalid with every gap and fault."""
    fresh = await _asked_again(desk, person, case)

    async def work(tx: Transaction) -> Opened:
        found = await own_locked(desk, tx, person, case)
        if found.case.state != "draft":
            raise Conflict("this was handed in already")
        whole = draft.filled(found.matter, found.draft, fresh)
        errors = draft.judged(found.matter, whole, outside_of(desk, found))
        if errors:
            raise Invalid("something is missing, or not as it should be", errors=errors)
        return await _hand_in(desk, tx, found, whole)

    return await desk.database.run(work)


async def _asked_again(desk: Office, person: uuid.UUID, case: uuid.UUID) -> dict[str, Known]:
    """Outside of the transaction: a slow department must not hold a lock. A draft with gaps asks nobody."""
    found = await opened(desk, desk.database, await own_case(desk, person, case))
    if found.case.state != "draft" or draft.judged(found.matter, found.draft, outside_of(desk, found)):
        return {}
    return await asked(desk, found.matter, person, case, draft.stale(found.matter, found.draft, desk.clock.city()))


async def _hand_in(desk: Office, tx: Transaction, found: Opened, whole: draft.Draft) -> Opened:
    now = desk.clock.city()
    case = dataclasses.replace(
        found.case, state="submitted", revision=found.case.revision + 1, sealed=store.sealed(found.key, whole), submitted_at=now,
        due_at=model.due_after(now, found.matter.promise_days, desk.calendar),
    )  # fmt: skip
    await store.save_case(tx, case)
    await hand_in_files(tx, found, whole)
    assert case.due_at is not None, "set above"
    await store.set_timer(tx, case.id, "promise", "", case.due_at)
    if draft.pledged(found.matter, whole):
        await store.set_timer(tx, case.id, "pledge", "", model.pledge_after(0, now))
    told = events.CaseSubmitted(
        case=case.id, person=case.person, matter=case.matter, version=case.version, agency=case.agency, sealed=case.sealed
    )
    tx.tell(told, at=now)
    return dataclasses.replace(found, case=case, draft=whole)


async def hand_in_files(tx: Transaction, found: Opened, whole: draft.Draft) -> None:
    """What the form names stays with the case; what was uploaded besides is forgotten."""
    if found.files:
        await evidence.submit_files(tx, found.case.id, [uuid.UUID(one) for one in files_named(found.matter.form, whole.form)])
