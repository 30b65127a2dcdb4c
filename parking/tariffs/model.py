"""What a tariff, a stay and a price are: frozen values that every bill can be derived from again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

CITY = ZoneInfo("Asia/Shanghai")
DAY_SECONDS = 86_400
PLATE_COLOURS = ("blue", "yellow", "green", "yellow_green", "white", "black", "other")
NEW_ENERGY_COLOURS = frozenset({"green", "yellow_green"})
VEHICLE_TYPES = ("small", "large", "motorcycle", "unknown")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_WORDS = ("work", "rest", "holiday", *WEEKDAYS)
MAX_STAY_DAYS = 3_700  # Ten years: beyond it an entry is a clock that was never set, and the arithmetic stays bounded.
# Asia/Shanghai has had one offset since 15 September 1991, so from here on a second of the wall is a second of the clock.
_ONE_OFFSET_SINCE = datetime(1992, 1, 1, tzinfo=UTC)

Count = Literal["stay", "window", "day"]
Once = Literal["occurrence", "day", "stay"]
LineKind = Literal["time", "permit", "cap", "discount", "rounding", "earlier"]


@dataclass(frozen=True, slots=True)
class Text:
    """The same words for both kinds of reader."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Step:
    """One tier: `price` fen for each `per` minutes, until `until` minutes are used up; `per` 0 is a flat price."""

    per: int
    price: int
    until: int | None = None
    once: Once = "occurrence"  # How often a flat price is paid.


