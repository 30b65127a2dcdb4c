"""People: found by their number, read by their id, raised to a level by whoever proved it."""

import uuid
from datetime import datetime

from foundation import ids
from foundation.caller import Caller
from foundation.errors import NotFound
from foundation.postgres import Database, Transaction
from foundation.seal import Keys, SealBroken
from services.identity import model, store
from services.identity.model import Identity, Level, Person
from services.identity.personal import known_key
from services.identity.who_is import Known

NAME_PLACE, ID_PLACE = "services.person.name", "services.person.id_no"  # What the seals of these columns are bound to.


async def find_or_make(tx: Transaction, keys: Keys, phone: str, now: datetime) -> uuid.UUID:
    """The one person of a number (E.164, normal form), made when there is none yet."""
    token = model.phone_token(keys, phone)
    row = await store.person_by_phone(tx, token)
    if row is None:
        await store.make_person(tx, ids.new_id(), token, keys.seal_lasting(phone), now)
        row = await store.person_by_phone(tx, token)
    assert row is not None, "made a moment ago, by us or by somebody who was first"
    return uuid.UUID(str(row["id"]))


async def person_of(database: Database, keys: Keys, caller: Caller) -> Person:
    """The person who asks, with the level and rights of this log-in. Raises NotFound."""
    try:
        phone = await phone_of(database, keys, caller.person)
    except SealBroken:  # Erased, or her number passed to somebody else, half a second ago.
        raise NotFound from None
    identity = await identity_of(database, keys, caller.person) if caller.level != "L1" else None  # Not for one who is unsure.
    return Person(caller.person, phone, _level(caller.level), caller.roles, caller.level_at, identity)


async def phone_of(reader: store.Reader, keys: Keys, person: uuid.UUID) -> str:
    """The number of a person, for systems that are asked about her. Raises NotFound, SealBroken when it is hers no more."""
    row = await store.person(reader, person)
    if row is None:
        raise NotFound
    if row["phone_sealed"] is None:
        raise SealBroken("the number passed to somebody else")
    return keys.unseal(row["phone_sealed"])


def no_number(keys: Keys, person: uuid.UUID) -> bytes:
    """What stands for the number of somebody who has none: equal to no number's token."""
    return keys.token("no phone", str(person))


async def identity_of(reader: store.Reader, keys: Keys, person: uuid.UUID) -> Identity | None:
    """Name and number as they were proved; None before. Raises NotFound for one who was erased."""
    row = await store.proved_of(reader, person)
    key = await known_key(reader, keys, person) if row else None
    if row is None or key is None:
        return None
    return Identity(key.unseal(row["name_sealed"], NAME_PLACE), key.unseal(row["id_sealed"], ID_PLACE))


async def raise_level(tx: Transaction, known: Known, caller: Caller, level: Level, *, way: str, now: datetime) -> Level:
    """She proved who she is: never down. The log-in that proved it is sure again, other log-ins stay as they are."""
    raised = await store.raise_level(tx, caller.person, level, way, now)
    await store.be_sure(tx, caller.session, caller.person)
    tx.after_commit.append(lambda: known.forget(caller.person))
    return _level(raised)


def _level(text: str) -> Level:
    return "L3" if text == "L3" else "L2" if text == "L2" else "L1"
