"""What a house says about its HTTP routes: plain handlers with typed query, body and answer; onelot mounts them."""

import base64
import binascii
import enum
import functools
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import orjson

from foundation import sql
from foundation.caller import Caller
from foundation.errors import Conflict, Invalid, NotLoggedIn, invalid
from foundation.postgres import Database, Transaction
from foundation.seal import Keys

queries = sql.load("foundation")

LIMIT_DEFAULT, LIMIT_MAX = 50, 500
KEY_LENGTH_MAX = 200
TEXT_LENGTH_MAX = 200
YEAR_MIN, YEAR_MAX = 2000, 2200
# What places in a list are made of: nothing that PostgreSQL would choke on comes back in a cursor.
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Position = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Text = Annotated[str, msgspec.Meta(max_length=TEXT_LENGTH_MAX, pattern="^[^\x00]*$")]
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
Item = TypeVar("Item")


class Who(enum.StrEnum):
    """Who may come in; what they may touch is judged by the handler, at the act."""

    ANYBODY = "anybody"
    PERSON = "person"
    OPERATOR = "operator"
    STAFF = "staff"
    CITY = "city"  # Who steers the whole city: its admin, and staff of one agency.
    ADMIN = "admin"


class Paged(msgspec.Struct, kw_only=True):
    """The query of every list."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT
    cursor: str | None = None


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """A list's answer: no next cursor means the end."""

    items: Sequence[Item]
    next_cursor: str | None = None


ReadBody = Callable[[int], Awaitable[bytes]]


async def _was_read(most: int) -> bytes:
    raise AssertionError("the door has read this body already: it is in call.raw")


class Call(msgspec.Struct, frozen=True):
    """One request, after the door has decoded it and found out who asks. A Struct: it is made for each."""

    path: Mapping[str, str]
    query: Any
    body: Any
    caller: Caller | None
    headers: Mapping[str, str]
    raw: bytes
    address: str
    route: str  # method and the path as asked: what an Idempotency-Key belongs to, together with the caller
    read: ReadBody = _was_read  # The body of a route that `takes` files, up to so many bytes. Raises TooBig.

    @property
    def me(self) -> Caller:
        """The person who asks. Raises NotLoggedIn."""
        if self.caller is None:
            raise NotLoggedIn
        return self.caller


