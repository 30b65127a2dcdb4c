"""A draft is saved: a merge patch over what is there, and whoever saves over a newer one is told."""

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from foundation.errors import Conflict, Invalid, NotFound
from foundation.postgres import Transaction
from services.cases import store
from services.cases.desk import Desk, Office, asked, locked_case
from services.cases.model import Opened
from services.catalog import draft


async def change_draft(desk: Office, *, person: uuid.UUID, case: uuid.UUID, patch: Mapping[str, Any], if_match: str | None) -> Opened:
    """The draft as it is now. Raises NotFound, Conflict, Invalid with every wrong pointer; a refused patch changes nothing."""

    async def work(tx: Transaction) -> Opened:
        found = await own_locked(desk, tx, person, case)
        if found.case.state != "draft":
            raise Conflict("this was handed in; what is asked for later is added by `supplement`")
        refuse_newer(found, if_match)
        changed, errors = draft.patched(found.matter, found.draft, patch)
        if errors:
            raise Invalid("some answers are not as they should be", errors=errors)
        saved = dataclasses.replace(found.case, sealed=store.sealed(found.key, changed), revision=found.case.revision + 1)
        await store.save_case(tx, saved)
        return dataclasses.replace(found, case=saved, draft=changed)

    saved = await desk.database.run(work)
    return await _filled(desk, saved) if draft.unasked(saved.matter, saved.draft) else saved


async def _filled(desk: Office, found: Opened) -> Opened:
    """An answer has opened questions that departments can fill: they are asked now, outside of any transaction."""
    wanted = draft.unasked(found.matter, found.draft)
    answers = await asked(desk, found.matter, found.case.person, found.case.id, wanted)

    async def work(tx: Transaction) -> Opened:
        now = await locked_case(desk, tx, found.case.id)
        if now.case.state != "draft":
            return now
        whole = draft.filled(now.matter, now.draft, answers)
        saved = dataclasses.replace(now.case, sealed=store.sealed(now.key, whole), revision=now.case.revision + 1)
        await store.save_case(tx, saved)
        return dataclasses.replace(now, case=saved, draft=whole)

    return await desk.database.run(work)


async def own_locked(desk: Desk, tx: Transaction, person: uuid.UUID, case: uuid.UUID) -> Opened:
    """One of the person's own, held. Raises NotFound."""
    found = await locked_case(desk, tx, case)
    if found.case.person != person:
        raise NotFound
    return found


def refuse_newer(found: Opened, if_match: str | None) -> None:
    """Raises Conflict with what was saved in between, so that the page can show both."""
    if if_match is None or if_match.strip() == "*":
        return
    tags = {tag.strip().removeprefix("W/") for tag in if_match.split(",")}
    if found.case.etag not in tags:
        raise Conflict(
            "this was saved somewhere else in between; look at what is there now and save again",
            current=msgspec.to_builtins(found.draft.form), etag=found.case.etag,
        )  # fmt: skip
