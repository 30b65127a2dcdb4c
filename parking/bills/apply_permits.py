"""Permits in the words of tariffs: which spans of a stay, and of the visits counted with it, a permit of the plate covers."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from foundation.postgres import Transaction
from parking.permits import store as permits
from parking.permits.model import Permit, Presence, covering
from parking.sites import store as sites
from parking.tariffs.model import PermitSpan, Text


def spans_of(held: Sequence[Permit], presences: Iterable[Presence]) -> tuple[PermitSpan, ...]:
    return tuple(PermitSpan(one.start, one.end, name=one.kind, title=Text(one.name_zh, one.name_en)) for one in covering(held, presences))


async def spans_at(tx: Transaction, plate_token: bytes, site: str, start: datetime, end: datetime) -> tuple[PermitSpan, ...]:
    """What permits cover of a stay that is only asked about."""
    held = await permits.permits_of(tx, [plate_token])
    if not held:
        return ()
    known = await sites.load_sites(tx, [site])
    return spans_of(held[plate_token], [Presence(known[site].zone, start, end)]) if site in known else ()
