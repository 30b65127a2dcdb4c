"""What cases do when told: the rules decide what was handed in, and what was decided leaves once, as letters, licences and permits."""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from foundation import clock, events, ids, plates
from foundation.errors import NotFound
from foundation.events import CaseDecided, CaseFact, CaseMoved, CaseSubmitted, PromiseMissed
from foundation.journal import Entry, Journal
from foundation.postgres import Transaction
from services.cases import store
from services.cases.desk import Desk, opened
from services.cases.model import Opened
from services.cases.move_case import advance_case
from services.catalog.draft import Draft
from services.catalog.model import Certificate, Matter
from services.forms.model import pointer_of, value_at
from services.licences.issue_licence import issue
from services.licences.model import Permit
from services.rules.model import years_after


class StepsFollower:
    """Hands a case to its rules wherever it came to them."""

    name = "services.steps"
    journal: Journal = "fact"
    kinds = frozenset({CaseSubmitted.kind, CaseMoved.kind})

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        for entry in entries:
            fact = entry.event
            if isinstance(fact, CaseSubmitted) or (isinstance(fact, CaseMoved) and fact.state == "submitted"):
                with contextlib.suppress(NotFound):  # The applicant was erased meanwhile.
                    await advance_case(self._desk, tx, fact.case)


class EffectsFollower:
    """Letters, licences and permits: each with an id that follows from the case, so that telling it twice makes one."""

    name = "services.effects"
    journal: Journal = "fact"
    kinds = frozenset({CaseSubmitted.kind, CaseMoved.kind, CaseDecided.kind, PromiseMissed.kind})

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        for entry in entries:
            fact = entry.event
            assert isinstance(fact, CaseFact)
            if isinstance(fact, CaseMoved) and fact.word != "supplement":
                continue
            case = await store.load_case(tx, fact.case)
            with contextlib.suppress(NotFound):  # The applicant was erased: there is nobody to write to.
                if case is not None:
                    await self._act(tx, fact, await opened(self._desk, tx, case), entry.at)

    async def _act(self, tx: Transaction, fact: CaseFact, found: Opened, at: datetime) -> None:
        if isinstance(fact, CaseSubmitted):
            await self._write(tx, found, "submitted", 0, at)
        elif isinstance(fact, CaseMoved):
            await self._write(tx, found, "supplement", fact.number, at)
        elif isinstance(fact, PromiseMissed):
            await self._write(tx, found, "late", fact.number, at)
        elif isinstance(fact, CaseDecided):
            await self._write(tx, found, fact.decision, fact.number, at)
            if fact.decision == "approved" and found.matter.certificate is not None:
                await self._issue(tx, found, found.matter.certificate, at)

    async def _write(self, tx: Transaction, found: Opened, kind: str, number: int, at: datetime) -> None:
        letter = letter_of(found, kind, number, at)
        sealed = found.key.seal(msgspec.json.encode(letter).decode(), store.LETTER)
        await store.add_letter(tx, ids.id_of("letter", found.case.id, kind, number), found.case.id, kind, sealed, at)

    async def _issue(self, tx: Transaction, found: Opened, certificate: Certificate, at: datetime) -> None:
        start, names = clock.whole_seconds(at), events.Names(certificate.name["zh"], certificate.name["en"])
        await issue(
            tx, self._desk.keys, case=found.case.id, person=found.case.person, class_code=certificate.class_code, names=names,
            valid_from=start, valid_to=valid_to(start, certificate), claims=claims_of(found, certificate), now=at,
            agency=found.matter.agency, permit=self._permit(found, certificate),
        )  # fmt: skip

    def _permit(self, found: Opened, certificate: Certificate) -> Permit | None:
        if certificate.permit is None:
            return None
        plate = plate_in(found.matter, found.draft, certificate.permit.plate)
        zone = str(value_at(found.draft.form, pointer_of(certificate.permit.zone)))
        return Permit(self._desk.keys.token("plate", *plate.key), zone, certificate.permit.kind)


def claims_of(found: Opened, certificate: Certificate) -> dict[str, str]:
    return {claim: str(value_at(found.draft.form, pointer_of(name)) or "") for claim, name in certificate.claims.items()}


def valid_to(start: datetime, certificate: Certificate) -> datetime:
    """The same hour so many years later, by the convention for days that a year does not have; or so many days later."""
    local = clock.local(start)
    day = years_after(local.date().isoformat(), certificate.valid_years) if certificate.valid_years else local.date().isoformat()
    return datetime.combine(datetime.fromisoformat(day).date(), local.timetz()) + timedelta(days=certificate.valid_days)


def plate_in(matter: Matter, draft: Draft, name: str) -> plates.Plate:
    """The plate in this field, in the colour that the register gives it."""
    text = str(value_at(draft.form, pointer_of(name)))
    elements = [one.element for one in matter.prefills if one.pointer == pointer_of(name)]
    cars: list[Mapping[str, Any]] = [car for one in elements if one in draft.memory for car in draft.memory[one].value or ()]
    return plates.plate_of(text, next((str(car["colour"]) for car in cars if car["plate"] == text), None))


def letter_of(found: Opened, kind: str, number: int, at: datetime) -> dict[str, dict[str, str]]:
    """Title and body in both languages, with what the case says in their places."""
    return _letter(found, kind, {language: _reason(found, language, number) for language in ("zh", "en")}, at)


def letter_ahead(found: Opened, kind: str) -> dict[str, dict[str, str]]:
    """The same before it is decided: `{reason}` stands in its place."""
    return _letter(found, kind, {"zh": "{reason}", "en": "{reason}"}, found.case.created_at)


def _letter(found: Opened, kind: str, reasons: Mapping[str, str], at: datetime) -> dict[str, dict[str, str]]:
    return {part: {language: _filled(found, f"letter.{kind}.{part}", language, reasons[language], at) for language in ("zh", "en")}
            for part in ("title", "body")}  # fmt: skip


def _filled(found: Opened, key: str, language: str, reason: str, at: datetime) -> str:
    due = found.case.due_at
    values = {
        "name": str(value_at(found.draft.form, "/applicant/name") or ""),
        "matter": found.matter.name[language],
        "case": str(found.case.id),
        "day": clock.local(found.case.submitted_at or at).date().isoformat(),
        "due": (clock.local(due) - timedelta(seconds=1)).date().isoformat() if due else "",
        "reason": reason,
    }
    text = found.matter.text(key)[language]
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text.strip()


def _reason(found: Opened, language: str, number: int) -> str:
    """What the person said who decided, or the rules that did."""
    made = next((one for one in found.steps if one.number == number), None)
    if made is not None and made.reason:
        return found.key.unseal(made.reason, store.REASON)
    wanted = "no" if any(reason.verdict == "no" for reason in found.draft.reasons) else "yes"
    marks = "；" if language == "zh" else "; "
    return marks.join(reason.text[language] for reason in found.draft.reasons if reason.verdict == wanted)
