"""What identity believes about numbers, codes, log-ins and limits, and whom outside it asks. Pure."""

import hashlib
import ipaddress
import re
import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from foundation import clock, ids
from foundation.caller import Caller, Role
from foundation.plates import Plate
from foundation.seal import Keys

Level = Literal["L1", "L2", "L3"]
LEVELS: tuple[str, ...] = ("L1", "L2", "L3")
Factor = Literal["person", "card", "face", "bank_card"]  # What a way of presence looked at.
Template = Literal["login_code", "plate_taken", "identity_taken", "identity_wanted"]

LEVEL_LIVES = timedelta(days=2 * 365)  # An L3 that was proved longer ago counts as L2: faces, cards and holders of phones change.

CODE_EXPIRES = timedelta(minutes=5)
CODE_TRIES_MAX = 5
SESSION_ABSOLUTE = timedelta(days=30)
SESSION_IDLE = timedelta(days=7)
ROLE_ABSOLUTE = timedelta(hours=12)  # Who may see what is others' logs in each working day,
ROLE_IDLE = timedelta(minutes=30)  # and again after a break.
SEEN_EVERY = timedelta(minutes=1)  # How exactly we remember when somebody was last here: each request would be a write.
UNSURE_AFTER = timedelta(days=90)  # Carriers hand numbers out again; a code alone then says nothing about who held it before.
PROOF_TRIES_MAX = 5  # A city day.
PLATES_MAX = 20  # A person.
NICKNAME_MAX = 40
NAME_MAX = 60  # Names of minorities with their dots, and of foreigners.

