"""A case takes steps: its rules come out, somebody decides, adds what was asked, asks for a person, or the time is over."""

import dataclasses
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, cast

import msgspec

from foundation import clock, events
from foundation.errors import Conflict, Invalid, NotAllowed, NotFound
from foundation.postgres import Transaction
from services.cases import model, store
from services.cases.change_draft import own_locked
from services.cases.desk import Desk, Office, locked_case, outside_of
from services.cases.hand_over import refuse_anothers
from services.cases.model import Case, Made, MadeBy, Opened, State
from services.cases.recheck_case import close_recheck
from services.cases.submit_case import hand_in_files
from services.catalog import draft
from services.evidence import store as evidence
from services.flow import run_flow
from services.flow.model import RULES, Node, Position, Waiting
from services.flow.read_flow import duration_s
from services.rules import engine

STEPS_AT_ONCE_MAX = 10  # Rules that lead to rules that lead to rules.


def position_of(found: Opened) -> Position:
    return run_flow.walk(found.matter.flow, [made.step for made in found.steps])


def waits(found: Opened, role: str, state: str | None = None) -> Node | None:
    """The task at which the case waits for this role."""
    tasks = [one.node for one in position_of(found).waiting if one.node.role == role and state in (None, one.node.state)]
    return tasks[0] if tasks else None


async def advance_case(desk: Desk, tx: Transaction, case: uuid.UUID) -> None:
    """Let the rules decide wherever the case waits for them. To be called again as often as one likes."""
    found = await locked_case(desk, tx, case)
    for _ in range(STEPS_AT_ONCE_MAX):
        task = next((one.node for one in position_of(found).waiting if one.node.kind == RULES), None)
        if found.case.state not in ("submitted", "in_review") or task is None:
            return
        now = desk.clock.city()
        world = draft.world(found.matter, found.draft, found.case.submitted_at or now)
        decision = engine.decide(found.matter.rules, world, clock.local(now).date().isoformat())
        found = dataclasses.replace(found, draft=msgspec.structs.replace(found.draft, reasons=decision.reasons))
        found = await step(desk, tx, found, task.id, decision.verdict, "rule")
    raise AssertionError("a flow that is proved sound leaves its rules")


async def decide_case(
    desk: Office,
    *,
    staff: uuid.UUID,
    agencies: frozenset[str],
    case: uuid.UUID,
    decision: Literal["approve", "reject", "supplement"],
    reason: str,
) -> Opened:
    """Judged at the act: who is staff of this agency now. Raises NotFound, NotAllowed, Conflict."""

    async def work(tx: Transaction) -> Opened:
        found = await locked_case(desk, tx, case)
        if found.case.person == staff:
            raise NotAllowed("nobody decides an application of one's own")
        if found.case.agency not in agencies or found.case.state == "draft":
            raise NotFound
        await refuse_anothers(desk, tx, found.case, staff)
        sealed = found.key.seal(reason, store.REASON) if reason else b""
        if found.recheck is not None and decision in model.RECHECK_WORDS:
            return await close_recheck(desk, tx, found, kept=decision == "approve", made_by="staff", actor=staff, reason=sealed)
        task = waits(found, "staff")
        if task is None or decision not in task.decisions or found.case.state != "in_review":
            raise Conflict("this case does not wait for that decision now; look at where it stands")
        return await step(desk, tx, found, task.id, decision, "staff", actor=staff, reason=sealed)

    return await desk.database.run(work)


async def supplement_case(desk: Office, *, person: uuid.UUID, case: uuid.UUID, patch: Mapping[str, Any]) -> Opened:
    """What staff asked for is added; the application has to be as complete as when it was handed in. Raises NotFound, Conflict, Invalid."""

    async def work(tx: Transaction) -> Opened:
        found = await own_locked(desk, tx, person, case)
        task = waits(found, "applicant", "supplement") if found.case.state == "supplement" else None
        if task is None:
            raise Conflict("nothing is asked of you in this case now")
        outside = outside_of(desk, found)
        changed, errors = draft.patched(found.matter, found.draft.worked_on, patch, outside)
        errors = errors or draft.judged(found.matter, changed, outside)
        if errors:
            raise Invalid("something is missing, or not as it should be", errors=errors)
        await hand_in_files(tx, found, changed)
        return await step(desk, tx, dataclasses.replace(found, draft=changed), task.id, "", "applicant", actor=person)

    return await desk.database.run(work)


async def appeal_case(desk: Office, *, person: uuid.UUID, case: uuid.UUID) -> Opened:
    """A person is to look at an automatic no. Raises NotFound, Conflict."""

    async def work(tx: Transaction) -> Opened:
        found = await own_locked(desk, tx, person, case)
        task = waits(found, "applicant", "rejected") if found.case.state == "rejected" else None
        if task is None:
            raise Conflict("only an automatic refusal is reviewed here; against a person's decision stands the way to law")
        due = model.due_after(desk.clock.city(), found.matter.promise_days, desk.calendar)
        found = dataclasses.replace(found, case=dataclasses.replace(found.case, decided_at=None, due_at=due))
        return await step(desk, tx, found, task.id, "", "applicant", actor=person)

    return await desk.database.run(work)


