"""A licence that was approved on a pledge: filled in when the register answers, suspended and looked at when the pledge does not hold."""

import asyncio
import uuid
from typing import Any

import msgspec
import pytest

from foundation import journal, postgres
from foundation.errors import Conflict, NotFound, TooMany
from foundation.seal import Keys
from services.cases import model as cases
from services.cases import store, views, watch_timers
from services.cases.follow import EffectsFollower
from services.cases.model import Opened
from services.cases.recheck_case import check_again
from services.licences import store as licences
from services.licences import verify_licence
from services.licences.issue_licence import CLAIMS, id_of
from services.licences.keyring import Keyring
from services.licences.model import Licence
from services.licences.show_licence import show_licence
from tests.services.conftest import ISSUER, Hands
from tests.services.office import Counter, open_counter

ADDRESS = "/residence/address"


@pytest.fixture
async def counter(opened_database: postgres.Database, keys: Keys) -> Counter:
    return await open_counter(opened_database, keys, Hands())


async def approved_on_a_pledge(counter: Counter, matter: str = "residence_permit") -> Opened:
    counter.departments.down = {"housing"}
    found = await counter.begin(matter)
    if matter == "residence_permit":
        await counter.save(found, {"reason": "job"})
    return await counter.decide(await counter.submit(found), "approve")


async def register_answers(counter: Counter, found: Opened) -> Opened:
    counter.departments.down = set()
    counter.clock.move(minutes=2)
    await watch_timers.serve_due(counter.office)
    await counter.follow()
    return await counter.look(found.case.id)


async def licence_of(counter: Counter, found: Opened) -> Licence:
    one = await licences.licence(counter.database, id_of(found.case.id))
    assert one is not None
    return one


async def claims(counter: Counter, found: Opened) -> dict[str, str]:
    said: dict[str, str] = msgspec.json.decode(found.key.unseal((await licence_of(counter, found)).claims_sealed, CLAIMS))
    return said


async def letters(counter: Counter, found: Opened) -> dict[str, str]:
    rows = await store.letters_of(counter.database, found.case.id)
    return {one.kind: f"{one.body.zh} {one.body.en}" for one in views.case_view(counter.office, found, rows).letters}


async def shown(counter: Counter, found: Opened, keyring: Keyring) -> str:
    wall, city = counter.clock.wall(), counter.clock.city()
    one = await counter.database.run(
        lambda tx: show_licence(tx, keyring, person=counter.person, licence=id_of(found.case.id), issuer=ISSUER, wall=wall, city=city)
    )
    return one.token


async def verdict(counter: Counter, token: str, keyring: Keyring) -> str | None:
    wall, city = counter.clock.wall(), counter.clock.city()
    return (await verify_licence.verify(counter.database, keyring, token, issuer=ISSUER, wall=wall, city=city)).reason


async def test_licence_is_filled_in_when_the_register_answers_and_what_was_shown_before_is_superseded(counter: Counter) -> None:
    found, keyring = await approved_on_a_pledge(counter), Keyring(counter.office.keys, counter.clock.wall())
    assert (await claims(counter, found))["address"] == ""
    counter.departments.down = set()
    counter.clock.move(minutes=2)
    token = await shown(counter, found, keyring)

    await watch_timers.serve_due(counter.office)
    await counter.follow()

    one = await licence_of(counter, found)
    assert (await claims(counter, found))["address"] == counter.departments.says["housing.address"]
    assert (one.version, one.state_at(counter.clock.city())) == (2, "valid")
    assert await verdict(counter, token, keyring) == "superseded"
    assert await verdict(counter, await shown(counter, found, keyring), keyring) is None
    found = await counter.look(found.case.id)
    assert (found.recheck, found.case.staff_waits) == (None, False)
    assert len(await counter.facts("licence_issued")) == len(await counter.facts("licence_amended")) == 1


