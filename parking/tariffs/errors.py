"""What the tariff engine refuses.

TariffError
├── TariffFaults       a tariff or calendar file that cannot be taken, with every fault in it
├── NothingCovers      a second of the stay belongs to no window: never silently free
└── NoVersionInForce   no version of the tariff is in force at an instant that has to be priced
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: `line` counts from 1 (0: no place in a file), `pointer` is an RFC 6901 path into the document."""

    line: int
    pointer: str
    message: str


class TariffError(Exception):
    """The tariff engine refuses."""


class TariffFaults(TariffError):
    """The file has faults."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"line {fault.line}: {fault.pointer or '/'}: {fault.message}" for fault in faults))
        self.faults = faults


class NothingCovers(TariffError):
    """A second of the stay belongs to no window of the tariff."""


class NoVersionInForce(TariffError):
    """No version of the tariff is in force at this instant."""
