"""Read YAML and JSON with the line of every value: plain values as YAML 1.2 knows them, no aliases, no key twice."""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from services.catalog.errors import Fault

BYTES_MAX, DEPTH_MAX = 256_000, 20
_WHOLE, _REAL = re.compile(r"-?(0|[1-9]\d{0,15})"), re.compile(r"-?\d+\.\d+")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(slots=True)
class Document:
    """A file's value, the line of each pointer into it, and where its faults go."""

    file: str
    value: Any
    faults: list[Fault]
    lines: dict[str, int] = field(default_factory=dict)

    def fault(self, pointer: str, message: str) -> None:
        self.faults.append(Fault(self.file, self.line(pointer), message))

    def line(self, pointer: str) -> int:
        """Of this pointer, or of the nearest thing around it."""
        while pointer and pointer not in self.lines:
            pointer = pointer.rpartition("/")[0]
        return self.lines.get(pointer, 1)

    def mapping(self, pointer: str = "") -> dict[str, Any]:
        """The mapping there; nothing, and a fault, when it is something else."""
        value = self.value
        for name in pointer.split("/")[1:]:
            value = _inside(value, name)
        if isinstance(value, dict):
            return value
        if value is not None:
            self.fault(pointer, "keys with values are expected here")
        return {}

    def only(self, pointer: str, known: tuple[str, ...]) -> dict[str, Any]:
        """The mapping there, every key of which somebody reads."""
        found = self.mapping(pointer)
        for key in found:
            if key not in known:
                self.fault(f"{pointer}/{key}", f"nobody reads the key {key!r}; known are {', '.join(known)}")
        return found


def _inside(value: Any, name: str) -> Any:
    """None where there is nothing of that name or place."""
    if isinstance(value, list):
        return value[int(name)] if name.isdigit() and int(name) < len(value) else None
    return value.get(name) if isinstance(value, dict) else None


def read(file: str, text: str | None, faults: list[Fault]) -> Document:
    """The document; an empty one, and a fault, when the file is missing or unreadable."""
    document = Document(file, None, faults)
    if text is None:
        faults.append(Fault(file, 1, "this file is missing"))
        return document
    if len(text) > BYTES_MAX:
        faults.append(Fault(file, 1, f"a file has at most {BYTES_MAX} bytes"))
        return document
    try:
        for event in yaml.parse(text, yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent):
                faults.append(Fault(file, _line(event), "aliases are not taken: write the value out"))
                return document
        node = yaml.compose(text, yaml.CSafeLoader)
    except yaml.MarkedYAMLError as wrong:
        faults.append(Fault(file, wrong.problem_mark.line + 1 if wrong.problem_mark else 1, f"not readable: {wrong.problem}"))
        return document
    except yaml.YAMLError as wrong:
        faults.append(Fault(file, 1, f"not readable: {str(wrong).splitlines()[0]}"))
        return document
    if node is None:
        faults.append(Fault(file, 1, "the file is empty"))
    else:
        document.value = _value(document, node, "", 0)
    return document


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _value(document: Document, node: yaml.Node, pointer: str, depth: int) -> Any:
    document.lines.setdefault(pointer, node.start_mark.line + 1)
    if depth > DEPTH_MAX:
        document.fault(pointer, "nested too deeply")
        return None
    if isinstance(node, yaml.SequenceNode):
        return [_value(document, one, f"{pointer}/{place}", depth + 1) for place, one in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(document, node, pointer, depth)
    assert isinstance(node, yaml.ScalarNode)
    return str(node.value) if node.style in ("'", '"', "|", ">") else _plain(str(node.value))


def _mapping(document: Document, node: yaml.MappingNode, pointer: str, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
        place = f"{pointer}/{name}"
        document.lines.setdefault(place, key.start_mark.line + 1)
        if name in found:
            document.faults.append(Fault(document.file, key.start_mark.line + 1, f"the key {name!r} stands here twice"))
        found[name] = _value(document, value, place, depth + 1)
    return found


def _plain(text: str) -> Any:
    """Dates and times stay text: `2026-03-02` is a day and no moment, `on` and `yes` are words."""
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _REAL.fullmatch(text) else text
