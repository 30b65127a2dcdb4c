"""What devices said and what became true because of us, in the order of the story of one car.

Readings and facts are msgspec structs, written as JSON into the two journals. A field may be added with a default;
none is renamed or removed while an entry that carries it may still be read.
"""

import uuid
from datetime import datetime
from typing import ClassVar, Literal

import msgspec

SpotState = Literal["free", "occupied", "unknown", "out_of_order"]
Direction = Literal["in", "out"]


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Common to all: `kind` is the name in the journal, `key` is what later entries wait behind when this one gets stuck."""

    kind: ClassVar[str]

    @property
    def key(self) -> str:
        raise AssertionError("every event says what it is about")


class Reading(Event, frozen=True, kw_only=True, gc=False):
    """What a device said. `at` is corrected by the clock error known when it was stored, `raw_at` is the device's own."""

    device: str
    site: str
    seq: int
    at: datetime
    raw_at: datetime
    received_at: datetime
    offset_s: int | None = None  # Added to raw_at to give at; None: no status taught us the clock.
    no_clock: bool = False
    early_s: int = 0  # By how much earlier it may have happened than `at`, and how much later: its device's clock was set meanwhile.
    late_s: int = 0
    id: bytes = b""  # The identity of the reading: device, spot or lane, raw at, content.


