"""A licence follows its case after it was issued: it is filled in when a pledge was checked, suspended when one does not hold, and
holds again when staff keep it. What was shown of the version before is superseded."""

import dataclasses
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from foundation import ids
from foundation.events import LicenceAmended, LicenceSuspended
from foundation.postgres import Transaction
from foundation.seal import Keys
from services.identity.personal import personal_key
from services.licences import store
from services.licences.issue_licence import CLAIMS, granted, id_of
from services.licences.model import Licence, Permit
from services.licences.revoke_licence import ended


async def amend(
    tx: Transaction, keys: Keys, *, case: uuid.UUID, number: int, claims: Mapping[str, Any], permit: Permit | None, now: datetime
) -> bool:  # fmt: skip
    """Whether it says something else now, or holds again. `number` is the revision of the case that says so: an older one, or the
    same again, changes nothing, and so does whatever a revoked licence is told."""
    one = await _following(tx, case, number)
    if one is None:
        return False
    key = await personal_key(tx, keys, one.person, now)
    same = msgspec.json.decode(key.unseal(one.claims_sealed, CLAIMS)) == dict(claims) and permit == one.permit
    if same and one.suspended_at is None:
        await store.amend_licence(tx, dataclasses.replace(one, followed=number))
        return False
    sealed = key.seal(msgspec.json.encode(dict(claims), order="deterministic").decode(), CLAIMS)
    after = dataclasses.replace(one, version=one.version + 1, followed=number, claims_sealed=sealed, permit=permit, suspended_at=None)
    await _save(tx, one, after, now)
    tx.tell(LicenceAmended(licence=one.id, person=one.person, class_code=one.class_code, version=after.version), at=now)
    return True


async def suspend(tx: Transaction, *, case: uuid.UUID, number: int, now: datetime) -> bool:
    """Whether it held until now. The permit that it carries ends; one is granted anew when it holds again."""
    one = await _following(tx, case, number)
    if one is None or one.suspended_at is not None:
        return False
    await _save(tx, one, dataclasses.replace(one, followed=number, suspended_at=now), now)
    tx.tell(LicenceSuspended(licence=one.id, person=one.person, class_code=one.class_code, suspended_at=now), at=now)
    return True


async def _following(tx: Transaction, case: uuid.UUID, number: int) -> Licence | None:
    one = await store.lock_licence(tx, id_of(case))
    return None if one is None or one.revoked_at is not None or number <= one.followed else one


async def _save(tx: Transaction, before: Licence, after: Licence, now: datetime) -> None:
    """With its permit: ended where it holds no more or is of another plate or zone, granted where there is a new one."""
    carries = after.permit is not None and after.suspended_at is None
    if before.permit_id is not None and carries and before.permit == after.permit:
        await store.amend_licence(tx, after)
        return
    permit_id = ids.id_of("permit", after.id, after.followed) if carries else None
    after = dataclasses.replace(after, permit_id=permit_id)
    await store.amend_licence(tx, after)
    tx.tell(*ended(before, now), *granted(after), at=now)
