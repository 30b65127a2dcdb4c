"""Named queries: SQL is prose in queries.sql, read once at import, and a missing name fails there and not at night."""

import importlib.resources
import re
from dataclasses import dataclass

_NAME = re.compile(r"^-- name: (\w+)(?: *-- *(.*))?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Query:
    name: str
    text: str


class Queries:
    """The queries of one file, each an attribute; asking for one that is not there fails by its name."""

    def __init__(self, place: str, queries: dict[str, Query]) -> None:
        self._place, self._queries = place, queries

    def __getattr__(self, name: str) -> Query:
        try:
            return self._queries[name]
        except KeyError:
            raise AttributeError(f"{self._place} has no query named {name}") from None

    def __iter__(self):  # type: ignore[no-untyped-def]  # an iterator of Query; the annotation would shadow attribute access for mypy
        return iter(self._queries.values())


def load(package: str, file: str = "queries.sql") -> Queries:
    """Read `-- name: fetch_bill -- purpose` blocks of `file` in `package`."""
    text = importlib.resources.files(package).joinpath(file).read_text("utf-8")
    found = list(_NAME.finditer(text))
    if not found:
        raise ValueError(f"{package}/{file} holds no named query")
    ends = [match.start() for match in found[1:]] + [len(text)]
    queries: dict[str, Query] = {}
    for match, end in zip(found, ends, strict=True):
        name = match.group(1)
        if name in queries:
            raise ValueError(f"{package}/{file} names {name} twice")
        queries[name] = Query(name, text[match.end() : end].strip().rstrip(";"))
    return Queries(f"{package}/{file}", queries)
