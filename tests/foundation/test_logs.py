"""A log line carries no personal data: not by accident, and not anywhere in this repository."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from foundation import logs

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("foundation", "gateway_mqtt", "citymap", "parking", "services", "onelot")
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "bind"}
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def log_calls(path: Path) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LEVELS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("log", "logger")
    ]


def said(program: str) -> subprocess.CompletedProcess[str]:
    start = "import structlog; from foundation import logs; logs.set_up(); log = structlog.get_logger()\n"
    return subprocess.run([sys.executable, "-c", start + program], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("key", sorted(logs.FORBIDDEN))
def test_personal_keys_are_refused_before_anything_is_written(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        logs._refuse_personal(None, "info", {"event": "x", key: "豫A12345"})


def test_refusal_never_shows_the_value_and_other_lines_are_json_on_standard_error() -> None:
    refused, written = said("log.info('x', plate='豫A12345')"), said("log.info('stored', rows=3); log.debug('quiet')")

    assert refused.returncode == 1
    assert "豫A12345" not in refused.stderr.splitlines()[-1]
    assert (json.loads(written.stderr)["event"], json.loads(written.stderr)["rows"], written.stdout) == ("stored", 3, "")


def test_errors_of_libraries_are_named_without_their_text() -> None:
    found = said("import logging; logging.getLogger('aiohttp.server').error('GET /me?phone=13800000001')")

    assert json.loads(found.stderr) == {"event": "aiohttp.server", "level": "ERROR"}


def test_no_log_call_of_this_repository_carries_a_personal_key() -> None:
    calls = [(path, call) for path in SOURCES for call in log_calls(path)]

    assert len(calls) > 20
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno} {word.arg}" for path, call in calls for word in call.keywords if word.arg in logs.FORBIDDEN
    ]
    assert found == []
