"""Somebody begins to apply: the departments are asked first, and the draft begins with what they know."""

import uuid

from foundation import events, http, ids
from foundation.errors import Conflict
from foundation.http import Call, Reply
from foundation.postgres import Transaction
from services.cases import model, store
from services.cases.desk import Office, asked
from services.cases.model import Case
from services.catalog import draft
from services.catalog.model import Matter
from services.identity.personal import personal_key
from services.rules.model import Known


def case_id(call: Call) -> uuid.UUID:
    """A new id, or the one that the key stands for: who asks twice is not looked up twice, and no line names a case that never was."""
    key = call.headers.get("Idempotency-Key")
    return ids.id_of("case", call.me.person, key) if key else ids.new_id()


async def open_case(desk: Office, call: Call, matter: Matter, version: str) -> Reply:
    """The id of the case; asked again under the same key, of the same case. Departments are asked outside of any transaction."""
    case = case_id(call)
    known: dict[str, Known] = {}
    if await store.load_case(desk.database, case) is None:
        known = await asked(desk, matter, call.me.person, case, draft.needed(matter, draft.begun(matter, {})))

    async def work(tx: Transaction) -> Reply:
        if await store.lock_drafts(tx, call.me.person) >= model.DRAFTS_MAX:
            raise Conflict(f"there are {model.DRAFTS_MAX} drafts of yours already; withdraw one, or go on with it")
        key = await personal_key(tx, desk.keys, call.me.person, desk.clock.wall())
        sealed = store.sealed(key, draft.begun(matter, known))
        made = _case(desk, call.me.person, case, matter, version, sealed)
        await store.add_case(tx, made)
        tx.tell(events.CaseOpened(case=made.id, person=made.person, matter=made.matter, version=made.version), at=made.created_at)
        return Reply(str(made.id), 201)

    return await http.once(desk.database, desk.keys, call, work)


def _case(desk: Office, person: uuid.UUID, case: uuid.UUID, matter: Matter, version: str, sealed: bytes) -> Case:
    return Case(
        id=case, person=person, matter=matter.code, version=version, agency=matter.agency, state="draft", revision=1,
        sealed=sealed, created_at=desk.clock.city(), submitted_at=None, due_at=None, paused_at=None,
        decided_at=None, staff_waits=False,
    )  # fmt: skip
