"""Somebody logs in: a one-time code to the phone she holds, and a session for whoever knows it."""

import hmac
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from foundation import ids
from foundation.caller import Role
from foundation.errors import Away, NotAllowed, TooMany, invalid
from foundation.postgres import Database, Record, Transaction
from foundation.seal import Keys
from services.identity import model, people, store
from services.identity.model import Limits, Message, Person
from services.identity.send_messages import Sender

WRONG = "the code is wrong, used up or too old; ask for a new one"
BUSY_RETRY_S = 30


@dataclass(frozen=True, slots=True)
class LoggedIn:
    session: uuid.UUID
    token: str = field(repr=False)
    expires_at: datetime
    person: Person


async def ask_code(database: Database, keys: Keys, sender: Sender, *, phone: str, address: str, now: datetime, limits: Limits) -> None:
    """Send a code to a number, known or not: nobody is looked up, so that neither answer nor time can tell.

    Every check that may refuse comes before anything is written: a refused request leaves the last code alive.
    """
    if sender.full:
        raise Away("messages cannot be sent just now", retry_after_s=BUSY_RETRY_S)
    phone_token, address_token = model.phone_token(keys, phone), _address_token(keys, address)
    code, code_id = f"{secrets.randbelow(1_000_000):06d}", ids.new_id()
    message = Message(code_id, phone, "login_code", {"code": code})

    async def keep(tx: Transaction) -> None:
        await store.lock_key(tx, store.LOCK_PHONE, phone_token)  # Of two at once the second must see the first.
        await store.lock_key(tx, store.LOCK_ADDRESS, address_token)
        await _refuse_too_many(tx, phone_token, address_token, now, limits)
        await store.keep_code(
            tx,
            code_id,
            phone=phone_token,
            address=address_token,
            hashed=model.code_hash(keys, code_id, code),
            asked_at=now,
            expires_at=now + model.CODE_EXPIRES,
        )
        tx.after_commit.append(lambda: sender.post(message))

    await database.run(keep)


async def log_in(
    database: Database, keys: Keys, *, phone: str, code: str, address: str, user_agent: str, now: datetime, limits: Limits
) -> LoggedIn:
    """A new session for who knows the newest code of a number; the person is made when the number is new.

    Raises Invalid for a wrong code in the same words whatever is wrong about it, TooMany, NotAllowed for a locked person.
    """
    address_token = _address_token(keys, address)

    async def work(tx: Transaction) -> LoggedIn | None:
        await store.lock_key(tx, store.LOCK_PHONE, model.phone_token(keys, phone))
        await _refuse_guessing(tx, address_token, now, limits)
        if not await _use_code(tx, keys, phone, code, now):
            await store.keep_wrong_code(tx, address_token, now)
            return None  # Not raised here: the try must stay counted.
        return await _open_session(tx, keys, phone, address, user_agent, now)

    found = await database.run(work)
    if found is None:
        raise invalid("/code", "wrong_code", WRONG)
    return found


async def _refuse_too_many(tx: Transaction, phone: bytes, address: bytes, now: datetime, limits: Limits) -> None:
    back, count = model.reach(limits.phone)
    waits = [model.wait_s(await store.codes_of_phone(tx, phone, now - back, count), limits.phone, now)]
    back, count = model.reach(limits.address)
    waits.append(model.wait_s(await store.codes_of_address(tx, address, now - back, count), limits.address, now))
    for limit in limits.city:
        back, count = model.reach([limit])
        waits.append(BUSY_RETRY_S if await store.nth_newest_code(tx, now - back, count - 1) else 0)
    if max(waits):
        raise TooMany("too many codes were asked for; wait a little", retry_after_s=max(waits))


async def _refuse_guessing(tx: Transaction, address: bytes, now: datetime, limits: Limits) -> None:
    back, count = model.reach(limits.wrong)
    wait = model.wait_s(await store.wrong_codes_of_address(tx, address, now - back, count), limits.wrong, now)
    if wait:
        raise TooMany("too many wrong codes; wait a little", retry_after_s=wait)


async def _use_code(tx: Transaction, keys: Keys, phone: str, said: str, now: datetime) -> bool:
    """Whether this is the newest code of the number, alive; then it is used up. Else it is one try nearer to its death."""
    newest = await store.newest_code(tx, model.phone_token(keys, phone))
    code_id = newest["id"] if newest else ids.new_id()
    expected = newest["hash"] if newest else secrets.token_bytes(16)
    right = hmac.compare_digest(expected, model.code_hash(keys, code_id, said))  # Always computed: no code takes as long as a wrong one.
    if newest is None or not _is_alive(newest, now):
        return False
    if right:
        await store.use_code(tx, code_id, now)
    else:
        await store.count_try(tx, code_id)
    return right


def _is_alive(code: Record, now: datetime) -> bool:
    return code["used_at"] is None and code["tries"] < model.CODE_TRIES_MAX and now < code["expires_at"]


async def _open_session(tx: Transaction, keys: Keys, phone: str, address: str, user_agent: str, now: datetime) -> LoggedIn:
    person_id = await people.find_or_make(tx, keys, phone, now)
    row = await store.person_by_phone(tx, model.phone_token(keys, phone))
    assert row is not None, "made a moment ago in this transaction"
    if row["locked_at"] is not None:
        raise NotAllowed("this account is locked; ask at the counter")
    roles = tuple(grant.role for grant in await store.grants_of(tx, person_id) if grant.holds_at(now))
    unsure = model.is_unsure(row["used_at"], row["level"], roles, now)
    session, token, expires_at = ids.new_id(), model.new_token(), now + model.SESSION_ABSOLUTE
    await store.open_session(
        tx,
        session,
        person_id,
        token_hash=model.token_hash(token),
        at=now,
        expires_at=expires_at,
        unsure=unsure,
        what=model.what_of(user_agent),
        address=model.coarse_address(address),
    )
    await store.use_person(tx, person_id, now)
    return LoggedIn(session, token, expires_at, await _as_known(tx, keys, person_id, phone, row, roles, unsure=unsure, now=now))


async def _as_known(
    tx: Transaction, keys: Keys, person: uuid.UUID, phone: str, row: Record, roles: tuple[Role, ...], *, unsure: bool, now: datetime
) -> Person:
    if unsure:
        return Person(person, phone, "L1", ())
    level = model.level_of(row["level"], row["level_at"], now)
    return Person(person, phone, level, roles, row["level_at"], await people.identity_of(tx, keys, person))


def _address_token(keys: Keys, address: str) -> bytes:
    return keys.token("address", model.network_of(address))
