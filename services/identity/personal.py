"""Each person has a key of her own for what is told of her by name; dropping it forgets all of it, in copies and backups too."""

import uuid
from datetime import datetime

from foundation.errors import NotFound
from foundation.postgres import Transaction
from foundation.seal import Keys, Personal
from services.identity import store


async def personal_key(tx: Transaction, keys: Keys, person: uuid.UUID, now: datetime) -> Personal:
    """A person's key, made when she has none yet. `now` is wall time. Raises NotFound when it was dropped: she was erased."""
    row = await store.personal_key(tx, person)
    if row is None:
        await store.make_personal_key(tx, person, keys.new_personal(str(person)), now)
        row = await store.personal_key(tx, person)
    assert row is not None, "made a moment ago, by us or by somebody who was first"
    return _unwrapped(keys, person, row["wrapped"])


async def known_key(reader: store.Reader, keys: Keys, person: uuid.UUID) -> Personal | None:
    """A person's key to read by; None when nothing was ever sealed for her. Raises NotFound when it was dropped."""
    row = await store.personal_key(reader, person)
    return None if row is None else _unwrapped(keys, person, row["wrapped"])


async def drop_key(tx: Transaction, person: uuid.UUID, now: datetime) -> None:
    """From now on nothing that was sealed for her opens again."""
    await store.drop_personal_key(tx, person, now)


def _unwrapped(keys: Keys, person: uuid.UUID, wrapped: bytes | None) -> Personal:
    if wrapped is None:
        raise NotFound
    return keys.personal(str(person), wrapped)
