"""What the exchange believes: three answers, which interfaces to ask for which elements, and when a department counts as down. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

State = Literal["value", "none", "unknown"]
Class = Literal["public", "internal", "personal", "sensitive"]
Outcome = Literal["agrees", "differs", "told", "none", "unknown"]
CLASSES = ("public", "internal", "personal", "sensitive")
MASKS = ("none", "hidden", "name", "id_no", "phone", "plate")

FAILURES_MAX = 5  # In a row; then a department is left alone for a while.
REST_SECONDS = 5.0  # Then one question tries whether it is back.


@dataclass(frozen=True, slots=True)
class Answer:
    """`value`: the source says so. `none`: the source knows that there is none. `unknown`: the source did not answer, `why` says how.

    An outage is never a "no": unknown becomes a pledge that is checked later.
    """

    element: str
    state: State
    source: str
    value: Any = field(default=None, repr=False)  # JSON, as the department wrote it
    as_of: datetime | None = None
    why: str = ""

    @property
    def known(self) -> bool:
        return self.state != "unknown"


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a pledge: the source agrees with what the person said, differs, tells what she left open, has none, is still away."""

    answer: Answer
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Name:
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Element:
    """One piece of data, classed once for everybody."""

    code: str
    classed: Class
    mask: str
    name: Name


@dataclass(frozen=True, slots=True)
class Interface:
    """One question that a department takes, and where in its answer each element stands."""

    id: str
    source: str
    purposes: frozenset[str]
    freshness: timedelta
    deadline_seconds: float
    quota_per_minute: int
    elements: Mapping[str, str]  # Element -> JSON pointer.


@dataclass(frozen=True, slots=True)
class Catalogue:
    agencies: Mapping[str, Name]
    interfaces: Mapping[str, Interface]
    elements: Mapping[str, Element]


@dataclass(frozen=True, slots=True)
class Told:
    """A department's answer, valid by its contract and about the person asked for. Without a body: it knows that it has nothing."""

    as_of: datetime
    body: Mapping[str, Any] | None = field(repr=False)


class Departments(Protocol):
    async def ask(self, interface: Interface, id_no: str) -> Told:
        """Raises errors.NoAnswer, errors.AskedWrongly."""


def plan(catalogue: Catalogue, wanted: Collection[str]) -> list[tuple[Interface, list[str]]]:
    """The fewest interfaces that know what is wanted, each with what is wanted of it. Raises KeyError for what nobody knows."""
    left, chosen = set(wanted), []
    while left:
        best = max(catalogue.interfaces.values(), key=lambda one: len(left & one.elements.keys()))
        found = sorted(left & best.elements.keys())
        if not found:
            raise KeyError(f"no department knows {', '.join(sorted(left))}")
        chosen.append((best, found))
        left -= set(found)
    return chosen


def answers_of(interface: Interface, elements: Collection[str], told: Told, now: datetime) -> list[Answer]:
    """Data that are too old are no answer: what they say may have changed since."""
    if now - told.as_of > interface.freshness:
        return unknown(interface, elements, "stale")
    return [_answer(interface, element, told) for element in elements]


def unknown(interface: Interface, elements: Collection[str], why: str) -> list[Answer]:
    return [Answer(element, "unknown", interface.source, why=why) for element in elements]


def _answer(interface: Interface, element: str, told: Told) -> Answer:
    value = None if told.body is None else at_pointer(told.body, interface.elements[element])
    return Answer(element, "none" if value is None else "value", interface.source, value, told.as_of)


def at_pointer(body: Any, pointer: str) -> Any:
    """What stands at a JSON pointer; None when nothing does."""
    for name in pointer.strip("/").split("/"):
        if not isinstance(body, Mapping) or name not in body:
            return None
        body = body[name]
    return body


def checked(answer: Answer, said: object) -> Checked:
    """A pledge against what the source says by now; `said` is None for what the person left open."""
    if not answer.known:
        return Checked(answer, "unknown")
    if answer.state == "none":
        return Checked(answer, "none")
    if said is None:
        return Checked(answer, "told")
    return Checked(answer, "agrees" if answer.value == said else "differs")


@dataclass(slots=True)
class Breaker:
    """Leaves a department alone that failed again and again. A "there is none" is an answer: fifty of them are not an outage."""

    failures: int = 0
    tried_at: float = float("-inf")

    def lets(self, now: float) -> bool:
        """Whether to ask. While it rests, one question at a time tries whether the department is back."""
        if self.failures < FAILURES_MAX:
            return True
        if now - self.tried_at < REST_SECONDS:
            return False
        self.tried_at = now
        return True

    def answered(self) -> None:
        self.failures = 0

    def failed(self, now: float) -> None:
        self.failures += 1
        self.tried_at = now


@dataclass(slots=True)
class Quota:
    """As many questions a minute as the department agreed to; what is beyond waits for the next one."""

    begin: float = float("-inf")
    spent: int = 0

    def takes(self, now: float, per_minute: int) -> bool:
        if now - self.begin >= 60.0:
            self.begin, self.spent = now, 0
        if self.spent >= per_minute:
            return False
        self.spent += 1
        return True
