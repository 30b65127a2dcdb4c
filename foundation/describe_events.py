"""Say on one page what may stand in the two journals, from the code that reads and writes it: `python -m foundation.describe_events`."""

import inspect
import re
import sys
import types
import typing
from collections.abc import Iterator, Sequence

import msgspec

from foundation import events
from foundation.events import Event

HEAD = """\
# Events

Written by `python -m foundation.describe_events > docs/events.md`; edit `foundation/events.py` instead.

Each entry of a journal has a `position` (its place in the order of commits), `recorded_at` (when it was written), `at` (when it
happened, in city time), a `kind`, a `key` (what later entries wait behind when this one gets stuck) and a `body`: the JSON below.
Fields that hold their default are left out. Fields may be added with a default; none is renamed or removed while an entry that
carries it may still be read.
"""


def page() -> str:
    parts = [HEAD, "## Readings: what devices said\n", *_all(events.READINGS), "## Facts: what became true because of us\n"]
    parts += [*_all(events.FACTS), "## Parts of them\n", *[_struct(kind.__name__, kind) for kind in _nested()]]
    return "\n".join(parts)


def _all(kinds: Sequence[type[Event]]) -> Iterator[str]:
    return (_struct(f"`{kind.kind}`: {kind.__name__}", kind, key=_key_of(kind)) for kind in kinds)


def _struct(title: str, kind: type[msgspec.Struct], *, key: str = "") -> str:
    """A heading, what it is, and its fields."""
    rows = "".join(f"| `{one.name}` | {_type(one.type)} | {_default(one)} |\n" for one in msgspec.structs.fields(kind))
    waits = f" Key: {key}." if key else ""
    return f"### {title}\n\n{_about(kind)}{waits}\n\n| Field | Type | Default |\n|---|---|---|\n{rows}"


def _about(kind: type[msgspec.Struct]) -> str:
    return " ".join((inspect.getdoc(kind) or "").split())


def _key_of(kind: type[Event]) -> str:
    """What the `key` property answers, as it is written there: a field, as its text or in hex."""
    source = inspect.getsource(kind.key.fget)  # type: ignore[attr-defined]  # mypy takes a property of the class for its value
    field = re.search(r"return .*?self\.(\w+)", source)
    assert field, f"{kind.__name__}.key is one of its fields"
    return f"`{field[1]}`" + (" in hex" if ".hex()" in source else "")


def _type(kind: object) -> str:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return " ".join(f"`{one}`" for one in inner)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_type(one) for one in inner)
    if origin is tuple:
        return f"list of {_type(inner[0])}"
    if kind is type(None):
        return "nothing"
    return {"bytes": "base64", "datetime": "time"}.get(getattr(kind, "__name__", ""), getattr(kind, "__name__", str(kind)))


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return ""
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    return f"`{msgspec.json.encode(value).decode()}`"


def _nested() -> list[type[msgspec.Struct]]:
    """Structs inside of events, in the order in which they are met."""
    met: dict[type[msgspec.Struct], None] = {}
    for kind in (*events.READINGS, *events.FACTS):
        for field in msgspec.structs.fields(kind):
            met |= dict.fromkeys(one for one in (field.type, *typing.get_args(field.type)) if _is_struct(one))
    return list(met)


def _is_struct(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


if __name__ == "__main__":
    sys.stdout.write(page())
