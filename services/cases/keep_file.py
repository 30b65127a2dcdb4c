"""A file is handed over for a question of a form: judged before it is taken, known by its content, cleaned, sealed, and kept once."""

import asyncio
import hashlib
import uuid
from datetime import timedelta

import msgspec

from foundation import http
from foundation.errors import Conflict, FieldError, TooBig, TooMany, WrongType, invalid
from foundation.http import Call, Reply
from foundation.postgres import Transaction
from services.cases.change_draft import own_locked
from services.cases.desk import Office, opened, own_case
from services.cases.model import Opened
from services.evidence import clean_file, model, store
from services.evidence.model import About, Damaged, Evidence
from services.forms import model as forms
from services.forms.outside import files_named

DAY = timedelta(days=1)
UNNAMED_TIMES_MAX = 3  # For each file that the form may name so many lie there that it does not name; then the oldest of these goes.


async def keep_file(desk: Office, call: Call, *, case: uuid.UUID, field: str) -> Reply:
    """The file's id; the same content again is the same file. Raises NotFound, Conflict, Invalid, TooBig, WrongType."""
    found = await opened(desk, desk.database, await own_case(desk, call.me.person, case))
    rule = _wanted(found, field)
    content = await _taken(call, field, rule)
    kind, clean, digest = await asyncio.to_thread(_judged, content, field, rule)  # Up to half a second for a hostile one.
    file = _file(desk, found, field, kind, clean, About(model.name_in(call.headers.get("Content-Disposition", "")), digest))
    sealed = await asyncio.to_thread(found.key.seal_bytes, clean, store.place_of(store.CONTENT, file.id))

    async def work(tx: Transaction) -> Reply:
        now = await own_locked(desk, tx, call.me.person, case)
        _wanted(now, field)
        if file.id not in {one.id for one in now.files}:
            await _make_room(tx, now, field, rule)
            await _refuse_floods(desk, tx, call.me.person)
            await store.add_file(tx, file, call.me.person, sealed)
        return Reply(str(file.id), 201)

    said = f"{field} {digest}".encode()
    return await http.once(desk.database, desk.keys, msgspec.structs.replace(call, raw=said), work)


def _wanted(found: Opened, field: str) -> forms.Schema:
    """The question, when it is asked now and has room for one more. Raises Conflict, Invalid."""
    if found.case.state not in ("draft", "supplement"):
        raise Conflict("this was handed in; files are added to a draft, or to what staff asked for")
    asked = {one.pointer: one.schema for one in forms.fields_of(found.matter.form) if forms.FILE in one.schema}
    if field not in asked or forms.is_within(field, forms.hidden(found.matter.form, found.draft.worked_on.form)):
        raise invalid("?field", "unknown_field", "name a question of this form that is answered by files, as /study/proof")
    return asked[field]


async def _taken(call: Call, field: str, rule: forms.Schema) -> bytes:
    most = rule[forms.FILE]["bytes_max"]
    try:
        content = await call.read(most)
    except TooBig:
        said = f"a file may have {most} bytes at most; make it smaller, or send fewer pages"
        raise TooBig(said, errors=[FieldError(field, "too_large", said)]) from None
    if not content:
        raise invalid(field, "empty", "the file is empty; choose another one")
    return content


def _judged(content: bytes, field: str, rule: forms.Schema) -> tuple[model.Kind, bytes, str]:
    """By its content: names and headers are what somebody says."""
    kind, types = model.kind_of(content), rule[forms.FILE]["types"]
    if kind is None or kind not in types:
        said = f"send {', '.join(types)}; this is something else, whatever it is called"
        raise WrongType(said, errors=[FieldError(field, "wrong_type", said)])
    try:
        clean = clean_file.cleaned(kind, content)
        return kind, clean, hashlib.sha256(clean).hexdigest()
    except Damaged as error:
        raise invalid(field, "damaged", f"{error}; save it anew and send it again") from None


def _file(desk: Office, found: Opened, field: str, kind: model.Kind, clean: bytes, about: About) -> Evidence:
    """Its id follows from what it is, by a key: nobody tells by an id what a file holds."""
    file = uuid.UUID(bytes=desk.keys.token("evidence", str(found.case.id), field, about.sha256))
    sealed = found.key.seal(msgspec.json.encode(about).decode(), store.place_of(store.ABOUT, file))
    return Evidence(file, found.case.id, field, kind, len(clean), sealed, desk.clock.city(), False)


async def _make_room(tx: Transaction, found: Opened, field: str, rule: forms.Schema) -> None:
    """Raises Invalid when the form names as many as it may. What was uploaded and never named makes way, the oldest first."""
    most, named = rule["maxItems"], files_named(found.matter.form, found.draft.worked_on.form)
    if len([one for one in found.files if one.field == field and str(one.id) in named]) >= most:
        raise invalid(field, "too_many", f"there are {most} files already, as many as may be; remove one first")
    unnamed = [one.id for one in found.files if one.field == field and not one.submitted and str(one.id) not in named]
    if len(unnamed) >= UNNAMED_TIMES_MAX * most:
        await store.forget_files(tx, found.case.id, unnamed[:1])


async def _refuse_floods(desk: Office, tx: Transaction, person: uuid.UUID) -> None:
    """Raises TooMany."""
    if await store.spent_since(tx, person, desk.clock.city() - DAY) >= model.DAY_BYTES_MAX:
        raise TooMany("so many files in one day are more than an application needs; go on tomorrow", retry_after_s=3600)
