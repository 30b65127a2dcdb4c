"""Anybody may add a plate and learn an amount; only papers open more, and they open it for one person at a time."""

import asyncio
import uuid
from typing import Any

import pytest

from foundation import events, sql
from foundation.errors import NotFound
from foundation.plates import Plate
from services.identity import errors, model, plates
from services.identity.model import Papers
from simulators import population

PLATES = "/api/v1/me/plates"
ME, OTHER = "+8613800000001", "+8613800000002"
PLATE = "豫A12345"


def papers_of(plate: str) -> dict[str, str]:
    return {"way": "vehicle_licence", "vin_last6": population.vehicle_of(plate).vin_last6}


GUESS = {"way": "vehicle_licence", "vin_last6": "000000"}


async def test_a_plate_is_added_unproved(house: Any) -> None:
    me = await house.log_in(ME)

    status, body = await me("POST", PLATES, {"plate": PLATE, "colour": "blue", "nickname": " 家里的车 "})

    assert status == 201 and me.headers["Cache-Control"] == "no-store"
    assert body == {"id": body["id"], "plate": PLATE, "colour": "blue", "nickname": "家里的车", "proved": False, "auto_pay": False}


async def test_letter_o_full_width_and_dots(house: Any) -> None:
    me = await house.log_in(ME)
    spellings = ["豫A80112", "豫A8O112", "豫a80112", "豫Ａ８０１１２", " 豫A·80 112 ", "豫A・8o112"]

    answers = [await me("POST", PLATES, {"plate": text, "colour": "blue"}) for text in spellings]

    assert {(status, body["plate"]) for status, body in answers} == {(201, "豫A80112")}
    assert len({body["id"] for _, body in answers}) == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"plate": "豫A1234"}, "/plate"),
        ({"plate": ""}, "/plate"),
        ({"plate": 12345}, "/plate"),
        ({"colour": "blue"}, "/plate"),
        ({"plate": "豫AD12345", "colour": "blue"}, "/colour"),
        ({"plate": PLATE, "colour": "purple"}, "/colour"),
        ({"plate": PLATE, "nickname": "x" * 41}, "/nickname"),
        ({"plate": PLATE, "proved": True}, "/proved"),
    ],
)
async def test_what_no_plate_can_be_is_named_by_its_field(house: Any, body: dict[str, Any], pointer: str) -> None:
    me = await house.log_in(ME)
    status, problem = await me("POST", PLATES, body)

    assert status == 422 and [error["pointer"] for error in problem["errors"]] == [pointer]
    assert (await me("GET", PLATES))[1]["items"] == []


async def test_a_colour_that_is_left_out_follows_from_the_plate(house: Any) -> None:
    me = await house.log_in(ME)
    texts = (PLATE, "豫AD12345", "豫A12345D")

    assert [(await me("POST", PLATES, {"plate": text}))[1]["colour"] for text in texts] == ["blue", "green", "yellow_green"]


async def test_one_person_has_twenty_plates_at_most(house: Any) -> None:
    me = await house.log_in(ME)
    ids = [await me.bind(f"豫A100{n:02d}", prove=False) for n in range(20)]

    assert (await me("POST", PLATES, {"plate": "豫A20000"}))[0] == 409
    assert (await me("POST", PLATES, {"plate": "豫A10000"}))[1]["id"] == ids[0], "one that is there is no new one"


# Once only


async def test_one_key_two_meanings(house: Any) -> None:
    me, other = await house.log_in(ME), await house.log_in(OTHER)
    first = await me("POST", PLATES, {"plate": PLATE, "colour": "blue"}, Idempotency_Key="k")
    await me("POST", f"{PLATES}/{first[1]['id']}/proof", papers_of(PLATE))

    assert first[0] == 201
    assert await me("POST", PLATES, {"colour": "blue", "plate": PLATE}, Idempotency_Key="k") == first, (
        "the first answer, whatever came after"
    )
    assert (await me("POST", PLATES, {"plate": "豫A54321", "colour": "blue"}, Idempotency_Key="k"))[0] == 409
    theirs = await other("POST", PLATES, {"plate": "豫A54321", "colour": "blue"}, Idempotency_Key="k")
    assert theirs[0] == 201 and theirs[1]["plate"] == "豫A54321"


async def test_a_refusal_is_not_kept(house: Any) -> None:
    me = await house.log_in(ME)
    assert (await me("POST", PLATES, {"plate": "豫A1234"}, Idempotency_Key="k"))[0] == 422

    assert (await me("POST", PLATES, {"plate": PLATE}, Idempotency_Key="k"))[0] == 201


async def test_one_key_at_once_adds_one_plate(house: Any) -> None:
    me = await house.log_in(ME)
    answers = await asyncio.gather(*(me("POST", PLATES, {"plate": PLATE}, Idempotency_Key="k") for _ in range(4)))

    assert len({(status, body["id"]) for status, body in answers}) == 1


# Proof


