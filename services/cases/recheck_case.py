"""What was approved on a pledge comes before staff again when the pledge does not hold; the licence follows what becomes of it."""

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Literal

import msgspec

from foundation import clock, events
from foundation.errors import Conflict, TooMany
from foundation.postgres import Transaction
from services.cases import model, store
from services.cases.change_draft import own_locked
from services.cases.desk import Desk, Office, asked, opened, own_case
from services.cases.model import Opened, Recheck
from services.catalog import draft
from services.rules import engine
from services.rules.model import Known


async def keep_checks(desk: Desk, tx: Transaction, found: Opened, answers: Mapping[str, Known]) -> Opened:
    """What departments that were silent say now is kept beside what was pledged. Staff who have not decided yet see what the rules
    make of it; what is approved comes before them again, or is settled, when it was before them for that."""
    changed = _checked(found, answers)
    if changed == found.draft:
        return found
    changed = msgspec.structs.replace(changed, checked_at=desk.clock.city())
    refused_before = any(one.verdict == "no" for one in found.draft.reasons)
    changed, verdict = _ruled(desk, found, changed)
    fine = not draft.broken(changed) and (verdict != "no" or refused_before)
    case = dataclasses.replace(found.case, sealed=store.sealed(found.key, changed), revision=found.case.revision + 1)
    await store.save_case(tx, case)
    new = changed.checks[len(found.draft.checks) :]
    found = dataclasses.replace(found, case=case, draft=changed)
    if case.state == "approved" and not fine and found.recheck is None:
        found = await _opened_again(desk, tx, found)
    told = events.PledgeChecked(
        case=case.id, person=case.person, matter=case.matter, version=case.version, held=all(one.held for one in new),
        elements=tuple(sorted(element for element, known in answers.items() if known.state != "unknown")),
        state=case.state, verdict=verdict, number=case.revision, open=case.state == "approved" and not fine,
    )  # fmt: skip
    tx.tell(told, at=desk.clock.city())
    if fine and found.recheck is not None:
        found = await close_recheck(desk, tx, found, kept=True, made_by="rule", actor=None, reason=b"")
    return found


def _checked(found: Opened, answers: Mapping[str, Known]) -> draft.Draft:
    """What is filled in by now is filled in beside, too, where a supplement is being written."""
    changed = draft.checked(found.matter, found.draft, answers)
    if changed.beside is None:
        return changed
    return msgspec.structs.replace(changed, beside=draft.checked(found.matter, found.draft.worked_on, answers).form)


def _ruled(desk: Desk, found: Opened, changed: draft.Draft) -> tuple[draft.Draft, str]:
    """With what the rules say by now, where somebody will look at it."""
    if found.case.state not in ("in_review", "approved"):
        return changed, ""
    now = desk.clock.city()
    world = draft.world(found.matter, changed, found.case.submitted_at or now)
    decision = engine.decide(found.matter.rules, world, clock.local(now).date().isoformat())
    return msgspec.structs.replace(changed, reasons=decision.reasons), decision.verdict


async def put_before_staff(desk: Desk, tx: Transaction, found: Opened) -> Opened:
    """A department never answered: whoever approved on a pledge hears that nobody could check it."""
    if found.case.state != "approved" or found.recheck is not None:
        return found
    case = dataclasses.replace(found.case, revision=found.case.revision + 1)
    await store.save_case(tx, case)
    return await _opened_again(desk, tx, dataclasses.replace(found, case=case))


async def _opened_again(desk: Desk, tx: Transaction, found: Opened) -> Opened:
    """Into the inbox, under a promise of its own."""
    now, case = desk.clock.city(), found.case
    one = Recheck(case.revision, now, model.due_after(now, found.matter.promise_days, desk.calendar))
    await store.open_recheck(tx, case.id, one)
    await store.put_before_staff(tx, case.id, one.due_at)
    waiting = dataclasses.replace(case, due_at=one.due_at, staff_waits=True)
    return dataclasses.replace(found, case=waiting, rechecks=[*found.rechecks, one])


async def check_again(desk: Office, *, person: uuid.UUID, case: uuid.UUID) -> Opened:
    """She says that the register was corrected: it is asked once more. Raises NotFound, Conflict, TooMany."""
    found = await opened(desk, desk.database, await own_case(desk, person, case))
    if found.recheck is None:
        raise Conflict("nothing of this case waits to be checked again")
    _not_too_often(found, desk)
    places = draft.broken(found.draft)
    elements = [one.element for one in found.matter.prefills if one.pointer in places] + [one.element for one in found.matter.reads]
    elements += draft.silent(found.matter, found.draft)
    answers = await asked(desk, found.matter, person, case, elements)

    async def work(tx: Transaction) -> Opened:
        now = await own_locked(desk, tx, person, case)
        return await keep_checks(desk, tx, now, answers) if now.recheck is not None else now

    return await desk.database.run(work)


def _not_too_often(found: Opened, desk: Desk) -> None:
    """Raises Conflict after so many answers, TooMany within a minute of the last one."""
    if len(found.draft.checks) >= model.CHECKS_MAX:
        raise Conflict("it was asked very often; staff look at it now, call 12345")
    if found.draft.checked_at is not None and desk.clock.city() - found.draft.checked_at < model.CHECK_AGAIN:
        raise TooMany("it was asked a moment ago; try again in a minute", retry_after_s=int(model.CHECK_AGAIN.total_seconds()))


async def close_recheck(
    desk: Desk, tx: Transaction, found: Opened, *, kept: bool, made_by: Literal["rule", "staff"], actor: uuid.UUID | None, reason: bytes
) -> Opened:
    """The licence is kept or ended; `found` waits for that."""
    one, now = found.recheck, desk.clock.city()
    assert one is not None, "whoever closes one has seen that it is open"
    closed = dataclasses.replace(one, closed_at=now, kept=kept, made_by=made_by, reason=reason or None)
    await store.close_recheck(tx, found.case.id, closed, actor)
    case = dataclasses.replace(found.case, revision=found.case.revision + 1, staff_waits=False)
    await store.save_case(tx, case)
    told = events.RecheckClosed(
        case=case.id, person=case.person, matter=case.matter, version=case.version, number=case.revision, kept=kept, made_by=made_by,
        sealed=reason,
    )  # fmt: skip
    tx.tell(told, at=now)
    others = [other for other in found.rechecks if other.number != one.number]
    return dataclasses.replace(found, case=case, rechecks=[*others, closed])
