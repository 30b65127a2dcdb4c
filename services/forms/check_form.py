"""Hold a form's schema to the subset that the page can draw and the server can judge; what leaves it is a fault by its pointer."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

from services.forms import model
from services.forms.judge_form import judge_values
from services.forms.model import ASK, FILE, PLACE, Schema

Fault = tuple[str, str]  # A pointer into the schema, and what is wrong there.
FORMATS = ("date", "email", "uri")
PII = ("name", "id_no", "phone", "address", "plate")
COMMON = ("type", "x-label", "x-hint", "x-basis", "x-pii", "x-group", "title", "description")
KEYS = {
    "string": ("enum", "x-choices", "oneOf", "format", "minLength", "maxLength", "pattern", "x-plate"),
    "integer": ("minimum", "maximum", "enum"),
    "number": ("minimum", "maximum"),
    "boolean": ("const",),
    "array": ("items", "minItems", "maxItems"),
    "object": ("properties", "required", "additionalProperties"),
}
DEPTH_MAX, ITEMS_MAX, LENGTH_MAX, FIELDS_MAX = 4, 50, 4000, 100
FILE_TYPES, FILE_BYTES_MAX, FILES_MAX, FORM_BYTES_MAX = ("pdf", "jpeg", "png"), 10_000_000, 10, 100_000_000
FILE_ITEM = {"type": "string", "format": "uuid"}
LIKE = {FILE: '{"types": ["pdf", "jpeg"], "bytes_max": 5000000}', PLACE: '{"kinds": ["school"], "point": true}, or {}'}
PLACE_KINDS = (
    "hub", "station", "mall", "office", "mixed", "hospital", "school", "scenic", "stadium", "park", "water", "road", "quarter", "district",
)  # fmt: skip


def check_form(schema: Any) -> list[Fault]:
    """Faults of a form's own text; whether its fields have sources is the catalogue's to know."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return [("", 'a form is an object: begin with {"type": "object"')]
    faults = list(_part(schema, "", 0))
    if not faults:
        faults += [*_ask(schema), *_weight(schema), *_drawable(schema)]
    return faults


def _part(schema: Any, at: str, depth: int) -> Iterator[Fault]:
    kind = kind_of(schema)
    if kind is None:
        yield at, f"the type is one of {', '.join(KEYS)}; references and combinations are outside of the subset"
        return
    if FILE in schema or PLACE in schema:
        yield from _outside(schema, at, kind)
        yield from _words(schema, at, needed=True)
        return
    known = {*COMMON, *KEYS[kind], *((ASK, "$schema") if not depth else ())}
    for key in schema:
        if key not in known:
            yield f"{at}/{key}", f"{key!r} is outside of the subset for a {kind}; it may hold {', '.join(sorted(known))}"
    if depth > DEPTH_MAX:
        yield at, f"a form is at most {DEPTH_MAX} objects deep"
    elif kind == "object":
        yield from _object(schema, at, depth)
    elif kind == "array":
        yield from _array(schema, at, depth)
    elif kind == "string":
        yield from _string(schema, at)
    if depth:
        yield from _words(schema, at, needed=kind != "object")


def kind_of(schema: Any) -> str | None:
    """The type of a part; choices without one are texts."""
    if not isinstance(schema, Mapping):
        return None
    kind = schema.get("type", "string" if "enum" in schema or "oneOf" in schema else None)
    return kind if kind in KEYS else None


def _object(schema: Schema, at: str, depth: int) -> Iterator[Fault]:
    if schema.get("additionalProperties") is not False:
        yield at, 'say "additionalProperties": false, or answers that nobody asked for would be kept'
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not properties:
        yield at, "an object has properties"
        return
    if len(properties) > FIELDS_MAX:
        yield at, f"an object has at most {FIELDS_MAX} fields"
    for name, part in properties.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
            yield f"{at}/properties/{name}", f"a field is named in small letters, figures and _, not {name!r}"
        yield from _part(part, f"{at}/properties/{name}", depth + 1)
    for place, name in enumerate(schema.get("required", ())):
        if name not in properties:
            yield f"{at}/required/{place}", f"{name!r} is required and is no field"