_FULL_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")  # E.164
_CHINA_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_BETWEEN_DIGITS = re.compile(r"[\s\-‐‑–.()·]+")
_CODE = re.compile(r"(?<![0-9])[0-9]{6}(?![0-9])")


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` in any `seconds`."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Limits:
    """How many codes a number, a network address and the whole city may ask for, and how many wrong ones an address may try."""

    phone: tuple[Limit, ...] = (Limit(1, 60), Limit(5, 3600), Limit(10, 86400))
    address: tuple[Limit, ...] = (Limit(30, 600), Limit(300, 86400))
    city: tuple[Limit, ...] = (Limit(6000, 3600),)  # What a flood may cost us with the provider.
    wrong: tuple[Limit, ...] = (Limit(20, 600), Limit(100, 86400))


@dataclass(frozen=True, slots=True)
class Message:
    """A template and its values for one phone; the same id is the same message however often it is sent."""

    id: uuid.UUID
    phone: str = field(repr=False)
    template: Template
    values: Mapping[str, str] = field(repr=False)


class Sms(Protocol):
    async def send(self, message: Message) -> None:
        """Raises errors.SmsAway when the provider did not take it in bounded tries."""


@dataclass(frozen=True, slots=True)
class Papers:
    """What the vehicle registry says about a licence somebody holds in hand."""

    match: bool
    registered_at: datetime | None


class VehicleRegistry(Protocol):
    async def check(self, plate: Plate, vin_last6: str) -> Papers:
        """Raises errors.RegistryAway when there is no answer, or one about another vehicle."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A name and an identity number in its normal form."""

    name: str = field(repr=False)
    id_no: str = field(repr=False)


class PoliceRegister(Protocol):
    async def check(self, name: str, id_no: str) -> bool:
        """Whether they are one person's. Raises errors.RegistryAway when there is no answer, or one about somebody else."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Whom a way of presence saw, and by what; pictures stay where they were taken."""

    identity: Identity
    factors: frozenset[Factor]


class Presence(Protocol):
    """A way to L3: a counter; a bank card or a face would be others. `field` is where its proof stands in the request."""

    field: str

    async def check(self, phone: str, proof: str) -> Seen | None:
        """Whom it saw with this phone; None for a proof that is not good. Raises errors.RegistryAway."""


class Dues(Protocol):
    async def due_of(self, plate_tokens: Sequence[bytes]) -> dict[bytes, int]:
        """What is owed for each plate now, in fen; a plate that owes nothing may be left out."""


@dataclass(frozen=True, slots=True)
class Session:
    """A log-in as its owner sees it."""

    id: uuid.UUID
    created_at: datetime
    seen_at: datetime
    what: str


@dataclass(frozen=True, slots=True)
class KnownSession:
    """A log-in as the door sees it, with the person behind it as she is now."""

    id: uuid.UUID
    person: uuid.UUID
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    ended: bool
    unsure: bool
    level: Level
    level_at: datetime | None
    grants: tuple["Grant", ...]

    def caller(self, now: datetime) -> Caller | None:
        """Who this is, judged now; nobody when the log-in ended, was idle too long or is too old.

        A log-in that is unsure has neither the name nor the rights of who held the number before.
        """
        if self.ended or now >= self.expires_at or now >= self.seen_at + SESSION_IDLE:
            return None
        if self.unsure:
            return Caller(self.person, self.id, "L1", unsure=True)
        roles = tuple(grant.role for grant in self.grants if grant.holds_at(now))
        if roles and (now >= self.created_at + ROLE_ABSOLUTE or now >= self.seen_at + ROLE_IDLE):
            return None
        return Caller(self.person, self.id, level_of(self.level, self.level_at, now), roles, level_at=self.level_at)


@dataclass(frozen=True, slots=True)
class Grant:
    """A right with its dates, which are compared at use."""

    role: Role
    since: datetime
    until: datetime | None = None

    def holds_at(self, now: datetime) -> bool:
        return self.since <= now and (self.until is None or now < self.until)


@dataclass(frozen=True, slots=True)
class Person:
    """Who somebody is to herself: name and number are there once she has proved them, and this log-in is surely hers."""

    id: uuid.UUID
    phone: str = field(repr=False)
    level: Level
    roles: tuple[Role, ...]
    level_at: datetime | None = None
    identity: Identity | None = None


@dataclass(frozen=True, slots=True)
class OwnedPlate:
    """A plate in somebody's list, opened."""

    id: uuid.UUID
    token: bytes = field(repr=False)
    plate: str = field(repr=False)
    colour: str
    nickname: str | None = field(repr=False)
    proved: bool
    auto_pay: bool


# Numbers


def normal_phone(text: str) -> str | None:
    """The one E.164 form of a number however it is typed; None when it is not understood."""
    bare = _BETWEEN_DIGITS.sub("", unicodedata.normalize("NFKC", text[:64]))
    if bare.startswith("00"):
        bare = "+" + bare[2:]
    if _CHINA_MOBILE.fullmatch(bare):
        bare = "+86" + bare
    if not _FULL_NUMBER.fullmatch(bare):
        return None
    if bare.startswith("+86") and not _CHINA_MOBILE.fullmatch(bare[3:]):
        return None
    return bare


def phone_token(keys: Keys, phone: str) -> bytes:
    return keys.token("phone", phone)


def id_token(keys: Keys, id_no: str) -> bytes:
    """The blind index of an identity number in its normal form."""
    return keys.token("id_no", id_no)


def plate_token(keys: Keys, plate: Plate) -> bytes:
    return keys.token("plate", *plate.key)


# Levels


def level_of(level: Level, proved_at: datetime | None, now: datetime) -> Level:
    """What a level is worth by now."""
    return "L2" if level == "L3" and proved_at is not None and now - proved_at > LEVEL_LIVES else level


def are_enough(factors: frozenset[Factor]) -> bool:
    """A face is never the only thing looked at: it may come beside a card or a clerk, not alone."""
    return bool(factors - {"face"})


# Codes


def code_in(text: str) -> str | None:
    """The six digits in what was pasted or typed, whatever stands around them."""
    folded = unicodedata.normalize("NFKC", text[:200])
    found = _CODE.findall(folded) or _CODE.findall(re.sub(r"[\s\-]+", "", folded))
    return found[0] if len(found) == 1 else None


def code_hash(keys: Keys, code_id: uuid.UUID, code: str) -> bytes:
    """A code is too short for a plain hash; the key outside of the database makes it unguessable."""
    return keys.token("code", str(code_id), code)


# Log-ins


def new_token() -> str:
    return ids.secret(256)


def token_hash(token: str) -> bytes:
    """Plain SHA-256 will do: the token is 256 bits of chance."""
    return hashlib.sha256(token.encode()).digest()


def is_unsure(last_used: datetime | None, level: Level, roles: Sequence[Role], now: datetime) -> bool:
    """Whether who logs in may be a stranger who was given the number of somebody with a name or rights to lose."""
    return last_used is not None and now - last_used > UNSURE_AFTER and (level != "L1" or bool(roles))


_BROWSERS = (("MicroMessenger", "WeChat"), ("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "Mac"), ("Linux", "Linux"))


def what_of(user_agent: str) -> str:
    """A few words to know one's own log-in by; never the whole header, which can tell people apart."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return ", ".join(filter(None, (browser, system))) or "app"


# Limits


def network_of(address: str) -> str:
    """Who counts as one caller: an IPv4 address, or an IPv6 /64, since that is what one household is given."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def coarse_address(address: str) -> str:
    """Enough of an address to wonder at a log-in from abroad, too little to find a household."""
    try:
        found = ipaddress.ip_address(network_of(address).partition("/")[0])
    except ValueError:
        return ""
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))


def wait_s(times: Sequence[datetime], limits: Sequence[Limit], now: datetime) -> int:
    """Seconds until one more is allowed; 0 when it is now. `times`: the newest first."""
    waits = [times[limit.count - 1] + timedelta(seconds=limit.seconds) - now for limit in limits if len(times) >= limit.count]
    return max([0, *(-(-wait // timedelta(seconds=1)) for wait in waits)])


def reach(limits: Sequence[Limit]) -> tuple[timedelta, int]:
    """How far back and how many one must look to judge these limits."""
    return timedelta(seconds=max(limit.seconds for limit in limits)), max(limit.count for limit in limits)


def day_of(wall: datetime) -> tuple[datetime, datetime]:
    """Begin and end of the city's day around an instant."""
    begin = clock.local(wall).replace(hour=0, minute=0, second=0, microsecond=0)
    return begin, begin + timedelta(days=1)
