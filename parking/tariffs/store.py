"""Published versions of tariffs: immutable, so each is read once a process."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import MAXYEAR, datetime

import msgspec

from foundation import sql
from foundation.postgres import Record, Transaction
from parking.tariffs.model import Tariff
from parking.tariffs.read_tariff import read_tariff

queries = sql.load("parking.tariffs")
_READ: dict[str, Tariff] = {}  # By sha256. Bounded by what a city publishes.


class _Text(msgspec.Struct, frozen=True):
    sha256: str
    body: str


_texts = msgspec.json.Decoder(list[_Text])


@dataclass(frozen=True, slots=True)
class Correction:
    """The line of versions with one of them as it should have been."""

    version: int
    sha256: str
    line: tuple[Tariff, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """One version among all versions of its code (`line`), and what any of these should have said."""

    tariff: Tariff
    sha256: str
    line: tuple[Tariff, ...]
    corrections: tuple[Correction, ...] = ()


async def load(tx: Transaction, codes: Iterable[str]) -> dict[str, list[Published]]:
    """All versions of each code, in order."""
    rows = await tx.fetch(queries.load_tariffs, sorted(set(codes)))
    by_code: dict[str, list[Record]] = {}
    for row in rows:
        by_code.setdefault(row["code"], []).append(row)
    return {code: published_of(versions) for code, versions in by_code.items()}


def published_of(rows: Sequence[Record]) -> list[Published]:
    line = tuple(_ending(_read(row["sha256"], row["body"]), row["effective_to"]) for row in rows)
    corrections = tuple(one for place in range(len(rows)) for one in _corrections(line, place, rows[place]))
    return [Published(tariff, row["sha256"], line, corrections) for tariff, row in zip(line, rows, strict=True)]


def _corrections(line: tuple[Tariff, ...], place: int, row: Record) -> list[Correction]:
    found = list[Correction]()
    for one in _texts.decode(row["corrections"] or "[]"):
        tariff = _ending(_read(one.sha256, one.body), row["effective_to"])
        found.append(Correction(tariff.version, one.sha256, (*line[:place], tariff, *line[place + 1 :])))
    return found


def _ending(tariff: Tariff, until: datetime) -> Tariff:
    """A version that was published without an end has the one that its successor gave it."""
    return tariff if tariff.effective_to is not None or until.year == MAXYEAR else replace(tariff, effective_to=until)


def _read(sha256: str, body: str) -> Tariff:
    if sha256 not in _READ:
        _READ[sha256] = read_tariff(body)
    return _READ[sha256]
