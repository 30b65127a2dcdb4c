"""A draft and its memory: what the departments said stays with us, and no reply can change it. Pure."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec

from foundation.errors import FieldError
from services.catalog import model
from services.catalog.model import Matter
from services.forms import judge_form
from services.forms import model as forms
from services.forms import outside as beyond
from services.forms.outside import Outside
from services.rules import model as rules
from services.rules.model import Known, Reason

APPLICANT = "applicant"


class Origin(msgspec.Struct, frozen=True):
    """Where a value in the form came from, when, and whether it may be changed."""

    source: str
    as_of: datetime | None
    locked: bool


class Check(msgspec.Struct, frozen=True):
    """What became of a pledge once its department answered."""

    pointer: str
    held: bool
    source: str
    as_of: datetime | None


class Draft(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a case holds: the form, and beside it what the departments said about each element."""

    form: dict[str, Any]
    memory: dict[str, Known]
    reasons: tuple[Reason, ...] = ()
    checks: tuple[Check, ...] = ()
    checked_at: datetime | None = None  # When a department last said something about a pledge.
    beside: dict[str, Any] | None = None  # A supplement that is being written: the application itself stays as it was handed in.
    marks: dict[str, int] | None = None  # Which revision changed which answer last; None: from before that was kept.

    @property
    def worked_on(self) -> "Draft":
        """As whoever fills it in has it before her."""
        return self if self.beside is None else msgspec.structs.replace(self, form=self.beside, beside=None)


class Choice(msgspec.Struct, frozen=True):
    """One of the answers that a department offers for a field."""

    value: str
    label: str
    colour: str  # A plate's.


def agency_of(element: str) -> str:
    return element.partition(".")[0]


def begun(matter: Matter, memory: Mapping[str, Known]) -> Draft:
    """A new draft, filled with what is known; of one offer there is no choice to make."""
    return filled(matter, Draft(form={}, memory=dict(memory), marks={}))


def filled(matter: Matter, draft: Draft, memory: Mapping[str, Known] | None = None) -> Draft:
    """The draft with what the departments said (anew) written into it; what she wrote herself gives way to the truth only where
    the truth is locked."""
    known = {**draft.memory, **(memory or {})}
    form = draft.form
    for one in matter.prefills:
        said = known.get(one.element, Known(state="unknown"))
        if forms.is_within(one.pointer, forms.hidden(matter.form, form)):
            continue
        empty = forms.value_at(form, one.pointer) is None
        if one.choose:
            offered = choices_in(said)
            if empty and len(offered) == 1:
                form = forms.with_value(form, one.pointer, offered[0].value)
        elif said.state == "value" and (one.lock or empty):
            form = forms.with_value(form, one.pointer, said.value)
    return msgspec.structs.replace(draft, form=form, memory=known)


def choices_in(known: Known) -> list[Choice]:
    """The cars that a department names, by their plates."""
    cars = known.value if known.state == "value" and isinstance(known.value, list | tuple) else ()
    return [Choice(car["plate"], f"{car['plate']} ({car['colour']})", car["colour"]) for car in cars]


def choices(matter: Matter, draft: Draft) -> dict[str, list[Choice]]:
    return {one.pointer: choices_in(_said(draft, one.element)) for one in matter.prefills if one.choose}


def provenance(matter: Matter, draft: Draft) -> dict[str, Origin]:
    """Of every value that a department gave and that still stands."""
    found: dict[str, Origin] = {}
    for one in matter.prefills:
        said, value = _said(draft, one.element), forms.value_at(draft.form, one.pointer)
        offered = {choice.value for choice in choices_in(said)} if one.choose else {said.value} if _plain(said.value) else set()
        if said.state == "value" and value is not None and value in offered:
            found[one.pointer] = Origin(said.source or agency_of(one.element), said.as_of, one.lock)
    return found


def _plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool)


