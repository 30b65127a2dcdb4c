"""What may go wrong in front of somebody, as RFC 9457 problems.

Problem
├── NotLoggedIn 401     ├── NotAllowed 403     ├── NotFound 404     ├── Conflict 409
├── TooBig 413          ├── WrongType 415      ├── Invalid 422      ├── TooMany 429
└── Away 503
"""

from collections.abc import Sequence

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """One wrong field: a JSON pointer (RFC 6901) into the body, or `?name` for a query parameter."""

    pointer: str
    code: str
    detail: str


class Problem(Exception):
    """Something a caller can be told: its class says the status, its words say what to do."""

    status = 500
    slug = "internal"
    title = "Something went wrong here"

    def __init__(self, detail: str = "", *, errors: Sequence[FieldError] = (), retry_after_s: int | None = None, **more: object) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s
        self.more = more

    def body(self) -> dict[str, object]:
        said: dict[str, object] = {"type": f"/problems/{self.slug}", "title": self.title, "status": self.status, "detail": self.detail}
        if self.errors:
            said["errors"] = self.errors
        return said | self.more


class NotLoggedIn(Problem):
    status, slug, title = 401, "not-logged-in", "Log in first"


class NotAllowed(Problem):
    status, slug, title = 403, "not-allowed", "This is not yours to do"


class NotFound(Problem):
    status, slug, title = 404, "not-found", "Not there, or not yours to see"


class Conflict(Problem):
    status, slug, title = 409, "conflict", "This conflicts with what is"


class TooBig(Problem):
    status, slug, title = 413, "too-big", "The request is too big"


class WrongType(Problem):
    status, slug, title = 415, "wrong-type", "This is of a type that is not taken here"


class Invalid(Problem):
    status, slug, title = 422, "invalid-field", "A field is wrong"


class TooMany(Problem):
    status, slug, title = 429, "too-many", "Too many tries"


class Away(Problem):
    status, slug, title = 503, "away", "A part that must not lie is away"


def invalid(pointer: str, code: str, detail: str) -> Invalid:
    return Invalid(detail, errors=[FieldError(pointer, code, detail)])
