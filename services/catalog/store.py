"""What the catalogue remembers: versions, which never change, and which of them new cases begin with."""

from collections.abc import Collection
from datetime import datetime

from foundation import sql
from foundation.postgres import Database, Transaction
from services.catalog import model
from services.catalog.errors import UnknownVersion
from services.catalog.model import Matter

queries = sql.load("services.catalog")
Reader = Database | Transaction


async def keep_version(tx: Transaction, code: str, version: str, content: bytes, at: datetime) -> None:
    await tx.execute(queries.keep_version, code, version, content, at)


async def live_version(tx: Transaction, code: str) -> str | None:
    found: str | None = await tx.value(queries.live_version, code)
    return found


async def set_live(tx: Transaction, code: str, version: str, at: datetime) -> None:
    await tx.execute(queries.set_live, code, version, at)


async def live_matters(reader: Reader) -> dict[str, tuple[str, Matter]]:
    return {row["code"]: (row["version"], model.decoded(row["content"])) for row in await reader.fetch(queries.live_matters)}


async def some_live_matters(reader: Reader, codes: Collection[str]) -> dict[str, tuple[str, Matter]]:
    return {
        row["code"]: (row["version"], model.decoded(row["content"])) for row in await reader.fetch(queries.some_live_matters, list(codes))
    }


async def was_published(reader: Reader, code: str, version: str) -> bool:
    return bool(await reader.value(queries.was_published, code, version))


async def matter(reader: Reader, code: str, version: str) -> Matter:
    """Raises UnknownVersion."""
    content = await reader.value(queries.matter_content, code, version)
    if content is None:
        raise UnknownVersion(f"{code} has no version {version[:12]} here")
    return model.decoded(content)
