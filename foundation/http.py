"""What a house says about its HTTP routes: plain handlers with typed query, body and answer; onelot mounts them."""

import base64
import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import orjson

from foundation import postgres, seal, sql
from foundation.caller import Caller
from foundation.errors import Conflict, Invalid, NotLoggedIn, invalid
from foundation.postgres import Database, Transaction

queries = sql.load("foundation")

LIMIT_DEFAULT, LIMIT_MAX = 50, 500
Item = TypeVar("Item")


class Who(enum.StrEnum):
    """Who may come in; what they may touch is judged by the handler, at the act."""

    ANYBODY = "anybody"
    PERSON = "person"
    OPERATOR = "operator"
    STAFF = "staff"
    ADMIN = "admin"


class Paged(msgspec.Struct, kw_only=True):
    """The query of every list."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT
    cursor: str | None = None


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """A list's answer: no next cursor means the end."""

    items: Sequence[Item]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One request, after the door has decoded it and found out who asks."""

    path: Mapping[str, str]
    query: Any
    body: Any
    caller: Caller | None
    headers: Mapping[str, str]
    raw: bytes
    address: str
    route: str  # method and the path as asked: what an Idempotency-Key belongs to, together with the caller

    @property
    def me(self) -> Caller:
        """The person who asks. Raises NotLoggedIn."""
        if self.caller is None:
            raise NotLoggedIn
        return self.caller


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
    raw_body: bool = False  # The handler reads call.raw itself (signed callbacks).


async def once(database: Database, call: Call, work: Callable[[Transaction], Awaitable[Reply]]) -> Reply:
    """Do `work` in a transaction; with an Idempotency-Key do it once for ever and give the first answer again.

    A refusal raises, rolls back and is not kept. Raises Conflict when the key was used for another body.
    """
    key = call.headers.get("Idempotency-Key")
    if key is None:
        return await database.run(work)
    if not 1 <= len(key) <= 200:
        raise invalid("Idempotency-Key", "length", "an Idempotency-Key has 1 to 200 characters")
    who, digest = str(call.me.person), seal.digest(call.raw)

    async def kept(tx: Transaction) -> Reply:
        first = await tx.row(queries.first_answer, who, call.route, key)
        if first is not None:
            if first["digest"] != digest:
                raise Conflict("this Idempotency-Key was used for another request; take a new one")
            return Reply(msgspec.Raw(first["answer"].encode()), first["status"])
        reply = await work(tx)
        answer = msgspec.json.encode(reply.body).decode()
        await tx.execute(queries.keep_answer, who, call.route, key, digest, reply.status, answer)
        return reply

    try:
        return await database.run(kept)
    except postgres.UniqueViolation as error:
        if error.constraint_name != "idempotency_pkey":
            raise
        return await database.run(kept)  # Somebody was first with this key: hear what was answered.


def cursor_of(*parts: object) -> str:
    """A mark of a place in an ordered list: the sort key with the id, opaque to clients."""
    return base64.urlsafe_b64encode(orjson.dumps(parts, default=str)).decode().rstrip("=")


def place_of(cursor: str | None, parts: int) -> list[Any] | None:
    """The parts of a cursor; None for the first page. Raises Invalid."""
    if cursor is None:
        return None
    try:
        found = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        found = None
    if not isinstance(found, list) or len(found) != parts:
        raise invalid("?cursor", "cursor", "the cursor is not one of ours; begin without it")
    return found


def page_of(rows: Sequence[Item], limit: int, mark: Callable[[Item], Sequence[object]]) -> Page[Item]:
    """A page of rows that were asked for with limit + 1: the one too many says that there is a next page."""
    more = len(rows) > limit
    return Page(rows[:limit], cursor_of(*mark(rows[limit - 1])) if more else None)


def decode_body(raw: bytes, kind: type[msgspec.Struct]) -> Any:  # an instance of `kind`
    """Raises Invalid with the JSON pointer of what is wrong."""
    try:
        return msgspec.json.decode(raw or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise _pointed(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise invalid("", "json", f"the body is not JSON: {error}") from None


def decode_query(query: Mapping[str, str], kind: type[msgspec.Struct]) -> Any:  # an instance of `kind`
    """Raises Invalid naming the parameter as `?name`."""
    try:
        return msgspec.convert(dict(query), kind, strict=False)
    except msgspec.ValidationError as error:
        problem = _pointed(str(error))
        first = problem.errors[0]
        raise invalid("?" + first.pointer.lstrip("/"), first.code, first.detail) from None


def _pointed(message: str) -> Invalid:
    """msgspec says `Expected int, got str - at $.spots[0].at`, or names an unknown or missing field in backticks."""
    detail, _, place = message.partition(" - at `$")
    pointer = place.rstrip("`").replace("[", "/").replace("]", "").replace(".", "/")
    code = "type"
    for words, name in (("missing required field", "missing"), ("contains unknown field", "unknown_field")):
        if words in detail:
            code, pointer = name, f"{pointer}/{detail.split('`')[1]}"
    return invalid(pointer, code, detail)
