"""A case as people see it: whole for the applicant, with masks for staff, in one row for lists."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from foundation import clock
from foundation.postgres import Record
from services.cases import model, store
from services.cases.desk import Desk
from services.cases.follow import letter_ahead
from services.cases.model import Case, Made, Opened, Recheck
from services.cases.move_case import pending
from services.catalog import draft
from services.catalog.model import Matter
from services.evidence import model as evidence
from services.evidence import store as evidence_store
from services.evidence.model import About, Evidence
from services.forms import model as forms
from services.forms.outside import files_named
from services.identity.colleagues import Colleague
from services.licences.issue_licence import id_of as licence_of_case


class Words(msgspec.Struct, frozen=True):
    zh: str
    en: str


class OriginView(msgspec.Struct, frozen=True):
    source: str
    as_of: str | None
    locked: bool


class ChoiceView(msgspec.Struct, frozen=True):
    value: str
    label: str
    colour: str


class ValueView(msgspec.Struct, frozen=True):
    element: str
    value: Any
    source: str
    as_of: str | None


class ReasonView(msgspec.Struct, frozen=True):
    """`verdict`: how the rule came out, `yes`, `no`, or `unknown` while a department is silent."""

    rule: str
    article: str
    verdict: str
    text: Words
    values: list[ValueView]


class StepView(msgspec.Struct, frozen=True):
    """`state` is `done`, `now` or `ahead`."""

    id: str
    name: Words
    state: str
    who: str
    at: str | None
    reason: str | None


class LetterView(msgspec.Struct, frozen=True):
    id: uuid.UUID
    kind: str
    title: Words
    body: Words
    at: str


class PreviewView(msgspec.Struct, frozen=True):
    """The letter that a decision would send; `{reason}` stands where the words of whoever decides will."""

    decision: str
    title: Words
    body: Words


class CheckView(msgspec.Struct, frozen=True):
    """What became of a pledge, by its newest check."""

    pointer: str
    held: bool
    source: str
    as_of: str | None


class FileView(msgspec.Struct, frozen=True):
    """A file that was handed over; `field` is the question's pointer. One that the form names is part of the application."""

    id: uuid.UUID
    field: str
    name: str
    type: str
    bytes: int
    sha256: str
    at: str


class PromiseView(msgspec.Struct, frozen=True):
    """Decided by `due_at`; while the clock stands still, `paused_at` says since when."""

    due_at: str | None
    paused_at: str | None
    late: bool
    working_days_left: int | None


class ClerkView(msgspec.Struct, frozen=True):
    """Who of the agency's staff has it in hand; only they see it. `left`: her right has ended, so anybody of them takes it up."""

    id: uuid.UUID
    name: str
    mine: bool
    left: bool


class RecheckView(msgspec.Struct, frozen=True):
    """What was approved on a pledge that did not hold waits for staff."""

    since: str
    due_at: str


class CaseView(msgspec.Struct, frozen=True):
    """`missing`, `pledged`, `hidden` and the keys of `provenance` and `choices` are pointers into `form`; `acts` may be done now."""

    id: uuid.UUID
    matter: str
    version: str
    name: Words
    agency: str
    state: str
    schema: dict[str, Any]  # Of its own version, whatever was published since.
    form: dict[str, Any]
    provenance: dict[str, OriginView]
    asked: dict[str, str]  # Which department is asked for which field.
    choices: dict[str, list[ChoiceView]]
    pledged: list[str]
    checks: list[CheckView]
    missing: list[str]
    hidden: list[str]
    files: list[FileView]
    steps: list[StepView]
    letters: list[LetterView]
    previews: list[PreviewView]
    reasons: list[ReasonView]
    licence: uuid.UUID | None
    recheck: RecheckView | None
    promise: PromiseView
    acts: list[str]
    created_at: str
    submitted_at: str | None
    decided_at: str | None
    clerk: ClerkView | None = None


class CaseRow(msgspec.Struct, frozen=True):
    """A case in a list; `applicant` is masked."""

    id: uuid.UUID
    matter: str
    name: Words
    agency: str
    state: str
    applicant: str
    pledged: int
    recheck: bool  # Approved on a pledge that did not hold.
    promise: PromiseView
    created_at: str
    submitted_at: str | None
    clerk: ClerkView | None = None


