"""Begin a top-up: its number is on disk before anybody outside hears of it; the poller calls the provider at once."""

import uuid
from datetime import datetime

from foundation import ids
from foundation.errors import TooMany
from foundation.postgres import Transaction
from parking.payments import model, store

RING = "topup"  # What the bell is rung with, so that the poller does not wait for its next look.


async def top_up(tx: Transaction, person: uuid.UUID, amount: int, *, provider: str, at: datetime, wall: datetime) -> uuid.UUID:
    """Write down that `person` wants `amount` fen in the wallet. Raises TooMany."""
    if await store.count_pending(tx, person) >= model.PENDING_MAX:
        raise TooMany("too many top-ups are still open; wait until one has ended", retry_after_s=60)
    topup = ids.new_id()
    number = model.number_of(topup)
    await store.add_topup(tx, id=topup, person=person, amount=amount, provider=provider, number=number, at=at, wall=wall)
    tx.rings.add(RING)
    return topup
