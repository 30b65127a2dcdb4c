"""What may be wrong with a matter.

CatalogError
├── MatterFaults    a folder is not a matter yet, with every fault by file and line
└── UnknownVersion  a version that was never published here
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """`file:line: what is wrong`."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class CatalogError(Exception):
    """Something about a matter."""


class MatterFaults(CatalogError):
    """A folder that is not a matter yet."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} fault{'s' if len(faults) != 1 else ''}")
        self.faults = tuple(sorted(set(faults)))


class UnknownVersion(CatalogError):
    """This version was never published here."""
