"""Published versions of tariffs: immutable, so each is read once a process."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import MAXYEAR, datetime

from foundation import sql
from foundation.postgres import Record, Transaction
from parking.tariffs.model import Tariff
from parking.tariffs.read_tariff import read_tariff

queries = sql.load("parking.tariffs")
_READ: dict[str, Tariff] = {}  # By sha256. Bounded by what a city publishes.


@dataclass(frozen=True, slots=True)
class Published:
    """One version among all versions of its code (`line`)."""

    tariff: Tariff
    sha256: str
    line: tuple[Tariff, ...]


async def load(tx: Transaction, codes: Iterable[str]) -> dict[str, list[Published]]:
    """All versions of each code, in order."""
    rows = await tx.fetch(queries.load_tariffs, sorted(set(codes)))
    by_code: dict[str, list[Record]] = {}
    for row in rows:
        by_code.setdefault(row["code"], []).append(row)
    return {code: published_of(versions) for code, versions in by_code.items()}


def published_of(rows: Sequence[Record]) -> list[Published]:
    line = tuple(_ending(_read(row["sha256"], row["body"]), row["effective_to"]) for row in rows)
    return [Published(tariff, row["sha256"], line) for tariff, row in zip(line, rows, strict=True)]


def _ending(tariff: Tariff, until: datetime) -> Tariff:
    """A version that was published without an end has the one that its successor gave it."""
    return tariff if tariff.effective_to is not None or until.year == MAXYEAR else replace(tariff, effective_to=until)


def _read(sha256: str, body: str) -> Tariff:
    if sha256 not in _READ:
        _READ[sha256] = read_tariff(body)
    return _READ[sha256]
