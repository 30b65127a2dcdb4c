"""What a form believes: which questions it has, which of them are asked, and what a draft still misses. Pure."""

import copy
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foundation import masks

Json = Any  # What a JSON document may hold.
Schema = Mapping[str, Any]
ASK, FILE, PLACE = "x-ask", "x-file", "x-place"


@dataclass(frozen=True, slots=True)
class Field:
    """One question: a leaf of the schema. A list of objects is one question."""

    pointer: str
    schema: Schema
    required: bool  # By every object above it, too.

    @property
    def name(self) -> str:
        """As prefill and rules call it: `applicant.name`."""
        return self.pointer.strip("/").replace("/", ".")


@dataclass(frozen=True, slots=True)
class AskRule:
    """`ask` is asked only where every pointer in `when` has one of its values."""

    when: Mapping[str, Sequence[Json]]
    ask: Sequence[str]


def pointer_of(name: str) -> str:
    return "/" + name.replace(".", "/")


def fields_of(schema: Schema, at: str = "", *, required: bool = True) -> Iterator[Field]:
    """Every question, in the order in which the schema names them."""
    needed = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        pointer, must = f"{at}/{name}", required and name in needed
        if is_group(part):
            yield from fields_of(part, pointer, required=must)
        else:
            yield Field(pointer, part, must)


def is_group(part: Schema) -> bool:
    """An object of questions; a place is one answer, though it is written as an object."""
    return part.get("type") == "object" and PLACE not in part


def ask_rules(schema: Schema) -> list[AskRule]:
    return [
        AskRule({pointer: value if isinstance(value, list) else [value] for pointer, value in rule["if"].items()}, rule["ask"])
        for rule in schema.get(ASK, ())
    ]


def value_at(form: Json, pointer: str) -> Json:
    """None where there is nothing."""
    for name in pointer.split("/")[1:]:
        form = form.get(name) if isinstance(form, dict) else None
    return form


def with_value(form: Json, pointer: str, value: Json) -> Json:
    """A copy that holds the value there."""
    *path, last = pointer.split("/")[1:]
    changed = copy.deepcopy(form)
    place = changed
    for name in path:
        place = place.setdefault(name, {})
    place[last] = value
    return changed


def without(form: Json, pointers: Collection[str]) -> Json:
    """A copy without what lies there; objects that are left empty go, too."""
    return _pruned(form, "", frozenset(pointers)) or {}


def _pruned(value: Json, at: str, gone: frozenset[str]) -> Json:
    if not isinstance(value, dict):
        return value
    kept = {name: _pruned(part, f"{at}/{name}", gone) for name, part in value.items() if f"{at}/{name}" not in gone}
    return {name: part for name, part in kept.items() if part != {}}


def merged(form: Json, patch: Json) -> Json:
    """RFC 7386: null takes away, an object is merged, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    whole = dict(form) if isinstance(form, dict) else {}
    for name, value in patch.items():
        if value is None:
            whole.pop(name, None)
        else:
            whole[name] = merged(whole.get(name), value)
    return whole


def hidden(schema: Schema, form: Json) -> frozenset[str]:
    """What is not asked: judged on answers that are themselves asked, so the order of the rules does not matter."""
    rules = ask_rules(schema)
    asked_by_rule = {pointer for rule in rules for pointer in rule.ask}
    closed = frozenset(asked_by_rule)
    while True:
        opened = {pointer for rule in rules if _met(rule, form, closed) for pointer in rule.ask}
        left = frozenset(asked_by_rule - opened)
        if left == closed:
            return closed
        closed = left


def _met(rule: AskRule, form: Json, closed: Collection[str]) -> bool:
    return all(not is_within(pointer, closed) and value_at(form, pointer) in values for pointer, values in rule.when.items())


def is_within(pointer: str, places: Collection[str]) -> bool:
    """Whether the pointer is one of these places or lies below one."""
    return any(pointer == place or pointer.startswith(place + "/") for place in places)


def missing(schema: Schema, form: Json, *, pledged: Collection[str] = ()) -> list[str]:
    """Questions that are asked, must be answered, and are not; what is pledged holds nothing up."""
    closed = hidden(schema, form)
    return [
        field.pointer
        for field in fields_of(schema)
        if field.required
        and not is_within(field.pointer, closed)
        and field.pointer not in pledged
        and value_at(form, field.pointer) in (None, "", [])
    ]


def differing(before: Json, after: Json, pointers: Collection[str]) -> list[str]:
    """Those of the pointers at which the two forms do not say the same."""
    return [pointer for pointer in pointers if value_at(before, pointer) != value_at(after, pointer)]


def is_clean(text: str) -> bool:
    """No control signs, no invisible ones that turn or hide what stands beside them; a line may end."""
    return all(char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in text)


MASKS = {"name": masks.masked_name, "id_no": masks.masked_id_no, "phone": masks.masked_phone}


def mask(kind: str, text: str) -> str:
    """What people see of somebody else's value who need to know that it is there: decided on the server."""
    return MASKS[kind](text) if kind in MASKS else text


def masked(schema: Schema, form: Json) -> Json:
    """The form as staff see it: names, numbers and phones masked by the class that the schema gives each."""
    for field in fields_of(schema):
        value = value_at(form, field.pointer)
        if isinstance(value, str) and field.schema.get("x-pii"):
            form = with_value(form, field.pointer, mask(field.schema["x-pii"], value))
    return form
