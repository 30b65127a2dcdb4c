"""What the city knows is asked of whom it concerns: only what is wanted, three answers, and a line for each read."""

import asyncio
import dataclasses
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from prometheus_client import REGISTRY

from foundation.errors import NotAllowed
from services.exchange import catalogue, model
from services.exchange.accesses import record_access
from services.exchange.ask import Exchange, ask, check_pledges
from services.exchange.errors import AskedWrongly, BadCatalogue
from services.exchange.forget_old import forget_old
from services.exchange.model import Answer, Breaker, Quota
from services.exchange.providers.departments import HttpDepartments
from simulators import departments, population

PHONE, OTHER = "+8613800000011", "+8613800000012"
ME = population.person_of(PHONE)
HOME = ["housing.address", "housing.since", "housing.zone"]
EVERYTHING = ["police.name", "police.id_no", "police.plates", *HOME, "vehicles.owned"]
ACCESSES = "/api/v1/me/accesses"


@pytest.fixture
def exchange(house: Any) -> Exchange:
    official = catalogue.official()
    short = {name: dataclasses.replace(one, deadline_seconds=0.3) for name, one in official.interfaces.items()}
    quick = dataclasses.replace(official, interfaces=short)
    asked = HttpDepartments(house.client, house.registry_url, "test-key", quick)
    return Exchange(house.database, house.keys, house.clock, quick, asked)


async def known(house: Any, phone: str = PHONE) -> Any:
    """Somebody whose name and number are proved."""
    person, me = population.person_of(phone), await house.log_in(phone)
    status, body = await me("POST", "/api/v1/me/level", {"to": "L2", "way": "registry", "name": person.name, "id_no": person.id_no})
    assert status == 200, body
    return me


def of(me: Any, **more: Any) -> dict[str, Any]:
    return {"person": uuid.UUID(me.person), "agency": "police", "purpose": "residence_permit", "case": uuid.uuid4()} | more


async def lines(house: Any, me: Any) -> list[dict[str, Any]]:
    async with house.opened(exchange=True) as elsewhere:
        return list((await type(me)(elsewhere, me.token)("GET", ACCESSES))[1]["items"])


async def turn(house: Any, name: str, state: str) -> None:
    await house.turn(f"{house.registry_url}/control/{name}", state)


async def test_everything_known_comes_with_source_and_time(house: Any, exchange: Exchange) -> None:
    me = await known(house)

    found = await ask(exchange, **of(me), elements=EVERYTHING)

    assert {one.state for one in found.values()} == {"value"} and set(found) == set(EVERYTHING)
    assert ME.home is not None
    assert (found["police.name"].value, found["police.id_no"].value, found["housing.zone"].value) == (ME.name, ME.id_no, ME.home.zone)
    assert found["police.plates"].value == [{"plate": car.plate, "colour": car.colour} for car in ME.plates]
    assert found["housing.since"].value == ME.home.since.isoformat()
    assert all(one.source == element.split(".")[0] and one.as_of for element, one in found.items())


async def test_only_what_is_wanted_is_asked_and_read(house: Any, exchange: Exchange) -> None:
    me = await known(house)

    found = await ask(exchange, **of(me), elements=["police.name"])

    assert list(found) == ["police.name"]
    assert [line["fields"] for line in await lines(house, me)] == [["police.name"]]
    assert [one.id for one, _ in model.plan(exchange.catalogue, HOME)] == ["housing/v1/residence"]


async def test_departments_are_asked_at_the_same_time(house: Any, exchange: Exchange) -> None:
    me = await known(house)
    for name in ("police", "housing", "vehicles"):
        await turn(house, name, "slow")
    began = asyncio.get_running_loop().time()

    found = await ask(exchange, **of(me), elements=EVERYTHING)

    assert {one.why for one in found.values()} == {"late"}
    assert asyncio.get_running_loop().time() - began < 0.6, "one deadline, not four"


@pytest.mark.parametrize(
    ("state", "why"), [("down", "away"), ("slow", "late"), ("broken", "broken"), ("wrong", "another"), ("stale", "stale")]
)
async def test_an_outage_is_unknown_and_the_others_are_there(house: Any, exchange: Exchange, state: str, why: str) -> None:
    me = await known(house)
    await turn(house, "housing", state)

    found = await ask(exchange, **of(me), elements=[*HOME, "police.name"])

    assert {(found[one].state, found[one].value, found[one].why) for one in HOME} == {("unknown", None, why)}
    assert found["police.name"].value == ME.name
    assert [line["fields"] for line in await lines(house, me)] == [["police.name"]], "where nobody answered nothing was read"


