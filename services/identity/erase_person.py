"""A person is erased: her key is dropped, her number and name are gone, and a register outside of the database sees to it that no
backup brings her back."""

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import structlog

from foundation import events
from foundation.clock import Clock
from foundation.postgres import Database, Transaction
from foundation.seal import Keys
from services.identity import people, personal, store
from services.identity.errors import StillOpen

log = structlog.get_logger()


class Affairs(Protocol):
    """What other houses have open with a person; wiring knows them."""

    async def open_of(self, tx: Transaction, person: uuid.UUID) -> Sequence[str]:
        """Sentences, each of which says what has to be done first; held so until the transaction ends."""


@dataclass(frozen=True, slots=True)
class Erasures:
    """Who was erased, one id a line, in a file beside the keys: written before the database, and never in its dump."""

    path: Path

    def add(self, person: uuid.UUID) -> None:
        """On disk before this returns."""
        with os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
            file.write(f"{person}\n")
            file.flush()
            os.fsync(file.fileno())

    def all(self) -> list[uuid.UUID]:
        """Each once, in order. A line that was cut off by a crash was never acted on."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return list(dict.fromkeys(uuid.UUID(line) for line in lines if len(line) == 36))


async def erase_person(
    database: Database, keys: Keys, erasures: Erasures, affairs: Affairs, *, person: uuid.UUID, wall: datetime, city: datetime
) -> None:
    """What the law keeps (bills, postings, facts) stays without a name. Erasing again changes nothing. Raises StillOpen, and then nothing
    was changed: whoever is forgotten could neither be paid nor asked."""

    async def work(tx: Transaction) -> None:
        await store.lock_person(tx, person)
        if not await store.was_erased(tx, person):
            left = await affairs.open_of(tx, person)
            if left:
                raise StillOpen(left)
            erasures.add(person)  # Decided: whatever becomes of this transaction, the next start erases her.
        await _erase(tx, keys, person, wall, city)

    await database.run(work)


async def erase_again(database: Database, keys: Keys, erasures: Erasures, clock: Clock) -> int:
    """After a restore, before the doors open: whoever came back from the tape is erased once more; answers how many."""
    erased = 0
    for person in erasures.all():
        erased += await database.run(lambda tx, person=person: _erase(tx, keys, person, clock.wall(), clock.city()))  # type: ignore[misc]
    if erased:
        log.warning("erased_again", people=erased)
    return erased


async def _erase(tx: Transaction, keys: Keys, person: uuid.UUID, wall: datetime, city: datetime) -> bool:
    """Whether there was somebody to erase."""
    if not await store.mark_erased(tx, person, people.no_number(keys, person), wall):
        return False
    await personal.drop_key(tx, person, wall)
    await store.lose_identity(tx, person)
    await store.end_sessions_of(tx, person, wall)
    await store.revoke_roles(tx, person, wall)
    for token in await store.forget_plates(tx, person, city):
        tx.tell(events.PlateReleased(plate_token=token, person=person, until=city), at=city)
    tx.tell(events.PersonErased(person=person), at=city)
    return True
