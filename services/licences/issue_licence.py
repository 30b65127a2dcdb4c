"""A case ends in a licence, once; a licence that allows parking is told to parking as a permit."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from foundation import ids
from foundation.events import LicenceIssued, Names, PermitGranted
from foundation.postgres import Transaction
from foundation.seal import Keys
from services.identity.personal import personal_key
from services.licences import store
from services.licences.model import Licence, Permit

CLAIMS = "licence.claims_sealed"


def id_of(case: uuid.UUID) -> uuid.UUID:
    """The licence of a case, before it is issued and for ever."""
    return ids.id_of("licence", case)


async def issue(
    tx: Transaction,
    keys: Keys,
    *,
    case: uuid.UUID,
    person: uuid.UUID,
    class_code: str,
    names: Names,
    valid_from: datetime,
    valid_to: datetime,
    claims: Mapping[str, Any],
    now: datetime,
    agency: str = "",
    permit: Permit | None = None,
) -> LicenceIssued:
    """Issue the licence of a case; a case that has one keeps it. `claims` is what it says of its holder, `now` city time.

    Raises NotFound when the person was erased.
    """
    key = await personal_key(tx, keys, person, now)
    sealed = key.seal(msgspec.json.encode(dict(claims), order="deterministic").decode(), CLAIMS)
    one = Licence(id_of(case), case, person, class_code, names, agency, now, valid_from, valid_to, permit, claims_sealed=sealed,
                  permit_id=id_of(case) if permit else None)  # fmt: skip
    if await store.add_licence(tx, one):
        tx.tell(_issued(one), *granted(one), at=now)
        return _issued(one)
    known = await store.licence(tx, one.id)
    assert known is not None, "it stood in the way of a second one"
    return _issued(known)


def _issued(one: Licence) -> LicenceIssued:
    return LicenceIssued(
        licence=one.id, case=one.case, person=one.person, class_code=one.class_code, valid_from=one.valid_from, valid_to=one.valid_to
    )


def granted(one: Licence) -> list[PermitGranted]:
    """What parking is told of the permit that it carries."""
    permit = one.permit
    if permit is None or one.permit_id is None:
        return []
    return [
        PermitGranted(
            permit=one.permit_id, plate_token=permit.plate_token, zone=permit.zone, permit_kind=permit.kind, names=one.names,
            valid_from=one.valid_from, valid_to=one.valid_to,
        )
    ]  # fmt: skip
