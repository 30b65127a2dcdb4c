"""What a case is, how its promise is counted, and whom outside of this slice it asks. Pure."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, Protocol

from foundation import clock
from foundation.seal import Personal
from services.catalog.draft import Draft
from services.catalog.model import Matter
from services.evidence.model import Evidence
from services.flow.model import Step

State = Literal["draft", "submitted", "in_review", "supplement", "approved", "rejected", "withdrawn"]
MadeBy = Literal["rule", "staff", "applicant", "time"]
OPEN: tuple[State, ...] = ("draft", "submitted", "in_review", "supplement")
DECIDED: tuple[State, ...] = ("approved", "rejected")
DRAFTS_MAX = 20  # A person: each new one asks the departments anew.
REASON_MAX = 1000
PLEDGE_AFTER = timedelta(minutes=1)  # When a silent department is asked again, then twice as long each time, up to a day.
PLEDGE_LATEST = timedelta(days=1)
PLEDGE_TRIES_MAX = 40
CHECKS_MAX = 60  # Of a case: what was pledged is asked again, by us and when she says that it was corrected.
CHECK_AGAIN = timedelta(minutes=1)
WORDS = {"approve": "approved", "reject": "rejected", "supplement": "supplement"}  # Which letter a decision sends.
RECHECK_WORDS = {"approve": "kept", "reject": "ended"}


class WorkingDays(Protocol):
    def is_rest(self, day: date) -> bool: ...


@dataclass(frozen=True, slots=True)
class Made:
    """A step of a case, with who made it and when."""

    number: int
    task: str
    word: str
    made_by: MadeBy
    actor: uuid.UUID | None
    reason: bytes | None
    at: datetime

    @property
    def step(self) -> Step:
        return Step(self.task, self.word)


@dataclass(frozen=True, slots=True)
class Case:
    """A case as its row has it; `sealed` is the draft."""

    id: uuid.UUID
    person: uuid.UUID
    matter: str
    version: str
    agency: str
    state: State
    revision: int
    sealed: bytes
    created_at: datetime
    submitted_at: datetime | None
    due_at: datetime | None
    paused_at: datetime | None
    decided_at: datetime | None
    staff_waits: bool
    clerk: uuid.UUID | None = None  # Who of the agency's staff has it in hand.

    @property
    def etag(self) -> str:
        return f'"{self.revision}"'


@dataclass(frozen=True, slots=True)
class Recheck:
    """What was approved on a pledge that did not hold, before staff once more."""

    number: int
    since: datetime
    due_at: datetime
    closed_at: datetime | None = None
    kept: bool | None = None
    made_by: Literal["rule", "staff"] | None = None
    reason: bytes | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A case with everything that belongs to it, unsealed."""

    case: Case
    matter: Matter
    draft: Draft
    steps: Sequence[Made]
    rechecks: Sequence[Recheck]
    files: Sequence[Evidence]
    key: Personal  # The applicant's own; whatever is said of her is sealed by it, so that dropping it forgets all of it.

    @property
    def recheck(self) -> Recheck | None:
        """The one that waits for staff now."""
        return next((one for one in self.rechecks if one.closed_at is None), None)


# The promise


def due_after(start: datetime, days: int, calendar: WorkingDays) -> datetime:
    """The end of the so manieth working day after the day of `start`."""
    day = clock.local(start).date()
    while days > 0:
        day += timedelta(days=1)
        days -= not calendar.is_rest(day)
    after = day + timedelta(days=1)
    return datetime(after.year, after.month, after.day, tzinfo=clock.CITY_ZONE)


def days_left(now: datetime, due: datetime, calendar: WorkingDays) -> int:
    """Working days from tomorrow to the last day of the promise."""
    day, last = clock.local(now).date(), (clock.local(due) - timedelta(seconds=1)).date()
    left = 0
    while day < last:
        day += timedelta(days=1)
        left += not calendar.is_rest(day)
    return left


def due_resumed(due: datetime, paused_at: datetime, now: datetime, calendar: WorkingDays) -> datetime:
    """The clock stood still: what was left when it stopped is left when it goes on."""
    return due_after(now, max(1, days_left(paused_at, due, calendar)), calendar)


def pledge_after(tries: int, now: datetime) -> datetime:
    return now + min(PLEDGE_AFTER * (1 << min(tries, 20)), PLEDGE_LATEST)