async def test_broken_pledge_suspends_tells_her_what_to_do_and_comes_before_staff(counter: Counter) -> None:
    found, keyring = await approved_on_a_pledge(counter), Keyring(counter.office.keys, counter.clock.wall())
    counter.departments.says |= {"housing.address": None, "housing.since": None}
    found = await register_answers(counter, found)

    assert (await licence_of(counter, found)).state_at(counter.clock.city()) == "suspended"
    with pytest.raises(Conflict):
        await shown(counter, found, keyring)
    assert [case.id for case in await store.inbox_of(counter.database, ["police"], None, 9)] == [found.case.id]
    assert (found.case.state, views.acts_of(found, staff=True), views.acts_of(found, staff=False)) == (
        "approved", ["approve", "reject"], ["check"],
    )  # fmt: skip
    said = (await letters(counter, found))["pledge"]
    assert all(word in said for word in ("现住址", "住房保障局", "暂停", "重新核对", "Home address", "suspended", "Check again"))
    left = views.promise_view(counter.office, found.case)
    assert (left.late, left.working_days_left) == (False, found.matter.promise_days)


async def test_staff_end_what_was_pledged_wrongly(counter: Counter) -> None:
    found = await approved_on_a_pledge(counter)
    counter.departments.says |= {"housing.address": None, "housing.since": None}
    found = await register_answers(counter, found)
    with pytest.raises(NotFound):
        await counter.decide(found, "reject", agency="housing")

    found = await counter.decide(found, "reject", "No home was ever registered.")

    one = await licence_of(counter, found)
    assert (one.revoked_for, found.case.state, found.case.staff_waits, found.recheck) == ("pledge_failed", "approved", False, None)
    told = await letters(counter, found)
    assert "No home was ever registered." in told["ended"] and "60 日" in told["ended"] and "revoked" not in told
    assert views.step_views(found)[-1].reason == "No home was ever registered."
    with pytest.raises(Conflict):
        await counter.decide(found, "approve")


async def test_staff_keep_what_they_find_good(counter: Counter) -> None:
    found = await approved_on_a_pledge(counter)
    counter.departments.says |= {"housing.address": None, "housing.since": None}
    found = await register_answers(counter, found)

    found = await counter.decide(found, "approve", "The lease was seen.")

    one = await licence_of(counter, found)
    assert (one.state_at(counter.clock.city()), one.version) == ("valid", 2)
    assert "The lease was seen." in (await letters(counter, found))["kept"] and views.acts_of(found, staff=False) == []


async def test_register_that_was_corrected_is_asked_again_and_settles_it(counter: Counter) -> None:
    found = await approved_on_a_pledge(counter)
    home = {name: counter.departments.says[name] for name in ("housing.address", "housing.since")}
    counter.departments.says |= dict.fromkeys(home)
    found = await register_answers(counter, found)
    with pytest.raises(TooMany):
        await check_again(counter.office, person=counter.person, case=found.case.id)
    counter.clock.move(minutes=2)
    again = await check_again(counter.office, person=counter.person, case=found.case.id)
    assert again.recheck is not None, "nothing was corrected yet"

    counter.departments.says |= home
    counter.clock.move(minutes=2)
    await check_again(counter.office, person=counter.person, case=found.case.id)
    await counter.follow()

    found = await counter.look(found.case.id)
    assert (found.recheck, found.case.staff_waits, found.rechecks[0].made_by) == (None, False, "rule")
    assert (await licence_of(counter, found)).state_at(counter.clock.city()) == "valid"
    assert (await claims(counter, found))["address"] == home["housing.address"]
    assert [kind for kind in await letters(counter, found) if kind in ("pledge", "kept")] == ["pledge", "kept"]
    with pytest.raises(Conflict):
        await check_again(counter.office, person=counter.person, case=found.case.id)


async def test_other_address_than_was_said_is_looked_at_and_suspends_nothing(counter: Counter) -> None:
    counter.departments.down = {"housing"}
    found = await counter.begin("residence_permit")
    await counter.save(found, {"reason": "job", "residence": {"address": "我自己说的地址"}})
    found = await counter.decide(await counter.submit(found), "approve")

    found = await register_answers(counter, found)

    assert (await licence_of(counter, found)).state_at(counter.clock.city()) == "valid" and found.recheck is not None
    assert "暂停" not in (await letters(counter, found))["pledge"]


