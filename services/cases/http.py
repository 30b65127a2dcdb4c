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
from services.cases.hand_over import hand_over, here_now
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


class Inbox(Paged, kw_only=True):
    """`decided` lists what was decided, the last one first."""

    which: Literal["waiting", "decided"] = "waiting"


class HandOver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    to: uuid.UUID


class ColleagueView(msgspec.Struct, frozen=True):
    id: uuid.UUID
    name: str
    agency: str
    me: bool


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
    one, inbox = "/api/v1/services/cases/{id}", "/api/v1/services/inbox"
    return [
        Route("POST", one + "/decision", answers.post_decision, "Decide, or ask for more", Who.STAFF, body=Decision, answer=CaseView),
        Route("GET", inbox, answers.get_inbox, "What waits for staff of one's agency", Who.STAFF, query=Inbox, answer=Page[CaseRow]),
        Route("POST", one + "/claim", answers.post_claim, "Take a case in hand, or over", Who.STAFF, answer=CaseView),
        Route("POST", one + "/release", answers.post_release, "Put it back for whoever comes first", Who.STAFF, answer=CaseView),
        Route("POST", one + "/assign", answers.post_assign, "Hand it to a colleague", Who.STAFF, body=HandOver, answer=CaseView),
        Route(
            "GET",
            "/api/v1/services/colleagues",
            answers.get_colleagues,
            "Staff of one's agency now",
            Who.STAFF,
            answer=Page[ColleagueView],
        ),
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
        return await self._read_by_staff(call.me, await opened(self._desk, self._desk.database, case))

    async def _read_by_staff(self, me: Caller, found: Opened) -> Reply:
        """The line is written before anybody sees what was read."""
        case = found.case

        async def work(tx: Transaction) -> None:
            await self._desk.accesses.record(
                tx, person=case.person, staff=me.person, agency=case.agency, purpose=case.matter, case=case.id, fields=_read(found)
            )

        await self._desk.database.run(work)
        return await self._reply(found, staff=me.person)

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
        return await self._read_by_staff(call.me, found)

    async def get_inbox(self, call: Call) -> Reply:
        place = http.place_of(call.query.cursor, http.Instant, uuid.UUID)
        agencies: Sequence[str] = sorted(call.me.scopes("staff"))
        decided = call.query.which == "decided"
        listed = store.decided_of if decided else store.inbox_of
        found = await listed(self._desk.database, agencies, place, call.query.limit + 1)
        page = http.page_of(found, call.query.limit, lambda case: [case.decided_at if decided else case.due_at, case.id])
        there = await here_now(self._desk, self._desk.database, set(agencies)) if any(case.clerk for case in page.items) else {}
        clerks = {case.id: views.clerk_view(case, there, call.me.person) for case in page.items}
        rows = [msgspec.structs.replace(row, clerk=clerks[row.id]) for row in await self._rows(page.items)]
        return Reply(Page(rows, page.next_cursor), headers=NO_STORE)

    async def post_claim(self, call: Call) -> Reply:
        return await self._handed(call, call.me.person)

    async def post_release(self, call: Call) -> Reply:
        return await self._handed(call, None)

    async def post_assign(self, call: Call) -> Reply:
        return await self._handed(call, call.body.to)

    async def _handed(self, call: Call, to: uuid.UUID | None) -> Reply:
        me = call.me
        found = await hand_over(self._desk, staff=me.person, agencies=me.scopes("staff"), case=id_of(call.path["id"]), to=to)
        return await self._read_by_staff(me, found)

    async def get_colleagues(self, call: Call) -> Reply:
        there = await here_now(self._desk, self._desk.database, set(call.me.scopes("staff")))
        rows = [ColleagueView(one.person, one.name, one.agency, one.person == call.me.person) for one in there.values()]
        return Reply(Page(rows), headers=NO_STORE)

    async def _rows(self, found: Sequence[Case]) -> list[CaseRow]:
        """Those of people who were erased meanwhile are left out: nothing of them opens."""
        rows: list[CaseRow] = []
        for case in found:
            with contextlib.suppress(NotFound):
                one = await opened(self._desk, self._desk.database, case)
                rows.append(views.case_row(self._desk, one))
        return rows

    async def _reply(self, found: Opened, status: int = 200, *, staff: uuid.UUID | None = None) -> Reply:
        letters = await store.letters_of(self._desk.database, found.case.id)
        view = views.case_view(self._desk, found, letters, staff=staff is not None)
        if staff is not None and found.case.clerk is not None:
            there = await here_now(self._desk, self._desk.database, {found.case.agency})
            view = msgspec.structs.replace(view, clerk=views.clerk_view(found.case, there, staff))
        return Reply(view, status, {**NO_STORE, "ETag": found.case.etag})


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
