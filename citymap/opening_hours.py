"""Read the part of OpenStreetMap's opening_hours that car parks use; what is beyond it is unknown, never a guess."""

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

_DAYS: Final = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_SPAN: Final = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")
_MINUTES: Final = 1440

Spans = tuple[tuple[tuple[int, int], ...], ...]  # For each weekday the half-open spans of minutes; an end may lie beyond midnight.


def is_open(text: str, at: datetime) -> bool | None:
    """Whether it is open at a local time; None when nobody said, or in words this does not know."""
    week = _week(text.strip())
    if week is None:
        return None
    minute, day = at.hour * 60 + at.minute, at.weekday()
    today = any(begin <= minute < end for begin, end in week[day])
    return today or any(begin <= minute + _MINUTES < end for begin, end in week[(at - timedelta(days=1)).weekday()])


@lru_cache(maxsize=4096)
def _week(text: str) -> Spans | None:
    if not text:
        return None
    if text == "24/7":
        return (((0, _MINUTES),),) * 7
    week: list[tuple[tuple[int, int], ...]] = [()] * 7
    for rule in text.split(";"):
        days, _, hours = rule.strip().rpartition(" ")
        chosen, spans = _days(days.strip()), _spans(hours)
        if chosen is None or spans is None:
            return None
        for day in chosen:  # A later rule replaces an earlier one for its days.
            week[day] = spans
    return tuple(week)


def _days(text: str) -> list[int] | None:
    if not text:
        return list(range(7))
    chosen: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first not in _DAYS or (last and last not in _DAYS):
            return None
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        chosen += [day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)]
    return chosen


def _spans(text: str) -> tuple[tuple[int, int], ...] | None:
    if text in ("off", "closed"):
        return ()
    if text in ("24/7", "00:00-24:00"):
        return ((0, _MINUTES),)
    spans: list[tuple[int, int]] = []
    for part in text.split(","):
        match = _SPAN.fullmatch(part.strip())
        if match is None:
            return None
        begin, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
        if begin >= _MINUTES or end > 2 * _MINUTES:
            return None
        spans.append((begin, end if end > begin else end + _MINUTES))
    return tuple(spans)