async def test_parking_permit_waits_for_its_zone_and_ends_while_the_licence_is_suspended(counter: Counter) -> None:
    found = await approved_on_a_pledge(counter, "resident_parking")
    assert await counter.facts("permit_granted") == [], "nobody knows yet in which zone"
    found = await register_answers(counter, found)
    [granted] = await counter.facts("permit_granted")
    assert granted.zone == counter.departments.says["housing.zone"]  # type: ignore[attr-defined]

    zone, counter.departments.says["housing.zone"] = counter.departments.says["housing.zone"], None
    other = await approved_on_a_pledge(counter, "resident_parking")
    other = await register_answers(counter, other)
    counter.departments.says["housing.zone"] = zone
    counter.clock.move(minutes=2)
    await check_again(counter.office, person=counter.person, case=other.case.id)
    await counter.follow()

    permits: list[Any] = await counter.facts("permit_granted")
    assert len(permits) == 2 and len({one.permit for one in permits}) == 2
    assert (await licence_of(counter, other)).permit_id == permits[1].permit


async def test_permit_that_was_granted_ends_with_the_pledge_and_is_granted_anew(counter: Counter) -> None:
    """The car was pledged while the police were silent: it parks as a resident's, until they say that it is not hers."""
    counter.departments.down = {"police"}
    cars = counter.departments.says["police.plates"]
    bearer = {"name": counter.departments.says["police.name"], "id_no": counter.departments.says["police.id_no"]}
    found = await counter.begin("resident_parking")
    await counter.save(found, {"applicant": bearer, "vehicle": {"plate": cars[0]["plate"]}})
    found = await counter.decide(await counter.submit(found), "approve")
    [first] = await counter.facts("permit_granted")

    counter.departments.says["police.plates"] = []
    found = await register_answers(counter, found)
    [ended] = await counter.facts("permit_ended")
    assert ended.permit == first.permit == id_of(found.case.id)  # type: ignore[attr-defined]
    await counter.decide(found, "approve", "A typing error of the register.")

    permits: list[Any] = await counter.facts("permit_granted")
    assert [one.zone for one in permits] == [counter.departments.says["housing.zone"]] * 2 and permits[1].permit != first.permit  # type: ignore[attr-defined]


async def test_department_that_never_answers_brings_the_case_before_staff(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "PLEDGE_TRIES_MAX", 2)
    found = await approved_on_a_pledge(counter)

    for _ in range(2):
        counter.clock.move(minutes=3)
        await watch_timers.serve_due(counter.office)

    found = await counter.look(found.case.id)
    assert found.recheck is not None and found.case.staff_waits
    assert (await licence_of(counter, found)).state_at(counter.clock.city()) == "valid", "silence is no no"


async def test_telling_it_all_again_changes_nothing(counter: Counter) -> None:
    found = await approved_on_a_pledge(counter)
    counter.departments.says |= {"housing.address": None, "housing.since": None}
    found = await register_answers(counter, found)
    await counter.decide(found, "approve", "The lease was seen.")
    before = (await licence_of(counter, found), len(await counter.facts()), await letters(counter, found))
    async with counter.database.snapshot() as tx:
        mine = [one for one in await journal.read(tx, "fact", 0, postgres.BEGINNING) if one.kind in EffectsFollower.kinds]

    for _ in range(2):
        await counter.database.run(lambda tx: EffectsFollower(counter.office).apply(tx, mine))

    assert (await licence_of(counter, found), len(await counter.facts()), await letters(counter, found)) == before


async def test_two_clerks_at_once_close_it_once(counter: Counter) -> None:
    found = await approved_on_a_pledge(counter)
    counter.departments.says |= {"housing.address": None, "housing.since": None}
    found = await register_answers(counter, found)

    done = await asyncio.gather(*[counter.decide(found, word) for word in ("approve", "reject")], return_exceptions=True)

    assert sorted(type(one).__name__ for one in done) == ["Conflict", "Opened"]
    assert len(await counter.facts("recheck_closed")) == 1


async def test_nobody_checks_again_for_a_stranger(counter: Counter) -> None:
    found = await approved_on_a_pledge(counter)

    with pytest.raises(NotFound):
        await check_again(counter.office, person=uuid.uuid4(), case=found.case.id)
