"""Log-ins end when their owner says so, when they are idle or too old, and what ended never wakes again."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest

from foundation import sql
from services.identity import end_session, errors, forget_old, grant_role, people
from services.identity.model import KnownSession

SESSIONS = "/api/v1/auth/sessions"
PHONE, OTHER = "+8613800000001", "+8613800000002"


async def column(house: Any, name: str, table: str) -> list[Any]:
    return [row[0] for row in await house.database.fetch(sql.Query("column", f"SELECT {name} FROM services.{table}"))]


async def test_one_sees_and_ends_ones_own_log_ins(house: Any) -> None:
    phone, tablet = await house.log_in(PHONE), await house.log_in(PHONE)
    _, page = await tablet("GET", SESSIONS)
    assert [(row["id"], row["current"]) for row in page["items"]] == [(tablet.session, True), (phone.session, False)]
    assert set(page["items"][0]) == {"id", "created_at", "seen_at", "current", "what"}

    assert (await tablet("DELETE", f"{SESSIONS}/{phone.session}"))[0] == 204

    assert (await phone("GET", "/api/v1/me"))[0] == 401 and (await tablet("GET", "/api/v1/me"))[0] == 200
    assert [row["id"] for row in (await tablet("GET", SESSIONS))[1]["items"]] == [tablet.session]


async def test_another_persons_log_in_is_not_there(house: Any) -> None:
    me, other = await house.log_in(PHONE), await house.log_in(OTHER)

    theirs = await me("DELETE", f"{SESSIONS}/{other.session}")

    assert theirs[0] == 404 and theirs == await me("DELETE", f"{SESSIONS}/{uuid.uuid4()}") == await me("DELETE", f"{SESSIONS}/rubbish")
    assert (await other("GET", "/api/v1/me"))[0] == 200


async def test_the_list_of_log_ins_is_paged_without_gap_or_repeat(house: Any) -> None:
    logins = [await house.log_in(PHONE) for _ in range(5)]
    seen, cursor = [], None
    while True:
        _, page = await logins[-1]("GET", f"{SESSIONS}?limit=2" + (f"&cursor={cursor}" if cursor else ""))
        seen += [row["id"] for row in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == [login.session for login in reversed(logins)]


async def test_what_ends_here_is_refused_in_every_other_process_within_a_second(house: Any) -> None:
    me = await house.log_in(PHONE)
    async with house.opened() as elsewhere:
        there = type(me)(elsewhere, me.token)
        assert (await there("GET", "/api/v1/me"))[0] == 200

        await me("DELETE", SESSIONS + "/current")

        assert (await me("GET", "/api/v1/me"))[0] == 401
        assert (await there("POST", "/api/v1/me/plates", {"plate": "豫A12345"}))[0] == 401, "nothing is written on an old belief"
        await asyncio.sleep(0.6)
        assert (await there("GET", "/api/v1/me"))[0] == 401


async def test_a_log_in_ends_after_seven_idle_days(house: Any) -> None:
    me, idle = await house.log_in(PHONE), await house.log_in(PHONE)
    house.clock.move(days=6)
    assert (await me("GET", "/api/v1/me"))[0] == 200
    house.clock.move(days=1)

    assert (await me("GET", "/api/v1/me"))[0] == 200
    assert (await idle("GET", "/api/v1/me"))[0] == 401
    assert [row["id"] for row in (await me("GET", SESSIONS))[1]["items"]] == [me.session]


async def test_a_log_in_ends_after_thirty_days_however_busy(house: Any) -> None:
    me = await house.log_in(PHONE)
    for _ in range(9):
        house.clock.move(days=3.3)
        assert (await me("GET", "/api/v1/me"))[0] == 200
    house.clock.move(hours=8)

    assert (await me("GET", "/api/v1/me"))[0] == 401


async def test_being_here_is_written_down_once_a_minute(house: Any) -> None:
    me = await house.log_in(PHONE)
    await me("GET", "/api/v1/me")
    first = await column(house, "seen_at", "session")
    house.clock.move(seconds=50)
    await me("GET", "/api/v1/me")
    assert await column(house, "seen_at", "session") == first
    house.clock.move(seconds=20)
    await me("GET", "/api/v1/me")

    assert (await column(house, "seen_at", "session"))[0] > first[0]
    assert await column(house, "used_at", "person") == await column(house, "seen_at", "session")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer rubbish", "Bearer " + "x" * 5000])
async def test_what_is_no_token_is_nobody(house: Any, header: str) -> None:
    assert (await house.nobody()("GET", "/api/v1/me", Authorization=header))[0] == 401


async def test_a_token_is_kept_as_its_hash_and_the_device_in_a_few_words(house: Any) -> None:
    me = await house.log_in(PHONE)
    rows = await house.database.fetch(sql.Query("all", "SELECT s::text FROM services.session s"))

    assert me.token not in str([row[0] for row in rows])
    assert await column(house, "what", "session") == ["app"] and await column(house, "address", "session") == ["127.0.0.0/24"]


async def test_reenabled_account_wakes_old_session(house: Any) -> None:
    me = await house.log_in(PHONE)
    person = uuid.UUID(me.person)
    await end_session.lock_person(house.database, house.known, person=person, now=house.clock.wall(), city=house.clock.city())
    assert (await me("GET", "/api/v1/me"))[0] == 401
    web = house.nobody()
    await web("POST", "/api/v1/auth/codes", {"phone": PHONE})
    assert (await web("POST", SESSIONS, {"phone": PHONE, "code": await house.code_of(PHONE, 2)}))[0] == 403

    house.clock.move(hours=1)
    await end_session.unlock_person(house.database, person=person)

    assert (await me("GET", "/api/v1/me"))[0] == 401
    anew = await house.log_in(PHONE)
    assert [row["id"] for row in (await anew("GET", SESSIONS))[1]["items"]] == [anew.session]


async def raised(house: Any, me: Any, level: Any) -> None:
    caller = await house.known.who_is(me.token)
    async with house.database.transaction() as tx:
        await people.raise_level(tx, house.known, caller, level, way="test", now=house.clock.wall())


async def test_number_passed_to_stranger(house: Any) -> None:
    former = await house.log_in(PHONE)
    await raised(house, former, "L2")
    await grant_role.grant_role(house.database, house.keys, phone=PHONE, role="staff", scope="police", now=house.clock.wall())
    assert (await former("GET", "/api/v1/me"))[1]["level"] == "L2"
    house.clock.move(days=120)

    stranger = await house.log_in(PHONE)

    _, body = await stranger("GET", "/api/v1/me")
    assert (body["level"], body["roles"]) == ("L1", []), "neither name nor rights come with a number"
    closed = [await stranger("GET", path) for path in ("/api/v1/me/plates", SESSIONS)]
    assert [(status, answer["needs"]) for status, answer in closed] == [(403, "L2")] * 2, "nor anything else of who held it"
    await raised(house, stranger, "L2")
    _, body = await stranger("GET", "/api/v1/me")
    assert (body["level"], body["roles"]) == ("L2", [{"role": "staff", "scope": "police"}]), "who proves the name has them again"


async def test_a_number_in_use_is_not_taken_for_a_strangers(house: Any) -> None:
    me = await house.log_in(PHONE)
    await raised(house, me, "L2")
    house.clock.move(days=80)

    assert (await (await house.log_in(PHONE))("GET", "/api/v1/me"))[1]["level"] == "L2"


async def test_a_level_is_seen_at_once_and_never_falls(house: Any) -> None:
    me = await house.log_in(PHONE)
    assert (await me("GET", "/api/v1/me"))[1]["level"] == "L1"
    for level, now in (("L3", "L3"), ("L2", "L3")):
        await raised(house, me, level)
        assert (await me("GET", "/api/v1/me"))[1]["level"] == now


async def test_who_has_a_right_logs_in_each_working_day_and_after_a_break(house: Any) -> None:
    said = {"phone": PHONE, "role": "staff", "scope": "police", "now": house.clock.wall()}
    await grant_role.grant_role(house.database, house.keys, **said)
    busy, idle = await house.log_in(PHONE), await house.log_in(PHONE)
    for minutes in range(25, 720, 25):
        house.clock.move(minutes=25)
        assert (await busy("GET", "/api/v1/me"))[0] == 200, minutes
    assert (await idle("GET", "/api/v1/me"))[0] == 401
    assert [row["id"] for row in (await busy("GET", SESSIONS))[1]["items"]] == [busy.session]
    house.clock.move(minutes=25)

    assert (await busy("GET", "/api/v1/me"))[0] == 401


async def test_a_right_holds_from_and_to_its_dates(house: Any) -> None:
    now = house.clock.wall()
    said = {"phone": PHONE, "role": "staff", "scope": "police", "now": now}
    await grant_role.grant_role(house.database, house.keys, **said, since=now + timedelta(hours=1), until=now + timedelta(hours=2))
    me, seen = await house.log_in(PHONE), []
    for _ in range(10):
        seen.append((await house.known.who_is(me.token)).has("staff"))
        house.clock.move(minutes=15)

    assert seen == [False] * 4 + [True] * 4 + [False] * 2, "compared at use, and nobody had to close it"
    with pytest.raises(errors.UnknownRole):
        await grant_role.grant_role(house.database, house.keys, **said, until=now)


async def test_grants_and_revocations_are_facts(house: Any) -> None:
    said = {"phone": PHONE, "role": "staff", "scope": "police", "now": house.clock.wall()}
    await grant_role.grant_role(house.database, house.keys, **said)
    await grant_role.grant_role(house.database, house.keys, **said)
    await grant_role.grant_role(house.database, house.keys, **said, until=house.clock.wall() + timedelta(days=1))
    await grant_role.revoke_role(house.database, house.keys, **said)
    assert not await grant_role.revoke_role(house.database, house.keys, **said)

    told = [(fact.kind, fact.scope, getattr(fact, "until", None) is not None) for fact in await house.facts()]

    assert told == [("role_granted", "police", False), ("role_granted", "police", True), ("role_revoked", "police", False)]
    assert (await grant_role.show_person(house.database, house.keys, phone=PHONE))[1:] == ("L1", ())


async def test_what_another_process_ended_is_forgotten_by_its_fact(house: Any) -> None:
    me = await house.log_in(PHONE)
    async with house.opened() as elsewhere:
        await elsewhere.known.load()
        await elsewhere.known.catch_up()
        there = type(me)(elsewhere, me.token)
        assert (await there("GET", "/api/v1/me"))[0] == 200 and len(elsewhere.known._held) == 1

        await me("DELETE", SESSIONS + "/current")
        await elsewhere.known.catch_up()

        assert len(elsewhere.known._held) == 0
        assert (await there("GET", "/api/v1/me"))[0] == 401


async def test_a_role_is_granted_once_and_ends_within_a_second(house: Any) -> None:
    said = {"phone": "138 0000 0001", "role": "operator", "scope": "op-demo", "now": house.clock.wall()}
    person = await grant_role.grant_role(house.database, house.keys, **said)
    assert await grant_role.grant_role(house.database, house.keys, **said) == person
    me = await house.log_in(PHONE)
    caller = await house.known.who_is(me.token)
    assert caller.person == person and caller.scopes("operator") == {"op-demo"} and not caller.has("staff")

    assert await grant_role.revoke_role(house.database, house.keys, **said)

    await asyncio.sleep(0.6)
    assert not (await house.known.who_is(me.token)).has("operator")


@pytest.mark.parametrize(
    ("phone", "role", "scope"), [(PHONE, "king", ""), (PHONE, "staff", ""), (PHONE, "admin", "x"), ("138", "admin", "")]
)
async def test_a_role_that_does_not_exist_is_refused(house: Any, phone: str, role: str, scope: str) -> None:
    with pytest.raises(errors.IdentityError):
        await grant_role.grant_role(house.database, house.keys, phone=phone, role=role, scope=scope, now=house.clock.wall())
    assert await column(house, "id", "person") == []


async def test_what_is_kept_for_a_while_is_forgotten(house: Any) -> None:
    await house.log_in(PHONE)
    await house.nobody()("POST", SESSIONS, {"phone": PHONE, "code": "123456"})
    await forget_old.forget_old(house.database, house.clock.wall())
    assert [len(await column(house, "*", table)) for table in ("one_time_code", "wrong_code", "session")] == [1, 1, 1]
    house.clock.move(days=366)

    await forget_old.forget_old(house.database, house.clock.wall())

    assert [len(await column(house, "*", table)) for table in ("one_time_code", "wrong_code", "session", "person")] == [0, 0, 0, 1]


async def test_as_many_log_ins_as_fit_are_remembered(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.identity.who_is.REMEMBERED_MAX", 2)
    for n in range(4):
        me = await house.log_in(f"+861380000000{n}")
        assert await house.known.who_is(me.token)

    assert [type(held) for _, held in house.known._held.values()] == [KnownSession] * 2