async def test_a_plate_is_proved_by_its_papers_and_not_by_a_guess(house: Any) -> None:
    me = await house.log_in(ME)
    plate = await me.bind(PLATE, prove=False)
    status, problem = await me("POST", f"{PLATES}/{plate}/proof", GUESS)
    assert status == 422 and problem["errors"][0]["pointer"] == "/vin_last6"

    status, body = await me("POST", f"{PLATES}/{plate}/proof", papers_of(PLATE))

    assert status == 200 and (body["id"], body["proved"], body["auto_pay"]) == (plate, True, True)
    assert (await me("POST", f"{PLATES}/{plate}/proof", GUESS))[0] == 200, "what is proved stays proved"
    [fact] = await house.facts()
    token = house.keys.token("plate", PLATE, "blue")
    assert fact == events.PlateProved(
        plate_token=token, person=uuid.UUID(me.person), since=population.vehicle_of(PLATE).registered_at, taken_from=None
    )


@pytest.mark.parametrize(
    "proof", [{"way": "face", "vin_last6": "123456"}, {"way": "vehicle_licence", "vin_last6": "12"}, {"way": "vehicle_licence"}]
)
async def test_a_proof_in_another_shape_is_refused_and_costs_no_try(house: Any, proof: dict[str, str]) -> None:
    me = await house.log_in(ME)
    plate = await me.bind(PLATE, prove=False)

    assert [(await me("POST", f"{PLATES}/{plate}/proof", proof))[0] for _ in range(6)] == [422] * 6
    assert (await me("POST", f"{PLATES}/{plate}/proof", papers_of(PLATE)))[0] == 200


async def test_five_tries_a_day_and_the_next_day_five_more(house: Any) -> None:
    me = await house.log_in(ME)
    one, two = await me.bind(PLATE, prove=False), await me.bind("豫A54321", prove=False)
    tries = await asyncio.gather(*(me("POST", f"{PLATES}/{plate}/proof", GUESS) for plate in (one, two) * 4))
    assert sorted(status for status, _ in tries) == [422] * 5 + [429] * 3

    assert (await me("POST", f"{PLATES}/{one}/proof", papers_of(PLATE)))[0] == 429
    wait = int(me.headers["Retry-After"])
    assert 0 < wait <= 86400
    house.clock.move(seconds=wait)
    assert (await me("POST", f"{PLATES}/{one}/proof", papers_of(PLATE)))[0] == 200


@pytest.mark.parametrize("fault", ["down", "slow", "wrong"])
async def test_a_registry_that_is_away_says_neither_yes_nor_no(house: Any, fault: str) -> None:
    me = await house.log_in(ME)
    plate = await me.bind(PLATE, prove=False)
    await house.turn(f"{house.registry_url}/control/vehicles", fault)
    for _ in range(1 if fault == "slow" else 6):
        assert (await me("POST", f"{PLATES}/{plate}/proof", papers_of(PLATE)))[0] == 503
    assert int(me.headers["Retry-After"]) > 0 and await house.facts() == []

    await house.turn(f"{house.registry_url}/control/vehicles", "up")

    assert (await me("POST", f"{PLATES}/{plate}/proof", papers_of(PLATE)))[0] == 200, "an outage costs no try"


async def test_the_registry_is_asked_outside_of_any_transaction(house: Any) -> None:
    open_ones = sql.Query("open", "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'")

    class Watching:
        seen: int = -1

        async def check(self, plate: Plate, vin_last6: str) -> Papers:
            self.seen = await house.database.value(open_ones)
            raise errors.RegistryAway

    watching = Watching()
    async with house.opened(registry=watching) as watched:
        me = await watched.log_in(ME)
        plate = await me.bind(PLATE, prove=False)
        assert (await me("POST", f"{PLATES}/{plate}/proof", papers_of(PLATE)))[0] == 503

    assert watching.seen == 0


async def test_a_proof_takes_the_plate_from_a_former_holder_who_is_told(house: Any) -> None:
    former, me = await house.log_in(OTHER), await house.log_in(ME)
    before = await former.bind(PLATE)
    after = await me.bind(PLATE)

    assert (await former("GET", PLATES))[1]["items"] == []
    assert (await former("POST", f"{PLATES}/{before}/proof", papers_of(PLATE)))[0] == 404
    assert [(row["id"], row["proved"]) for row in (await me("GET", PLATES))[1]["items"]] == [(after, True)]
    first, second = await house.facts()
    assert (second.person, second.taken_from) == (uuid.UUID(me.person), uuid.UUID(former.person))
    assert second.since > first.since, "from now on, not from its registration"
    for _ in range(100):
        told = [row["text"] for row in await house.outbox(OTHER) if "code" not in row]
        if told:
            break
        await asyncio.sleep(0.01)
    assert len(told) == 1 and "豫A***45" in told[0] and PLATE not in told[0]