@dataclass(frozen=True, slots=True)
class Season:
    """Days of each year from `first` through `last` (month, day), both included; may run over the new year."""

    first: tuple[int, int]
    last: tuple[int, int]

    def holds(self, day: tuple[int, int]) -> bool:
        if self.first <= self.last:
            return self.first <= day <= self.last
        return day >= self.first or day <= self.last


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of the clock with one price rule. `start` and `end` are seconds of the local day; `end <= start` crosses midnight."""

    name: str
    steps: tuple[Step, ...]
    start: int = 0
    end: int = DAY_SECONDS
    days: tuple[str, ...] | None = None
    days_of: Literal["start", "instant"] | None = None  # Which day owns the hours after midnight.
    season: Season | None = None
    vehicle: tuple[str, ...] | None = None
    plate: tuple[str, ...] | None = None
    count: Count = "stay"
    round: Literal["up", "down"] = "up"
    tail: int = 0  # Minutes: a begun step of at most this length costs nothing.
    edge: Literal["cut", "run"] = "cut"
    cap: int | None = None
    title: Text | None = None

    @property
    def length(self) -> int:
        return self.end - self.start if self.end > self.start else self.end - self.start + DAY_SECONDS


@dataclass(frozen=True, slots=True)
class Condition:
    """What a car must be, judged at entry: energy new, a plate colour, a vehicle type, the holder of a named permit."""

    of: Literal["energy", "plate", "vehicle", "permit"]
    among: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExtraFree:
    condition: Condition
    minutes: int


@dataclass(frozen=True, slots=True)
class Free:
    """Free minutes: `threshold` counts from the first second once exceeded, `deduct` never counts them."""

    minutes: int = 0
    mode: Literal["threshold", "deduct"] = "threshold"
    new_energy_extra: int = 0
    extra: tuple[ExtraFree, ...] = ()
    once_per: Literal["chain", "day", "rolling"] = "chain"  # `rolling`: once in 24 hours.


@dataclass(frozen=True, slots=True)
class Reentry:
    """Visits less than `gap_minutes` apart are one chain, priced together."""

    gap_minutes: int
    same: Literal["lot", "tariff"] = "lot"


@dataclass(frozen=True, slots=True)
class Caps:
    """Most that a day (city's calendar day, or 24 hours from entry) and a whole stay may cost, in fen.

    `of: plate` counts all visits of a plate in a day together; 24 hours then run from the entry that was first charged in them.
    """

    day: int | None = None
    period: Literal["calendar", "rolling"] = "calendar"
    stay: int | None = None
    of: Literal["visit", "plate"] = "visit"


@dataclass(frozen=True, slots=True)
class Discount:
    """`percent` is what is taken off, rounded to a fen in the driver's favour."""

    condition: Condition
    percent: int
    stage: Literal["before_caps", "after_caps"] = "after_caps"
    windows: tuple[str, ...] | None = None  # Only of prices of these windows (before_caps).


@dataclass(frozen=True, slots=True)
class Permits:
    """Which windows a permit makes free; None is all of them."""

    windows: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Applies:
    """What the tariff is for; None is everything."""

    lots: tuple[str, ...] | None = None
    vehicle: tuple[str, ...] | None = None
    plate: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A price the operator has signed: publishing computes it again."""

    start: datetime
    end: datetime
    fen: int
    colour: str = "blue"
    vehicle: str = "small"
    permit: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True)
class Tariff:
    """One immutable version of a published rule."""

    code: str
    version: int
    effective_from: datetime
    windows: tuple[Window, ...]
    effective_to: datetime | None = None
    pin: Literal["entry", "change"] = "entry"
    applies: Applies = Applies()
    free: Free = Free()
    reentry: Reentry | None = None
    caps: Caps = Caps()
    discounts: tuple[Discount, ...] = ()
    permits: Permits | None = None
    round_total: int = 1
    leave_within_minutes: int = 0
    text: Text | None = None
    examples: tuple[Example, ...] = ()
    # Where each pointer stood in the file, for faults found later. Not part of what the tariff is.
    places: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    def __hash__(self) -> int:
        return hash((self.code, self.version))  # Cheap, since the evaluator looks its plan up by tariff for every stay.

    def in_force_at(self, instant: datetime) -> bool:
        return self.effective_from <= instant and (self.effective_to is None or instant < self.effective_to)


class PermitSpan(msgspec.Struct, frozen=True):
    """A permit held over `[start, end)`; `windows` narrows what the tariff lets a permit free, None takes all of that.

    `name` is what conditions ask for, `title` what people read.
    """

    start: datetime
    end: datetime
    windows: tuple[str, ...] | None = None
    name: str = "permit"
    title: Text | None = None

    def __post_init__(self) -> None:
        _aware(self.start, self.end)


class Visit(msgspec.Struct, frozen=True):
    """An earlier, finished visit of the same plate."""

    entry: datetime
    exit: datetime
    site: str = ""

    def __post_init__(self) -> None:
        _span(self.entry, self.exit)


class Stay(msgspec.Struct, frozen=True):
    """What has to be known of a stay `[entry, exit)` to price it. `earlier` may hold more visits than matter."""

    entry: datetime
    exit: datetime
    plate_colour: str = "blue"
    vehicle_type: str = "small"
    permits: tuple[PermitSpan, ...] = ()
    earlier: tuple[Visit, ...] = ()
    exempt: bool = False
    site: str = ""

    def __post_init__(self) -> None:
        _span(self.entry, self.exit)


class Line(msgspec.Struct, frozen=True):
    """One row of the derivation. Lines of kind `time` tile the stay; the sum of all amounts (fen) is the total.

    `permit`, `cap`, `discount` and `rounding` are negative; `earlier` is what the earlier visits of a chain add now that they
    are counted together, less what was asked for them, and may have either sign.
    """

    kind: LineKind
    start: datetime
    end: datetime
    what_zh: str
    what_en: str
    amount: int


class Price(msgspec.Struct, frozen=True):
    """Total in fen with its derivation; provisional while a touched year has no official calendar."""

    total: int
    lines: tuple[Line, ...]
    provisional: bool


def _aware(*instants: datetime) -> None:
    for instant in instants:
        if instant.tzinfo is None:
            raise ValueError("an instant needs its offset")


def _span(entry: datetime, exit: datetime) -> None:
    _aware(entry, exit)
    if exit < entry:
        raise ValueError("a stay cannot end before it begins")
    if entry < _ONE_OFFSET_SINCE or exit - entry > timedelta(days=MAX_STAY_DAYS):
        raise ValueError("a stay begins in 1992 or later and lasts at most ten years")