def pledged(matter: Matter, draft: Draft) -> list[str]:
    """Fields whose department did not answer: they hold nothing up and are checked later. Where several would be offered,
    she has to say which one it is first."""
    closed = forms.hidden(matter.form, draft.form)
    return [
        one.pointer
        for one in matter.prefills
        if _said(draft, one.element).state == "unknown"
        and not forms.is_within(one.pointer, closed)
        and not (one.choose and forms.value_at(draft.form, one.pointer) is None)
    ]


def missing(matter: Matter, draft: Draft) -> list[str]:
    return forms.missing(matter.form, draft.form, pledged=pledged(matter, draft))


def patched(matter: Matter, draft: Draft, patch: Mapping[str, Any], outside: Outside) -> tuple[Draft, list[FieldError]]:
    """The draft with a merge patch applied, and what is wrong with it; hidden questions keep nothing."""
    form = forms.merged(draft.form, dict(patch))
    locked = [one.pointer for one in matter.prefills if one.lock and _said(draft, one.element).state == "value"]
    errors = [
        FieldError(pointer, "locked", "this comes from a department and is not changed here; have it corrected there")
        for pointer in forms.differing(draft.form, form, locked)
    ]
    form = forms.without(form, forms.hidden(matter.form, form))
    form, misplaced = beyond.settle_places(matter.form, draft.form, form, outside.places)
    errors += [*misplaced, *beyond.judge_files(matter.form, form, outside.files)]
    opened = forms.hidden(matter.form, draft.form) - forms.hidden(matter.form, form)
    changed = _opened(matter, msgspec.structs.replace(draft, form=form), opened)
    wrong = {error.pointer for error in errors}
    errors += [
        error for error in [*judge_form.judge_values(matter.form, form), *_not_offered(matter, changed)] if error.pointer not in wrong
    ]
    return changed, sorted(errors, key=lambda error: error.pointer)


def _opened(matter: Matter, draft: Draft, places: Collection[str]) -> Draft:
    """Questions that were not asked a moment ago begin with what is known, as a draft does; what she emptied stays empty."""
    whole = filled(matter, draft).form
    for one in matter.prefills:
        value = forms.value_at(whole, one.pointer)
        if forms.is_within(one.pointer, places) and value is not None:
            draft = msgspec.structs.replace(draft, form=forms.with_value(draft.form, one.pointer, value))
    return draft


def judged(matter: Matter, draft: Draft, outside: Outside) -> list[FieldError]:
    """All faults of a draft that is to be handed in. Its places were settled when they were saved."""
    found = [*judge_form.judge(matter.form, draft.form, pledged=pledged(matter, draft)), *_not_offered(matter, draft)]
    found += beyond.judge_files(matter.form, draft.form, outside.files)
    once = {error.pointer: error for error in reversed(found)}
    return sorted(once.values(), key=lambda error: error.pointer)


def _not_offered(matter: Matter, draft: Draft) -> list[FieldError]:
    """What has to be one of a department's offers and is none; where the department is silent nobody can tell."""
    errors: list[FieldError] = []
    for one in matter.prefills:
        said, value = _said(draft, one.element), forms.value_at(draft.form, one.pointer)
        if one.choose and value is not None and said.state == "value" and value not in {choice.value for choice in choices_in(said)}:
            errors.append(FieldError(one.pointer, "not_offered", "choose one of those registered in your name"))
    return errors


def world(matter: Matter, draft: Draft, at: datetime) -> dict[str, Known]:
    """What the rules may look at: fields under their names, and what was read for the rules alone."""
    found: dict[str, Known] = {}
    by_pointer, closed = {one.pointer: one for one in matter.prefills}, forms.hidden(matter.form, draft.form)
    for name, kind in matter.rules.kinds.items():
        pointer = forms.pointer_of(name)
        own = _own(draft, pointer, at)
        one = None if forms.is_within(pointer, closed) else by_pointer.get(pointer)  # What is not asked is none, not unknown.
        found[name] = _checked(kind, own if one is None else _sourced(draft, one, own))
    for read in matter.reads:
        found[read.name] = _checked(matter.rules.kinds[read.name], _flat(_said(draft, read.element), read.element))
    return found


