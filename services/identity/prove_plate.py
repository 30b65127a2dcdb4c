"""A person proves that a plate is hers, by the vehicle's papers; the registry is asked between two transactions, never inside one."""

import uuid
from datetime import datetime

import structlog

from foundation import events, ids, seal
from foundation.errors import Away, NotFound, invalid
from foundation.masks import masked_plate
from foundation.plates import Plate
from foundation.postgres import Database, Transaction
from foundation.seal import Keys
from services.identity import people, plates, store
from services.identity.errors import RegistryAway
from services.identity.model import Message, OwnedPlate, Papers, VehicleRegistry
from services.identity.send_messages import Sender
from services.identity.tries import give_back, spend_try

log = structlog.get_logger()

AWAY_RETRY_S = 30


async def prove_plate(
    database: Database,
    keys: Keys,
    registry: VehicleRegistry,
    sender: Sender,
    *,
    person: uuid.UUID,
    plate: uuid.UUID,
    vin_last6: str,
    city: datetime,
    wall: datetime,
) -> OwnedPlate:
    """The plate, proved; one that is proved already is answered as it is.

    Raises NotFound, TooMany after five wrong tries of a city day, Away when the registry does not answer (which costs no try),
    Invalid when it disagrees.
    """
    mine = await plates.owned_plate(database, keys, person, plate)
    if mine is None:
        raise NotFound
    if mine.proved:
        return mine
    spent = await spend_try(database, person, "plate", wall)
    papers = await _papers(database, registry, spent, mine, vin_last6)
    if not papers.match:
        raise invalid("/vin_last6", "papers_disagree", "the vehicle registry does not know this plate with these six characters")

    async def hold(tx: Transaction) -> OwnedPlate:
        await store.drop_proof_try(tx, spent)
        return await _hold(tx, keys, sender, person=person, plate=mine, registered_at=papers.registered_at or city, now=city)

    return await database.run(hold)


async def _papers(database: Database, registry: VehicleRegistry, spent: uuid.UUID, mine: OwnedPlate, vin_last6: str) -> Papers:
    try:
        return await registry.check(Plate(mine.plate, mine.colour), vin_last6.upper())
    except RegistryAway:
        await give_back(database, spent)
        raise Away("the vehicle registry does not answer; try again later", retry_after_s=AWAY_RETRY_S) from None


async def _hold(
    tx: Transaction, keys: Keys, sender: Sender, *, person: uuid.UUID, plate: OwnedPlate, registered_at: datetime, now: datetime
) -> OwnedPlate:
    """Take the plate from whoever held it. The first holder ever holds it since it was registered, any other one from now on."""
    await store.lock_key(tx, store.LOCK_PLATE, plate.token)  # Of two who prove the same plate at once, the second takes it from the first.
    row = await store.lock_plate(tx, person, plate.id)
    if row is None:  # Removed while the registry was asked.
        raise NotFound
    if row["proved_at"] is None:
        since = now if await store.was_held(tx, plate.token) else min(registered_at, now)
        former = await store.take_plate(tx, plate.token, now)
        await store.prove_plate(tx, plate.id, now)
        tx.tell(events.PlateProved(plate_token=plate.token, person=person, since=since, taken_from=former), at=now)
        if former is not None:
            await _tell_former(tx, keys, sender, former, plate)
    proved = await plates.owned_plate(tx, keys, person, plate.id)
    assert proved is not None, "locked above"
    return proved


async def _tell_former(tx: Transaction, keys: Keys, sender: Sender, former: uuid.UUID, plate: OwnedPlate) -> None:
    """By message, since it must reach one who no longer looks; that it was taken stays in the row of the former plate too."""
    try:
        phone = await people.phone_of(tx, keys, former)
    except seal.SealBroken:
        log.warning("former_holder_not_told", person=str(former))
        return
    message = Message(ids.new_id(), phone, "plate_taken", {"plate": masked_plate(plate.plate)})
    tx.after_commit.append(lambda: sender.post(message))
