"""Who is staff of an agency now, by the name she proved, for those who hand a case to one another."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from foundation import masks
from foundation.postgres import Record
from foundation.seal import Keys, SealBroken
from services.identity import store
from services.identity.people import NAME_PLACE

COLLEAGUES_MAX = 500


@dataclass(frozen=True, slots=True)
class Colleague:
    """`name` as she proved it; else her number, masked."""

    person: uuid.UUID
    agency: str
    name: str = field(repr=False)


async def colleagues_of(reader: store.Reader, keys: Keys, agencies: Collection[str], now: datetime) -> list[Colleague]:
    """Those whose right holds at `now` (wall time): dates are compared at use."""
    found: list[Colleague] = []
    for row in await store.staff_of(reader, agencies, now, COLLEAGUES_MAX):
        try:
            found.append(Colleague(row["person"], row["scope"], _name(keys, row)))
        except SealBroken:  # Erased or passed on a moment ago.
            continue
    return sorted(found, key=lambda one: (one.agency, one.name, one.person))


def _name(keys: Keys, row: Record) -> str:
    if row["name_sealed"] is not None and row["wrapped"] is not None:
        return keys.personal(str(row["person"]), row["wrapped"]).unseal(row["name_sealed"], NAME_PLACE)
    if row["phone_sealed"] is None:
        raise SealBroken("the number passed to somebody else")
    return masks.masked_phone(keys.unseal(row["phone_sealed"]))
