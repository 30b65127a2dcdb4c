"""What is kept of evidence: rows of files, their content sealed beside them."""

import uuid
from collections.abc import Collection
from datetime import datetime

from foundation import sql
from foundation.postgres import Database, Transaction
from services.evidence.model import Evidence

queries = sql.load("services.evidence")
Reader = Database | Transaction
ABOUT, CONTENT = "evidence_file.about", "evidence_file.content"  # Each seal is bound to its row besides.


def place_of(column: str, file: uuid.UUID) -> str:
    return f"{column} {file}"


async def add_file(tx: Transaction, file: Evidence, person: uuid.UUID, content_sealed: bytes) -> None:
    await tx.execute(
        queries.add_file, file.id, file.case, person, file.field, file.kind, file.size, file.about_sealed, content_sealed, file.at
    )


async def files_of(reader: Reader, case: uuid.UUID) -> tuple[Evidence, ...]:
    return tuple(Evidence(*row) for row in await reader.fetch(queries.files_of, case))


async def file_content(reader: Reader, file: uuid.UUID) -> bytes | None:
    found: bytes | None = await reader.value(queries.file_content, file)
    return found


async def spent_since(tx: Transaction, person: uuid.UUID, since: datetime) -> int:
    return int(await tx.value(queries.spent_since, person, since))


async def submit_files(tx: Transaction, case: uuid.UUID, named: Collection[uuid.UUID]) -> None:
    """These belong to the application from now on; what the form does not name was never handed in, and is forgotten."""
    await tx.execute(queries.submit_files, case, list(named))
    await tx.execute(queries.forget_rest, case)


async def forget_files(tx: Transaction, case: uuid.UUID, files: Collection[uuid.UUID]) -> None:
    await tx.execute(queries.forget_files, case, list(files))


async def forget_rest(tx: Transaction, case: uuid.UUID) -> None:
    await tx.execute(queries.forget_rest, case)


async def forget_left_lying(tx: Transaction, before: datetime) -> None:
    await tx.execute(queries.forget_left_lying, before)


async def forget_erased(tx: Transaction) -> None:
    await tx.execute(queries.forget_erased)