def _own(draft: Draft, pointer: str, at: datetime) -> Known:
    value = forms.value_at(draft.form, pointer)
    return Known(state="none") if value is None else Known(state="value", value=value, source=APPLICANT, as_of=at)


def _sourced(draft: Draft, one: model.Prefill, own: Known) -> Known:
    """A field that a department fills is as known as the department's answer."""
    said = _said(draft, one.element)
    if said.state == "unknown":
        return said
    if one.choose:
        offered = {choice.value for choice in choices_in(said)}
        return msgspec.structs.replace(own, source=said.source, as_of=said.as_of) if own.value in offered else own
    same = said.state == "value" and own.value == said.value
    return _flat(said, one.element) if same or (one.lock and said.state == "value") else own


def _flat(said: Known, element: str) -> Known:
    """Cars as rules see them: their plates."""
    if said.state == "value" and model.ASKED.get(element) == "cars":
        return msgspec.structs.replace(said, value=[choice.value for choice in choices_in(said)])
    return said


def _checked(kind: rules.Kind, known: Known) -> Known:
    """An answer of another kind than was agreed is no answer."""
    if known.state != "value":
        return known
    try:
        return msgspec.structs.replace(known, value=rules.typed(kind, known.value))
    except (ValueError, TypeError):
        return Known(state="unknown", source=known.source)


def needed(matter: Matter, draft: Draft) -> set[str]:
    """Elements that somebody looks at as the form stands: a department is not asked for a question that is not asked."""
    closed = forms.hidden(matter.form, draft.form)
    fields = {one.element for one in matter.prefills if not forms.is_within(one.pointer, closed)}
    return fields | {one.element for one in matter.reads}


def unasked(matter: Matter, draft: Draft) -> set[str]:
    """Needed by now, and never asked for: an answer has opened a question that a department can fill."""
    return needed(matter, draft) - draft.memory.keys()


def _said(draft: Draft, element: str) -> Known:
    return draft.memory.get(element, Known(state="unknown"))


def stale(matter: Matter, draft: Draft, now: datetime) -> list[str]:
    """Elements to be asked (again) before anything is decided: silent ones, and answers older than the matter allows."""
    found = []
    wanted = needed(matter, draft)
    for element, source in matter.asked().items():
        if element not in wanted:
            continue
        said = _said(draft, element)
        old = said.as_of is None or (now - said.as_of).total_seconds() > matter.sources[source].max_age_s
        if said.state == "unknown" or old:
            found.append(element)
    return found


def checked(matter: Matter, draft: Draft, answers: Mapping[str, Known]) -> Draft:
    """A silent department has answered: what was left open is filled in; what she said herself stands, and either holds or does not."""
    fresh = {element: known for element, known in answers.items() if known.state != "unknown"}
    checks = list(draft.checks)
    for one in matter.prefills:
        if one.element in fresh:
            said, value = fresh[one.element], forms.value_at(draft.form, one.pointer)
            agreed = value in {choice.value for choice in choices_in(said)} if one.choose else value == said.value
            held = said.state == "value" and (agreed or (value is None and not one.choose))
            checks.append(Check(one.pointer, held, said.source or agency_of(one.element), said.as_of))
            if value is None and said.state == "value" and not one.choose:
                draft = msgspec.structs.replace(draft, form=forms.with_value(draft.form, one.pointer, said.value))
    return msgspec.structs.replace(draft, memory={**draft.memory, **fresh}, checks=tuple(checks))


def broken(draft: Draft) -> list[str]:
    """Fields of which the newest check says that they are not as was pledged."""
    newest = {one.pointer: one.held for one in draft.checks}
    return sorted(pointer for pointer, held in newest.items() if not held)


def silent(matter: Matter, draft: Draft) -> list[str]:
    """Elements whose departments have not answered yet."""
    return sorted(element for element in needed(matter, draft) if _said(draft, element).state == "unknown")
