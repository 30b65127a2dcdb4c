"""Evaluate CEL: compiled against typed variables, total when it runs (an error is a value of its own and never passes for an answer)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from cel_expr_python import cel

from foundation.kept import Kept
from services.rules import model
from services.rules.errors import RuleFault
from services.rules.model import Decision, Kind, Known, Reason, Require, Rules, UsedValue, Verdict

log = structlog.get_logger()

LENGTH_MAX = 2000  # Characters of an expression: nested loops over long lists are how CEL gets slow.
_TYPES = {
    "string": cel.Type.STRING,
    "date": cel.Type.STRING,  # A calendar date has no zone: ISO text compares as dates do.
    "integer": cel.Type.INT,
    "number": cel.Type.DOUBLE,
    "boolean": cel.Type.BOOL,
    "strings": cel.Type.List(cel.Type.STRING),
}
_KINDS: dict[str, Kind] = {"BOOL": "boolean", "INT": "integer", "STRING": "string", "DOUBLE": "number"}


def _function(name: str, call: Any, parameters: list[Any], answer: Any) -> Any:
    return cel.FunctionDecl(name, [cel.Overload(name, return_type=answer, parameters=parameters, impl=call)])


_FUNCTIONS = [
    _function("days_between", model.days_between, [cel.Type.STRING, cel.Type.STRING], cel.Type.INT),
    _function("age", model.age, [cel.Type.STRING, cel.Type.STRING], cel.Type.INT),
    _function("years_after", model.years_after, [cel.Type.STRING, cel.Type.INT], cel.Type.STRING),
]


class Expression:
    """One compiled expression."""

    def __init__(self, env: Any, text: str) -> None:
        """Raises RuleFault: a misspelt name, kinds that do not fit."""
        if len(text) > LENGTH_MAX:
            raise RuleFault(f"an expression has at most {LENGTH_MAX} characters")
        try:
            self._compiled = env.compile(model.with_presence(text))
        except RuntimeError as error:
            raise RuleFault(_plain(str(error))) from None
        self.kind = _KINDS.get(self._compiled.return_type().name())

    def value(self, data: Mapping[str, Any]) -> Any:
        """None when there is no answer: a variable is away, or two things cannot be compared."""
        found = self._compiled.eval(data=dict(data))
        return None if found.type() == cel.Type.ERROR else found.plain_value()


def environment(kinds: Mapping[str, Kind]) -> Any:  # a cel.Env
    variables = {name: _TYPES[kind] for name, kind in kinds.items()}
    present = {model.present_name(name): cel.Type.BOOL for name in kinds}
    return cel.NewEnv(variables={**variables, **present}, functions=_FUNCTIONS)


@dataclass(frozen=True, slots=True)
class Compiled:
    """The rules of one version, ready to decide."""

    rules: Rules
    facts: Mapping[str, Expression]
    kinds: Mapping[str, Kind]  # Those of the facts, too.
    require: tuple[tuple[Require, Expression], ...]
    uses: Mapping[str, frozenset[str]]  # Which variables stand behind each fact and rule.


def compile_rules(rules: Rules) -> Compiled:
    """Raises RuleFault with the name of the fact or rule that is wrong."""
    kinds: dict[str, Kind] = {"today": "date", **rules.kinds}
    facts: dict[str, Expression] = {}
    uses: dict[str, frozenset[str]] = {}
    for name, text in rules.facts.items():
        facts[name] = _named(name, kinds, text)
        kind = facts[name].kind
        if kind is None:
            raise RuleFault("a fact is a text, a number, or true or false", name)
        uses[name] = _behind(text, kinds, uses)
        kinds[name] = kind
    require = []
    for rule in rules.require:
        expression = _named(rule.id, kinds, rule.when)
        if expression.kind != "boolean":
            raise RuleFault("a condition is true or false; this is something else", rule.id)
        uses[rule.id] = _behind(rule.when, kinds, uses)
        require.append((rule, expression))
    return Compiled(rules, facts, kinds, tuple(require), uses)


def _named(name: str, kinds: Mapping[str, Kind], text: str) -> Expression:
    try:
        return Expression(environment(kinds), text)
    except RuleFault as fault:
        raise RuleFault(str(fault), name) from None


def _behind(text: str, kinds: Mapping[str, Kind], uses: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Variables in an expression, those of its facts taken for the facts themselves."""
    found: set[str] = set()
    for name in model.variables_in(text, kinds):
        found |= uses.get(name, frozenset({name}))
    return frozenset(found)


def decide(rules: Rules, world: Mapping[str, Known], today: str) -> Decision:
    """What the rules say of this world. Nothing is asked, nothing raises: what cannot be known is `unknown`."""
    compiled = _COMPILED.of(rules)
    data = activation(compiled, world, today)
    reasons = tuple(_reason(compiled, rule, expression, world, data) for rule, expression in compiled.require)
    verdicts = {reason.verdict for reason in reasons}
    verdict: Verdict = "no" if "no" in verdicts else "unknown" if "unknown" in verdicts else "yes"
    return Decision(verdict, reasons)


_COMPILED = Kept(compile_rules, 1024)


def activation(compiled: Compiled, world: Mapping[str, Known], today: str) -> dict[str, Any]:
    """Every variable that can be known, its presence, and the facts that follow. CEL itself then answers as Kleene would:
    `false && away` is false, `true || away` is true, and everything else that needs what is away is an error.
    """
    data: dict[str, Any] = {"today": today, model.present_name("today"): True}
    for name, kind in compiled.rules.kinds.items():
        known = world.get(name, Known(state="unknown"))
        if known.state == "unknown":
            continue
        data[model.present_name(name)] = known.state == "value"
        if known.state == "value":
            data[name] = model.typed(kind, known.value)
    for name, expression in compiled.facts.items():
        value = expression.value(data)
        if value is not None:
            data |= {name: value, model.present_name(name): True}
        elif not _unknown(compiled.uses[name], world):
            data[model.present_name(name)] = False
    return data


def _unknown(names: frozenset[str], world: Mapping[str, Known]) -> bool:
    return any(name != "today" and world.get(name, Known(state="unknown")).state == "unknown" for name in names)


def _reason(compiled: Compiled, rule: Require, expression: Expression, world: Mapping[str, Known], data: Mapping[str, Any]) -> Reason:
    value = expression.value(data)
    used = compiled.uses[rule.id]
    if value is None and not _unknown(used, world):
        log.error("rule_without_answer", rule=rule.id)  # A rule that is not total: a person decides, and somebody mends it.
    verdict: Verdict = "unknown" if value is None else "yes" if value else "no"
    text = {"yes": rule.then, "no": rule.otherwise, "unknown": rule.unknown}[verdict]
    return Reason(rule.id, rule.cite, verdict, dict(text), tuple(_used(name, world) for name in sorted(used) if name != "today"))


def _used(name: str, world: Mapping[str, Known]) -> UsedValue:
    known = world.get(name, Known(state="unknown"))
    return UsedValue(name, known.value, known.source, known.as_of)


def _plain(message: str) -> str:
    """CEL's own sentence without its frame: `1:3: undeclared reference to 'dyas'`."""
    first = message.replace("INVALID_ARGUMENT: ", "").splitlines()[0]
    return first.removeprefix("ERROR: ").replace("<input>:", "").replace(" (in container '')", "")
