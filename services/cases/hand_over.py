"""Staff of one agency take a case in hand, put it back, or hand it to a colleague: judged at the act, told as a fact."""

import dataclasses
import uuid
from collections.abc import Mapping

from foundation import events
from foundation.errors import Conflict, NotAllowed, NotFound, invalid
from foundation.postgres import Transaction
from services.cases import store
from services.cases.desk import Desk, Office, locked_case
from services.cases.model import Case, Opened
from services.identity.colleagues import Colleague, colleagues_of

Colleagues = Mapping[uuid.UUID, Colleague]


async def hand_over(desk: Office, *, staff: uuid.UUID, agencies: frozenset[str], case: uuid.UUID, to: uuid.UUID | None) -> Opened:
    """From now on `to` has it in hand, or nobody. Whoever takes a case that a colleague has takes it over; nobody puts back what is not
    hers. Raises NotFound, NotAllowed, Conflict, Invalid."""

    async def work(tx: Transaction) -> Opened:
        found = await locked_case(desk, tx, case)
        if found.case.person == staff:
            raise NotAllowed("nobody has an application of one's own in hand")
        if found.case.agency not in agencies or found.case.state == "draft":
            raise NotFound
        there = await here_now(desk, tx, {found.case.agency})
        if to is None and found.case.clerk != staff and found.case.clerk in there:
            raise Conflict("a colleague has it in hand; take it over if she cannot go on")
        if to is not None and (to not in there or to == found.case.person):
            raise invalid("/to", "not_a_colleague", "this is nobody of your agency's staff who may have it now")
        return found if to == found.case.clerk else await _given(desk, tx, found, to, staff)

    return await desk.database.run(work)


async def _given(desk: Desk, tx: Transaction, found: Opened, to: uuid.UUID | None, by: uuid.UUID) -> Opened:
    await store.set_clerk(tx, found.case.id, to)
    case = found.case
    told = events.CaseHandedOver(
        case=case.id, person=case.person, matter=case.matter, version=case.version, agency=case.agency, clerk=to, by=by
    )
    tx.tell(told, at=desk.clock.city())
    return dataclasses.replace(found, case=dataclasses.replace(case, clerk=to))


async def here_now(desk: Desk, reader: store.Reader, agencies: set[str]) -> Colleagues:
    return {one.person: one for one in await colleagues_of(reader, desk.keys, agencies, desk.clock.wall())}


async def refuse_anothers(desk: Desk, tx: Transaction, case: Case, staff: uuid.UUID) -> None:
    """Raises Conflict while a colleague who still may has it in hand."""
    if case.clerk not in (None, staff) and case.clerk in await here_now(desk, tx, {case.agency}):
        raise Conflict("a colleague has this case in hand; take it over first", code="in_other_hands")