def _outside(schema: Schema, at: str, kind: str) -> Iterator[Fault]:
    """A question that is answered by files or by a place: how many, how large, of which kind."""
    own, wanted = (FILE, "array") if FILE in schema else (PLACE, "object")
    known = {*COMMON, own, *(("items", "minItems", "maxItems") if own == FILE else ())}
    for key in schema:
        if key not in known:
            yield f"{at}/{key}", f"{key!r} is outside of the subset for {own}; it may hold {', '.join(sorted(known))}"
    if kind != wanted:
        yield at, f'{own} stands beside "type": "{wanted}"'
    if "/items" in at:
        yield at, f"{own} is asked for once and not in each item of a list"
    rule = schema[own]
    if not isinstance(rule, dict):
        yield f"{at}/{own}", f"{own} is written like {LIKE[own]}"
    elif own == FILE:
        yield from _file(schema, rule, at)
    else:
        yield from _place(rule, f"{at}/{PLACE}")


def _file(schema: Schema, rule: Schema, at: str) -> Iterator[Fault]:
    for key in rule.keys() - {"types", "bytes_max"}:
        yield f"{at}/{FILE}/{key}", f"nobody reads the key {key!r}; a file has types and bytes_max"
    types, most = rule.get("types"), rule.get("bytes_max")
    if not isinstance(types, list) or not types or not set(map(str, types)) <= set(FILE_TYPES) or len(set(types)) < len(types):
        yield f"{at}/{FILE}", f"types are some of {', '.join(FILE_TYPES)}, each once"
    if not _is_whole(most, 1, FILE_BYTES_MAX):
        yield f"{at}/{FILE}", f"bytes_max is how large a file may be: a whole number, 1 to {FILE_BYTES_MAX}"
    if schema.get("items") != FILE_ITEM:
        yield at, 'the answer is a list of ids: say "items": {"type": "string", "format": "uuid"}'
    if not _is_whole(schema.get("maxItems"), 1, FILES_MAX):
        yield at, f"files need a bound: maxItems, 1 to {FILES_MAX}"
    elif not _is_whole(schema.get("minItems", 1), 1, schema["maxItems"]):
        yield f"{at}/minItems", "minItems is a whole number, 1 to maxItems; whether any is needed says `required`"


def _is_whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _place(rule: Schema, at: str) -> Iterator[Fault]:
    for key in rule.keys() - {"kinds", "point"}:
        yield f"{at}/{key}", f"nobody reads the key {key!r}; a place has kinds and point"
    kinds = rule.get("kinds", ["hub"])
    if not isinstance(kinds, list) or not kinds or not set(map(str, kinds)) <= set(PLACE_KINDS):
        yield f"{at}/kinds", f"kinds are some of {', '.join(PLACE_KINDS)}; left out they are all"
    if not isinstance(rule.get("point", False), bool):
        yield f"{at}/point", "point is true where any point of the city will do, too"


def _weight(schema: Schema) -> Iterator[Fault]:
    """What one application may bring along in all."""
    files = [field.schema for field in model.fields_of(schema) if FILE in field.schema]
    most = sum(one["maxItems"] * one[FILE]["bytes_max"] for one in files)
    if most > FORM_BYTES_MAX:
        yield "", f"all files of a form together have at most {FORM_BYTES_MAX} bytes; this one would take {most}"


def _array(schema: Schema, at: str, depth: int) -> Iterator[Fault]:
    if kind_of(schema.get("items")) != "object":
        yield at, "a list holds objects"
    else:
        yield from _part(schema["items"], f"{at}/items", depth + 1)
    if not isinstance(schema.get("maxItems"), int) or schema["maxItems"] > ITEMS_MAX:
        yield at, f"a list needs a bound: maxItems, at most {ITEMS_MAX}"


