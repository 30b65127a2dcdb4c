"""What no file of the repository carries, and how long a function may be."""

import ast
import re
import statistics
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = str(Path(__file__).relative_to(ROOT))
FUNCTION_LINES_MAX, FUNCTION_LINES_MEDIAN_MAX, FILE_BYTES_MAX = 60, 12, 2_000_000
BANNED = {
    "a note to somebody later": re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"),
    "something half done": re.compile(r"\bNotImplementedError\b|\b[Ss]tubs?\b"),
    "a path of one machine": re.compile(r"(?<![\w.])/(work|tmp|root|home)/"),
    "a registry's host": re.compile(r"pypi\.org|pythonhosted\.org|registry\.npmjs|registry\.yarnpkg|proxy\.golang\.org"),
    "two sides of a merge": re.compile(r"^(<{7}|>{7}|={7})( |$)", re.MULTILINE),
}
CODE = ("onelot", "foundation", "gateway_mqtt", "citymap", "parking", "services", "simulators", "benchmarks")


@cache
def texts() -> dict[str, str]:
    """Every text file that git knows or would take; outside of a checkout there is nothing to look at."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a checkout")
    found: dict[str, str] = {}
    for name in listed:
        if (ROOT / name).is_file() and name != HERE and not name.startswith("web/dist/"):
            try:
                found[name] = (ROOT / name).read_text()
            except UnicodeDecodeError:
                continue
    return found


@pytest.mark.parametrize("what", BANNED)
def test_no_file_carries(what: str) -> None:
    found = [
        f"{name}:{text.count(chr(10), 0, hit.start()) + 1}: {hit[0]}"
        for name, text in texts().items()
        for hit in BANNED[what].finditer(text)
    ]

    assert found == []


def lengths() -> dict[str, int]:
    return {
        f"{name}: {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for name, text in texts().items()
        if name.endswith(".py") and name.startswith(CODE)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_functions_are_short() -> None:
    found = lengths()

    assert {name: lines for name, lines in found.items() if lines > FUNCTION_LINES_MAX} == {}
    assert statistics.median(found.values()) <= FUNCTION_LINES_MEDIAN_MAX


def test_every_module_says_why_it_exists() -> None:
    silent = [
        name
        for name, text in texts().items()
        if name.endswith(".py") and name.startswith((*CODE, "tests")) and text.strip() and not ast.get_docstring(ast.parse(text))
    ]

    assert silent == []


def test_nothing_is_imported_inside_of_a_function() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name, text in texts().items()
        if name.endswith(".py") and name.startswith(CODE)
        for function in ast.walk(ast.parse(text))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]

    assert found == []


def test_sql_stands_in_sql_files() -> None:
    """But for the migrator, which runs before there is anything to name, and the test servers' own care."""
    word = re.compile(r"^\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE)\s", re.IGNORECASE)
    found = [
        f"{name}:{node.lineno}: {node.value.strip()[:60]}"
        for name, text in texts().items()
        if name.endswith(".py") and name.startswith(CODE) and not name.startswith(("benchmarks", "simulators"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and word.match(node.value)
    ]

    assert {line.partition(":")[0] for line in found} <= {"foundation/migrate.py", "foundation/postgres.py", "onelot/postgres_server.py"}, (
        found
    )


def test_no_file_is_heavy() -> None:
    heavy = [name for name in texts() if (ROOT / name).stat().st_size > FILE_BYTES_MAX]

    assert heavy == []
