"""What a licence is, what it says today, and how little of it a token carries. Pure."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from foundation.events import Names

State = Literal["valid", "not_yet_valid", "expired", "suspended", "revoked"]
RevokedFor = Literal["plate_passed", "moved_away", "issued_in_error", "holder_asked", "misused", "pledge_failed", "holder_left"]
Reason = Literal[
    "unreadable", "forged", "presentation_expired", "unknown", "superseded", "not_yet_valid", "expired", "suspended", "revoked"
]

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
    "holder_left": Names("持证人已注销账户", "its holder has left"),
    "pledge_failed": Names("承诺不实", "what was pledged for it did not hold"),
}
REASON_WORDS: Mapping[Reason, Names] = {
    "unreadable": Names("这不是证照二维码，请让对方重新出示", "this is not a licence's code; ask for it to be shown again"),
    "forged": Names("签名不符，不是本市签发", "the signature does not hold: this was not issued here"),
    "presentation_expired": Names(
        "出示已超过一分钟，请让对方重新出示", "it was shown more than a minute ago; ask for it to be shown again"
    ),
    "unknown": Names("没有这张证照的记录", "there is no record of this licence"),
    "superseded": Names("证照内容已更新，请让对方重新出示", "the licence was amended; ask for it to be shown again"),
    "suspended": Names("证照暂停使用，等待核查", "the licence is suspended until it was looked at"),
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
    version: int = 1
    followed: int = 0  # The newest revision of its case that it followed.
    permit_id: uuid.UUID | None = None  # Under which parking has the permit now.
    suspended_at: datetime | None = None

    def state_at(self, now: datetime) -> State:
        """Dates are compared when they are used: no late job opens or closes anything. `now` is city time."""
        if self.revoked_at is not None:
            return "revoked"
        if now < self.valid_from:
            return "not_yet_valid"
        if now >= self.valid_to:
            return "expired"
        return "suspended" if self.suspended_at is not None else "valid"


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


def judge(found: tuple[Licence, int] | None, *, shown_until: datetime, wall: datetime, city: datetime) -> Verdict:
    """A genuine token of a licence and of one of its versions, by today's state. What was shown too long ago says nothing more."""
    if wall >= shown_until:
        return Verdict(None, "presentation_expired")
    if found is None:
        return Verdict(None, "unknown")
    licence, version = found
    state = licence.state_at(city)
    if state == "valid" and version != licence.version:
        return Verdict(licence, "superseded")
    return Verdict(licence, None if state == "valid" else state)
