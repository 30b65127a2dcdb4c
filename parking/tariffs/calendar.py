"""Which days are worked: the official holidays, looked up by day, with the weekday rule where no list is known."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from parking.tariffs import yaml_nodes
from parking.tariffs.errors import Fault, TariffFaults
from parking.tariffs.model import DAY_WORDS
from parking.tariffs.yaml_nodes import Mapped

# A day's kind is a set of bits, one for each of DAY_WORDS and one for "no official list says so".
BIT_OF = {word: 1 << place for place, word in enumerate(DAY_WORDS)}
PROVISIONAL = 1 << len(DAY_WORDS)
_WORK, _REST, _HOLIDAY = (BIT_OF[word] for word in ("work", "rest", "holiday"))
_MONDAY = BIT_OF["mon"]


@dataclass(frozen=True)
class Calendar:
    """Days named as rest (holidays) and as work (shifted), and the years whose list is known."""

    rest: frozenset[date]
    work: frozenset[date]
    years: frozenset[int]
    _kinds: dict[int, int] = field(default_factory=dict, compare=False, repr=False)  # Remembered answers; they never change.

    def __post_init__(self) -> None:
        if both := self.rest & self.work:
            raise TariffFaults([Fault(0, "", f"{day.isoformat()} is named both as rest and as work") for day in sorted(both)])

    def kind(self, ordinal: int) -> int:
        """Bits of the day with this proleptic ordinal (`date.toordinal`)."""
        known = self._kinds.get(ordinal)
        if known is None:
            known = self._kinds[ordinal] = self._kind(date.fromordinal(ordinal))
        return known

    def is_rest(self, day: date) -> bool:
        return bool(self.kind(day.toordinal()) & _REST)

    @property
    def version(self) -> str:
        """A digest that a final bill can keep, so that a later list is seen to concern it or not."""
        days = [f"{day.isoformat()} rest" for day in self.rest] + [f"{day.isoformat()} work" for day in self.work]
        return sha256("\n".join([*sorted(days), *map(str, sorted(self.years))]).encode()).hexdigest()[:16]

    def _kind(self, day: date) -> int:
        weekday = _MONDAY << day.weekday()
        if day in self.rest:
            return weekday | _REST | _HOLIDAY
        if day in self.work:
            return weekday | _WORK
        by_weekday = weekday | (_REST if day.weekday() >= 5 else _WORK)
        return by_weekday if self._official(day) else by_weekday | PROVISIONAL

    def _official(self, day: date) -> bool:
        # The New Year's holiday of the next list may reach back into the last days of December.
        late = day.month == 12 and day.day >= 26
        return day.year in self.years and (not late or day.year + 1 in self.years)


def read_calendar(text: str | bytes) -> Calendar:
    """Read a file of official lists; every fault at once."""
    root = yaml_nodes.read(text).only("calendars")
    rest, work, years = set[date](), set[date](), set[int]()
    listed = root.need("calendars")
    for entry in listed.items() if listed else []:
        notice = entry.mapping().only("year", "source", "rest", "work")
        notice.need("source")
        if (year := notice.need("year")) is not None:
            years.add(year.whole(least=1992, most=9999))
        rest |= _days(notice, "rest")
        work |= _days(notice, "work")
    root.node.faults.raise_if_any()
    return Calendar(frozenset(rest), frozenset(work), frozenset(years))


def changed_days(old: Calendar, new: Calendar) -> list[date]:
    """Days that a newly loaded calendar prices otherwise: final bills that touch them keep the old one and are listed."""
    named = old.rest | old.work | new.rest | new.work
    strip = ~PROVISIONAL
    return sorted(day for day in named if old.kind(day.toordinal()) & strip != new.kind(day.toordinal()) & strip)


@lru_cache(maxsize=1)
def official() -> Calendar:
    """The lists shipped with this package."""
    return read_calendar((Path(__file__).parent / "holidays.yaml").read_bytes())


def calendar_of(rest: Iterable[date], work: Iterable[date], years: Iterable[int]) -> Calendar:
    return Calendar(frozenset(rest), frozenset(work), frozenset(years))


def _days(notice: Mapped, key: str) -> set[date]:
    days = set[date]()
    listed = notice.get(key)
    for node in listed.items() if listed else []:
        first, _, last = node.raw().partition("/")
        try:
            start, end = date.fromisoformat(first), date.fromisoformat(last or first)
        except ValueError:
            node.fault(f"{node.raw()!r} is not a day (2026-01-01) or a pair of days (2026-01-01/2026-01-03)")
            continue
        if not 0 <= (end - start).days < 60:
            node.fault(f"{node.raw()!r} does not run forward within sixty days")
            continue
        days |= {start + timedelta(days=n) for n in range((end - start).days + 1)}
    return days
