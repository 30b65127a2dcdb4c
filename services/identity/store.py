"""What identity remembers: one function per named query, and nobody else reads them."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from foundation import sql
from foundation.caller import Role
from foundation.postgres import Database, Record, Transaction
from services.identity.model import Grant, KnownSession, Session

queries = sql.load("services.identity")

Reader = Database | Transaction

LOCK_PHONE, LOCK_ADDRESS, LOCK_PLATE, LOCK_IDENTITY = 6101, 6102, 6103, 6104  # Always taken in this order.


async def lock_key(tx: Transaction, kind: int, token: bytes) -> None:
    """Hold back everybody else who is about this token until the end of the transaction."""
    await tx.value(queries.lock_key, kind, int.from_bytes(token[:4], "big", signed=True))


# Codes


async def codes_of_phone(tx: Transaction, token: bytes, since: datetime, limit: int) -> list[datetime]:
    return [row["asked_at"] for row in await tx.fetch(queries.codes_of_phone, token, since, limit)]


async def codes_of_address(tx: Transaction, token: bytes, since: datetime, limit: int) -> list[datetime]:
    return [row["asked_at"] for row in await tx.fetch(queries.codes_of_address, token, since, limit)]


async def nth_newest_code(tx: Transaction, since: datetime, behind: int) -> datetime | None:
    found: datetime | None = await tx.value(queries.nth_newest_code, since, behind)
    return found


async def keep_code(
    tx: Transaction, code: uuid.UUID, *, phone: bytes, address: bytes, hashed: bytes, asked_at: datetime, expires_at: datetime
) -> None:
    await tx.execute(queries.keep_code, code, phone, address, hashed, asked_at, expires_at)


async def newest_code(tx: Transaction, phone: bytes) -> Record | None:
    return await tx.row(queries.newest_code, phone)


async def count_try(tx: Transaction, code: uuid.UUID) -> None:
    await tx.execute(queries.count_try, code)


async def use_code(tx: Transaction, code: uuid.UUID, at: datetime) -> None:
    await tx.execute(queries.use_code, code, at)


async def wrong_codes_of_address(tx: Transaction, token: bytes, since: datetime, limit: int) -> list[datetime]:
    return [row["at"] for row in await tx.fetch(queries.wrong_codes_of_address, token, since, limit)]


async def keep_wrong_code(tx: Transaction, token: bytes, at: datetime) -> None:
    await tx.execute(queries.keep_wrong_code, token, at)


# People


async def make_person(tx: Transaction, person: uuid.UUID, phone: bytes, sealed: bytes, at: datetime) -> None:
    await tx.execute(queries.make_person, person, phone, sealed, at)


async def person_by_phone(reader: Reader, phone: bytes) -> Record | None:
    return await reader.row(queries.person_by_phone, phone)


async def person(reader: Reader, person: uuid.UUID) -> Record | None:
    return await reader.row(queries.person, person)


async def lock_person(tx: Transaction, person: uuid.UUID) -> None:
    await tx.execute(queries.lock_person, person)


async def free_number(tx: Transaction, person: uuid.UUID, nobodys: bytes) -> None:
    await tx.execute(queries.free_number, person, nobodys)


async def was_erased(tx: Transaction, person: uuid.UUID) -> bool:
    return bool(await tx.value(queries.was_erased, person))


async def mark_erased(tx: Transaction, person: uuid.UUID, nobodys: bytes, at: datetime) -> bool:
    return await tx.value(queries.mark_erased, person, nobodys, at) is not None


async def use_person(tx: Transaction, person: uuid.UUID, at: datetime) -> None:
    await tx.execute(queries.use_person, person, at)


async def raise_level(tx: Transaction, person: uuid.UUID, level: str, way: str, at: datetime) -> str:
    return str(await tx.value(queries.raise_level, person, level, way, at))


async def person_by_id(tx: Transaction, id_token: bytes) -> uuid.UUID | None:
    found: uuid.UUID | None = await tx.value(queries.person_by_id, id_token)
    return found


async def proved_of(reader: Reader, person: uuid.UUID) -> Record | None:
    return await reader.row(queries.proved_of, person)


async def prove_person(tx: Transaction, person: uuid.UUID, *, id_token: bytes, id_sealed: bytes, name_sealed: bytes) -> None:
    await tx.execute(queries.prove_person, person, id_token, id_sealed, name_sealed)


async def lose_identity(tx: Transaction, person: uuid.UUID) -> None:
    await tx.execute(queries.lose_identity, person)


async def personal_key(reader: Reader, person: uuid.UUID) -> Record | None:
    return await reader.row(queries.personal_key, person)


async def make_personal_key(tx: Transaction, person: uuid.UUID, wrapped: bytes, at: datetime) -> None:
    await tx.execute(queries.make_personal_key, person, wrapped, at)


async def drop_personal_key(tx: Transaction, person: uuid.UUID, at: datetime) -> None:
    await tx.execute(queries.drop_personal_key, person, at)


async def be_sure(tx: Transaction, session: uuid.UUID, person: uuid.UUID) -> None:
    await tx.execute(queries.be_sure, session, person)


async def be_sure_of_all(tx: Transaction, person: uuid.UUID) -> None:
    await tx.execute(queries.be_sure_of_all, person)


async def block_person(tx: Transaction, person: uuid.UUID, at: datetime) -> bool:
    return await tx.value(queries.block_person, person, at) is not None


async def unblock_person(tx: Transaction, person: uuid.UUID) -> bool:
    return await tx.value(queries.unblock_person, person) is not None


async def grants_of(reader: Reader, person: uuid.UUID) -> tuple[Grant, ...]:
    return tuple(_grant(row) for row in await reader.fetch(queries.grants_of, person))


async def grant_role(tx: Transaction, person: uuid.UUID, grant: Grant, at: datetime) -> None:
    await tx.execute(queries.grant_role, person, grant.role.role, grant.role.scope, at, grant.since, grant.until)


async def revoke_role(tx: Transaction, person: uuid.UUID, role: Role, at: datetime) -> bool:
    return await tx.value(queries.revoke_role, person, role.role, role.scope, at) is not None


async def revoke_roles(tx: Transaction, person: uuid.UUID, at: datetime) -> None:
    await tx.execute(queries.revoke_roles, person, at)


# Log-ins


async def open_session(
    tx: Transaction,
    session: uuid.UUID,
    person: uuid.UUID,
    *,
    token_hash: bytes,
    at: datetime,
    expires_at: datetime,
    unsure: bool,
    what: str,
    address: str,
) -> None:
    await tx.execute(queries.open_session, session, person, token_hash, at, expires_at, unsure, what, address)


async def known_session(reader: Reader, token_hash: bytes) -> KnownSession | None:
    row = await reader.row(queries.known_session, token_hash)
    if row is None:
        return None
    grants = tuple(_grant(grant) for grant in row["grants"])
    return KnownSession(
        row["id"], row["person"], row["created_at"], row["seen_at"], row["expires_at"], row["ended"], row["unsure"], row["level"],
        row["level_at"], grants,
    )  # fmt: skip


def _grant(row: Sequence[Any] | Record) -> Grant:
    return Grant(Role(row[0], row[1]), row[2], row[3])


async def see_session(reader: Reader, session: uuid.UUID, at: datetime) -> None:
    await reader.value(queries.see_session, session, at)


async def sessions_of(
    reader: Reader, person: uuid.UUID, *, now: datetime, since: datetime, seen_since: datetime, before: uuid.UUID | None, limit: int
) -> list[Session]:
    return [Session(*row) for row in await reader.fetch(queries.sessions_of, person, now, seen_since, before, limit, since)]


async def end_session(tx: Transaction, session: uuid.UUID, person: uuid.UUID, at: datetime) -> bool:
    return await tx.value(queries.end_session, session, person, at) is not None


async def hand_session(tx: Transaction, session: uuid.UUID, person: uuid.UUID) -> None:
    await tx.execute(queries.hand_session, session, person)


async def end_other_sessions(tx: Transaction, person: uuid.UUID, current: uuid.UUID, at: datetime) -> list[uuid.UUID]:
    return [row["id"] for row in await tx.fetch(queries.end_other_sessions, person, current, at)]


async def end_sessions_of(tx: Transaction, person: uuid.UUID, at: datetime) -> None:
    await tx.execute(queries.end_sessions_of, person, at)


async def staff_of(reader: Reader, agencies: Collection[str], now: datetime, limit: int) -> list[Record]:
    return await reader.fetch(queries.staff_of, list(agencies), now, limit)


# Plates


async def count_plates(tx: Transaction, person: uuid.UUID) -> int:
    return int(await tx.value(queries.count_plates, person))


async def add_plate(
    tx: Transaction, plate: uuid.UUID, person: uuid.UUID, *, token: bytes, sealed: bytes, colour: str, nickname: bytes | None, at: datetime
) -> None:
    await tx.execute(queries.add_plate, plate, person, token, sealed, colour, nickname, at)


async def plate_by_token(reader: Reader, person: uuid.UUID, token: bytes) -> Record | None:
    return await reader.row(queries.plate_by_token, person, token)


async def plate(reader: Reader, person: uuid.UUID, plate: uuid.UUID) -> Record | None:
    return await reader.row(queries.plate, person, plate)


async def lock_plate(tx: Transaction, person: uuid.UUID, plate: uuid.UUID) -> Record | None:
    return await tx.row(queries.lock_plate, person, plate)


async def plates_of(reader: Reader, person: uuid.UUID, after: uuid.UUID | None, limit: int) -> Sequence[Record]:
    return await reader.fetch(queries.plates_of, person, after, limit)


async def holder_of(reader: Reader, token: bytes) -> uuid.UUID | None:
    found: uuid.UUID | None = await reader.value(queries.holder_of, token)
    return found


async def was_held(tx: Transaction, token: bytes) -> bool:
    return bool(await tx.value(queries.was_held, token))


async def take_plate(tx: Transaction, token: bytes, at: datetime) -> uuid.UUID | None:
    found: uuid.UUID | None = await tx.value(queries.take_plate, token, at)
    return found


async def prove_plate(tx: Transaction, plate: uuid.UUID, at: datetime) -> None:
    await tx.execute(queries.prove_plate, plate, at)


async def remove_plate(tx: Transaction, plate: uuid.UUID, at: datetime) -> None:
    await tx.execute(queries.remove_plate, plate, at)


async def forget_plates(tx: Transaction, person: uuid.UUID, at: datetime) -> list[bytes]:
    return [row["plate_token"] for row in await tx.fetch(queries.forget_plates, person, at)]


async def count_proof_tries(tx: Transaction, person: uuid.UUID, what: str, since: datetime) -> int:
    return int(await tx.value(queries.count_proof_tries, person, what, since))


async def keep_proof_try(tx: Transaction, proof_try: uuid.UUID, person: uuid.UUID, what: str, at: datetime) -> None:
    await tx.execute(queries.keep_proof_try, proof_try, person, what, at)


async def drop_proof_try(tx: Transaction, proof_try: uuid.UUID) -> None:
    await tx.execute(queries.drop_proof_try, proof_try)


# Forgetting


async def forget_codes(tx: Transaction, before: datetime) -> None:
    await tx.execute(queries.forget_codes, before)
    await tx.execute(queries.forget_wrong_codes, before)


async def forget_proof_tries(tx: Transaction, before: datetime) -> None:
    await tx.execute(queries.forget_proof_tries, before)


async def forget_sessions(tx: Transaction, before: datetime) -> None:
    await tx.execute(queries.forget_sessions, before)
