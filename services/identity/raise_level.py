"""Somebody proves who she is: by the police register (L2), or in presence (L3). Outside systems are asked between two transactions."""

import uuid
from dataclasses import dataclass
from datetime import datetime

import structlog

from foundation import events, ids, seal
from foundation.caller import Caller
from foundation.errors import Away, Invalid, invalid
from foundation.postgres import Database, Transaction
from foundation.seal import Keys
from services.identity import model, people, store
from services.identity.errors import RegistryAway
from services.identity.model import Identity, Level, Message, PoliceRegister, Presence
from services.identity.personal import personal_key
from services.identity.send_messages import Sender
from services.identity.tries import give_back, spend_try
from services.identity.who_is import Known

log = structlog.get_logger()

AWAY_RETRY_S = 30
NOT_CONFIRMED = (
    "name and number could not be confirmed for this account. Look at both again; if they are yours as typed, "
    "go to a counter with your card: its code settles it"
)


@dataclass(frozen=True, slots=True)
class Raising:
    """What both ways up stand on."""

    database: Database
    keys: Keys
    known: Known
    sender: Sender
    police: PoliceRegister
    presences: dict[str, Presence]  # By their way's name.


async def raise_by_registry(doors: Raising, caller: Caller, said: Identity, *, wall: datetime, city: datetime) -> None:
    """L2: the register says that name and number are one person's. Raises Invalid, TooMany, Away.

    A number that another account has proved is answered in the same words as a wrong one, so that nobody learns by trying who has
    an account here; that other account's holder is told. The counter settles it.
    """
    spent = await spend_try(doors.database, caller.person, "level", wall)
    try:
        match = await doors.police.check(said.name, said.id_no)
    except RegistryAway:
        await give_back(doors.database, spent)
        raise Away("the police register does not answer; try again later", retry_after_s=AWAY_RETRY_S) from None

    async def work(tx: Transaction) -> bool:
        if not match or not await _is_free(tx, doors, caller.person, said):
            return False
        await store.drop_proof_try(tx, spent)
        await _prove(tx, doors, caller, said, "L2", "registry", wall=wall, city=city)
        return True

    if not await doors.database.run(work):
        raise invalid("/id_no", "not_confirmed", NOT_CONFIRMED)


async def raise_by_presence(doors: Raising, caller: Caller, way: str, proof: str, *, wall: datetime, city: datetime) -> None:
    """L3: somebody who saw person and card says whom. Takes the name from an account that proved it before, by whatever way:
    who comes in person goes before whoever typed, and before her own former account. Raises Invalid, TooMany, Away."""
    spent = await spend_try(doors.database, caller.person, "level", wall)
    presence = doors.presences[way]
    try:
        seen = await presence.check(await people.phone_of(doors.database, doors.keys, caller.person), proof)
    except RegistryAway:
        await give_back(doors.database, spent)
        raise Away("the counter does not answer; try again later", retry_after_s=AWAY_RETRY_S) from None
    if seen is None or not model.are_enough(seen.factors):
        raise _wrong_proof(presence.field)
    found = seen.identity

    async def work(tx: Transaction) -> None:
        await store.drop_proof_try(tx, spent)
        await store.lock_key(tx, store.LOCK_IDENTITY, model.id_token(doors.keys, found.id_no))
        await _refuse_another(tx, doors, caller.person, found, presence.field)
        await _take(tx, doors, caller.person, found, city)
        await _prove(tx, doors, caller, found, "L3", way, wall=wall, city=city)

    await doors.database.run(work)


def _wrong_proof(field: str) -> Invalid:
    return invalid(
        f"/{field}", "wrong_proof", "this is not the code that the counter gave you, or it is used up or too old; ask for a new one"
    )


async def _is_free(tx: Transaction, doors: Raising, person: uuid.UUID, said: Identity) -> bool:
    """Whether nobody else has proved this number, and this account no other one."""
    token = model.id_token(doors.keys, said.id_no)
    await store.lock_key(tx, store.LOCK_IDENTITY, token)
    holder = await store.person_by_id(tx, token)
    if holder not in (None, person):
        await _tell(tx, doors, holder, "identity_wanted")
        return False
    mine = await store.proved_of(tx, person)
    return mine is None or mine["id_token"] == token


async def _refuse_another(tx: Transaction, doors: Raising, person: uuid.UUID, seen: Identity, field: str) -> None:
    """One account, one person: whoever was proved here stays."""
    mine = await store.proved_of(tx, person)
    if mine is not None and mine["id_token"] != model.id_token(doors.keys, seen.id_no):
        raise invalid(f"/{field}", "another_person", "the counter saw somebody else than this account belongs to; use a phone of your own")


async def _take(tx: Transaction, doors: Raising, person: uuid.UUID, seen: Identity, city: datetime) -> None:
    """The former account keeps its plates and bills, which its phone vouches for, and loses the name. Nothing is merged."""
    former = await store.person_by_id(tx, model.id_token(doors.keys, seen.id_no))
    if former is None or former == person:
        return
    await store.lose_identity(tx, former)
    tx.tell(events.LevelChanged(person=former, level="L1", way="taken"), at=city)
    tx.after_commit.append(lambda: doors.known.forget(former))
    await _tell(tx, doors, former, "identity_taken")


async def _prove(
    tx: Transaction, doors: Raising, caller: Caller, proved: Identity, level: Level, way: str, *, wall: datetime, city: datetime
) -> None:
    key = await personal_key(tx, doors.keys, caller.person, wall)
    await store.prove_person(
        tx,
        caller.person,
        id_token=model.id_token(doors.keys, proved.id_no),
        id_sealed=key.seal(proved.id_no, people.ID_PLACE),
        name_sealed=key.seal(proved.name, people.NAME_PLACE),
    )
    raised = await people.raise_level(tx, doors.known, caller, level, way=way, now=wall)
    tx.tell(events.LevelChanged(person=caller.person, level=raised, way=way), at=city)


async def _tell(tx: Transaction, doors: Raising, person: uuid.UUID, template: model.Template) -> None:
    """By message to the phone of the other account: its holder must hear of it wherever she is."""
    try:
        phone = await people.phone_of(tx, doors.keys, person)
    except seal.SealBroken:
        log.warning("holder_not_told", person=str(person))
        return
    message = Message(ids.new_id(), phone, template, {})
    tx.after_commit.append(lambda: doors.sender.post(message))
