"""Find the files that tests share with the other parts of the project: they lie beside the repository, not in it."""

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parents[2] / "shared"


def shared_path(name: str) -> Path:
    """The path of ../shared/<name>, or of that name in ONELOT_SHARED. Skips the test, or the module, where it is absent."""
    path = Path(os.environ.get("ONELOT_SHARED") or BESIDE) / name
    if not path.exists():
        pytest.skip(f"{name} is not beside the repository (../shared, or where ONELOT_SHARED points)", allow_module_level=True)
    return path