def words(said: Mapping[str, str]) -> Words:
    return Words(said.get("zh", ""), said.get("en", ""))


def time_of(at: Any) -> str | None:  # datetime | None
    return clock.rfc3339(at) if at is not None else None


def case_view(desk: Desk, found: Opened, letters: Sequence[Record], *, staff: bool = False) -> CaseView:
    case, matter, held = found.case, found.matter, found.draft if staff else found.draft.worked_on
    return CaseView(
        id=case.id,
        matter=case.matter,
        version=case.version,
        name=words(matter.name),
        agency=case.agency,
        state=case.state,
        schema=matter.form,
        form=forms.masked(matter.form, held.form) if staff else held.form,
        provenance=_origins(matter, held),
        asked={one.pointer: draft.agency_of(one.element) for one in matter.prefills},
        choices={} if staff else _choices(matter, held),
        pledged=draft.pledged(matter, held),
        checks=[
            CheckView(one.pointer, one.held, one.source, time_of(one.as_of)) for one in {one.pointer: one for one in held.checks}.values()
        ],
        missing=draft.missing(matter, held),
        hidden=sorted(forms.hidden(matter.form, held.form)),
        files=file_views(found, staff=staff),
        steps=step_views(found),
        letters=[_letter(found, row, staff=staff) for row in letters],
        previews=previews_of(found, staff=staff),
        reasons=reason_views(matter, held, staff=staff),
        licence=licence_of_case(case.id) if case.state == "approved" and matter.certificate else None,
        recheck=RecheckView(clock.rfc3339(again.since), clock.rfc3339(again.due_at)) if (again := found.recheck) else None,
        promise=promise_view(desk, case),
        acts=acts_of(found, staff=staff),
        created_at=clock.rfc3339(case.created_at),
        submitted_at=time_of(case.submitted_at),
        decided_at=time_of(case.decided_at),
    )


def file_views(found: Opened, *, staff: bool = False) -> list[FileView]:
    """Staff see what was handed in and stands in the form."""
    named = files_named(found.matter.form, found.draft.form)
    return [_file_view(found, one) for one in found.files if not staff or (one.submitted and str(one.id) in named)]


def _file_view(found: Opened, file: Evidence) -> FileView:
    about = about_of(found, file)
    return FileView(file.id, file.field, about.name, evidence.MEDIA[file.kind], file.size, about.sha256, clock.rfc3339(file.at))


def about_of(found: Opened, file: Evidence) -> About:
    said = found.key.unseal(file.about_sealed, evidence_store.place_of(evidence_store.ABOUT, file.id))
    return msgspec.json.decode(said, type=About)


def _origins(matter: Matter, held: draft.Draft) -> dict[str, OriginView]:
    found = draft.provenance(matter, held)
    return {pointer: OriginView(one.source, time_of(one.as_of), one.locked) for pointer, one in found.items()}


def _choices(matter: Matter, held: draft.Draft) -> dict[str, list[ChoiceView]]:
    found = draft.choices(matter, held)
    return {pointer: [ChoiceView(one.value, one.label, one.colour) for one in offered] for pointer, offered in found.items()}


def case_row(desk: Desk, found: Opened) -> CaseRow:
    case = found.case
    name = str(forms.value_at(found.draft.form, "/applicant/name") or "")
    return CaseRow(
        case.id, case.matter, words(found.matter.name), case.agency, case.state, forms.mask("name", name),
        len(draft.pledged(found.matter, found.draft)), found.recheck is not None, promise_view(desk, case),
        clock.rfc3339(case.created_at), time_of(case.submitted_at),
    )  # fmt: skip


def clerk_view(case: Case, there: Mapping[uuid.UUID, Colleague], me: uuid.UUID) -> ClerkView | None:
    if case.clerk is None:
        return None
    held = there.get(case.clerk)
    return ClerkView(case.clerk, held.name if held else "", case.clerk == me, held is None)


def promise_view(desk: Desk, case: Case) -> PromiseView:
    now = desk.clock.city()
    running = case.due_at is not None and (case.decided_at is None or case.staff_waits) and case.state != "withdrawn"
    late = running and case.paused_at is None and case.due_at is not None and now >= case.due_at
    left = model.days_left(case.paused_at or now, case.due_at, desk.calendar) if running and case.due_at is not None else None
    return PromiseView(time_of(case.due_at), time_of(case.paused_at), bool(late), left)


