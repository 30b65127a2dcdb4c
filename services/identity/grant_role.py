"""Somebody is given a right, or loses it: at the command line, by her number."""

import uuid
from datetime import datetime

from foundation.caller import Role
from foundation.postgres import Database, Transaction
from foundation.seal import Keys
from services.identity import model, people, store
from services.identity.errors import UnknownNumber, UnknownRole

SCOPED = ("operator", "staff")
ROLES = (*SCOPED, "admin")


async def grant_role(database: Database, keys: Keys, *, phone: str, role: str, scope: str = "", now: datetime) -> uuid.UUID:
    """The person of this number has the right from now on; she is made when the number is new. Granting twice grants once.

    Raises UnknownRole, UnknownNumber.
    """
    granted, number = _role_of(role, scope), _number_of(phone)

    async def work(tx: Transaction) -> uuid.UUID:
        person = await people.find_or_make(tx, keys, number, now)
        await store.grant_role(tx, person, granted, now)
        await store.be_sure_of_all(tx, person)  # Whoever grants has just said who holds this number.
        return person

    return await database.run(work)


async def revoke_role(database: Database, keys: Keys, *, phone: str, role: str, scope: str = "", now: datetime) -> bool:
    """Whether there was such a right to take away; it ends within the second. Raises UnknownRole, UnknownNumber."""
    revoked, number = _role_of(role, scope), _number_of(phone)

    async def work(tx: Transaction) -> bool:
        row = await store.person_by_phone(tx, model.phone_token(keys, number))
        return row is not None and await store.revoke_role(tx, row["id"], revoked, now)

    return await database.run(work)


def _role_of(role: str, scope: str) -> Role:
    if role not in ROLES:
        raise UnknownRole(f"there is no role {role!r}; roles are {', '.join(ROLES)}")
    if (role in SCOPED) != bool(scope):
        raise UnknownRole("an operator needs the operator's id, staff the agency's code, and an admin neither")
    return Role(role, scope)


def _number_of(phone: str) -> str:
    number = model.normal_phone(phone)
    if number is None:
        raise UnknownNumber("this is not a phone number; write it like +8613800000001")
    return number
