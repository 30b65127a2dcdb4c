"""Judge an answer by its schema: jsonschema-rs with formats asserted, nothing fetched, every fault by its pointer."""

from collections.abc import Collection, Iterator
from typing import Any

import jsonschema_rs

from foundation.errors import FieldError
from foundation.kept import Kept
from services.forms import model
from services.forms.model import Json, Schema

TEXT = {
    "type": "this is not of the right kind",
    "enum": "choose one of the answers offered",
    "const": "choose one of the answers offered",
    "oneOf": "choose one of the answers offered",
    "format": "write it as asked, a date like 2026-03-02",
    "pattern": "this does not look as it should",
    "maxLength": "this is too long",
    "minLength": "this is too short",
    "minimum": "this is too small",
    "maximum": "this is too large",
    "minItems": "there are too few",
    "maxItems": "there are too many",
    "additionalProperties": "the form does not ask this",
    "required": "this is needed",
}


def judge(schema: Schema, form: Json, *, pledged: Collection[str] = ()) -> list[FieldError]:
    """All faults of a form that is to be complete; hidden questions are neither judged nor wanted."""
    asked = model.without(form, model.hidden(schema, form))
    gaps = [FieldError(pointer, "missing", "please answer this") for pointer in model.missing(schema, form, pledged=pledged)]
    return sorted([*gaps, *judge_values(schema, asked)], key=lambda error: error.pointer)


def judge_values(schema: Schema, form: Json) -> list[FieldError]:
    """Faults of what is there; what is not there yet is no fault of a draft."""
    found = [*_unclean(form, ""), *(_told(error) for error in _VALIDATORS.of(schema).iter_errors(form))]
    once: dict[str, FieldError] = {}
    for error in found:
        if error.code != "required" or _in_a_list(error.pointer):  # Gaps are counted by the form itself, field by field.
            once.setdefault(error.pointer, error)
    return list(once.values())


def _validator(schema: Schema) -> Any:  # jsonschema_rs.Draft202012Validator
    return jsonschema_rs.Draft202012Validator(dict(schema), validate_formats=True, retriever=_fetch_nothing)


def _fetch_nothing(uri: str) -> Any:
    raise ValueError(f"a form refers to nothing outside of itself, and not to {uri[:100]}")


_VALIDATORS = Kept(_validator, 2048)  # A matter's schema is one object for as long as its version is in memory.


def _told(error: Any) -> FieldError:
    path = [str(part).replace("~", "~0").replace("/", "~1") for part in error.instance_path]
    kind = error.kind.name if hasattr(error.kind, "name") else type(error.kind).__name__
    code = kind[:1].lower() + kind[1:]
    if code == "additionalProperties":
        path += [str(name) for name in error.kind.unexpected[:1]]
    if code == "required":
        path.append(str(error.kind.property))
    return FieldError("".join(f"/{part}" for part in path), code, TEXT.get(code, "this is not as it should be"))


def _in_a_list(pointer: str) -> bool:
    return any(part.isdigit() for part in pointer.split("/"))


def _unclean(value: Json, at: str) -> Iterator[FieldError]:
    if isinstance(value, str) and not model.is_clean(value):
        yield FieldError(at, "invisible", "there is a sign in it that nobody can see; type it anew")
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _unclean(part, f"{at}/{name}")
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from _unclean(part, f"{at}/{place}")
