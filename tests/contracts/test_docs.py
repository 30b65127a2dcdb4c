"""Pages name real files, functions and queries: what was renamed in the code is renamed there, too."""

import ast
import re
from functools import cache
from pathlib import Path

import click
import pytest

from onelot.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))) if page.exists()]
PACKAGES = ("onelot", "foundation", "gateway_mqtt", "citymap", "parking", "services", "simulators", "benchmarks", "tests")
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^([\w.-]+/)+[\w.-]+\.(py|sql|yaml|yml|toml|md|json|txt|css|ts|tsx|service)$")
_PART = re.compile(r"^(?P<file>[\w./-]+\.(?:py|sql)): ?(?P<name>\w+(?:\.\w+)*)(?:\(\))?$")
_CALLED = re.compile(r"^(?P<name>\w+(?:\.\w+)*)\(\)$")
_SNAKE = re.compile(r"^_?[a-z]+(_[a-z0-9]+)+$")


def spans(page: Path) -> list[str]:
    return _SPAN.findall(_FENCE.sub("", page.read_text()))


@cache
def sources() -> dict[str, str]:
    """Every file of ours by its path; what a page calls `street.py` is found by its name, too."""
    files = [file for package in PACKAGES for kind in ("*.py", "*.sql", "*.yaml") for file in (ROOT / package).rglob(kind)]
    return {str(file.relative_to(ROOT)): file.read_text() for file in files if file.name != Path(__file__).name}


@cache
def defined() -> frozenset[str]:
    """Every function, method and class by its name, methods by `Class.method` as well; every module, every named query."""
    found: set[str] = set()
    for path, text in sources().items():
        found |= names_in(path, text)
        found.add(Path(path).stem)
    return frozenset(found | set(PACKAGES))


@cache
def names_in(path: str, text: str) -> frozenset[str]:
    if path.endswith(".sql"):
        return frozenset(re.findall(r"-- name: (\w+)", text) + re.findall(r"CREATE (?:OR REPLACE )?FUNCTION \w+\.(\w+)", text))
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)) if path.endswith(".py") else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)}
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return frozenset(found)


def is_there(name: str, page: Path) -> bool:
    return any((place / name).exists() for place in (ROOT, page.parent)) or any(path.endswith("/" + name) for path in sources())


def names(part: str) -> set[str]:
    """`journal.follow` is `follow` of a module; `Board.apply` is a method."""
    return {part, part.rpartition(".")[2]}


def fault_of(span: str, page: Path) -> str | None:
    if part := _PART.match(span):
        files = [path for path in sources() if path == part["file"] or path.endswith("/" + part["file"])]
        good = any(names(part["name"]) & names_in(path, sources()[path]) for path in files)
        return None if good else f"`{span}`: {'no such name there' if files else 'no such file'}"
    if _FILE.match(span):
        return None if is_there(span, page) else f"`{span}`: no such file"
    if called := _CALLED.match(span):
        if "." in span and span.partition(".")[0] not in {Path(path).stem for path in sources()}:
            return None  # A method of some value, of Python's own.
        return None if names(called["name"]) & defined() else f"`{span}`: no such function"
    if _SNAKE.match(span):
        good = any(re.search(rf"\b{span}\b", text) for text in sources().values())
        return None if good else f"`{span}`: nothing of ours is called so"
    return None


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES])
def test_page_names_what_there_is(page: Path) -> None:
    faults = [fault for span in spans(page) if (fault := fault_of(span, page))]

    assert faults == []


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES])
def test_page_types_commands_that_there_are(page: Path) -> None:
    """In spans and in fences: `onelot WORD [WORD]`, with a second word where the first is a group, and `make WORD`."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text, commands = page.read_text(), main.commands()
    wrong = [f"make {word}" for word in re.findall(r"(?:`|^ *)make ([a-z]+)\b", text, re.MULTILINE) if word not in targets]
    for word, second in re.findall(r"(?:`|^ *|bin/)onelot ([a-z]+)(?: ([a-z]+))?\b", text, re.MULTILINE):
        command = commands.get(word)
        if command is None or (isinstance(command, click.Group) and second and second not in command.commands):
            wrong.append(f"onelot {word} {second}".strip())

    assert wrong == []


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES])
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:|#|/)([^)#\s]+)(?:#[^)]*)?\)", _FENCE.sub("", page.read_text()))

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(
    ("span", "fault"),
    [
        ("foundation/journal.py", None),
        ("foundation/journals.py", "`foundation/journals.py`: no such file"),
        ("foundation/journal.py: catch_up", None),
        ("foundation/journal.py: catch_down", "`foundation/journal.py: catch_down`: no such name there"),
        ("board.py: Board.apply_nothing", "`board.py: Board.apply_nothing`: no such name there"),
        ("journal.follow()", None),
        ("plate_token.hex()", None),
        ("follow_nobody()", "`follow_nobody()`: no such function"),
        ("make_partitions", None),
        ("make_partisans", "`make_partisans`: nothing of ours is called so"),
        ("--speed X", None),
    ],
)
def test_spans_are_told_apart(span: str, fault: str | None) -> None:
    assert fault_of(span, ROOT / "README.md") == fault
