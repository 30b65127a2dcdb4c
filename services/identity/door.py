"""How a token comes to the door and goes to the page: a bearer header, or a cookie that scripts cannot read and strangers cannot use."""

from collections.abc import Mapping
from dataclasses import dataclass, field

COOKIE = "__Host-onelot"  # Browsers take it only over HTTPS, for the whole host and from the host itself.
COOKIE_PLAIN = "onelot"  # Over plain HTTP, where a Secure cookie would be dropped silently.
PAGE_HEADER, PAGE_WORD = "X-OneLot", "page"  # No form and no foreign page can send it without being asked first.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Credential:
    token: str = field(repr=False)
    from_page: bool  # It came by itself, as cookies do.


def is_secure(public_url: str) -> bool:
    return public_url.lower().startswith("https://")


def credential_of(headers: Mapping[str, str], *, secure: bool) -> Credential | None:
    """What the request shows; an Authorization header is meant, so it goes before a cookie, even a useless one."""
    authorization = headers.get("Authorization")
    if authorization is not None:
        scheme, _, token = authorization.strip().partition(" ")
        return Credential(token.strip(), False) if scheme.lower() == "bearer" and token.strip() else None
    for pair in headers.get("Cookie", "").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == (COOKIE if secure else COOKIE_PLAIN) and value:
            return Credential(value, True)
    return None


def may_write(method: str, headers: Mapping[str, str], credential: Credential | None) -> bool:
    """Whether a request that a cookie vouches for comes from our page. The door answers 403 when it does not."""
    if credential is None or not credential.from_page or method.upper() in SAFE_METHODS:
        return True
    return headers.get(PAGE_HEADER) == PAGE_WORD


def cookie(token: str, seconds: int, *, secure: bool) -> str:
    """The Set-Cookie of a log-in."""
    name = COOKIE if secure else COOKIE_PLAIN
    return f"{name}={token}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")


def no_cookie(*, secure: bool) -> str:
    """The Set-Cookie of a log-out."""
    return cookie("", 0, secure=secure)
