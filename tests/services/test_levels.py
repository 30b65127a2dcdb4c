"""Who somebody is, proved step by step: by the register, in presence, once for each number, and never by a face alone."""

import asyncio
import uuid
from datetime import date
from typing import Any

import pytest

from foundation import id_numbers, sql
from foundation.caller import Caller
from foundation.errors import NotAllowed
from services.identity import store
from services.identity.levels import require_level
from services.identity.model import LEVEL_LIVES, Identity, Seen
from services.identity.personal import drop_key
from simulators import population

LEVEL = "/api/v1/me/level"
PHONE, OTHER = "+8613800000011", "+8613800000012"
ME, SHE = population.person_of(PHONE), population.person_of(OTHER)


def registry(person: Any, **change: str) -> dict[str, str]:
    return {"to": "L2", "way": "registry", "name": person.name, "id_no": person.id_no} | change


async def counter_code(house: Any, phone: str) -> str:
    async with house.client.post(
        f"{house.registry_url}/counter/v1/visits", json={"phone": phone}, headers={"X-Api-Key": "test-key"}
    ) as said:
        return str((await said.json())["code"])


async def at_the_counter(house: Any, me: Any, phone: str) -> tuple[int, Any]:
    return await me("POST", LEVEL, {"to": "L3", "way": "counter", "code": await counter_code(house, phone)})


def pointer(body: Any) -> str:
    return str(body["errors"][0]["pointer"])


async def test_name_and_number_of_one_person_are_l2(house: Any) -> None:
    me = await house.log_in(PHONE)

    status, body = await me("POST", LEVEL, registry(ME, id_no=ME.id_no.lower()))

    assert status == 200 and (body["level"], body["name"], body["id_no"][-4:]) == ("L2", f"{ME.name[0]}*", ME.id_no[-4:])
    assert await me("GET", "/api/v1/me") == (200, body) and me.headers["Cache-Control"] == "no-store"
    assert ME.name not in str(body) and ME.id_no not in str(body)


async def test_my_name_with_anothers_number_proves_nothing(house: Any) -> None:
    me = await house.log_in(PHONE)

    for wrong in (registry(ME, id_no=SHE.id_no), registry(ME, name=SHE.name + "某")):
        status, body = await me("POST", LEVEL, wrong)
        assert (status, pointer(body)) == (422, "/id_no")
    assert (await me("GET", "/api/v1/me"))[1]["level"] == "L1"


async def test_five_tries_a_day_and_what_is_typed_wrongly_costs_none(house: Any) -> None:
    me = await house.log_in(PHONE)
    for _ in range(7):
        assert (await me("POST", LEVEL, registry(ME, id_no="990000199002300120")))[0] == 422
    tries = [await me("POST", LEVEL, registry(ME, id_no=SHE.id_no)) for _ in range(6)]

    assert [status for status, _ in tries] == [422] * 5 + [429] and 0 < int(me.headers["Retry-After"]) <= 86_401
    assert (await me("POST", LEVEL, registry(ME)))[0] == 429
    house.clock.move(days=1)
    assert (await me("POST", LEVEL, registry(ME)))[0] == 200


async def test_five_at_once_are_five(house: Any) -> None:
    me = await house.log_in(PHONE)

    tries = await asyncio.gather(*(me("POST", LEVEL, registry(ME, id_no=SHE.id_no)) for _ in range(9)))

    assert sorted(status for status, _ in tries) == [422] * 5 + [429] * 4


@pytest.mark.parametrize("state", ["down", "slow", "wrong"])
async def test_a_register_that_is_away_is_no_no_and_costs_no_try(house: Any, state: str) -> None:
    me = await house.log_in(PHONE)
    await house.turn(f"{house.registry_url}/control/police", state)
    assert [(await me("POST", LEVEL, registry(ME)))[0] for _ in range(6)] == [503] * 6

    await house.turn(f"{house.registry_url}/control/police", "up")

    assert (await me("POST", LEVEL, registry(ME)))[0] == 200


async def test_a_clerks_code_is_l3_once(house: Any) -> None:
    me = await house.log_in(PHONE)
    await me("POST", LEVEL, registry(ME))
    code = await counter_code(house, PHONE)
    made_up, body = await me("POST", LEVEL, {"to": "L3", "way": "counter", "code": code[::-1] if code != code[::-1] else "0" + code[1:]})

    assert (made_up, pointer(body)) == (422, "/code")
    assert (await me("POST", LEVEL, {"to": "L3", "way": "counter", "code": code}))[1]["level"] == "L3"
    assert (await me("POST", LEVEL, {"to": "L3", "way": "counter", "code": code}))[0] == 422, "used up"


async def test_a_code_of_the_counter_is_of_the_phone_it_was_given_to(house: Any) -> None:
    me = await house.log_in(PHONE)

    status, _ = await me("POST", LEVEL, {"to": "L3", "way": "counter", "code": await counter_code(house, OTHER)})

    assert status == 422 and (await me("GET", "/api/v1/me"))[1]["level"] == "L1"


async def test_a_counter_that_mistakes_the_person_is_away(house: Any) -> None:
    me = await house.log_in(PHONE)
    await house.turn(f"{house.registry_url}/control/counter", "wrong")

    assert (await at_the_counter(house, me, PHONE))[0] == 503


async def proved(house: Any, phone: str, person: Any) -> Any:
    found = await house.log_in(phone)
    assert (await found("POST", LEVEL, registry(person)))[0] == 200
    return found