async def test_of_two_who_prove_at_once_one_holds_the_plate(house: Any) -> None:
    people = [await house.log_in(phone) for phone in (ME, OTHER)]
    ids = [await who.bind(PLATE, prove=False) for who in people]

    answers = await asyncio.gather(
        *(who("POST", f"{PLATES}/{plate}/proof", papers_of(PLATE)) for who, plate in zip(people, ids, strict=True))
    )

    assert [status for status, _ in answers] == [200, 200]
    token = house.keys.token("plate", PLATE, "blue")
    held = [await plates.holds(house.database, uuid.UUID(who.person), token) for who in people]
    first, second = await house.facts()
    assert sorted(held) == [False, True] and (first.taken_from, second.taken_from) == (None, first.person)


async def test_squatter_keeps_password_after_proof(house: Any) -> None:
    squatter, owner = await house.log_in(OTHER), await house.log_in(ME)
    house.dues[house.keys.token("plate", PLATE, "blue")] = 600
    await squatter.bind(PLATE, prove=False)
    await owner.bind(PLATE)

    [theirs] = (await squatter("GET", PLATES))[1]["items"]
    assert (theirs["proved"], theirs["auto_pay"], theirs["due"]["amount"]) == (False, False, 600), "an amount, as for everybody"
    assert not await plates.holds(house.database, uuid.UUID(squatter.person), house.keys.token("plate", PLATE, "blue"))


async def test_nobody_learns_whether_a_plate_is_held(house: Any) -> None:
    holder, me = await house.log_in(OTHER), await house.log_in(ME)
    await holder.bind(PLATE)

    held, free = [(await me("POST", PLATES, {"plate": text}))[1] for text in (PLATE, "豫A54321")]

    assert {**held, "id": "", "plate": ""} == {**free, "id": "", "plate": ""}


# The list


async def test_an_unproved_plate_shows_what_it_owes_and_a_proved_one_does_not(house: Any) -> None:
    me = await house.log_in(ME)
    await me.bind(PLATE)
    await me.bind("豫A54321", prove=False)
    await me.bind("豫A54322", prove=False)
    house.dues |= {house.keys.token("plate", text, "blue"): 1400 for text in (PLATE, "豫A54321")}

    rows = (await me("GET", PLATES))[1]["items"]

    assert [row.get("due") for row in rows] == [None, {"amount": 1400, "currency": "CNY"}, {"amount": 0, "currency": "CNY"}]


async def test_a_list_is_paged_without_gap_or_repeat(house: Any) -> None:
    me = await house.log_in(ME)
    ids = [await me.bind(f"豫A1000{n}", prove=False) for n in range(5)]
    _, first = await me("GET", f"{PLATES}?limit=3")
    _, second = await me("GET", f"{PLATES}?limit=3&cursor={first['next_cursor']}")

    assert [row["id"] for row in first["items"] + second["items"]] == ids and second["next_cursor"] is None
    assert (await me("GET", f"{PLATES}?cursor=rubbish"))[0] == 422


async def test_removing_a_proved_plate_releases_it(house: Any) -> None:
    me = await house.log_in(ME)
    proved, unproved = await me.bind(PLATE), await me.bind("豫A54321", prove=False)

    assert [(await me("DELETE", f"{PLATES}/{plate}"))[0] for plate in (proved, unproved, proved)] == [204, 204, 404]

    assert (await me("GET", PLATES))[1]["items"] == []
    _, released = await house.facts()
    assert isinstance(released, events.PlateReleased) and released.person == uuid.UUID(me.person)
    again = await me.bind(PLATE)
    assert again != proved and (await house.facts())[-1].since >= released.until, "the time between is nobody's"


async def test_a_plate_of_somebody_elses_list_is_not_there(house: Any) -> None:
    me, other = await house.log_in(ME), await house.log_in(OTHER)
    plate = await other.bind(PLATE, prove=False)

    for path, method, body in ((f"{PLATES}/%s", "DELETE", None), (f"{PLATES}/%s/proof", "POST", papers_of(PLATE))):
        theirs = await me(method, path % plate, body)
        assert theirs[0] == 404 and theirs == await me(method, path % uuid.uuid4(), body) == await me(method, path % "rubbish", body)
        assert (await house.nobody()(method, path % plate, body))[0] == 401
    assert await plates.owned_plate(house.database, house.keys, uuid.UUID(me.person), uuid.UUID(plate)) is None
    with pytest.raises(NotFound):
        await plates.bound_token(house.database, uuid.UUID(me.person), plate)


async def test_other_houses_read_an_owned_plate(house: Any) -> None:
    me = await house.log_in(ME)
    plate = uuid.UUID(await me.bind(PLATE))

    owned = await plates.owned_plate(house.database, house.keys, uuid.UUID(me.person), plate)

    assert owned is not None and owned.token == await plates.bound_token(house.database, uuid.UUID(me.person), str(plate))
    assert (owned.token, owned.plate, owned.colour, owned.proved) == (
        model.plate_token(house.keys, Plate(PLATE, "blue")),
        PLATE,
        "blue",
        True,
    )