def _string(schema: Schema, at: str) -> Iterator[Fault]:
    if "format" in schema and schema["format"] not in FORMATS:
        yield f"{at}/format", f"the format is one of {', '.join(FORMATS)}"
    for place, choice in enumerate(schema.get("oneOf", ())):
        if not isinstance(choice, dict) or "const" not in choice or set(choice) - {"const", "title", "x-label"}:
            yield f"{at}/oneOf/{place}", 'a choice is {"const": …, "x-label": {"zh": …, "en": …}}'
        else:
            yield from _words(choice, f"{at}/oneOf/{place}", needed=True)
    yield from _choices(schema, at)
    bounded = {"enum", "oneOf", "format", "x-plate"} & schema.keys() or isinstance(schema.get("maxLength"), int)
    if not bounded or schema.get("maxLength", 0) > LENGTH_MAX:
        yield at, f"a text needs a bound: maxLength, at most {LENGTH_MAX}"


def _choices(schema: Schema, at: str) -> Iterator[Fault]:
    """`x-choices` names every answer of an `enum`, or people would read its code."""
    names = schema.get("x-choices")
    if names is None:
        return
    offered = schema.get("enum", ())
    if not isinstance(names, dict) or set(names) != set(offered):
        yield f"{at}/x-choices", f"name each answer offered, and no other: {', '.join(map(str, offered)) or 'there is no enum'}"
        return
    for value, words in names.items():
        yield from _words({"x-label": words}, f"{at}/x-choices/{value}", needed=True)


def _words(schema: Schema, at: str, *, needed: bool) -> Iterator[Fault]:
    """What people read is there in both languages."""
    if needed and "x-label" not in schema:
        yield at, 'people need a label: "x-label": {"zh": …, "en": …}'
    for key in ("x-label", "x-hint"):
        words = schema.get(key)
        if words is None:
            continue
        for language in ("zh", "en"):
            if not isinstance(words, dict) or not isinstance(words.get(language), str) or not words[language].strip():
                yield f"{at}/{key}", f"the text is missing in {language}"
        for language in words if isinstance(words, dict) else ():
            if language not in ("zh", "en"):
                yield f"{at}/{key}/{language}", f"nobody reads the language {language!r}"
    if "x-pii" in schema and schema["x-pii"] not in PII:
        yield f"{at}/x-pii", f"personal data is one of {', '.join(PII)}"


def _ask(schema: Schema) -> Iterator[Fault]:
    """`x-ask`: [{"if": {pointer: value or values}, "ask": [pointers]}], without a circle."""
    known = _places(schema, "")
    follows: dict[str, set[str]] = {}
    for place, rule in enumerate(schema.get(ASK, ())):
        at = f"/{ASK}/{place}"
        if (
            not isinstance(rule, dict)
            or set(rule) != {"if", "ask"}
            or not isinstance(rule["if"], dict)
            or not isinstance(rule["ask"], list)
        ):
            yield at, 'a rule is {"if": {pointer: values}, "ask": [pointers]}'
            return
        for pointer in [*rule["if"], *rule["ask"]]:
            if pointer not in known:
                yield at, f"{pointer!r} is no field of this form"
        for field in model.fields_of(schema):
            if field.pointer in rule["if"] and (FILE in field.schema or PLACE in field.schema):
                yield at, f"what to ask next follows from an answer that can be named, and not from {field.pointer!r}"
        for pointer in rule["ask"]:
            follows.setdefault(pointer, set()).update(rule["if"])
    for pointer in follows:
        if _leads_to_itself(pointer, follows):
            yield f"/{ASK}", f"{pointer!r} would be asked only if it is answered: the rules go in a circle"


def _leads_to_itself(start: str, follows: Mapping[str, set[str]]) -> bool:
    seen: set[str] = set()
    todo = [start]
    while todo:
        pointer = todo.pop()
        behind = {one for place in follows if model.is_within(pointer, [place]) for one in follows[place]}
        if any(model.is_within(one, [start]) for one in behind):
            return True
        todo += behind - seen
        seen |= behind
    return False


def _places(schema: Schema, at: str) -> set[str]:
    found: set[str] = set()
    for name, part in schema.get("properties", {}).items():
        found |= {f"{at}/{name}", *_places(part, f"{at}/{name}")}
    return found


def _drawable(schema: Schema) -> Iterator[Fault]:
    """The judge itself takes the schema: a pattern that is none is found here and not at somebody's submission."""
    try:
        judge_values(schema, {})
    except (ValueError, jsonschema_rs.ValidationError) as error:
        yield "", f"no form can be judged by this schema: {str(error).splitlines()[0][:200]}"
