"""A holder shows a licence: a token of her phone's screen that is worth nothing a minute later."""

import uuid
from dataclasses import dataclass
from datetime import datetime

import segno

from foundation import ids
from foundation.errors import Conflict, NotFound, TooMany
from foundation.postgres import Database, Transaction
from services.licences import model, store, token
from services.licences.keyring import Keyring
from services.licences.model import Shown


@dataclass(frozen=True, slots=True)
class Presentation:
    token: str
    expires_at: datetime


async def show_licence(
    tx: Transaction, keyring: Keyring, *, person: uuid.UUID, licence: uuid.UUID, issuer: str, wall: datetime, city: datetime
) -> Presentation:
    """Raises NotFound for anybody else's, Conflict for one that does not hold today, TooMany."""
    one = await store.lock_licence(tx, licence)
    if one is None or one.person != person:
        raise NotFound
    state = one.state_at(city)
    if state != "valid":
        raise Conflict(model.REASON_WORDS[state].en, code=state)
    if await store.count_shown(tx, one.id, wall) >= model.SHOWN_AT_ONCE_MAX:
        raise TooMany("it is being shown already; wait a minute", retry_after_s=int(model.SHOWN_FOR.total_seconds()))
    began = wall.replace(microsecond=0)
    shown = Shown(ids.random_id(), one.class_code, one.valid_to, began, began + model.SHOWN_FOR)
    await store.keep_shown(tx, shown.number, one, shown.expires_at)
    return Presentation(token.write(shown, keyring, issuer), shown.expires_at)


async def forget_old(database: Database, now: datetime) -> None:
    """What was shown long ago. `now` is wall time."""
    async with database.transaction() as tx:
        await store.forget_shown(tx, now - model.SHOWN_KEPT)


def qr_of(text: str) -> str:
    """A QR code as an SVG data URI, for an `img`: takes some milliseconds, so call it off the loop."""
    return segno.make(text, error="l", micro=False).svg_data_uri(scale=4, border=4, dark="#000", light="#fff")
