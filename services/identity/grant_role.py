"""Somebody is given a right, or loses it: at the command line, by her number. Each is a fact, and its dates are compared at use."""

import uuid
from datetime import datetime

from foundation import events
from foundation.caller import Role
from foundation.errors import NotFound
from foundation.postgres import Database, Transaction
from foundation.seal import Keys
from services.identity import model, people, store
from services.identity.errors import UnknownNumber, UnknownRole
from services.identity.model import Grant

SCOPED = ("operator", "staff")
ROLES = (*SCOPED, "admin")


async def grant_role(
    database: Database,
    keys: Keys,
    *,
    phone: str,
    role: str,
    scope: str = "",
    now: datetime,
    city: datetime | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> uuid.UUID:
    """The person of this number has the right from `since` (now) to `until` (for ever); she is made when the number is new.

    Granting again replaces the dates; granting what holds already changes nothing. `now` is wall time, `city` the same instant in
    city time when that runs differently. Raises UnknownRole, UnknownNumber.
    """
    granted, number = Grant(_role_of(role, scope), since or now, until), _number_of(phone)
    if until is not None and until <= granted.since:
        raise UnknownRole("the right would end before it begins")

    async def work(tx: Transaction) -> uuid.UUID:
        person = await people.find_or_make(tx, keys, number, now)
        await store.lock_person(tx, person)
        if not _holds_already(await store.grants_of(tx, person), granted, asked_since=since, now=now):
            await store.grant_role(tx, person, granted, now)
            fact = events.RoleGranted(person=person, role=role, scope=scope, since=granted.since, until=until)
            tx.tell(fact, at=city or now)
        await store.be_sure_of_all(tx, person)  # Whoever grants has just said who holds this number.
        return person

    return await database.run(work)


async def revoke_role(
    database: Database, keys: Keys, *, phone: str, role: str, scope: str = "", now: datetime, city: datetime | None = None
) -> bool:
    """Whether there was such a right to take away; it ends within the second. Raises UnknownRole, UnknownNumber."""
    revoked, number = _role_of(role, scope), _number_of(phone)

    async def work(tx: Transaction) -> bool:
        row = await store.person_by_phone(tx, model.phone_token(keys, number))
        if row is None or not await store.revoke_role(tx, row["id"], revoked, now):
            return False
        tx.tell(events.RoleRevoked(person=row["id"], role=role, scope=scope), at=city or now)
        return True

    return await database.run(work)


async def show_person(database: Database, keys: Keys, *, phone: str) -> tuple[uuid.UUID, model.Level, tuple[Grant, ...]]:
    """Who has this number, her level, and all her rights that were not revoked. Raises UnknownNumber, NotFound."""
    row = await store.person_by_phone(database, model.phone_token(keys, _number_of(phone)))
    if row is None:
        raise NotFound
    return row["id"], row["level"], await store.grants_of(database, row["id"])


def _holds_already(held: tuple[Grant, ...], wanted: Grant, *, asked_since: datetime | None, now: datetime) -> bool:
    same = next((grant for grant in held if grant.role == wanted.role), None)
    return same is not None and same.until == wanted.until and (same.since == asked_since or (asked_since is None and same.holds_at(now)))


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
