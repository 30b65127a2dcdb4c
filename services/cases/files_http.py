"""The files of a case: handed over for a question, and read by whoever handed them in and by staff of its agency, each read a line."""

import asyncio
import uuid
from typing import Annotated

import msgspec

from foundation.errors import NotFound
from foundation.http import TEXT_LENGTH_MAX, Call, Raw, Reply, Route, Who
from foundation.postgres import Transaction
from services.cases import store as cases
from services.cases import views
from services.cases.desk import Office, opened, own_case
from services.cases.http import id_of
from services.cases.keep_file import keep_file
from services.cases.model import Case, Opened
from services.cases.views import FileView
from services.evidence import model, store
from services.evidence.model import Evidence
from services.forms.outside import files_named

# Whatever a file holds: it is kept and not opened, and where a browser opens it all the same, nothing in it runs or loads.
GUARDED = {"Cache-Control": "no-store", "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'"}


class ForQuestion(msgspec.Struct, frozen=True):
    """`field`: the pointer of the question."""

    field: Annotated[str, msgspec.Meta(max_length=TEXT_LENGTH_MAX)]


def routes(desk: Office) -> list[Route]:
    answers = Answers(desk)
    files, one, me = "/api/v1/services/cases/{id}/files", "/api/v1/services/cases/{id}/files/{file}", Who.PERSON
    return [
        Route(
            "POST", files, answers.post_file, "Hand over a file for a question; the form then names its id", me, query=ForQuestion,
            takes=("application/octet-stream", *model.MEDIA.values()), answer=FileView, status=201, idempotent=True,
        ),
        Route("GET", one, answers.get_file, "A file: the applicant's own, or of a case of one's agency", me, binary=True),
    ]  # fmt: skip


class Answers:
    def __init__(self, desk: Office) -> None:
        self._desk = desk

    async def post_file(self, call: Call) -> Reply:
        case = id_of(call.path["id"])
        made = await keep_file(self._desk, call, case=case, field=call.query.field)
        file = uuid.UUID(msgspec.json.decode(msgspec.json.encode(made.body)))
        found = await opened(self._desk, self._desk.database, await own_case(self._desk, call.me.person, case))
        view = next((one for one in views.file_views(found) if one.id == file), None)
        if view is None:
            raise NotFound  # Asked again under its key, after it was forgotten.
        return Reply(view, made.status, {"Cache-Control": "no-store"})

    async def get_file(self, call: Call) -> Reply:
        case = await cases.load_case(self._desk.database, id_of(call.path["id"]))
        if case is None:
            raise NotFound
        mine = case.person == call.me.person
        if not mine and (case.agency not in call.me.scopes("staff") or case.state == "draft"):
            raise NotFound
        found = await opened(self._desk, self._desk.database, case)
        file = _there(found, id_of(call.path["file"]), mine=mine)
        if not mine:
            await self._write_line(call.me.person, case, file)
        return await self._reply(found, file)

    async def _write_line(self, staff: uuid.UUID, case: Case, file: Evidence) -> None:
        """Before anybody sees what was read."""

        async def work(tx: Transaction) -> None:
            await self._desk.accesses.record(
                tx, person=case.person, staff=staff, agency=case.agency, purpose=case.matter, case=case.id, fields=[file.field]
            )

        await self._desk.database.run(work)

    async def _reply(self, found: Opened, file: Evidence) -> Reply:
        sealed = await store.file_content(self._desk.database, file.id)
        if sealed is None:
            raise NotFound  # Taken out a moment ago.
        content = await asyncio.to_thread(found.key.unseal_bytes, sealed, store.place_of(store.CONTENT, file.id))
        name = views.about_of(found, file).name
        return Reply(
            Raw(content, model.MEDIA[file.kind]), headers={**GUARDED, "Content-Disposition": model.disposition_of(name, file.kind)}
        )


def _there(found: Opened, wanted: uuid.UUID, *, mine: bool) -> Evidence:
    """Staff read what was handed in and is named. Raises NotFound."""
    named = files_named(found.matter.form, found.draft.form)
    for file in found.files:
        if file.id == wanted and (mine or (file.submitted and str(file.id) in named)):
            return file
    raise NotFound
