"""What is remembered of licences and of when they were shown, one function a query."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from foundation import sql
from foundation.events import Names
from foundation.postgres import Database, Record, Transaction
from services.licences.model import Licence, Permit, RevokedFor

queries = sql.load("services.licences")

Reader = Database | Transaction


async def add_licence(tx: Transaction, one: Licence) -> bool:
    """Whether it is new: one case ends in one licence."""
    permit = one.permit
    parts = (permit.plate_token, permit.zone, permit.kind) if permit else (None, None, None)
    return (
        await tx.value(
            queries.add_licence, one.id, one.case, one.person, one.class_code, one.names.zh, one.names.en, one.agency, one.issued_at,
            one.valid_from, one.valid_to, one.claims_sealed, *parts, one.permit_id,
        )
        is not None
    )  # fmt: skip


async def licence(reader: Reader, licence: uuid.UUID) -> Licence | None:
    row = await reader.row(queries.licence, licence)
    return licence_of(row) if row else None


async def lock_licence(tx: Transaction, licence: uuid.UUID) -> Licence | None:
    row = await tx.row(queries.lock_licence, licence)
    return licence_of(row) if row else None


async def amend_licence(tx: Transaction, one: Licence) -> None:
    """What may change of a licence: its claims, its permit, whether it is suspended, and what it has followed."""
    permit = one.permit
    parts = (permit.plate_token, permit.zone, permit.kind) if permit else (None, None, None)
    await tx.execute(queries.amend_licence, one.id, one.version, one.followed, one.claims_sealed, *parts, one.permit_id, one.suspended_at)


async def revoke_licence(tx: Transaction, licence: uuid.UUID, reason: RevokedFor, at: datetime) -> None:
    await tx.execute(queries.revoke_licence, licence, reason, at)


async def licences_of(reader: Reader, person: uuid.UUID, at: datetime | None, last: uuid.UUID | None, limit: int) -> Sequence[Licence]:
    """A person's, newest first."""
    return [licence_of(row) for row in await reader.fetch(queries.licences_of, person, at, last, limit)]


async def licences_of_plate(tx: Transaction, plate_token: bytes, before: datetime) -> Sequence[Licence]:
    """Those issued for a plate until then that were not revoked."""
    return [licence_of(row) for row in await tx.fetch(queries.licences_of_plate, plate_token, before)]


async def held_by(tx: Transaction, person: uuid.UUID) -> Sequence[Licence]:
    """All of a person's that were not revoked."""
    return [licence_of(row) for row in await tx.fetch(queries.held_by, person)]


async def count_shown(tx: Transaction, licence: uuid.UUID, now: datetime) -> int:
    """How often it is being shown just now."""
    return int(await tx.value(queries.count_shown, licence, now))


async def keep_shown(tx: Transaction, number: uuid.UUID, one: Licence, expires_at: datetime) -> None:
    await tx.execute(queries.keep_shown, number, one.id, expires_at, one.version)


async def licence_shown(reader: Reader, number: uuid.UUID) -> tuple[Licence, int] | None:
    """The licence of now, and which version of it was shown."""
    row = await reader.row(queries.licence_shown, number)
    return (licence_of(row), row["shown_version"]) if row else None


async def forget_shown(tx: Transaction, before: datetime) -> None:
    await tx.execute(queries.forget_shown, before)


def licence_of(row: Record) -> Licence:
    permit = Permit(row["plate_token"], row["zone"], row["permit_kind"]) if row["plate_token"] is not None else None
    return Licence(
        row["id"], row["case_id"], row["person"], row["class_code"], Names(row["name_zh"], row["name_en"]), row["agency"],
        row["issued_at"], row["valid_from"], row["valid_to"], permit, row["revoked_at"], row["revoked_for"], row["claims_sealed"],
        row["version"], row["followed"], row["permit"], row["suspended_at"],
    )  # fmt: skip
