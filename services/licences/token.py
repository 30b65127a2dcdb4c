"""A licence as it is shown: a signed token that lives a minute, read strictly, since whoever shows it may have made it up."""

import base64
import binascii
import re
import uuid
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError

from services.licences.keyring import ALGORITHM, Keyring
from services.licences.model import Shown

KIND = "onelot-licence+jwt"
LENGTH_MAX = 2_000
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

Second = Annotated[int, msgspec.Meta(ge=0, le=2**33)]


class Unreadable(Exception):
    """Not one of our tokens at all."""


class Forged(Exception):
    """It looks like one of ours, and nobody here signed it."""


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Exactly these: a token brings no key with it and says nothing of where to fetch one (`jwk`, `jku`, `x5u`)."""

    alg: Literal["ES256"]
    typ: Literal["onelot-licence+jwt"]
    kid: str


class _Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"class_code": "class"}):
    iss: str
    jti: str
    iat: Second
    exp: Second
    class_code: str
    valid_to: Second


def write(shown: Shown, keyring: Keyring, issuer: str) -> str:
    signer = keyring.signer(shown.issued_at)
    header = {"alg": ALGORITHM, "typ": KIND, "kid": signer.kid}
    return jwt.encode(header, shown.claims(issuer), signer.key, algorithms=[ALGORITHM])


def read(text: str, keyring: Keyring, issuer: str, now: datetime) -> Shown:
    """What a token says, when we said it. Whether it still holds is another question. Raises Unreadable and Forged."""
    if len(text) > LENGTH_MAX or not _FORM.fullmatch(text):
        raise Unreadable
    header_part, claims_part, signature_part = map(_bytes_of, text.split("."))
    try:
        header = msgspec.json.decode(header_part, type=_Header)
        claims = msgspec.json.decode(claims_part, type=_Claims)
        number = uuid.UUID(hex=claims.jti)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        raise Forged if _is_json(header_part) and signature_part else Unreadable from None
    key = keyring.verifier(header.kid, now)
    if key is None or not key.signs_at(datetime.fromtimestamp(claims.iat, UTC)) or claims.iss != issuer:
        raise Forged
    try:
        jwt.decode(text, key.key, algorithms=[ALGORITHM])
    except JoseError:
        raise Forged from None
    at = [datetime.fromtimestamp(second, UTC) for second in (claims.valid_to, claims.iat, claims.exp)]
    return Shown(number, claims.class_code, *at)


def _bytes_of(part: str) -> bytes:
    """Raises Forged for a part that can be written in another way: one token, one text."""
    try:
        found = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        raise Unreadable from None
    if base64.urlsafe_b64encode(found).rstrip(b"=") != part.encode():
        raise Forged
    return found


def _is_json(part: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(part), dict)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