async def test_there_is_none_is_an_answer(house: Any, exchange: Exchange) -> None:
    abroad = next(f"+86137000000{n:02d}" for n in range(99) if population.person_of(f"+86137000000{n:02d}").home is None)
    me = await known(house, abroad)

    found = await ask(exchange, **of(me), elements=HOME)

    assert {(one.state, one.value, one.as_of is None) for one in found.values()} == {("none", None, False)}
    assert [line["fields"] for line in await lines(house, me)] == [HOME]


def count(interface: str, outcome: str) -> float:
    return REGISTRY.get_sample_value("onelot_exchange_questions_total", {"interface": interface, "outcome": outcome}) or 0.0


async def test_an_answer_about_somebody_else_is_an_alarm_and_never_kept(house: Any, exchange: Exchange) -> None:
    me, before = await known(house), count("police/v1/persons", "another")
    await turn(house, "police", "wrong")

    found = await ask(exchange, **of(me), elements=["police.name"])

    assert found["police.name"].state == "unknown" and population.person_of(departments.ANOTHER).name not in repr(found)
    assert count("police/v1/persons", "another") == before + 1
    assert await lines(house, me) == []


async def test_not_found_opens_the_breaker(house: Any, exchange: Exchange) -> None:
    """Fifty who have none are not an outage; a question of ours that is refused is our alarm; only silence and nonsense count."""
    abroad = next(f"+86137000000{n:02d}" for n in range(99) if population.person_of(f"+86137000000{n:02d}").home is None)
    me = await known(house, abroad)
    for _ in range(50):
        assert (await ask(exchange, **of(me), elements=["housing.zone"]))["housing.zone"].state == "none"
    await turn(house, "housing", "refusing")
    with pytest.raises(AskedWrongly):
        await ask(exchange, **of(me), elements=["housing.zone"])
    assert exchange.breakers["housing"].failures == 0

    await turn(house, "housing", "down")
    whys = [(await ask(exchange, **of(me), elements=["housing.zone"]))["housing.zone"].why for _ in range(7)]

    assert whys == ["away"] * model.FAILURES_MAX + ["resting"] * 2
    await turn(house, "housing", "up")
    exchange.breakers["housing"].tried_at -= model.REST_SECONDS
    assert (await ask(exchange, **of(me), elements=["housing.zone"]))["housing.zone"].state == "none"
    assert exchange.breakers["housing"].lets(0.0)


def test_one_question_tries_a_department_that_rests() -> None:
    breaker = Breaker()
    for _ in range(model.FAILURES_MAX):
        breaker.failed(10.0)

    assert not breaker.lets(10.1)
    assert [breaker.lets(10.0 + model.REST_SECONDS) for _ in range(3)] == [True, False, False]
    breaker.answered()
    assert breaker.lets(10.1)


def test_what_is_beyond_the_quota_waits_for_the_next_minute() -> None:
    quota = Quota()

    assert [quota.takes(5.0, 2) for _ in range(3)] == [True, True, False]
    assert quota.takes(65.0, 2)


async def test_beyond_the_quota_is_unknown_and_no_failure(house: Any, exchange: Exchange) -> None:
    me = await known(house)
    exchange.quotas["police/v1/persons"] = Quota(begin=asyncio.get_running_loop().time() + 3600, spent=10**9)

    assert (await ask(exchange, **of(me), elements=["police.name"]))["police.name"].why == "quota"
    assert exchange.breakers["police"].failures == 0


async def test_who_is_not_known_by_name_is_not_asked_about(house: Any, exchange: Exchange) -> None:
    me = await house.log_in(PHONE)

    with pytest.raises(NotAllowed) as refused:
        await ask(exchange, **of(me), elements=["police.name"])

    assert refused.value.body()["needs"] == "L2"


async def test_what_no_department_knows_is_a_fault_of_ours(house: Any, exchange: Exchange) -> None:
    with pytest.raises(KeyError):
        await ask(exchange, **of(await known(house)), elements=["police.shoe_size"])


async def test_a_pledge_is_checked_later(house: Any, exchange: Exchange) -> None:
    me = await known(house)
    assert ME.home is not None
    said = {"housing.zone": ME.home.zone, "housing.address": "elsewhere", "housing.since": None}
    await turn(house, "housing", "down")
    assert {one.outcome for one in (await check_pledges(exchange, **of(me), pledged=said)).values()} == {"unknown"}
    await turn(house, "housing", "up")

    found = await check_pledges(exchange, **of(me), pledged=said)

    assert {element: one.outcome for element, one in found.items()} == {
        "housing.zone": "agrees", "housing.address": "differs", "housing.since": "told",
    }  # fmt: skip
    assert model.checked(Answer("x", "none", "housing"), "said").outcome == "none"


