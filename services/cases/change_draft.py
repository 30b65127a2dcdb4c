"""A draft is saved: a merge patch over what is there; a late one is merged, and told where somebody else spoke meanwhile."""

import dataclasses
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from foundation.errors import Conflict, FieldError, Invalid, NotFound
from foundation.postgres import Transaction
from services.cases import marks, store
from services.cases.desk import Desk, Office, asked, locked_case, outside_of
from services.cases.model import Opened
from services.catalog import draft
from services.evidence import store as evidence
from services.evidence.model import Evidence
from services.forms.outside import files_named

_REVISION = re.compile(r'"[0-9]{1,9}"')


async def change_draft(desk: Office, *, person: uuid.UUID, case: uuid.UUID, patch: Mapping[str, Any], if_match: str | None) -> Opened:
    """The draft as it is now. Raises NotFound, Conflict, Invalid with every wrong pointer; a refused patch changes nothing."""

    async def work(tx: Transaction) -> Opened:
        found = await own_locked(desk, tx, person, case)
        if found.case.state not in ("draft", "supplement"):
            raise Conflict("this was handed in; it changes only when more is asked for")
        late = _late(found, patch, if_match)
        before = found.draft.worked_on
        changed, errors = draft.patched(found.matter, before, patch, outside_of(desk, found))
        _refuse(found, marks.lost(changed.form, patch) if late and not errors else [])
        if errors:
            raise Invalid("some answers are not as they should be", errors=errors)
        return await _kept(tx, found, changed)

    saved = await desk.database.run(work)
    return await _filled(desk, saved) if draft.unasked(saved.matter, saved.draft.worked_on) else saved


async def _kept(tx: Transaction, found: Opened, changed: draft.Draft) -> Opened:
    """Saved in its place: a draft is the application itself, a supplement lies beside it until it is sent."""
    before, revision = found.draft.worked_on, found.case.revision + 1
    changed = msgspec.structs.replace(changed, marks=marks.marked(before.marks or {}, before.form, changed.form, revision))
    if found.case.state == "supplement":
        changed = msgspec.structs.replace(changed, form=found.draft.form, beside=changed.form)
    saved = dataclasses.replace(found.case, sealed=store.sealed(found.key, changed), revision=revision)
    await store.save_case(tx, saved)
    return dataclasses.replace(found, case=saved, draft=changed, files=await _files_left(tx, found, changed.worked_on))


async def _files_left(tx: Transaction, found: Opened, changed: draft.Draft) -> Sequence[Evidence]:
    """What the form does not name any more is forgotten at once, unless it was handed in before; what it never named may be on its way."""
    gone = files_named(found.matter.form, found.draft.worked_on.form) - files_named(found.matter.form, changed.form)
    if gone:
        await evidence.forget_files(tx, found.case.id, [uuid.UUID(one) for one in gone])
    return [file for file in found.files if file.submitted or str(file.id) not in gone]


async def _filled(desk: Office, found: Opened) -> Opened:
    """An answer has opened questions that departments can fill: they are asked now, outside of any transaction."""
    wanted = draft.unasked(found.matter, found.draft.worked_on)
    answers = await asked(desk, found.matter, found.case.person, found.case.id, wanted)

    async def work(tx: Transaction) -> Opened:
        now = await locked_case(desk, tx, found.case.id)
        if now.case.state != found.case.state:
            return now
        return await _kept(tx, now, draft.filled(now.matter, now.draft.worked_on, answers))

    return await desk.database.run(work)


async def own_locked(desk: Desk, tx: Transaction, person: uuid.UUID, case: uuid.UUID) -> Opened:
    """One of the person's own, held. Raises NotFound."""
    found = await locked_case(desk, tx, case)
    if found.case.person != person:
        raise NotFound
    return found


def _late(found: Opened, patch: Mapping[str, Any], if_match: str | None) -> bool:
    """Whether it was typed over an older draft than there is. Raises Conflict where somebody said something else meanwhile, or nobody
    can know: so a save that says nothing only asks whether its mark is still the newest."""
    tags = {tag.strip().removeprefix("W/") for tag in (if_match or "*").split(",")}
    if tags & {"*", found.case.etag}:
        return False
    held, since = found.draft.worked_on, max((int(tag[1:-1]) for tag in tags if _REVISION.fullmatch(tag)), default=0)
    if held.marks is None or not patch or not 0 < since < found.case.revision:
        raise _newer(found, [])
    _refuse(found, marks.colliding(held.marks, since, held.form, patch))
    return True


def _refuse(found: Opened, pointers: Sequence[str]) -> None:
    if pointers:
        raise _newer(found, pointers)


def _newer(found: Opened, pointers: Sequence[str]) -> Conflict:
    """With what is there now, so that the page can show both."""
    return Conflict(
        "this was saved somewhere else in between; look at what is there now and save again",
        errors=[FieldError(pointer, "changed_meanwhile", "something else was answered here meanwhile") for pointer in pointers],
        current=msgspec.to_builtins(found.draft.worked_on.form), etag=found.case.etag,
    )  # fmt: skip