def step_views(found: Opened) -> list[StepView]:
    """What happened in order, and what it waits for; a reason is the words of whoever decided."""
    case, matter = found.case, found.matter
    steps = [
        StepView(
            "submitted",
            words(matter.text("step.submitted")),
            "done" if case.submitted_at else "now",
            "applicant",
            time_of(case.submitted_at),
            None,
        )
    ]
    steps += [_done(found, made) for made in found.steps]
    steps += [
        StepView(one.node.id, words(matter.text(f"step.{one.node.id}")), "now", str(one.node.role or "system"), None, None)
        for one in pending(found)
    ]
    state = "done" if case.decided_at or case.state == "withdrawn" else "ahead"
    decided = StepView("decided", words(matter.text("step.decided")), state, "system", time_of(case.decided_at), None)
    return [*steps, decided, *(_rechecked(found, one) for one in found.rechecks)]


def _rechecked(found: Opened, one: Recheck) -> StepView:
    reason = found.key.unseal(one.reason, store.REASON) if one.reason else None
    who = "system" if one.made_by == "rule" else "staff"
    return StepView(
        "recheck", words(found.matter.text("step.recheck")), "done" if one.closed_at else "now", who, time_of(one.closed_at), reason
    )


def _done(found: Opened, made: Made) -> StepView:
    reason = found.key.unseal(made.reason, store.REASON) if made.reason else None
    who = {"rule": "system", "time": "system"}.get(made.made_by, made.made_by)
    return StepView(made.task, words(found.matter.text(f"step.{made.task}")), "done", who, time_of(made.at), reason)


def reason_views(matter: Matter, held: draft.Draft, *, staff: bool) -> list[ReasonView]:
    kinds = {field.name: str(field.schema.get("x-pii", "")) for field in forms.fields_of(matter.form)}

    def shown(element: str, value: Any) -> Any:
        return forms.mask(kinds.get(element, ""), value) if staff and isinstance(value, str) else value

    return [
        ReasonView(
            one.rule, one.article, one.verdict, words(one.text),
            [ValueView(used.element, shown(used.element, used.value), used.source, time_of(used.as_of)) for used in one.values],
        )
        for one in held.reasons
    ]  # fmt: skip


def _letter(found: Opened, row: Record, *, staff: bool) -> LetterView:
    said = msgspec.json.decode(found.key.unseal(row["sealed"], store.LETTER), type=dict[str, dict[str, str]])
    return LetterView(row["id"], row["kind"], words(said["title"]), _addressed(found, said["body"], staff), clock.rfc3339(row["at"]))


def _addressed(found: Opened, body: Mapping[str, str], staff: bool) -> Words:
    """Staff read to whom a letter goes as they read the name in the form: masked."""
    name = str(forms.value_at(found.draft.form, "/applicant/name") or "")
    shown = {language: text.replace(name, forms.mask("name", name)) if staff and name else text for language, text in body.items()}
    return words(shown)


def previews_of(found: Opened, *, staff: bool) -> list[PreviewView]:
    """Whoever decides sees what the applicant will read, before the click."""
    letters_of = model.RECHECK_WORDS if found.recheck else model.WORDS
    kinds = {word: letters_of[word] for word in acts_of(found, staff=staff) if word in letters_of} if staff else {}
    letters = {word: letter_ahead(found, kind) for word, kind in kinds.items()}
    return [PreviewView(word, words(said["title"]), _addressed(found, said["body"], staff)) for word, said in letters.items()]


def acts_of(found: Opened, *, staff: bool) -> list[str]:
    """What whoever looks may do now, as the calls are named."""
    state, tasks = found.case.state, [one.node for one in pending(found)]
    if found.recheck is not None:
        return list(model.RECHECK_WORDS) if staff else ["check"]
    if staff:
        return [word for task in tasks if task.role == "staff" and state == "in_review" for word in task.decisions]
    acts = {"draft": ["submit"], "supplement": ["supplement"]}.get(state, [])
    if state == "rejected" and any(task.role == "applicant" for task in tasks):
        acts = ["review"]
    return [*acts, *(["withdraw"] if state in ("draft", "submitted", "in_review", "supplement") else [])]
