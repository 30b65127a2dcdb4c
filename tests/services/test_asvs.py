"""The items of OWASP ASVS 5.0 about log-in, codes and sessions that apply here, each by its number. There are no passwords (6.2)."""

import asyncio
import hashlib
import secrets
import uuid
from typing import Any

import pytest

from foundation import sql
from services.identity import end_session, log_in, model
from services.identity.model import Identity, Limit, Limits, Seen
from simulators import population

CODES, SESSIONS, ME = "/api/v1/auth/codes", "/api/v1/auth/sessions", "/api/v1/me"
PHONE, OTHER = "+8613800000001", "+8613800000002"


async def opens(web: Any, phone: str, code: str) -> int:
    return int((await web("POST", SESSIONS, {"phone": phone, "code": code}))[0])


async def asked(house: Any, phone: str, nth: int = 1) -> str:
    assert (await house.nobody()("POST", CODES, {"phone": phone}))[0] == 202
    return str(await house.code_of(phone, nth))


def other(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def test_6_3_1_guessing_is_stopped_by_number_and_by_address(house: Any) -> None:
    code = await asked(house, PHONE)
    by_number = [await opens(house.nobody(), PHONE, other(code)) for _ in range(model.CODE_TRIES_MAX)]
    assert by_number == [422] * 5 and await opens(house.nobody(), PHONE, code) == 422, "the code is dead"

    async with house.opened(limits=Limits(wrong=(Limit(7, 600),))) as strict:
        assert await opens(strict.nobody(), OTHER, "000000") == 422
        assert await opens(strict.nobody(), "+8613800000003", "000000") == 429, "whatever number is guessed next"


async def test_6_3_8_nobody_learns_who_has_an_account(house: Any) -> None:
    await house.log_in(PHONE)
    answers = []
    for phone in (PHONE, OTHER):
        web = house.nobody()
        sent = await web("POST", CODES, {"phone": phone})
        answers.append((sent, await web("POST", SESSIONS, {"phone": phone, "code": "000000"})))

    assert answers[0] == answers[1]


async def test_6_5_1_a_code_is_used_once_even_at_once(house: Any) -> None:
    code = await asked(house, PHONE)

    answers = await asyncio.gather(*(opens(house.nobody(), PHONE, code) for _ in range(5)))

    assert sorted(answers) == [201, 422, 422, 422, 422]


async def test_6_5_2_codes_are_kept_as_keyed_hashes(house: Any) -> None:
    code = await asked(house, PHONE)
    [(code_id, kept)] = await house.database.fetch(sql.Query("codes", "SELECT c.id, c.hash FROM services.one_time_code c"))

    assert kept == model.code_hash(house.keys, code_id, code)
    assert kept != hashlib.sha256(code.encode()).digest()[:16], "without the key outside of the database a million tries would open it"


async def test_6_5_3_codes_come_from_a_generator_nobody_predicts(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    draw = secrets.randbelow
    monkeypatch.setattr(log_in.secrets, "randbelow", lambda below: drawn.append(below) or draw(below))

    await asked(house, PHONE)

    assert drawn == [1_000_000]


async def test_6_5_4_codes_have_six_digits_and_die_of_five_tries(house: Any) -> None:
    code = await asked(house, PHONE)

    assert len(code) == 6 and code.isdigit()  # 19.9 bits; with five tries a guess succeeds once in 200,000 codes.
    assert model.CODE_TRIES_MAX / 10 ** len(code) <= 5e-6


async def test_6_5_5_a_code_lives_less_than_ten_minutes(house: Any) -> None:
    code = await asked(house, PHONE)
    assert model.CODE_EXPIRES.total_seconds() <= 600
    house.clock.move(seconds=model.CODE_EXPIRES.total_seconds())

    assert await opens(house.nobody(), PHONE, code) == 422


async def test_6_5_7_a_face_alone_is_never_enough(house: Any) -> None:
    class Face:
        field = "code"

        def __init__(self, *factors: Any) -> None:
            self.factors = frozenset(factors)

        async def check(self, phone: str, proof: str) -> Seen:
            bearer = population.person_of(phone)
            return Seen(Identity(bearer.name, bearer.id_no), self.factors)

    me, said = await house.log_in(PHONE), {"to": "L3", "way": "counter", "code": "1"}
    for factors, status in ((("face",), 422), ((), 422), (("face", "card"), 200)):
        async with house.opened(presences={"counter": Face(*factors)}) as door:
            assert (await type(me)(door, me.token)("POST", ME + "/level", said))[0] == status, factors


async def test_6_6_2_a_code_is_of_the_request_that_asked_for_it(house: Any) -> None:
    first = await asked(house, PHONE)
    house.clock.move(seconds=61)
    second = await asked(house, PHONE, 2)

    assert await opens(house.nobody(), OTHER, second) == 422, "of no other number"
    if first != second:
        assert await opens(house.nobody(), PHONE, first) == 422, "nor an earlier request's"
    assert await opens(house.nobody(), PHONE, second) == 201


async def test_6_6_3_codes_are_limited_by_number_and_for_the_whole_city(house: Any) -> None:
    await asked(house, PHONE)
    web = house.nobody()
    assert (await web("POST", CODES, {"phone": PHONE}))[0] == 429 and int(web.headers["Retry-After"]) <= 60

    async with house.opened(limits=Limits(city=(Limit(1, 3600),))) as full:
        assert (await full.nobody()("POST", CODES, {"phone": OTHER}))[0] == 429


async def test_7_2_3_tokens_are_256_bits_of_chance() -> None:
    tokens = {model.new_token() for _ in range(1000)}

    assert len(tokens) == 1000 and min(map(len, tokens)) >= 43


async def test_7_2_4_a_page_that_logs_in_gets_a_new_token_and_the_old_one_ends(house: Any) -> None:
    web = house.nobody()

    async def page(nth: int, **headers: str) -> str:
        body = {"phone": PHONE, "code": await asked(house, PHONE, nth), "client": "page"}
        assert (await web("POST", SESSIONS, body, X_OneLot="page", **headers))[0] == 201
        house.clock.move(seconds=61)
        return str(web.headers["Set-Cookie"]).partition(";")[0]

    first = await page(1)
    second = await page(2, Cookie=first)

    assert first != second
    assert [(await web("GET", ME, Cookie=cookie))[0] for cookie in (first, second)] == [401, 200]


async def test_7_3_1_a_log_in_ends_when_nobody_is_there(house: Any) -> None:
    me = await house.log_in(PHONE)
    house.clock.move(seconds=model.SESSION_IDLE.total_seconds())

    assert (await me("GET", ME))[0] == 401


async def test_7_3_2_a_log_in_ends_however_busy(house: Any) -> None:
    me = await house.log_in(PHONE)
    for _ in range(9):
        house.clock.move(seconds=model.SESSION_ABSOLUTE.total_seconds() / 10)
        assert (await me("GET", ME))[0] == 200
    house.clock.move(seconds=model.SESSION_ABSOLUTE.total_seconds() / 10)

    assert (await me("GET", ME))[0] == 401


async def test_7_4_1_what_was_ended_opens_nothing(house: Any) -> None:
    me = await house.log_in(PHONE)
    assert (await me("DELETE", SESSIONS + "/current"))[0] == 204

    assert [(await me(method, path))[0] for method, path in (("GET", ME), ("GET", SESSIONS), ("DELETE", SESSIONS + "/current"))] == [
        401
    ] * 3


async def test_7_4_2_and_7_4_5_locking_somebody_ends_all_she_has_open(house: Any) -> None:
    mine = [await house.log_in(PHONE) for _ in range(3)]
    she = await house.log_in(OTHER)
    now = {"now": house.clock.wall(), "city": house.clock.city()}

    await end_session.lock_person(house.database, house.known, person=uuid.UUID(mine[0].person), **now)

    assert [(await one("GET", ME))[0] for one in mine] == [401] * 3 and (await she("GET", ME))[0] == 200


async def test_7_4_3_all_other_log_ins_can_be_ended_at_once(house: Any) -> None:
    here, there, elsewhere = [await house.log_in(PHONE) for _ in range(3)]
    she = await house.log_in(OTHER)

    assert await here("DELETE", SESSIONS) == (200, {"ended": 2})

    assert [(await one("GET", ME))[0] for one in (here, there, elsewhere, she)] == [200, 401, 401, 200]


async def test_7_5_2_one_sees_and_ends_each_of_ones_log_ins(house: Any) -> None:
    here, there = await house.log_in(PHONE), await house.log_in(PHONE)
    listed = [row["id"] for row in (await here("GET", SESSIONS))[1]["items"]]
    assert set(listed) == {here.session, there.session}

    assert (await here("DELETE", f"{SESSIONS}/{there.session}"))[0] == 204

    assert (await there("GET", ME))[0] == 401


async def test_7_5_3_what_is_sensitive_asks_for_more_than_a_log_in(house: Any) -> None:
    me = await house.log_in(PHONE)
    plate = await me.bind("豫A12345", prove=False)

    status, _ = await me("POST", f"{ME}/plates/{plate}/proof", {"way": "vehicle_licence", "vin_last6": "000000"})

    assert status == 422, "a plate opens where a car was: papers, not a session, prove it"


@pytest.mark.parametrize("path", [ME, SESSIONS, ME + "/plates", ME + "/accesses"])
async def test_14_3_2_nobody_who_uses_this_browser_later_reads_it(house: Any, path: str) -> None:
    me = await house.log_in(PHONE)
    async with house.opened(exchange=True) as door:
        caller = type(me)(door, me.token)
        assert (await caller("GET", path))[0] == 200 and caller.headers["Cache-Control"] == "no-store"


async def test_14_2_1_nothing_personal_is_in_an_address(house: Any) -> None:
    me, person = await house.log_in(PHONE), population.person_of(PHONE)
    await me("POST", ME + "/level", {"to": "L2", "way": "registry", "name": person.name, "id_no": person.id_no})
    await me.bind("豫A12345")

    said = "".join(house.urls)

    assert house.urls and not [word for word in (PHONE, PHONE[3:], person.name, person.id_no, "A12345", me.token) if word in said]
