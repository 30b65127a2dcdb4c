"""What cases answer when asked: the applicant's own, and, for staff of its agency, what lies in the inbox."""

import contextlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from foundation import http
from foundation.caller import Caller
from foundation.errors import NotFound, invalid
from foundation.http import Call, Page, Paged, Reply, Route, Who
from foundation.postgres import Transaction
from services.cases import model, store, views
from services.cases.change_draft import change_draft
from services.cases.desk import Office, opened, own_case
from services.cases.model import Case, Opened
from services.cases.move_case import appeal_case, decide_case, supplement_case, withdraw_case
from services.cases.open_case import open_case
from services.cases.recheck_case import check_again
from services.cases.submit_case import submit_case
from services.cases.views import CaseRow, CaseView
from services.forms import model as forms
from services.identity.levels import require_level

NO_STORE: Mapping[str, str] = {"Cache-Control": "no-store"}


class NewCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    matter: str


class FormPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A merge patch (RFC 7386) over the form: null takes an answer away."""

    form: dict[str, Any]


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    decision: Literal["approve", "reject", "supplement"]
    reason: Annotated[str, msgspec.Meta(max_length=model.REASON_MAX)] = ""


def routes(desk: Office) -> list[Route]:
    answers = Answers(desk)
    return [*_applicants_routes(answers), *_staff_routes(answers)]


def _applicants_routes(answers: "Answers") -> list[Route]:
    cases, one, me = "/api/v1/services/cases", "/api/v1/services/cases/{id}", Who.PERSON
    return [
        Route("GET", cases, answers.get_cases, "One's own cases", me, query=Paged, answer=Page[CaseRow]),
        Route("POST", cases, answers.post_case, "Begin to apply", me, body=NewCase, answer=CaseView, status=201, idempotent=True),
        Route("GET", one, answers.get_case, "A case: the applicant's own, or of one's agency", me, answer=CaseView),
        Route("PATCH", one, answers.patch_case, "Save a draft, or a supplement that is not sent yet", me, body=FormPatch, answer=CaseView),
        Route("POST", one + "/submit", answers.post_submit, "Hand it in", me, answer=CaseView),
        Route("POST", one + "/withdraw", answers.post_withdraw, "Take it back", me, answer=CaseView),
        Route("POST", one + "/supplement", answers.post_supplement, "Add what was asked for", me, body=FormPatch, answer=CaseView),
        Route("POST", one + "/check", answers.post_check, "What did not hold was corrected: ask the register again", me, answer=CaseView),
        Route("POST", one + "/review", answers.post_review, "Ask for a person after an automatic no", me, answer=CaseView),
    ]


def _staff_routes(answers: "Answers") -> list[Route]:
    decision, inbox = "/api/v1/services/cases/{id}/decision", "/api/v1/services/inbox"
    return [
        Route("POST", decision, answers.post_decision, "Decide, or ask for more", Who.STAFF, body=Decision, answer=CaseView),
        Route("GET", inbox, answers.get_inbox, "What waits for staff of one's agency", Who.STAFF, query=Paged, answer=Page[CaseRow]),
    ]


class Answers:
    def __init__(self, desk: Office) -> None:
        self._desk = desk

    async def get_cases(self, call: Call) -> Reply:
        place = http.place_of(call.query.cursor, uuid.UUID)
        found = await store.cases_of(self._desk.database, call.me.person, place[0] if place else None, call.query.limit + 1)
        page = http.page_of(found, call.query.limit, lambda case: [case.id])
        return Reply(Page(await self._rows(page.items), page.next_cursor), headers=NO_STORE)

    async def post_case(self, call: Call) -> Reply:
        found = self._desk.shelf.live(call.body.matter)
        if found is None:
            raise invalid("/matter", "unknown_matter", "there is no such matter; /api/v1/services/matters lists what there is")
        version, matter = found
        require_level(call.me, matter.level)
        made = await open_case(self._desk, call, matter, version)
        case = await own_case(self._desk, call.me.person, uuid.UUID(msgspec.json.decode(msgspec.json.encode(made.body))))
        return await self._reply(await opened(self._desk, self._desk.database, case), made.status)

    async def get_case(self, call: Call) -> Reply:
        case = await store.load_case(self._desk.database, id_of(call.path["id"]))
        if case is None:
            raise NotFound
        if case.person == call.me.person:
            return await self._reply(await opened(self._desk, self._desk.database, case))
        if case.agency not in call.me.scopes("staff") or case.state == "draft":
            raise NotFound
        return await self._read_by_staff(call.me, case)

    async def _read_by_staff(self, me: Caller, case: Case) -> Reply:
        """The line is written before anybody sees what was read."""
        found = await opened(self._desk, self._desk.database, case)

        async def work(tx: Transaction) -> None:
            await self._desk.accesses.record(
                tx, person=case.person, staff=me.person, agency=case.agency, purpose=case.matter, case=case.id, fields=_read(found)
            )

        await self._desk.database.run(work)
        return await self._reply(found, staff=True)

    async def patch_case(self, call: Call) -> Reply:
        found = await change_draft(
            self._desk, person=call.me.person, case=id_of(call.path["id"]), patch=call.body.form, if_match=call.headers.get("If-Match")
        )
        return await self._reply(found)

    async def post_submit(self, call: Call) -> Reply:
        return await self._reply(await submit_case(self._desk, person=call.me.person, case=id_of(call.path["id"])))

    async def post_withdraw(self, call: Call) -> Reply:
        return await self._reply(await withdraw_case(self._desk, person=call.me.person, case=id_of(call.path["id"])))

    async def post_supplement(self, call: Call) -> Reply:
        return await self._reply(
            await supplement_case(self._desk, person=call.me.person, case=id_of(call.path["id"]), patch=call.body.form)
        )

    async def post_check(self, call: Call) -> Reply:
        return await self._reply(await check_again(self._desk, person=call.me.person, case=id_of(call.path["id"])))

    async def post_review(self, call: Call) -> Reply:
        return await self._reply(await appeal_case(self._desk, person=call.me.person, case=id_of(call.path["id"])))

    async def post_decision(self, call: Call) -> Reply:
        reason = call.body.reason.strip()
        if not forms.is_clean(reason):
            raise invalid("/reason", "invisible", "there is a sign in it that nobody can see; type it anew")
        if not reason and call.body.decision != "approve":
            raise invalid("/reason", "missing", "say why: the applicant reads it")
        found = await decide_case(
            self._desk, staff=call.me.person, agencies=call.me.scopes("staff"), case=id_of(call.path["id"]),
            decision=call.body.decision, reason=reason,
        )  # fmt: skip
        return await self._reply(found, staff=True)

    async def get_inbox(self, call: Call) -> Reply:
        place = http.place_of(call.query.cursor, http.Instant, uuid.UUID)
        agencies: Sequence[str] = sorted(call.me.scopes("staff"))
        found = await store.inbox_of(self._desk.database, agencies, place, call.query.limit + 1)
        page = http.page_of(found, call.query.limit, lambda case: [case.due_at, case.id])
        return Reply(Page(await self._rows(page.items), page.next_cursor), headers=NO_STORE)

    async def _rows(self, found: Sequence[Case]) -> list[CaseRow]:
        """Those of people who were erased meanwhile are left out: nothing of them opens."""
        rows: list[CaseRow] = []
        for case in found:
            with contextlib.suppress(NotFound):
                one = await opened(self._desk, self._desk.database, case)
                rows.append(views.case_row(self._desk, one))
        return rows

    async def _reply(self, found: Opened, status: int = 200, *, staff: bool = False) -> Reply:
        letters = await store.letters_of(self._desk.database, found.case.id)
        return Reply(views.case_view(self._desk, found, letters, staff=staff), status, {**NO_STORE, "ETag": found.case.etag})


def _read(found: Opened) -> list[str]:
    """What stands in the form, by the element that it is, or by its pointer."""
    elements = {one.pointer: one.element for one in found.matter.prefills}
    there = [field.pointer for field in forms.fields_of(found.matter.form) if forms.value_at(found.draft.form, field.pointer) is not None]
    return sorted(elements.get(pointer, pointer) for pointer in there) or ["case.state"]


def id_of(text: str) -> uuid.UUID:
    """What is no id names nothing. Raises NotFound."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise NotFound from None
