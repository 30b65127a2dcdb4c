"""The plates in a person's list: added by anybody, proved by few, and a proof is the only thing that opens more than an amount."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from foundation import events, ids, plates
from foundation.errors import Conflict, NotFound, invalid
from foundation.plates import Plate
from foundation.postgres import Database, Record, Transaction
from foundation.seal import Keys
from services.identity import model, store
from services.identity.model import OwnedPlate


async def add_plate(tx: Transaction, keys: Keys, *, person: uuid.UUID, plate: Plate, nickname: str | None, now: datetime) -> OwnedPlate:
    """Put a plate into one's list, unproved; one that stands there already is answered as it is.

    Nothing of anybody else's is read, so that nobody learns whether a plate is held. `now` is city time.
    """
    _refuse_impossible(plate)
    token = model.plate_token(keys, plate)
    await store.lock_person(tx, person)  # Counting and adding are one act.
    row = await store.plate_by_token(tx, person, token)
    if row is None:
        if await store.count_plates(tx, person) >= model.PLATES_MAX:
            raise Conflict(f"a person has at most {model.PLATES_MAX} plates; remove one first")
        await store.add_plate(
            tx,
            ids.new_id(),
            person,
            token=token,
            sealed=keys.seal_lasting(plate.text),
            colour=plate.colour,
            nickname=keys.seal_lasting(nickname) if nickname else None,
            at=now,
        )
        row = await store.plate_by_token(tx, person, token)
    assert row is not None, "added a moment ago in this transaction"
    return opened(keys, row)


async def remove_plate(database: Database, keys: Keys, *, person: uuid.UUID, plate: uuid.UUID, now: datetime) -> None:
    """Take a plate out of one's list; a proved one is released to the world from `now` (city time) on. Raises NotFound."""

    async def work(tx: Transaction) -> None:
        row = await store.plate(tx, person, plate)
        if row is None:
            raise NotFound
        await store.lock_key(tx, store.LOCK_PLATE, row["plate_token"])  # Somebody may be taking it by a proof just now.
        row = await store.lock_plate(tx, person, plate)
        if row is None:
            raise NotFound
        await store.remove_plate(tx, plate, now)
        if row["proved_at"] is not None:
            tx.tell(events.PlateReleased(plate_token=row["plate_token"], person=person, until=now), at=now)

    await database.run(work)


async def plates_of(
    reader: store.Reader, keys: Keys, person: uuid.UUID, *, after: uuid.UUID | None = None, limit: int = model.PLATES_MAX
) -> list[OwnedPlate]:
    """A person's list, the oldest first."""
    return [opened(keys, row) for row in await store.plates_of(reader, person, after, limit)]


async def owned_plate(reader: store.Reader, keys: Keys, person: uuid.UUID, plate: uuid.UUID) -> OwnedPlate | None:
    """One plate of a person's list; None when it is not there, or not in hers."""
    row = await store.plate(reader, person, plate)
    return opened(keys, row) if row else None


async def proved_plate(reader: store.Reader, keys: Keys, person: uuid.UUID, text: str) -> OwnedPlate | None:
    """The plate with this text that the person proved to hold; None when she did not, whoever else does."""
    return next((one for one in await plates_of(reader, keys, person) if one.proved and one.plate == text), None)


async def bound_token(reader: store.Reader, person: uuid.UUID, plate: str) -> bytes:
    """The token of a plate in a person's list, by its id as it stands in an address. Raises NotFound."""
    try:
        row = await store.plate(reader, person, uuid.UUID(plate))
    except ValueError:
        row = None
    if row is None:
        raise NotFound
    return bytes(row["plate_token"])


async def holds(reader: store.Reader, person: uuid.UUID, plate_token: bytes) -> bool:
    """Whether this person proved to hold this plate, now."""
    return await store.holder_of(reader, plate_token) == person


def opened(keys: Keys, row: Record) -> OwnedPlate:
    nickname = keys.unseal(row["nickname_sealed"]) if row["nickname_sealed"] is not None else None
    return OwnedPlate(
        id=row["id"],
        token=row["plate_token"],
        plate=keys.unseal(row["plate_sealed"]),
        colour=row["colour"],
        nickname=nickname,
        proved=row["proved_at"] is not None,
        auto_pay=row["auto_pay"],
    )


def tokens_of(owned: Sequence[OwnedPlate]) -> list[bytes]:
    return [plate.token for plate in owned]


def _refuse_impossible(plate: Plate) -> None:
    fault = plates.plate_fault(plate.text, plate.colour)
    if fault == "plate_colour":
        raise invalid("/colour", fault, "no plate of this form has this colour")
    if fault is not None:
        raise invalid("/plate", fault, "this is not a number plate; write it like 豫A12345")
