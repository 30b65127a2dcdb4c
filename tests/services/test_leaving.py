"""A number that passed to a stranger begins anew with her, and who was erased stays erased, whatever backup is brought back."""

import uuid
from pathlib import Path
from typing import Any

import pytest

from foundation import sql
from foundation.errors import NotFound
from foundation.seal import SealBroken
from services.identity import people, store
from services.identity.erase_person import Erasures, erase_again, erase_person
from services.identity.errors import StillOpen
from services.identity.model import Identity, Seen
from services.identity.personal import known_key, personal_key
from simulators import population

LEVEL, FRESH, ME = "/api/v1/me/level", "/api/v1/me/fresh", "/api/v1/me"
PHONE, OTHER = "+8613800000011", "+8613800000012"
SHE = population.person_of(PHONE)
REGISTRY = {"to": "L2", "way": "registry", "name": SHE.name, "id_no": SHE.id_no}


async def proved(house: Any) -> Any:
    me = await house.log_in(PHONE)
    assert (await me("POST", LEVEL, REGISTRY))[0] == 200
    return me


async def test_number_passed_to_stranger_who_says_this_is_not_me(house: Any) -> None:
    former = await proved(house)
    plate = await former.bind("豫A12345")
    house.clock.move(days=120)
    stranger = await house.log_in(PHONE)
    assert (await stranger("GET", ME + "/plates"))[0] == 403

    status, fresh = await stranger("POST", FRESH)

    assert status == 201 and fresh["id"] != former.person and "name" not in fresh and fresh["level"] == "L1"
    assert await stranger("GET", ME) == (200, fresh)
    assert (await stranger("GET", ME + "/plates"))[1]["items"] == []
    again = await house.log_in(PHONE)
    assert again.person == fresh["id"], "the number is hers from now on"
    assert await store.plate(house.database, uuid.UUID(former.person), uuid.UUID(plate)), "and what was the former holder's is left alone"
    with pytest.raises(SealBroken):
        await people.phone_of(house.database, house.keys, uuid.UUID(former.person))


async def test_who_comes_back_from_a_phone_of_her_own_has_her_name_by_the_counter(house: Any) -> None:
    await proved(house)
    house.clock.move(days=120)
    assert (await (await house.log_in(PHONE))("POST", FRESH))[0] == 201
    she = await house.log_in(OTHER)
    assert (await she("POST", LEVEL, REGISTRY))[0] == 422, "typing takes a name from nobody, not even from an account without a phone"

    class Counter:
        field = "code"

        async def check(self, phone: str, proof: str) -> Seen:
            return Seen(Identity(SHE.name, SHE.id_no), frozenset({"person", "card"}))

    async with house.opened(presences={"counter": Counter()}) as door:
        status, body = await type(she)(door, she.token)("POST", LEVEL, {"to": "L3", "way": "counter", "code": "1"})
    assert (status, body["level"]) == (200, "L3")


async def test_an_account_in_use_is_not_given_up_by_a_word(house: Any) -> None:
    me = await proved(house)

    assert (await me("POST", FRESH))[0] == 409
    assert (await me("GET", ME))[1]["id"] == me.person


class Affairs(tuple[str, ...]):
    async def open_of(self, tx: Any, person: uuid.UUID) -> tuple[str, ...]:
        return self


async def erased(house: Any, me: Any, register: Erasures, left: Affairs | None = None) -> None:
    now = {"wall": house.clock.wall(), "city": house.clock.city()}
    await erase_person(house.database, house.keys, register, left or Affairs(), person=uuid.UUID(me.person), **now)


async def test_nobody_is_forgotten_while_something_is_open(house: Any, tmp_path: Path) -> None:
    register, me = Erasures(tmp_path / "erasures.txt"), await proved(house)

    with pytest.raises(StillOpen, match="her wallet holds"):
        await erased(house, me, register, Affairs(["her wallet holds 9.50 yuan; transfer it"]))

    assert register.all() == [] and (await me("GET", ME))[1]["id"] == me.person, "the next start erases nobody either"
    await erased(house, me, register)
    await erased(house, me, register, Affairs(["too late to matter"]))
    assert register.all() == [uuid.UUID(me.person)]


async def test_nothing_of_an_erased_person_opens_again(house: Any, tmp_path: Path) -> None:
    me = await proved(house)
    await me.bind("豫A12345")
    async with house.database.transaction() as tx:
        key = await personal_key(tx, house.keys, uuid.UUID(me.person), house.clock.wall())
        copied = key.seal("what a form said", "a copy somewhere")

    await erased(house, me, Erasures(tmp_path / "erasures.txt"))

    assert key.unseal(copied, "a copy somewhere"), "who holds the key in hand still could"
    with pytest.raises(NotFound):
        await known_key(house.database, house.keys, uuid.UUID(me.person))
    assert (await me("GET", ME))[0] == 404, "not even while the log-in is remembered"
    await house.known.catch_up()
    assert (await me("GET", ME))[0] == 401
    rows = await house.database.fetch(
        sql.Query("rows", "SELECT p::text FROM services.plate p UNION ALL SELECT q::text FROM services.person q")
    )
    assert house.keys.token("phone", PHONE).hex() not in str(rows) and house.keys.token("id_no", SHE.id_no).hex() not in str(rows)
    assert [fact.kind for fact in await house.facts()][-2:] == ["plate_released", "person_erased"]
    anew = await proved(house)
    assert anew.person != me.person, "the number and the name are free"


async def test_erased_and_back_from_the_tape(house: Any, tmp_path: Path) -> None:
    register, me = Erasures(tmp_path / "erasures.txt"), await proved(house)
    person = uuid.UUID(me.person)
    before = await tape(house, person)
    await erased(house, me, register)
    assert await erase_again(house.database, house.keys, register, house.clock) == 0, "once is enough"
    await put_back(house, person, before)
    assert await people.identity_of(house.database, house.keys, person), "the backup brought her back"

    assert await erase_again(house.database, house.keys, register, house.clock) == 1

    with pytest.raises(NotFound):
        await known_key(house.database, house.keys, person)
    assert await people.identity_of(house.database, house.keys, person) is None and register.all() == [person]


def test_a_line_that_a_crash_cut_off_was_never_acted_on(tmp_path: Path) -> None:
    register, person = Erasures(tmp_path / "erasures.txt"), uuid.uuid4()
    assert register.all() == []
    register.add(person)
    register.add(person)
    with register.path.open("a") as file:
        file.write(str(uuid.uuid4())[:20])

    assert register.all() == [person]


async def tape(house: Any, person: uuid.UUID) -> list[Any]:
    """The rows of a person as yesterday's dump has them."""
    rows = await house.database.row(
        sql.Query("tape", "SELECT p.*, k.wrapped FROM services.person p JOIN services.person_key k ON k.person = p.id WHERE p.id = $1"),
        person,
    )
    return [rows[name] for name in ("phone_token", "phone_sealed", "id_token", "id_sealed", "name_sealed", "wrapped")]


async def put_back(house: Any, person: uuid.UUID, kept: list[Any]) -> None:
    statement = (
        "WITH key AS (UPDATE services.person_key SET wrapped = $7, dropped_at = NULL WHERE person = $1)"
        " UPDATE services.person SET phone_token = $2, phone_sealed = $3, id_token = $4, id_sealed = $5, name_sealed = $6,"
        " level = 'L2', erased_at = NULL, locked_at = NULL WHERE id = $1"
    )
    async with house.database.transaction() as tx:
        await tx.execute(sql.Query("put_back", statement), person, *kept)
