"""A matter's own tests, and the proof that they leave no boundary of its rules untried."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from services.catalog import documents, draft
from services.catalog.compile_matter import RULES, compile_matter
from services.catalog.documents import Document
from services.catalog.errors import Fault, MatterFaults
from services.catalog.model import Matter
from services.flow import run_flow
from services.flow.errors import NotWaiting
from services.flow.model import Position, Step
from services.forms import model as forms
from services.forms.model import FILE, PLACE
from services.forms.outside import FileFact, Outside, Place
from services.rules import engine
from services.rules import model as rules
from services.rules.model import Decision, Known, Verdict

KEYS = ("name", "today", "sources", "down", "form", "do", "then")
THEN = ("outcome", "state", "missing", "because")


@dataclass(slots=True)
class Seen:
    """What all tests together saw: how each rule came out, and which values stood behind it."""

    verdicts: dict[str, set[Verdict]] = field(default_factory=dict)
    values: dict[str, set[Any]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)


def prove(files: Mapping[str, str]) -> tuple[Matter, list[str]]:
    """The matter and the tests that it passed, by name. Raises MatterFaults with everything that is wrong."""
    matter, faults = compile_matter(files)
    if matter is None:
        raise MatterFaults(faults)
    seen = Seen()
    names = sorted(name for name in files if name.startswith("tests/"))
    for name in names:
        document = documents.read(name, files[name], faults)
        for place, said in enumerate(document.value if isinstance(document.value, list) else [document.value]):
            at = f"/{place}" if isinstance(document.value, list) else ""
            if isinstance(said, dict):
                _run(matter, document, at, said, seen)
            else:
                document.fault(at, "a test has name, today, sources, form and then")
    if not names:
        faults.append(Fault("tests/rules.yaml", 1, "a matter has tests: this file is missing"))
    faults += _untried(matter, files[RULES], seen)
    if faults:
        raise MatterFaults(faults)
    return matter, seen.names


def _run(matter: Matter, document: Document, at: str, said: dict[str, Any], seen: Seen) -> None:
    document.only(at, KEYS)
    name, today = str(said.get("name", at)), str(said.get("today", ""))
    try:
        now = datetime.fromisoformat(today).replace(tzinfo=UTC)
    except ValueError:
        document.fault(at, f"{name}: `today` is a day like 2026-03-02")
        return
    memory = _memory(matter, document, at, said, now)
    form = said.get("form") if isinstance(said.get("form"), dict) else {}
    begun, errors = draft.patched(matter, draft.begun(matter, memory), form or {}, _outside(matter, form or {}))
    for error in errors:
        document.fault(f"{at}/form{error.pointer}", f"{name}: {error.pointer}: {error.detail}")
    world = draft.world(matter, begun, now)
    decision = engine.decide(matter.rules, world, today)
    seen.names.append(name)
    _see(matter, world, decision, today, seen)
    _compare(matter, document, at, name, said, begun, decision)


def _outside(matter: Matter, form: Mapping[str, Any]) -> Outside:
    """A test has no city around it: each file that it names lies there, and each place is one of those asked for."""
    asked = [field for field in forms.fields_of(matter.form) if FILE in field.schema]
    named = {field.pointer: forms.value_at(form, field.pointer) for field in asked}
    kind_of = {field.pointer: str(field.schema[FILE]["types"][0]) for field in asked}
    files = {
        str(one): FileFact(pointer, kind_of[pointer]) for pointer, ids in named.items() if isinstance(ids, list) for one in ids
    }  # fmt: skip
    kinds = [kind for field in forms.fields_of(matter.form) if PLACE in field.schema for kind in field.schema[PLACE].get("kinds", ())]
    return Outside(files, _Anywhere(kinds[0] if kinds else "hub"))


@dataclass(frozen=True, slots=True)
class _Anywhere:
    kind: str

    def find(self, place: str) -> Place | None:
        return Place(place, self.kind, place, place, 0.0, 0.0)

    def holds(self, lon: float, lat: float) -> bool:
        return True


def _memory(matter: Matter, document: Document, at: str, said: dict[str, Any], now: datetime) -> dict[str, Known]:
    """What the departments say in this test: a value, `null` for none, or nothing from those that are down."""
    given, down = document.mapping(f"{at}/sources") if "sources" in said else {}, said.get("down") or []
    found: dict[str, Known] = {}
    for element in matter.asked():
        if draft.agency_of(element) in down:
            found[element] = Known(state="unknown", source=draft.agency_of(element))
        elif element not in given:
            document.fault(at, f"{said.get('name')}: the test does not say what {element} is (null where the source knows of none)")
        else:
            state: rules.State = "none" if given[element] is None else "value"
            found[element] = Known(state=state, value=given[element], source=draft.agency_of(element), as_of=now)
    for element in given:
        if element not in matter.asked():
            document.fault(f"{at}/sources/{element}", f"nobody asks for {element!r}")
    return found


def _compare(matter: Matter, document: Document, at: str, name: str, said: dict[str, Any], begun: draft.Draft, decision: Decision) -> None:
    wanted = document.only(f"{at}/then", THEN)
    if not wanted:
        document.fault(at, f"{name}: a test says what comes out, under `then`")
    found: dict[str, Any] = {
        "outcome": decision.verdict,
        "missing": draft.missing(matter, begun),
        "because": sorted(reason.rule for reason in decision.reasons if reason.verdict == decision.verdict),
    }
    if "state" in wanted:
        try:
            found["state"] = acted(matter, decision.verdict, [str(word) for word in said.get("do") or []]).state
        except NotWaiting as error:
            found["state"] = str(error)
    for key, value in wanted.items():
        value = sorted(value) if isinstance(value, list) else value
        if found.get(key) != value:
            document.fault(f"{at}/then/{key}", f"{name}: {key} is {found.get(key)!r}, not {value!r}")


def acted(matter: Matter, verdict: Verdict, words: list[str]) -> Position:
    """Where a case stands when the rules came out so and people then did these things: `approve`, `supplement`, or a task's name."""
    steps: list[Step] = []
    position = run_flow.walk(matter.flow, steps)
    todo = list(words)
    while position.end is None:
        task = position.waiting[0].node
        if task.kind == "rules":
            steps.append(Step(task.id, verdict))
        elif not todo:
            break
        elif task.role == "staff":
            steps.append(Step(task.id, todo.pop(0)))
        else:
            steps.append(Step(todo.pop(0)))
        position = run_flow.walk(matter.flow, steps)
    return position