async def test_one_number_is_one_account_and_nobody_learns_by_trying_whose(house: Any) -> None:
    holder = await proved(house, OTHER, SHE)
    stranger = await house.log_in("+8613800000099")

    taken = await stranger("POST", LEVEL, registry(SHE))
    wrong = await stranger("POST", LEVEL, registry(SHE, name=SHE.name + "某"))

    assert taken == wrong and taken[0] == 422, "a number that is taken and a wrong one are answered in the same words"
    assert (await holder("GET", "/api/v1/me"))[1]["level"] == "L2"
    texts = [row["text"] for row in await house.outbox(OTHER)]
    assert "Somebody tried to use your name" in texts[-1] and SHE.name not in texts[-1], "her holder is told"


async def test_squatter_keeps_password_after_proof(house: Any) -> None:
    """Who typed a name first has nothing once its bearer comes in person; nothing of his account becomes hers."""
    squatter = await proved(house, "+8613800000099", ME)
    plate = await squatter.bind("豫A99999", prove=False)
    me = await house.log_in(PHONE)

    status, body = await at_the_counter(house, me, PHONE)

    assert (status, body["level"]) == (200, "L3") and "name" in body
    await house.known.catch_up()
    _, left = await squatter("GET", "/api/v1/me")
    assert left["level"] == "L1" and "name" not in left
    assert (await me("GET", "/api/v1/me/plates"))[1]["items"] == []
    assert [row["id"] for row in (await squatter("GET", "/api/v1/me/plates"))[1]["items"]] == [plate]
    assert [event.level for event in await house.facts() if event.kind == "level_changed"] == ["L2", "L1", "L3"]


async def test_an_account_belongs_to_one_person(house: Any) -> None:
    me = await proved(house, PHONE, ME)
    assert (await me("POST", LEVEL, registry(SHE)))[0] == 422

    class Sister:
        field = "code"

        async def check(self, phone: str, proof: str) -> Seen:
            return Seen(Identity(SHE.name, SHE.id_no), frozenset({"person", "card"}))

    async with house.opened(presences={"counter": Sister()}) as elsewhere:
        status, body = await type(me)(elsewhere, me.token)("POST", LEVEL, {"to": "L3", "way": "counter", "code": "1"})
    assert (status, body["errors"][0]["code"]) == (422, "another_person")
    assert (await me("GET", "/api/v1/me"))[1]["level"] == "L2"


async def test_two_who_prove_one_number_at_once_are_one(house: Any) -> None:
    one, two = await house.log_in(PHONE), await house.log_in(OTHER)

    answers = await asyncio.gather(one("POST", LEVEL, registry(ME)), two("POST", LEVEL, registry(ME)))

    assert sorted(status for status, _ in answers) == [200, 422]


async def test_a_level_has_an_age(house: Any) -> None:
    me = await house.log_in(PHONE)
    _, body = await at_the_counter(house, me, PHONE)
    assert body["level_at"]
    house.clock.move(days=LEVEL_LIVES.days + 1)

    later = await house.log_in(PHONE)

    person = uuid.UUID(later.person)
    assert (await house.known.who_is(later.token)).level == "L1", "after so long a number may be a stranger's"
    async with house.database.transaction() as tx:
        await store.be_sure_of_all(tx, person)
    house.known.forget(person)
    assert (await house.known.who_is(later.token)).level == "L2", "and presence that old is worth a name"


@pytest.mark.parametrize(("held", "needed", "good"), [("L1", "L2", False), ("L2", "L3", False), ("L2", "L2", True), ("L3", "L2", True)])
def test_step_up_is_asked_per_act(held: str, needed: Any, good: bool) -> None:
    caller = Caller(uuid.uuid4(), uuid.uuid4(), held)

    if good:
        require_level(caller, needed)
    else:
        with pytest.raises(NotAllowed) as refused:
            require_level(caller, needed)
        assert refused.value.body()["needs"] == needed and refused.value.status == 403


async def test_name_and_number_lie_under_the_persons_own_key(house: Any) -> None:
    me = await proved(house, PHONE, ME)
    rows = await house.database.fetch(sql.Query("all", "SELECT p::text FROM services.person p"))
    assert ME.name not in str(rows[0][0]) and ME.id_no not in str(rows[0][0])

    async with house.database.transaction() as tx:
        await drop_key(tx, uuid.UUID(me.person), house.clock.wall())

    assert (await me("GET", "/api/v1/me"))[0] == 404, "dropped keys open nothing, for ever"


# The case `id-number-of-thirtieth-february` and what else no bearer can have.
@pytest.mark.parametrize(
    ("number", "fault"),
    [
        ("990000199002300120", "id_no_birth_date"),
        ("99000019970229012X", "id_no_birth_date"),
        ("990000199611310340", "id_no_birth_date"),
        ("990000209912310124", "id_no_future"),
        ("990000199010150125", "id_no_check_digit"),
        ("000000199010150126", "id_no_format"),
        ("170000199010150126", "id_no_area"),
        ("99000019901015012", "id_no_format"),
        ("9900001990101501266", "id_no_format"),
    ],
)
async def test_id_number_of_thirtieth_february(house: Any, number: str, fault: str) -> None:
    me = await house.log_in(PHONE)

    status, body = await me("POST", LEVEL, registry(ME, id_no=number))

    assert (status, pointer(body), body["errors"][0]["code"]) == (422, "/id_no", fault)


@pytest.mark.parametrize(
    "said", ["990000199010150126", "99000019901015002x", " 990000 19901015 0126 ", "９９００００１９９０１０１５０１２６"]
)
def test_one_number_has_one_form(said: str) -> None:
    number = id_numbers.normal_id_no(said)

    assert number in ("990000199010150126", "99000019901015002X")
    assert id_numbers.id_no_fault(number, date(2026, 1, 1)) is None
