"""Every read of a person's data is a line that she can see: who, for what, in which case, which fields."""

import uuid
from collections.abc import Collection
from datetime import datetime

from foundation import ids
from foundation.postgres import Transaction
from services.exchange import store


async def record_access(
    tx: Transaction,
    *,
    person: uuid.UUID,
    agency: str,
    purpose: str,
    case: uuid.UUID | None,
    fields: Collection[str],
    at: datetime,
    staff: uuid.UUID | None = None,
) -> None:
    """In the transaction of the read, or before anybody sees what was read. `at` is city time, `agency` who reads, `staff` the person
    at that agency when it was one: she is kept for who looks into it, and shown as the agency's staff."""
    assert fields, "a read of nothing is none"
    await store.keep_access(
        tx, ids.new_id(), person=person, agency=agency, staff=staff, purpose=purpose, case=case, fields=sorted(fields), at=at
    )
