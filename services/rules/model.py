"""What rules believe about the world: a value, none, or unknown; and what a decision is made of. Pure."""

import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal

import msgspec

Kind = Literal["string", "date", "integer", "number", "boolean", "strings"]
State = Literal["value", "none", "unknown"]
Verdict = Literal["yes", "no", "unknown"]
Words = Mapping[str, str]  # The same sentence in `zh` and `en`.

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_PRESENT = re.compile(r"\bpresent\(\s*([A-Za-z_][A-Za-z0-9_.]*)\s*\)")
_BOUND = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)\s*(>=|<=|>|<)\s*(-?\d+)\b(?!\.)")


class Known(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of one variable, by whom and since when. `none`: the source knows that there is none."""

    state: State
    value: Any = None
    source: str = ""
    as_of: datetime | None = None


class Require(msgspec.Struct, frozen=True, kw_only=True, rename={"otherwise": "else"}):
    """One condition: `when` holds or does not, or nobody can know now."""

    id: str
    cite: str
    when: str
    then: dict[str, str]
    otherwise: dict[str, str]
    unknown: dict[str, str]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """`facts` are names for expressions, in order; `kinds` are the variables they may use."""

    kinds: dict[str, Kind]
    facts: dict[str, str]
    require: tuple[Require, ...]


class UsedValue(msgspec.Struct, frozen=True):
    element: str
    value: Any
    source: str
    as_of: datetime | None


class Reason(msgspec.Struct, frozen=True):
    """Why: the rule and its article, what it said in both languages, and the values it saw."""

    rule: str
    article: str
    verdict: Verdict
    text: dict[str, str]
    values: tuple[UsedValue, ...]


class Decision(msgspec.Struct, frozen=True):
    """`no` when one rule says no; else `unknown` when one cannot know; else `yes`."""

    verdict: Verdict
    reasons: tuple[Reason, ...]


def words_in(expression: str) -> set[str]:
    """The names that an expression uses; what stands in quotes is no name."""
    return set(_WORD.findall(_QUOTED.sub("''", expression)))


def variables_in(expression: str, known: Mapping[str, object]) -> set[str]:
    return {word for word in words_in(expression) if word in known}


def present_name(variable: str) -> str:
    return "present_" + variable.replace(".", "__")


def with_presence(expression: str) -> str:
    """`present(a.b)` as a variable of its own: it is there when `a.b` is none, and away when nobody knows."""
    return _PRESENT.sub(lambda found: present_name(found[1]), expression)


def bounds_in(expression: str) -> list[tuple[str, str, int]]:
    """Each comparison with a whole number: what, how, with which."""
    return [(name, sign, int(number)) for name, sign, number in _BOUND.findall(_QUOTED.sub("''", expression))]


def beside(sign: str, number: int) -> tuple[int, int]:
    """The two neighbours between which the answer of a comparison changes."""
    return (number - 1, number) if sign in (">=", "<") else (number, number + 1)


# Dates


def days_between(start: str, end: str) -> int:
    return (date.fromisoformat(end) - date.fromisoformat(start)).days


def age(born: str, today: str) -> int:
    """Whole years. An anniversary that a year does not have (29 February) is reached on the next day: a year of age is
    complete when the day before the anniversary has ended, and 28 February is not that anniversary (Civil Code, art. 17 and 1259).
    """
    first, now = date.fromisoformat(born), date.fromisoformat(today)
    return now.year - first.year - ((now.month, now.day) < (first.month, first.day))


def years_after(day: str, years: int) -> str:
    """The anniversary as a date, by the same convention."""
    first = date.fromisoformat(day)
    try:
        return first.replace(year=first.year + years).isoformat()
    except ValueError:
        return date(first.year + years, 3, 1).isoformat()


# Values


def typed(kind: Kind, value: Any) -> Any:  # str | int | float | bool | list[str]
    """The value as rules take it, whatever number a department's serialiser made of it. Raises ValueError when it is of another kind."""
    if kind in ("string", "date") and isinstance(value, str):
        return date.fromisoformat(value).isoformat() if kind == "date" else value
    if kind == "boolean" and isinstance(value, bool):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        if kind == "integer" and value == int(value):
            return int(value)
        if kind == "number":
            return float(value)
    if kind == "strings" and isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return list(value)
    raise ValueError(f"this is no {kind}")
