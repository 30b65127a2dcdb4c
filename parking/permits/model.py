"""What a permit is to parking: a plate, a zone and a span of time, of which only what lay ahead when it was told counts. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Permit:
    """Holds over `[start, end)`; nothing when the end is not after the start."""

    plate_token: bytes
    zone: str
    kind: str
    name_zh: str
    name_en: str
    start: datetime
    end: datetime


class Presence(NamedTuple):
    """A visit of the plate: where, and over which span."""

    zone: str
    start: datetime
    end: datetime


def starts_at(valid_from: datetime, told_at: datetime) -> datetime:
    """A grant says nothing of the time before it was told: bills of then stay as they were, whoever heard of what first."""
    return max(valid_from, told_at)


def ends_at(valid_to: datetime, ended_at: datetime, told_at: datetime) -> datetime:
    """Nor does an end: nobody pays afterwards for hours in which the permit held."""
    return min(valid_to, max(ended_at, told_at))


def covering(permits: Sequence[Permit], presences: Iterable[Presence]) -> list[Permit]:
    """Permits as far as the plate was in their zone, one piece for each visit: a chain of visits may cross zones."""
    pieces = [
        replace(permit, start=max(permit.start, visit.start), end=min(permit.end, visit.end))
        for visit in presences
        for permit in permits
        if permit.zone and permit.zone == visit.zone
    ]
    return [piece for piece in pieces if piece.start < piece.end]
