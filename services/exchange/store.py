"""What the exchange remembers: one function per named query, and nobody else reads them."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from foundation import sql
from foundation.postgres import Database, Record, Transaction

queries = sql.load("services.exchange")


async def keep_access(
    tx: Transaction,
    access: uuid.UUID,
    *,
    person: uuid.UUID,
    agency: str,
    staff: uuid.UUID | None,
    purpose: str,
    case: uuid.UUID | None,
    fields: Sequence[str],
    at: datetime,
) -> None:
    await tx.execute(queries.keep_access, access, person, at, agency, staff, purpose, case, list(fields))


async def accesses_of(database: Database, person: uuid.UUID, before: uuid.UUID | None, limit: int) -> list[Record]:
    return await database.fetch(queries.accesses_of, person, before, limit)


async def forget_accesses(tx: Transaction, before: datetime) -> None:
    await tx.execute(queries.forget_accesses, before)
