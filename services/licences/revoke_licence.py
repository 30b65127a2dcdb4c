"""A licence ends before its time, for a reason its holder and whoever is shown it can read; the permit it carries ends with it."""

import uuid
from datetime import datetime

from foundation.events import LicenceRevoked, PermitEnded
from foundation.postgres import Transaction
from services.licences import store
from services.licences.model import Licence, RevokedFor


async def revoke(tx: Transaction, licence: uuid.UUID, *, reason: RevokedFor, now: datetime) -> bool:
    """Whether it held until now. One that was revoked before keeps its first reason. `now` is city time."""
    one = await store.lock_licence(tx, licence)
    if one is None or one.revoked_at is not None:
        return False
    await store.revoke_licence(tx, licence, reason, now)
    tx.tell(LicenceRevoked(licence=one.id, person=one.person, class_code=one.class_code, reason=reason, revoked_at=now), at=now)
    tx.tell(*ended(one, now), at=now)
    return True


def ended(one: Licence, now: datetime) -> list[PermitEnded]:
    """What parking is told when the permit that it carries ends; one that is suspended carries none."""
    if one.permit is None or one.permit_id is None:
        return []
    return [PermitEnded(permit=one.permit_id, plate_token=one.permit.plate_token, ended_at=now)]