async def withdraw_case(desk: Office, *, person: uuid.UUID, case: uuid.UUID) -> Opened:
    """Raises NotFound, Conflict."""

    async def work(tx: Transaction) -> Opened:
        found = await own_locked(desk, tx, person, case)
        if found.case.state not in model.OPEN:
            raise Conflict("what is decided or withdrawn cannot be withdrawn")
        gone = dataclasses.replace(found.case, state="withdrawn", revision=found.case.revision + 1, staff_waits=False, paused_at=None)
        await store.save_case(tx, gone)
        await store.end_timers(tx, case)
        await evidence.forget_rest(tx, case)
        told = events.CaseWithdrawn(case=gone.id, person=gone.person, matter=gone.matter, version=gone.version)
        tx.tell(told, at=desk.clock.city())
        return dataclasses.replace(found, case=gone)

    return await desk.database.run(work)


async def step(
    desk: Desk,
    tx: Transaction,
    found: Opened,
    task: str,
    word: str,
    made_by: MadeBy,
    *,
    actor: uuid.UUID | None = None,
    reason: bytes = b"",
) -> Opened:
    """One step: written down, told, and everything that follows from where the case stands now. The draft in `found` is saved."""
    now = desk.clock.city()
    made = Made(len(found.steps) + 1, task, word, made_by, actor, reason or None, now)
    settled = msgspec.structs.replace(found.draft, beside=None)  # What was not sent goes with a step that did not wait.
    moved = dataclasses.replace(found, steps=[*found.steps, made], draft=settled)
    position = position_of(moved)
    case = _case_at(desk, moved, position, now)
    await store.add_step(tx, case.id, made.number, task=task, word=word, made_by=made_by, actor=actor, reason=made.reason, at=now)
    await store.save_case(tx, case)
    await _keep_timers(tx, case, position, now)
    _tell(tx, case, made, reason)
    return dataclasses.replace(moved, case=case)


def _case_at(desk: Desk, moved: Opened, position: Position, now: datetime) -> Case:
    case, state = moved.case, cast(State, position.state)
    paused = any(one.node.pauses for one in position.waiting)
    due = case.due_at
    if case.paused_at is not None and not paused and due is not None:
        due = model.due_resumed(due, case.paused_at, now, desk.calendar)
    return dataclasses.replace(
        case, state=state, revision=case.revision + 1, sealed=store.sealed(moved.key, moved.draft), due_at=due,
        paused_at=(case.paused_at or now) if paused else None,
        decided_at=(case.decided_at or now) if state in model.DECIDED else None,
        staff_waits=any(one.node.role == "staff" for one in position.waiting),
    )  # fmt: skip


async def _keep_timers(tx: Transaction, case: Case, position: Position, now: datetime) -> None:
    """The times that the flow waits for, in city time. A case that ended waits for nothing but for what was pledged, if it was approved."""
    if position.end is not None:
        await (store.end_timers_but_pledges if case.state == "approved" else store.end_timers)(tx, case.id)
        return
    if case.due_at is None or case.paused_at is not None or case.decided_at is not None:
        await store.end_timer(tx, case.id, "promise", "")
    elif case.due_at > now:
        await store.set_timer(tx, case.id, "promise", "", case.due_at)
    wanted = {timer.id: timer for one in position.waiting for timer in one.timers}
    there = await store.timer_tasks(tx, case.id)
    for name in there - wanted.keys():
        await store.end_timer(tx, case.id, "flow", name)
    for name in wanted.keys() - there:
        await store.set_timer(tx, case.id, "flow", name, now + clock.seconds(duration_s(wanted[name].duration or "") or 0))


def _tell(tx: Transaction, case: Case, made: Made, reason: bytes) -> None:
    sealed = case.sealed if made.made_by == "applicant" else reason
    moved = events.CaseMoved(
        case=case.id,
        person=case.person,
        matter=case.matter,
        version=case.version,
        number=made.number,
        task=made.task,
        word=made.word,
        made_by=made.made_by,
        state=case.state,
        sealed=sealed,
    )
    tx.tell(moved, at=made.at)
    if case.decided_at == made.at and (case.state == "approved" or case.state == "rejected"):
        decided = events.CaseDecided(
            case=case.id,
            person=case.person,
            matter=case.matter,
            version=case.version,
            agency=case.agency,
            number=made.number,
            decision=case.state,
            made_by=made.made_by,
        )
        tx.tell(decided, at=made.at)


def pending(found: Opened) -> tuple[Waiting, ...]:
    """At what the case waits now; nothing once it ended or was withdrawn."""
    return position_of(found).waiting if found.case.state not in ("draft", "withdrawn") else ()
