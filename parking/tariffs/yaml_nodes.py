"""Read YAML (and so JSON) strictly: every fault is told with its line and pointer, and no word passes unknown."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import yaml

from parking.tariffs.errors import Fault, TariffFaults

MAX_BYTES = 256_000
MAX_DEPTH = 24
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,15})")


class Faults:
    """What was found so far; reading goes on, so that a clerk sees everything at once."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, line: int, pointer: str, message: str) -> None:
        self.found.append(Fault(line, pointer, message))

    def raise_if_any(self) -> None:
        if self.found:
            raise TariffFaults(sorted(self.found, key=lambda fault: fault.line))


def read(text: str | bytes) -> "Mapped":
    """The document's root mapping. Raises TariffFaults when there is none."""
    faults = Faults()
    root = _compose(text, faults)
    mapped = Node(root, "", faults).mapping() if root is not None else None
    faults.raise_if_any()
    assert mapped is not None
    return mapped


def nearest(word: str, known: Sequence[str]) -> str:
    """`; did you mean 'x'?` or nothing. Camel case and dashes count as the underscore they stand for."""
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).replace("-", "_").lower()
    by_lower = {name.lower(): name for name in known}
    close = get_close_matches(plain, list(by_lower), n=1, cutoff=0.5)
    return f"; did you mean {by_lower[close[0]]!r}?" if close else f"; known are {', '.join(known)}"


@dataclass(frozen=True, slots=True)
class Node:
    """One value of the document with its place."""

    yaml: yaml.Node
    pointer: str
    faults: Faults

    @property
    def line(self) -> int:
        return int(self.yaml.start_mark.line) + 1

    def fault(self, message: str) -> None:
        self.faults.add(self.line, self.pointer, message)

    def is_null(self) -> bool:
        return str(self.yaml.tag) == "tag:yaml.org,2002:null"

    def is_scalar(self) -> bool:
        return isinstance(self.yaml, yaml.ScalarNode)

    def raw(self) -> str:
        """The scalar as it was written, whatever type YAML would give it (07:30 is 450 to YAML 1.1)."""
        if isinstance(self.yaml, yaml.ScalarNode):
            return str(self.yaml.value)
        self.fault("a single value is expected here")
        return ""

    def text(self) -> str:
        if isinstance(self.yaml, yaml.ScalarNode) and self.yaml.tag == "tag:yaml.org,2002:str" and self.yaml.value:
            return str(self.yaml.value)
        self.fault("text is expected here (in quotes, if it looks like something else)")
        return ""

    def whole(self, *, least: int, most: int = 10**9) -> int:
        raw = self.raw() if isinstance(self.yaml, yaml.ScalarNode) else ""
        plain = isinstance(self.yaml, yaml.ScalarNode) and self.yaml.style is None
        if not plain or not _WHOLE.fullmatch(raw):
            self.fault(f"a whole number is expected here, not {raw!r}" if raw else "a whole number is expected here")
            return least
        if not least <= int(raw) <= most:
            self.fault(f"{raw} is not between {least} and {most}")
            return least
        return int(raw)

    def boolean(self) -> bool:
        if self.raw() not in ("true", "false"):
            self.fault("true or false is expected here")
        return self.raw() == "true"

    def word(self, known: Sequence[str]) -> str:
        raw = self.raw()
        if raw not in known:
            self.fault(f"unknown value {raw!r}{nearest(raw, known)}")
            return known[0]
        return raw

    def words(self, known: Sequence[str]) -> tuple[str, ...]:
        return self._distinct([item.word(known) for item in self.items()])

    def texts(self) -> tuple[str, ...]:
        return self._distinct([item.text() for item in self.items()])

    def items(self) -> list["Node"]:
        if not isinstance(self.yaml, yaml.SequenceNode):
            self.fault("a list is expected here")
            return []
        return [Node(item, f"{self.pointer}/{place}", self.faults) for place, item in enumerate(self.yaml.value)]

    def mapping(self) -> "Mapped":
        if not isinstance(self.yaml, yaml.MappingNode):
            self.fault("keys with values are expected here")
            return Mapped(self, {})
        values = dict[str, Node]()
        for key, value in self.yaml.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            at = Node(key, f"{self.pointer}/{_escaped(name)}", self.faults)
            if not name:
                at.fault("a key has to be a word")
            elif name in values:
                at.fault(f"the key {name!r} stands here twice")
            else:
                values[name] = Node(value, at.pointer, self.faults)
        return Mapped(self, values)

    def places(self) -> Iterator[tuple[str, int]]:
        """Every pointer below here with its line."""
        yield self.pointer, self.line
        if isinstance(self.yaml, yaml.SequenceNode):
            children = self.items()
        elif isinstance(self.yaml, yaml.MappingNode):
            children = list(self.mapping().values.values())
        else:
            children = []
        for child in children:
            yield from child.places()

    def _distinct(self, words: list[str]) -> tuple[str, ...]:
        if not words:
            self.fault("an empty list would match nothing: leave the key out")
        if len(set(words)) < len(words):
            self.fault("a value stands here twice")
        return tuple(words)