async def test_one_answer_for_two_callers(house: Any, exchange: Exchange) -> None:
    """Who asks at the same millisecond gets her own answer, and each read is a line of its own person and agency."""
    me, she = await known(house), await known(house, OTHER)

    mine, again, hers = await asyncio.gather(
        ask(exchange, **of(me), elements=["police.name"]),
        ask(exchange, **of(me, agency="housing", purpose="other"), elements=["police.name"]),
        ask(exchange, **of(she), elements=["police.name"]),
    )

    assert (mine["police.name"].value, hers["police.name"].value) == (ME.name, population.person_of(OTHER).name)
    assert again["police.name"].value == ME.name
    assert sorted(line["purpose"] for line in await lines(house, me)) == ["other", "residence_permit"]
    assert len(await lines(house, she)) == 1


async def test_i_see_who_read_what_of_me_and_nobody_else_does(house: Any, exchange: Exchange) -> None:
    me, she, case, clerk = await known(house), await known(house, OTHER), uuid.uuid4(), uuid.uuid4()
    await ask(exchange, **of(me, case=case), elements=["police.name"])
    async with house.database.transaction() as tx:
        said = of(me, case=case) | {"fields": ["/applicant/name", "case.reason"], "at": house.clock.city(), "staff": clerk}
        await record_access(tx, **said)

    staff, automatic = await lines(house, me)

    assert (staff["who"], staff["fields"]) == ({"zh": "公安局（工作人员）", "en": "Police (staff)"}, ["/applicant/name", "case.reason"])
    assert automatic["who"]["en"] == "Police (automatic)" and automatic["names"][0]["name"] == {"zh": "姓名", "en": "Name"}
    assert {staff["case"], automatic["case"]} == {str(case)} and staff["purpose"] == "residence_permit" and staff["at"]
    assert str(clerk) not in str(staff), "she answers to her agency"
    assert await lines(house, she) == []


async def test_access_lines_are_forgotten_after_three_years(house: Any, exchange: Exchange) -> None:
    me = await known(house)
    await ask(exchange, **of(me), elements=["police.name"])
    await forget_old(house.database, house.clock.city() + timedelta(days=3 * 365 - 1))
    assert len(await lines(house, me)) == 1

    await forget_old(house.database, house.clock.city() + timedelta(days=3 * 365 + 1))

    assert await lines(house, me) == []


@pytest.mark.parametrize("name", departments.NAMES)
def test_each_department_has_a_document_of_its_own(name: str) -> None:
    OpenAPIV31SpecValidator(departments.document(name)).validate()


@pytest.mark.parametrize("source", ["police", "housing", "vehicles"])
def test_what_we_hold_a_department_to_is_what_it_says(source: str) -> None:
    assert catalogue.contract_of(source) == departments.document(source)


@pytest.mark.parametrize("interface", catalogue.official().interfaces)
async def test_what_the_simulated_departments_say_keeps_to_their_documents(house: Any, interface: str) -> None:
    schema = catalogue.answer_schema(catalogue.official().interfaces[interface])
    async with house.client.post(
        f"{house.registry_url}/{interface}/query", json={"id_no": ME.id_no}, headers={"X-Api-Key": "test-key"}
    ) as answer:
        jsonschema.Draft202012Validator(schema).validate(await answer.json())


TEXT = catalogue._text("catalogue.yaml")


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda text: text.replace("police.id_no: /id_no", "police.id_no: /secret"), "does not promise /secret"),
        (lambda text: text.replace("  police.name: {class", "  police.nom: {class"), "police.name is not classed"),
        (lambda text: text.replace("class: sensitive, mask: id_no", "class: sensitive, mask: none"), "sensitive and has no mask"),
        (lambda text: text.replace("class: public", "class: whatever"), "classes are"),
        (lambda text: text.replace("source: housing", "source: weather"), "nobody is weather"),
        (lambda text: text.replace("police/v1/cars:", "police/v1/boats:"), "has no interface"),
    ],
)
def test_a_catalogue_that_does_not_hold_together_is_refused(spoil: Callable[[str], str], fault: str) -> None:
    with pytest.raises(BadCatalogue, match=fault):
        catalogue.read(spoil(TEXT))