def _see(matter: Matter, world: Mapping[str, Known], decision: Decision, today: str, seen: Seen) -> None:
    for reason in decision.reasons:
        seen.verdicts.setdefault(reason.rule, set()).add(reason.verdict)
    compiled = engine.compile_rules(matter.rules)
    for name, value in engine.activation(compiled, world, today).items():
        if isinstance(value, int | float | str):
            seen.values.setdefault(name, set()).add(value)


def _untried(matter: Matter, text: str, seen: Seen) -> Iterator[Fault]:
    """Rules that no test saw come out one way, and numbers beside which no test stood."""
    document = documents.read(RULES, text, [])
    compiled = engine.compile_rules(matter.rules)
    sourced = {one.name for one in matter.reads} | {one.pointer.strip("/").replace("/", ".") for one in matter.prefills}
    for place, rule in enumerate(matter.rules.require):
        line = document.line(f"/require/{place}/when")
        wanted: list[Verdict] = ["yes", "no", *(["unknown"] if compiled.uses[rule.id] & sourced else [])]  # type: ignore[list-item]
        for verdict in wanted:
            if verdict not in seen.verdicts.get(rule.id, set()):
                yield Fault(RULES, line, f"no test sees {rule.id} come out {verdict!r}")
        yield from _boundaries(rule.when, line, seen)
    for name, expression in matter.rules.facts.items():
        yield from _boundaries(expression, document.line(f"/facts/{name}"), seen)


def _boundaries(expression: str, line: int, seen: Seen) -> Iterator[Fault]:
    for name, sign, number in rules.bounds_in(expression):
        for value in rules.beside(sign, number):
            if value not in seen.values.get(name, set()):
                yield Fault(RULES, line, f"the boundary {name} {sign} {number} has no test with {name} = {value}")