@dataclass(frozen=True, slots=True)
class Mapped:
    """A mapping of the document. A key whose value is null counts as left out."""

    node: Node
    values: dict[str, Node]

    def only(self, *known: str) -> "Mapped":
        for name, value in self.values.items():
            if name not in known:
                value.fault(f"unknown key {name!r}{nearest(name, known)}")
        return self

    def get(self, key: str) -> Node | None:
        value = self.values.get(key)
        return None if value is None or value.is_null() else value

    def need(self, key: str) -> Node | None:
        value = self.get(key)
        if value is None:
            self.node.fault(f"the key {key!r} is missing")
        return value

    def whole(self, key: str, default: int, *, least: int, most: int = 10**9) -> int:
        value = self.get(key)
        return default if value is None else value.whole(least=least, most=most)

    def maybe_whole(self, key: str, *, least: int, most: int = 10**9) -> int | None:
        value = self.get(key)
        return None if value is None else value.whole(least=least, most=most)

    def word(self, key: str, known: Sequence[str]) -> str:
        """One of the known words; the first where the key is left out."""
        value = self.get(key)
        return known[0] if value is None else value.word(known)

    def maybe_words(self, key: str, known: Sequence[str]) -> tuple[str, ...] | None:
        value = self.get(key)
        return None if value is None else value.words(known)

    def maybe_texts(self, key: str) -> tuple[str, ...] | None:
        value = self.get(key)
        return None if value is None else value.texts()


def _compose(text: str | bytes, faults: Faults) -> yaml.Node | None:
    if len(text) > MAX_BYTES:
        faults.add(0, "", f"the file is larger than {MAX_BYTES} bytes")
        return None
    try:
        string = text.decode() if isinstance(text, bytes) else text
        if _too_clever(string, faults):
            return None
        node = yaml.compose(string, yaml.SafeLoader)
    except UnicodeDecodeError:
        faults.add(0, "", "the file is not UTF-8")
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark
        faults.add(mark.line + 1 if mark else 0, "", f"not YAML: {wrong.problem}")
    except yaml.YAMLError as wrong:
        faults.add(0, "", f"not YAML: {wrong}".splitlines()[0])
    else:
        if node is None:
            faults.add(0, "", "the file is empty")
        return node
    return None


def _too_clever(text: str, faults: Faults) -> bool:
    """Aliases and deep nesting say nothing a tariff needs, and can make a small file endless."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            faults.add(_line_of(event), "", "aliases are not taken: write the value out")
            return True
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            faults.add(_line_of(event), "", "nested too deeply")
            return True
    return False


def _line_of(event: yaml.Event) -> int:
    return int(event.start_mark.line) + 1 if event.start_mark else 0


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
