"""What a licence is, what it says today, and how little of it a token carries. Pure."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from foundation.events import Names

State = Literal["valid", "not_yet_valid", "expired", "revoked"]
RevokedFor = Literal["plate_passed", "moved_away", "issued_in_error", "holder_asked", "misused"]
Reason = Literal["unreadable", "forged", "presentation_expired", "unknown", "not_yet_valid", "expired", "revoked"]

SHOWN_FOR = timedelta(seconds=60)  # A photograph of a screen is worth nothing a minute later.
SHOWN_AT_ONCE_MAX = 20  # Of one licence; nobody turns a phone more often in a minute.
SHOWN_KEPT = timedelta(days=1)  # So that what was shown yesterday is "shown too long ago" and not "unknown".
ROTATED_EVERY = timedelta(days=180)
PUBLISHED_AHEAD = timedelta(days=1)  # Who verifies offline has the new key before it signs.

REVOKED_WORDS: Mapping[RevokedFor, Names] = {
    "plate_passed": Names("车牌已由他人证明持有", "the plate passed to another holder"),
    "moved_away": Names("已迁出", "the holder moved away"),
    "issued_in_error": Names("发证有误", "it was issued in error"),
    "holder_asked": Names("持证人申请注销", "its holder asked for it"),
    "misused": Names("违规使用", "it was misused"),
}
REASON_WORDS: Mapping[Reason, Names] = {
    "unreadable": Names("这不是证照二维码，请让对方重新出示", "this is not a licence's code; ask for it to be shown again"),
    "forged": Names("签名不符，不是本市签发", "the signature does not hold: this was not issued here"),
    "presentation_expired": Names(
        "出示已超过一分钟，请让对方重新出示", "it was shown more than a minute ago; ask for it to be shown again"
    ),
    "unknown": Names("没有这张证照的记录", "there is no record of this licence"),
    "not_yet_valid": Names("证照尚未生效", "the licence is not valid yet"),
    "expired": Names("证照已过期", "the licence has expired"),
    "revoked": Names("证照已注销", "the licence was revoked"),
}


@dataclass(frozen=True, slots=True)
class Permit:
    """What a licence allows at the kerb: which plate, in which zone; `kind` is what tariffs may ask for."""

    plate_token: bytes
    zone: str
    kind: str


@dataclass(frozen=True, slots=True)
class Licence:
    id: uuid.UUID
    case: uuid.UUID
    person: uuid.UUID
    class_code: str
    names: Names
    agency: str
    issued_at: datetime
    valid_from: datetime
    valid_to: datetime
    permit: Permit | None = None
    revoked_at: datetime | None = None
    revoked_for: RevokedFor | None = None
    claims_sealed: bytes = field(default=b"", repr=False)

    def state_at(self, now: datetime) -> State:
        """Dates are compared when they are used: no late job opens or closes anything. `now` is city time."""
        if self.revoked_at is not None:
            return "revoked"
        if now < self.valid_from:
            return "not_yet_valid"
        return "valid" if now < self.valid_to else "expired"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a token carries: nothing of its holder, and a number of its own, so that two who check cannot compare whom they met."""

    number: uuid.UUID
    class_code: str
    valid_to: datetime
    issued_at: datetime
    expires_at: datetime

    def claims(self, issuer: str) -> dict[str, Any]:
        return {
            "iss": issuer,
            "jti": self.number.hex,
            "iat": int(self.issued_at.timestamp()),
            "exp": int(self.expires_at.timestamp()),
            "class": self.class_code,
            "valid_to": int(self.valid_to.timestamp()),
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody who was shown a token may know."""

    licence: Licence | None
    reason: Reason | None  # None: it holds.


def judge(licence: Licence | None, *, shown_until: datetime, wall: datetime, city: datetime) -> Verdict:
    """A genuine token, by today's state. What was shown too long ago says nothing more."""
    if wall >= shown_until:
        return Verdict(None, "presentation_expired")
    if licence is None:
        return Verdict(None, "unknown")
    state = licence.state_at(city)
    return Verdict(licence, None if state == "valid" else state)