class Vehicle(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a camera read of a vehicle; the plate only as token (equality) and seal (a month's key)."""

    token: bytes
    sealed: bytes
    colour: str
    confidence: float | None = None
    type: str = "unknown"


class SpotSeen(Reading, frozen=True, kw_only=True, gc=False):
    """A camera or sensor saw a spot."""

    kind: ClassVar[str] = "spot"
    spot: str
    state: SpotState
    vehicle: Vehicle | None = None
    evidence: str = ""

    @property
    def key(self) -> str:
        return self.spot


class VehiclePassed(Reading, frozen=True, kw_only=True, gc=False):
    """A gate saw a vehicle pass."""

    kind: ClassVar[str] = "passage"
    lane: str
    direction: Direction
    vehicle: Vehicle | None = None
    evidence: str = ""

    @property
    def key(self) -> str:
        return self.site


class VehiclesCounted(Reading, frozen=True, kw_only=True, gc=False):
    """A counter said how many are inside."""

    kind: ClassVar[str] = "count"
    occupied: int
    capacity: int | None = None

    @property
    def key(self) -> str:
        return self.site


class DeviceHeard(Event, frozen=True, kw_only=True):
    """The door heard a device, let it in or lost it. `connection` is which of its connections says so; lost ones of
    an earlier connection say nothing about the device."""

    kind: ClassVar[str] = "heard"
    device: str
    site: str
    device_kind: str
    spots: tuple[str, ...] | None = None  # Which spots it owns, when not all of its site.
    connection: uuid.UUID
    connected: bool
    at: datetime

    @property
    def key(self) -> str:
        return self.device


class Fact(Event, frozen=True, kw_only=True):
    """What became true because of us."""


class SpotOfSite(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A spot as its site's fact carries it."""

    id: str
    lon: float
    lat: float
    spot_class: str = "standard"


class SiteChanged(Fact, frozen=True, kw_only=True):
    """A site was imported or changed; carries all of it, its spots included, so that a follower needs nothing else."""

    kind: ClassVar[str] = "site_changed"
    site: str
    operator: str
    type: str
    counted_by: Literal["spots", "gates", "counter"]
    capacity: int
    tariff: str = ""
    zone: str = ""
    spots: tuple[SpotOfSite, ...] = ()

    @property
    def key(self) -> str:
        return self.site


class DeviceAdded(Fact, frozen=True, kw_only=True):
    """A device may speak from now on, or has a new secret."""

    kind: ClassVar[str] = "device_added"
    device: str
    site: str
    device_kind: str

    @property
    def key(self) -> str:
        return self.device


class TariffPublished(Fact, frozen=True, kw_only=True):
    """A tariff's version is in force from the instant it names itself; what it says lies with parking, under this hash."""

    kind: ClassVar[str] = "tariff_published"
    code: str
    version: int
    sha256: str

    @property
    def key(self) -> str:
        return self.code


class LevelChanged(Fact, frozen=True, kw_only=True):
    """A person proved who she is, or lost the proof to whoever proved it better; `way` is by what."""

    kind: ClassVar[str] = "level_changed"
    person: uuid.UUID
    level: Literal["L1", "L2", "L3"]
    way: str

    @property
    def key(self) -> str:
        return str(self.person)


class RoleGranted(Fact, frozen=True, kw_only=True):
    """A person has a right from `since` to `until`, for ever when there is none; a later grant of the same right replaces the dates."""

    kind: ClassVar[str] = "role_granted"
    person: uuid.UUID
    role: str
    scope: str = ""
    since: datetime
    until: datetime | None = None

    @property
    def key(self) -> str:
        return str(self.person)


class RoleRevoked(Fact, frozen=True, kw_only=True):
    """A right was taken away."""

    kind: ClassVar[str] = "role_revoked"
    person: uuid.UUID
    role: str
    scope: str = ""

    @property
    def key(self) -> str:
        return str(self.person)


class LogInEnded(Fact, frozen=True, kw_only=True):
    """A log-in ended before its time; without a session all of the person's did."""

    kind: ClassVar[str] = "log_in_ended"
    person: uuid.UUID
    session: uuid.UUID | None = None

    @property
    def key(self) -> str:
        return str(self.person)


class PersonErased(Fact, frozen=True, kw_only=True):
    """A person was erased: her key is dropped, and what carries her id carries nobody's name any more."""

    kind: ClassVar[str] = "person_erased"
    person: uuid.UUID

    @property
    def key(self) -> str:
        return str(self.person)


class PlateProved(Fact, frozen=True, kw_only=True):
    """A person proved to hold a plate, from `since` on; whoever held it before is `taken_from`."""

    kind: ClassVar[str] = "plate_proved"
    plate_token: bytes
    person: uuid.UUID
    since: datetime
    auto_pay: bool = True
    taken_from: uuid.UUID | None = None

    @property
    def key(self) -> str:
        return self.plate_token.hex()


class PlateReleased(Fact, frozen=True, kw_only=True):
    """A person gave up a proved plate."""

    kind: ClassVar[str] = "plate_released"
    plate_token: bytes
    person: uuid.UUID
    until: datetime

    @property
    def key(self) -> str:
        return self.plate_token.hex()


class SessionOpened(Fact, frozen=True, kw_only=True):
    """A car's stay began."""

    kind: ClassVar[str] = "session_opened"
    session: uuid.UUID
    site: str
    spot: str = ""
    entered_at: datetime
    person: uuid.UUID | None = None

    @property
    def key(self) -> str:
        return str(self.session)


class SessionClosed(Fact, frozen=True, kw_only=True):
    """A stay ended, or what we know of its end changed; `version` counts what we knew."""

    kind: ClassVar[str] = "session_closed"
    session: uuid.UUID
    site: str
    entered_at: datetime
    left_at: datetime
    version: int
    certainty: Literal["sure", "doubtful"] = "sure"
    person: uuid.UUID | None = None

    @property
    def key(self) -> str:
        return str(self.session)


class SessionVoided(Fact, frozen=True, kw_only=True):
    """A stay turned out not to have been one."""

    kind: ClassVar[str] = "session_voided"
    session: uuid.UUID
    site: str
    person: uuid.UUID | None = None

    @property
    def key(self) -> str:
        return str(self.session)


class DepartureSaid(Fact, frozen=True, kw_only=True):
    """Somebody of the operator's said that a car has gone, which no device did; `evidence` names what proves it."""

    kind: ClassVar[str] = "departure_said"
    session: uuid.UUID
    site: str
    left_at: datetime
    said_by: uuid.UUID
    evidence: str

    @property
    def key(self) -> str:
        return str(self.session)


class BillSettled(Fact, frozen=True, kw_only=True):
    """A bill was issued or corrected: of `total`, `paid` was taken from the wallet and `owed` is a debt."""

    kind: ClassVar[str] = "bill_settled"
    bill: uuid.UUID
    session: uuid.UUID
    person: uuid.UUID | None = None
    operator: str
    version: int
    total: int
    paid: int
    owed: int

    @property
    def key(self) -> str:
        return str(self.session)


class TopUpPaid(Fact, frozen=True, kw_only=True):
    """The provider says that money for a wallet arrived."""

    kind: ClassVar[str] = "topup_paid"
    topup: uuid.UUID
    person: uuid.UUID
    amount: int

    @property
    def key(self) -> str:
        return str(self.person)


class WalletPaidOut(Fact, frozen=True, kw_only=True):
    """All that a wallet held went back to its owner, by the bank."""

    kind: ClassVar[str] = "wallet_paid_out"
    posting: uuid.UUID
    person: uuid.UUID
    amount: int

    @property
    def key(self) -> str:
        return str(self.person)


class DebtPaid(Fact, frozen=True, kw_only=True):
    """A debt of a bill was paid after the stay."""

    kind: ClassVar[str] = "debt_paid"
    bill: uuid.UUID
    session: uuid.UUID
    payer: uuid.UUID
    amount: int

    @property
    def key(self) -> str:
        return str(self.session)


class Names(msgspec.Struct, frozen=True):
    """What people read: the same in Chinese and English."""

    zh: str
    en: str


class MatterPublished(Fact, frozen=True, kw_only=True):
    """New cases of a matter begin with this version; what it says lies with the services, under this hash."""

    kind: ClassVar[str] = "matter_published"
    code: str
    version: str
    agency: str

    @property
    def key(self) -> str:
        return self.code


class CaseFact(Fact, frozen=True, kw_only=True):
    """Something became true of a case. What a person said or is stands in it only sealed."""

    case: uuid.UUID
    person: uuid.UUID
    matter: str
    version: str

    @property
    def key(self) -> str:
        return str(self.case)


class CaseOpened(CaseFact, frozen=True, kw_only=True):
    """Somebody began to apply."""

    kind: ClassVar[str] = "case_opened"


class CaseSubmitted(CaseFact, frozen=True, kw_only=True):
    """An application was handed in, complete, as `sealed` holds it: form, and what the departments had said."""

    kind: ClassVar[str] = "case_submitted"
    agency: str
    sealed: bytes


class CaseMoved(CaseFact, frozen=True, kw_only=True):
    """A step of its flow: the rules came out, somebody decided, added what was asked, or let the time go by."""

    kind: ClassVar[str] = "case_moved"
    number: int
    task: str
    word: str
    made_by: Literal["rule", "staff", "applicant", "time"]
    state: str
    sealed: bytes = b""  # What was added, or said for a reason.


class CaseDecided(CaseFact, frozen=True, kw_only=True):
    """Approved or rejected, by rule or by a person. Effects leave from here, once."""

    kind: ClassVar[str] = "case_decided"
    agency: str
    number: int  # Of the step that decided.
    decision: Literal["approved", "rejected"]
    made_by: Literal["rule", "staff", "applicant", "time"]


class PromiseMissed(CaseFact, frozen=True, kw_only=True):
    """The promised day is over and nobody has decided."""

    kind: ClassVar[str] = "promise_missed"
    agency: str
    number: int  # Of its last step.


class CaseWithdrawn(CaseFact, frozen=True, kw_only=True):
    """The applicant took it back."""

    kind: ClassVar[str] = "case_withdrawn"


class CaseHandedOver(CaseFact, frozen=True, kw_only=True):
    """Somebody of an agency's staff has a case in hand from now on, or nobody."""

    kind: ClassVar[str] = "case_handed_over"
    agency: str
    clerk: uuid.UUID | None
    by: uuid.UUID


class PledgeChecked(CaseFact, frozen=True, kw_only=True):
    """A department that was silent has answered: whether what was pledged for these elements holds."""

    kind: ClassVar[str] = "pledge_checked"
    elements: tuple[str, ...]
    held: bool
    state: str = ""  # Where the case stood: once it is approved, a licence follows.
    verdict: str = ""  # What its rules say by now.
    number: int = 0  # The case's revision: what is told later has a higher one.
    open: bool = False  # Staff have to look at it.


class RecheckClosed(CaseFact, frozen=True, kw_only=True):
    """What was approved on a pledge that did not hold was looked at: the licence is kept, or ended."""

    kind: ClassVar[str] = "recheck_closed"
    number: int  # The case's revision.
    kept: bool
    made_by: Literal["rule", "staff"]
    sealed: bytes = b""  # Why.


class LicenceIssued(Fact, frozen=True, kw_only=True):
    """A case ended in a licence; what it says of its holder lies with the services."""

    kind: ClassVar[str] = "licence_issued"
    licence: uuid.UUID
    case: uuid.UUID
    person: uuid.UUID
    class_code: str
    valid_from: datetime
    valid_to: datetime

    @property
    def key(self) -> str:
        return str(self.licence)


class LicenceAmended(Fact, frozen=True, kw_only=True):
    """A licence says something else of its holder, or holds again: what was shown of the version before is superseded."""

    kind: ClassVar[str] = "licence_amended"
    licence: uuid.UUID
    person: uuid.UUID
    class_code: str
    version: int

    @property
    def key(self) -> str:
        return str(self.licence)


class LicenceSuspended(Fact, frozen=True, kw_only=True):
    """A licence does not hold for now: it was issued on a pledge that proved wrong, and staff have yet to look at it."""

    kind: ClassVar[str] = "licence_suspended"
    licence: uuid.UUID
    person: uuid.UUID
    class_code: str
    suspended_at: datetime

    @property
    def key(self) -> str:
        return str(self.licence)


class LicenceRevoked(Fact, frozen=True, kw_only=True):
    """A licence holds no longer, for a reason that is a code."""

    kind: ClassVar[str] = "licence_revoked"
    licence: uuid.UUID
    person: uuid.UUID
    class_code: str
    reason: str
    revoked_at: datetime

    @property
    def key(self) -> str:
        return str(self.licence)


class PermitGranted(Fact, frozen=True, kw_only=True):
    """A plate may park in a zone on better terms over `[valid_from, valid_to)`; `names` stand on the bill. It says nothing of the
    time before it was told: bills of then stay as they were."""

    kind: ClassVar[str] = "permit_granted"
    permit: uuid.UUID  # The licence that carries it, or one of its own where it was ended and granted anew.
    plate_token: bytes
    zone: str
    permit_kind: str  # What a tariff's condition asks for, such as `resident`.
    names: Names
    valid_from: datetime
    valid_to: datetime

    @property
    def key(self) -> str:
        return str(self.permit)


class PermitEnded(Fact, frozen=True, kw_only=True):
    """A permit ends before its time; no earlier than this was told."""

    kind: ClassVar[str] = "permit_ended"
    permit: uuid.UUID
    plate_token: bytes
    ended_at: datetime

    @property
    def key(self) -> str:
        return str(self.permit)


READINGS: tuple[type[Event], ...] = (SpotSeen, VehiclePassed, VehiclesCounted, DeviceHeard)
FACTS: tuple[type[Fact], ...] = (
    SiteChanged,
    DeviceAdded,
    TariffPublished,
    LevelChanged,
    RoleGranted,
    RoleRevoked,
    LogInEnded,
    PersonErased,
    PlateProved,
    PlateReleased,
    SessionOpened,
    SessionClosed,
    SessionVoided,
    DepartureSaid,
    BillSettled,
    TopUpPaid,
    WalletPaidOut,
    DebtPaid,
    MatterPublished,
    CaseOpened,
    CaseSubmitted,
    CaseMoved,
    CaseDecided,
    PromiseMissed,
    CaseWithdrawn,
    CaseHandedOver,
    PledgeChecked,
    RecheckClosed,
    LicenceIssued,
    LicenceAmended,
    LicenceSuspended,
    LicenceRevoked,
    PermitGranted,
    PermitEnded,
)
_KINDS: dict[str, type[Event]] = {event.kind: event for event in (*READINGS, *FACTS)}
_DECODERS = {kind: msgspec.json.Decoder(event) for kind, event in _KINDS.items()}
_encode = msgspec.json.Encoder().encode


class Told(msgspec.Struct, frozen=True, gc=False):
    """An event as the journal's columns."""

    at: datetime
    kind: str
    key: str
    body: str


def told(event: Event, at: datetime) -> Told:
    return Told(at, event.kind, event.key, body_of(event).decode())


def body_of(event: Event) -> bytes:
    return _encode(event)


def decode(kind: str, body: str) -> Event:
    """The event of a journal entry; an unknown kind is a newer program's and raises."""
    return _DECODERS[kind].decode(body)
