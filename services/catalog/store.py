"""What the catalogue remembers: versions, which never change, and which of them new cases begin with."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from foundation import sql
from foundation.postgres import Database, Record, Transaction
from services.catalog import model, spell_matter
from services.catalog.errors import UnknownVersion
from services.catalog.model import Matter

queries = sql.load("services.catalog")
Reader = Database | Transaction


class Live(NamedTuple):
    """A matter as new cases begin with it, and what it is found by."""

    version: str
    matter: Matter
    words: tuple[str, ...]


async def keep_version(tx: Transaction, code: str, version: str, content: bytes, at: datetime) -> None:
    await tx.execute(queries.keep_version, code, version, content, at)


async def live_version(tx: Transaction, code: str) -> str | None:
    found: str | None = await tx.value(queries.live_version, code)
    return found


async def set_live(tx: Transaction, matter: Matter, version: str, at: datetime) -> None:
    """With the words it is found by, spelt once for everybody who loads it."""
    await tx.execute(queries.set_live, matter.code, version, at, list(spell_matter.words_of(matter)), spell_matter.EDITION)


async def live_matters(reader: Reader) -> list[Live]:
    return [_live(row) for row in await reader.fetch(queries.live_matters)]


async def some_live_matters(reader: Reader, codes: Collection[str]) -> list[Live]:
    return [_live(row) for row in await reader.fetch(queries.some_live_matters, list(codes))]


def _live(row: Record) -> Live:
    matter = model.decoded(row["content"])
    words = tuple(row["words"]) if row["spelling"] == spell_matter.EDITION else spell_matter.words_of(matter)
    return Live(row["version"], matter, words)


async def was_published(reader: Reader, code: str, version: str) -> bool:
    return bool(await reader.value(queries.was_published, code, version))


async def matter(reader: Reader, code: str, version: str) -> Matter:
    """Raises UnknownVersion."""
    content = await reader.value(queries.matter_content, code, version)
    if content is None:
        raise UnknownVersion(f"{code} has no version {version[:12]} here")
    return model.decoded(content)