@dataclass(frozen=True, slots=True)
class Raw:
    """A body that is bytes already; `packed` by gzip, for everybody's client unpacks that."""

    content: bytes
    kind: str
    packed: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that needs more than its body."""

    body: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Route:
    """`answer` documents the body of `status`; a handler answers it, or a Reply."""

    method: str
    path: str
    handle: Handler
    summary: str
    who: Who = Who.ANYBODY
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    answer: Any = None
    status: int = 200
    idempotent: bool = False  # Takes an Idempotency-Key.
    unsure: bool = False  # Open to a log-in that may be a stranger's, too: what shows nothing of who held the number before.
    raw_body: bool = False  # The handler reads call.raw itself (signed callbacks).
    binary: bool = False  # Answers Raw bytes.
    takes: Sequence[str] = ()  # Media types of a body that the handler reads itself (call.read), once it knows how large it may be.
    quick: Callable[[Any], bytes] | None = None  # A GET's JSON from its query alone, in memory and at once; `handle` says the same.


class _Kept(msgspec.Struct, frozen=True):
    """A first answer as it is kept: sealed, since plates and amounts stand in answers and are kept for ever."""

    sealed: bytes


_kept = msgspec.json.Decoder(_Kept)


async def once(database: Database, keys: Keys, call: Call, work: Callable[[Transaction], Awaitable[Reply]]) -> Reply:
    """Do `work` in a transaction; with an Idempotency-Key do it once for ever and give the first answer again.

    For callers who are logged in: a key is the caller's own. A refusal raises, rolls back and is not kept.
    Raises Conflict when the key was used for a body that means something else.
    """
    key = call.headers.get("Idempotency-Key")
    who = str(call.me.person)
    if key is None:
        return await database.run(work)
    if not 1 <= len(key) <= KEY_LENGTH_MAX or not (key.isascii() and key.isprintable()):
        raise invalid("Idempotency-Key", "key", f"an Idempotency-Key has 1 to {KEY_LENGTH_MAX} printable ASCII characters")
    digest = _meaning(keys, call)

    async def kept(tx: Transaction) -> Reply:
        await tx.execute(queries.lock_answer, f"{who} {call.route} {key}")  # Who comes second hears the first answer, not a conflict.
        first = await tx.row(queries.first_answer, who, call.route, key)
        if first is not None:
            if first["digest"] != digest:
                raise Conflict("this Idempotency-Key was used for another request; take a new one")
            return Reply(msgspec.Raw(keys.unseal(_kept.decode(first["answer"]).sealed).encode()), first["status"])
        reply = await work(tx)
        sealed = _Kept(keys.seal_lasting(msgspec.json.encode(reply.body).decode()))
        await tx.execute(queries.keep_answer, who, call.route, key, digest, reply.status, msgspec.json.encode(sealed).decode())
        return reply

    return await database.run(kept)


def _meaning(keys: Keys, call: Call) -> bytes:
    """What a body says, whatever its blanks and the order of its fields; keyed, since plates can be guessed from a plain digest."""
    said = call.raw if call.body is None else msgspec.json.encode(call.body, order="deterministic")
    return keys.token("body", said.hex())


def cursor_of(*parts: object) -> str:
    """A mark of a place in an ordered list: the sort key with the id, opaque to clients."""
    return base64.urlsafe_b64encode(orjson.dumps(parts, default=str)).decode().rstrip("=")


def place_of(cursor: str | None, *kinds: Any) -> Any:  # a tuple with one value of each kind, or None
    """The parts of a cursor, each of its kind; None for the first page. Raises Invalid."""
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=tuple[kinds])  # type: ignore[valid-type]  # known when it runs
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise invalid("?cursor", "cursor", "the cursor is not one of ours; begin without it") from None


def page_of(rows: Sequence[Item], limit: int, mark: Callable[[Item], Sequence[object]]) -> Page[Item]:
    """A page of rows that were asked for with limit + 1: the one too many says that there is a next page."""
    more = len(rows) > limit
    return Page(rows[:limit], cursor_of(*mark(rows[limit - 1])) if more else None)


def decode_body(raw: bytes, kind: type[msgspec.Struct]) -> Any:  # an instance of `kind`
    """Raises Invalid with the JSON pointer of what is wrong."""
    if _NUL.search(raw):
        raise invalid("", "nul", "a text may not hold the character U+0000")
    try:
        found = msgspec.json.decode(raw or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise _pointed(str(error)) from None
    except RecursionError:
        raise invalid("", "json", "the body is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise invalid("", "json", f"the body is not JSON: {error}") from None
    return _refuse_absurd_times(found, "/")


def decode_query(query: Mapping[str, str], kind: type[msgspec.Struct]) -> Any:  # an instance of `kind`
    """Raises Invalid naming the parameter as `?name`."""
    said = dict(query)
    for name, value in said.items():
        if "\x00" in value:
            raise invalid(f"?{name}", "nul", "a text may not hold the character U+0000")
    try:
        found = msgspec.convert(said, kind, strict=False)
    except msgspec.ValidationError as error:
        problem = _pointed(str(error))
        first = problem.errors[0]
        raise invalid("?" + first.pointer.lstrip("/"), first.code, first.detail) from None
    return _refuse_absurd_times(found, "?")


def _refuse_absurd_times(found: msgspec.Struct, mark: str) -> msgspec.Struct:
    """Times near the ends of the calendar overflow when a zone or a stay is added to them."""
    for name, said in _times(type(found)):
        value = getattr(found, name)
        if isinstance(value, datetime) and not YEAR_MIN <= value.year < YEAR_MAX:
            raise invalid(f"{mark}{said}", "range", f"a time lies between the years {YEAR_MIN} and {YEAR_MAX}")
    return found


@functools.cache
def _times(kind: type[msgspec.Struct]) -> tuple[tuple[str, str], ...]:
    """The name here and in a request of each field that may hold a time; asked at every request, so found out once."""
    fields = msgspec.structs.fields(kind)
    return tuple((one.name, one.encode_name) for one in fields if one.type is Any or "datetime" in repr(one.type))


def _pointed(message: str) -> Invalid:
    """msgspec says `Expected int, got str - at $.spots[0].at`, or names an unknown or missing field in backticks."""
    detail, _, place = message.partition(" - at `$")
    pointer = place.rstrip("`").replace("[", "/").replace("]", "").replace(".", "/")
    code = "type"
    for words, name in (("missing required field", "missing"), ("contains unknown field", "unknown_field")):
        if words in detail:
            word = detail.split("`")[1][:TEXT_LENGTH_MAX].replace("~", "~0").replace("/", "~1")  # RFC 6901, 3
            code, pointer = name, f"{pointer}/{word}"
    return invalid(pointer, code, detail[:1000])  # A sender's own field may be named at length.
