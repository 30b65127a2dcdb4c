"""A stay that no device ends is ended by a person with evidence: hers is the weakest word, and nothing is taken from a wallet on it."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest

from foundation import ids
from foundation.caller import Caller, Role
from foundation.errors import Conflict, Invalid, NotFound
from foundation.http import Call
from foundation.sql import Query
from parking.sessions import http as sessions_http
from parking.tariffs.book import Book
from tests.parking.sessions.city import NINE, City

A, B = "豫A8B012", "豫A12345"


def minute(number: float) -> datetime:
    return NINE + timedelta(minutes=number)


def clerk(city: City, operator: str = "op", *, role: str = "operator") -> Caller:
    return Caller(ids.new_id(), ids.new_id(), roles=(Role(role, f"{city.name}-{operator}" if role == "operator" else ""),))


async def close(city: City, at: datetime, *, who: Caller | None = None, session: uuid.UUID | str | None = None, key: str = "") -> Any:
    """Over the route, as the door calls it; of the newest stay when none is named."""
    book = Book(city.database, city.clock)
    await book.load()
    [route] = [one for one in sessions_http.routes(city.database, city.keys, book, city.clock) if one.method == "POST"]
    if session is None:
        session = (await city.stays())[-1]["id"]
    body = sessions_http.CloseBody(left_at=at, evidence="ticket:17")
    headers = {"Idempotency-Key": key} if key else {}
    path = f"POST /api/v1/operator/sessions/{session}/close"
    return await route.handle(Call({"session": str(session)}, None, body, who or clerk(city), headers, b"", "", path))


async def test_car_without_a_plate_that_never_left_is_ended_by_hand(city: City) -> None:
    site = await city.site("s")
    await city.hear(city.passed(site, minute(0), "in"))
    await city.conclude()
    assert await city.told() == ["0-* open no_plate"]

    reply = await close(city, minute(130))

    assert await city.told() == ["0-130 closed closed_by_operator no_plate"]
    assert (reply.body.state, reply.body.left_at) == ("closed", "2026-03-02T11:10:00+08:00")


@pytest.mark.parametrize("at_gate", [True, False], ids=["gate", "spot"])
async def test_missed_exit_is_billed_to_the_hour_that_is_said_and_not_taken_unasked(city: City, at_gate: bool) -> None:
    site, me = await city.site("s"), ids.new_id()
    await city.prove(A, me, minute(-60))
    await city.top_up(me, 5000)
    await city.hear(city.passed(site, minute(0), "in", A) if at_gate else city.seen(site, "1", minute(0), "occupied", A))

    await close(city, minute(130))

    assert await city.told() == ["0-130 closed 1400=0+1400 open closed_by_operator"]
    assert await city.wallet(me) == 5000


@pytest.mark.parametrize("at_gate", [True, False], ids=["gate", "spot"])
@pytest.mark.parametrize("exit", [60, 200], ids=["before what was said", "after it"])
async def test_device_that_saw_the_exit_after_all_is_believed(city: City, at_gate: bool, exit: int) -> None:
    site = await city.site("s")
    await city.hear(city.passed(site, minute(0), "in", A) if at_gate else city.seen(site, "1", minute(0), "occupied", A))
    await close(city, minute(130))

    await city.hear(city.passed(site, minute(exit), "out", A, lane="2") if at_gate else city.seen(site, "1", minute(exit), "free"))
    await city.conclude()

    fee = {60: 500, 200: 2000}[exit]
    assert await city.told() == [f"0-{exit} closed {fee}=0+{fee} open"]


@pytest.mark.parametrize("at_gate", [True, False], ids=["gate", "spot"])
async def test_next_stay_begins_as_if_a_device_had_ended_the_one_before(city: City, at_gate: bool) -> None:
    site = await city.site("s")
    for start, end in ((0, 60), (300, 360)):
        await city.hear(city.passed(site, minute(start), "in", A) if at_gate else city.seen(site, "1", minute(start), "occupied", A))
        if start == 0:
            await close(city, minute(60))
        else:
            await city.hear(city.passed(site, minute(end), "out", A, lane="2") if at_gate else city.seen(site, "1", minute(end), "free"))
    await city.conclude()

    assert await city.told() == ["0-60 closed 500=0+500 open closed_by_operator", "300-360 closed 500=0+500 open"]


async def test_other_operators_and_strangers_find_no_such_stay(city: City) -> None:
    site = await city.site("s")
    await city.hear(city.passed(site, minute(0), "in"))

    for session in (None, uuid.uuid4(), "rubbish"):
        with pytest.raises(NotFound):
            await close(city, minute(60), who=clerk(city, "other"), session=session)
    await close(city, minute(60), who=clerk(city, role="admin"))
    assert await city.told() == ["0-60 closed closed_by_operator no_plate"]


async def test_end_lies_between_the_last_proof_and_now_and_is_said_once(city: City) -> None:
    site = await city.site("s")
    await city.hear(city.seen(site, "1", minute(0), "occupied", A), city.seen(site, "1", minute(30), "occupied", A))
    for at in (minute(29), city.clock.city() + timedelta(minutes=1)):
        with pytest.raises(Invalid):
            await close(city, at)

    who = clerk(city)
    first = await close(city, minute(30), who=who, key="k")
    again = await close(city, minute(30), who=who, key="k")
    assert (first.status, again.status) == (200, 200)
    with pytest.raises(Conflict):
        await close(city, minute(40))
    assert await city.told() == ["0-30 closed 500=0+500 open closed_by_operator"]


async def test_who_said_it_and_on_what_evidence_is_a_fact(city: City) -> None:
    site, who = await city.site("s"), clerk(city)
    await city.hear(city.passed(site, minute(0), "in"))
    await close(city, minute(60), who=who)

    text = "SELECT body::json->>'said_by' AS who, body::json->>'evidence' AS proof FROM journal.fact"
    text += " WHERE kind = 'departure_said' AND key = $1"
    [stay] = await city.stays()
    [row] = await city.database.fetch(Query("said", text), str(stay["id"]))
    assert (row["who"], row["proof"]) == (str(who.person), "ticket:17")
