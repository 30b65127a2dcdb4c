"""What cases do when told: the rules decide what was handed in, and what was decided leaves once, as letters, licences and permits."""

import contextlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from foundation import clock, events, ids, plates
from foundation.errors import NotFound
from foundation.events import CaseDecided, CaseFact, CaseMoved, CaseSubmitted, LicenceRevoked, PledgeChecked, PromiseMissed, RecheckClosed
from foundation.journal import Entry, Journal
from foundation.postgres import Transaction
from services.cases import store
from services.cases.desk import Desk, opened
from services.cases.model import Opened
from services.cases.move_case import advance_case
from services.catalog.draft import Draft, broken
from services.catalog.model import Certificate, Matter
from services.exchange.catalogue import official
from services.forms.model import fields_of, pointer_of, value_at
from services.licences import store as licences
from services.licences.amend_licence import amend, suspend
from services.licences.issue_licence import id_of as licence_of_case
from services.licences.issue_licence import issue
from services.licences.model import REVOKED_WORDS, Permit
from services.licences.revoke_licence import revoke
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
    kinds = frozenset(
        one.kind for one in (CaseSubmitted, CaseMoved, CaseDecided, PromiseMissed, PledgeChecked, RecheckClosed, LicenceRevoked)
    )

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        for entry in entries:
            fact = entry.event
            assert isinstance(fact, CaseFact | LicenceRevoked)
            if isinstance(fact, CaseMoved) and fact.word != "supplement":
                continue
            case = await store.load_case(tx, await case_of(tx, fact))
            with contextlib.suppress(NotFound):  # The applicant was erased: there is nobody to write to.
                if case is not None:
                    await self._act(tx, fact, await opened(self._desk, tx, case), entry.at)

    async def _act(self, tx: Transaction, fact: CaseFact | LicenceRevoked, found: Opened, at: datetime) -> None:
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
        elif isinstance(fact, PledgeChecked):
            await self._checked(tx, fact, found, at)
        elif isinstance(fact, RecheckClosed):
            await self._rechecked(tx, fact, found, at)
        elif isinstance(fact, LicenceRevoked) and fact.reason != "pledge_failed":  # Of that one the letter of its recheck tells.
            await self._write(tx, found, "revoked", 0, at, revoked_words(fact))

    async def _checked(self, tx: Transaction, fact: PledgeChecked, found: Opened, at: datetime) -> None:
        """A licence that was issued meanwhile is filled in, or does not hold until staff have looked at it."""
        if fact.state != "approved":
            return
        if any(one.number == fact.number for one in found.rechecks):
            await self._write(tx, found, "pledge", fact.number, at, not_as_pledged(found, suspended=fact.verdict == "no"))
        if not fact.open:
            await self._amend(tx, found, fact.number, at)
        elif fact.verdict == "no":
            await suspend(tx, case=found.case.id, number=fact.number, now=at)

    async def _rechecked(self, tx: Transaction, fact: RecheckClosed, found: Opened, at: datetime) -> None:
        said = found.key.unseal(fact.sealed, store.REASON) if fact.sealed else ""
        await self._write(tx, found, "kept" if fact.kept else "ended", fact.number, at, {"zh": said, "en": said})
        if fact.kept:
            await self._amend(tx, found, fact.number, at)
        else:
            await revoke(tx, licence_of_case(found.case.id), reason="pledge_failed", now=at)

    async def _amend(self, tx: Transaction, found: Opened, number: int, at: datetime) -> None:
        certificate = found.matter.certificate
        if certificate is not None:
            await amend(
                tx, self._desk.keys, case=found.case.id, number=number, claims=claims_of(found, certificate),
                permit=self._permit(found, certificate), now=at,
            )  # fmt: skip

    async def _write(
        self, tx: Transaction, found: Opened, kind: str, number: int, at: datetime, reasons: Mapping[str, str] | None = None
    ) -> None:
        letter = letter_of(found, kind, number, at) if reasons is None else _letter(found, kind, reasons, at)
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
        """None while a silent department leaves open of which plate or zone it is."""
        wanted = certificate.permit
        if wanted is None or not all(value_at(found.draft.form, pointer_of(name)) for name in (wanted.plate, wanted.zone)):
            return None
        plate = plate_in(found.matter, found.draft, wanted.plate)
        return Permit(self._desk.keys.token("plate", *plate.key), str(value_at(found.draft.form, pointer_of(wanted.zone))), wanted.kind)


async def case_of(tx: Transaction, fact: CaseFact | LicenceRevoked) -> uuid.UUID:
    if isinstance(fact, CaseFact):
        return fact.case
    one = await licences.licence(tx, fact.licence)
    assert one is not None, "it was revoked a moment ago"
    return one.case


def revoked_words(fact: LicenceRevoked) -> dict[str, str]:
    names = REVOKED_WORDS[fact.reason]  # type: ignore[index]  # Only those are ever told.
    return {"zh": names.zh, "en": names.en}


def not_as_pledged(found: Opened, *, suspended: bool) -> dict[str, str]:
    """What a letter says of a pledge that did not hold: which answer, what the rules make of it, and what that means until then."""
    agencies, labels = official().agencies, {one.pointer: one.schema.get("x-label", {}) for one in fields_of(found.matter.form)}
    sources = {one.pointer: one.source for one in found.draft.checks}
    parts: dict[str, list[str]] = {"zh": [], "en": []}
    for pointer in broken(found.draft):
        agency = agencies.get(sources[pointer])
        parts["zh"].append(f"{labels.get(pointer, {}).get('zh', pointer)}（{agency.zh if agency else sources[pointer]}）")
        parts["en"].append(f"{labels.get(pointer, {}).get('en', pointer)} ({agency.en if agency else sources[pointer]})")
    for language, said in parts.items():
        said += [one.text[language] for one in found.draft.reasons if one.verdict == "no"]
    if suspended:
        parts["zh"].append("在此之前证照暂停使用")
        parts["en"].append("until then the licence is suspended")
    return {"zh": "；".join(parts["zh"]), "en": "; ".join(parts["en"])}


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
