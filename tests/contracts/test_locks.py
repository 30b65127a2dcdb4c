"""The locks install anywhere: from any mirror, and nothing but what was hashed."""

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements"
LOCKS = ["run.txt", "dev.txt"]


def pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", (REQUIREMENTS / lock).read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_host(lock: str) -> None:
    assert "://" not in (REQUIREMENTS / lock).read_text()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_of_a_lock_has_a_hash(lock: str) -> None:
    requirements = (REQUIREMENTS / lock).read_text().replace("\\\n", " ").splitlines()

    assert [line for line in requirements if line.strip() and "--hash=sha256:" not in line] == []


def test_runtime_and_development_agree_on_every_version() -> None:
    assert pins("run.txt").items() <= pins("dev.txt").items()
    assert len(pins("run.txt")) > 20
