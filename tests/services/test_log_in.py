"""A one-time code opens a session, once, for whoever holds the phone, and says nothing to anybody else."""

import asyncio
from typing import Any

import pytest

from foundation import sql
from services.identity import model
from services.identity.model import Limit, Limits
from services.identity.send_messages import Sender

CODES, SESSIONS = "/api/v1/auth/codes", "/api/v1/auth/sessions"
PHONE, OTHER = "+8613800000001", "+8613800000002"


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def count(house: Any, table: str) -> int:
    return int(await house.database.value(sql.Query("count", f"SELECT count(*) FROM services.{table}")))


async def test_a_code_opens_a_session_of_its_person(house: Any) -> None:
    web = house.nobody()
    assert await web("POST", CODES, {"phone": PHONE}) == (202, {"expires_s": 300, "retry_s": 60})

    status, body = await web("POST", SESSIONS, {"phone": PHONE, "code": await house.code_of(PHONE)})

    assert status == 201 and len(body["token"]) >= 22 and body["expires_at"].endswith("+08:00")
    assert body["person"] == {"id": body["person"]["id"], "phone": "+86138****0001", "level": "L1", "roles": []}
    assert web.headers["Cache-Control"] == "no-store" and "Set-Cookie" not in web.headers
    web.token = body["token"]
    assert await web("GET", "/api/v1/me") == (200, body["person"])


async def test_a_code_is_used_once(house: Any) -> None:
    me = await house.log_in(PHONE)

    status, body = await house.nobody()("POST", SESSIONS, {"phone": PHONE, "code": await house.code_of(PHONE)})

    assert status == 422 and body["errors"][0]["pointer"] == "/code"
    assert (await me("GET", "/api/v1/me"))[0] == 200


async def test_every_log_in_has_a_token_of_its_own(house: Any) -> None:
    one, two = await house.log_in(PHONE), await house.log_in(PHONE)

    assert one.token != two.token and one.session != two.session and one.person == two.person


async def test_known_and_unknown_numbers_are_answered_alike(house: Any) -> None:
    await house.log_in(PHONE)
    seen = []
    for phone in (PHONE, OTHER):
        web = house.nobody()
        asked = await web("POST", CODES, {"phone": phone})
        seen.append(
            (asked, sorted(web.headers), await web("POST", SESSIONS, {"phone": phone, "code": wrong(await house.code_of(phone, 1))}))
        )

    never_asked = await house.nobody()("POST", SESSIONS, {"phone": "+8613800000003", "code": "123456"})

    assert seen[0] == seen[1] and seen[0][2] == never_asked
    assert await count(house, "person") == 1, "asking for a code makes nobody"


WIDE = "19900000001".translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"})


async def test_one_number_many_spellings(house: Any) -> None:
    people = set()
    spellings = ("19900000001", "+8619900000001", "008619900000001", "+86 199-0000-0001", WIDE, " 19900000001 ")
    for nth, spelling in enumerate(spellings, 1):
        assert (await house.nobody()("POST", CODES, {"phone": spelling}))[0] == 202
        assert (await house.nobody()("POST", CODES, {"phone": spellings[0]}))[0] == 429, "one limit for all spellings"
        code = await house.code_of("+8619900000001", nth)
        people.add((await house.nobody()("POST", SESSIONS, {"phone": spelling, "code": code}))[1]["person"]["id"])
        house.clock.move(hours=24)

    assert len(people) == 1 and await count(house, "person") == 1


@pytest.mark.parametrize("text", ["1990000000", "+86199", "+8612900000001", "phone", "", "+0013800000001", "+86138000000011"])
async def test_a_number_that_is_not_understood_is_named(house: Any, text: str) -> None:
    status, body = await house.nobody()("POST", CODES, {"phone": text})

    assert status == 422 and [error["pointer"] for error in body["errors"]] == ["/phone"]


async def test_refused_resend_kills_good_code(house: Any) -> None:
    web = house.nobody()
    await web("POST", CODES, {"phone": PHONE})
    status, _ = await web("POST", CODES, {"phone": PHONE})
    assert status == 429 and 0 < int(web.headers["Retry-After"]) <= 60

    status, _ = await web("POST", SESSIONS, {"phone": PHONE, "code": await house.code_of(PHONE)})

    assert status == 201


async def test_two_requests_at_once_send_one_message(house: Any) -> None:
    answers = await asyncio.gather(*(house.nobody()("POST", CODES, {"phone": PHONE}) for _ in range(5)))
    await house.code_of(PHONE)
    await asyncio.sleep(0.05)

    assert sorted(status for status, _ in answers) == [202, 429, 429, 429, 429]
    assert len(await house.outbox(PHONE)) == 1


async def test_only_the_newest_code_counts(house: Any) -> None:
    web = house.nobody()
    await web("POST", CODES, {"phone": PHONE})
    first = await house.code_of(PHONE)
    house.clock.move(seconds=61)
    await web("POST", CODES, {"phone": PHONE})
    second = await house.code_of(PHONE, 2)

    assert (await web("POST", SESSIONS, {"phone": PHONE, "code": first}))[0] == (201 if first == second else 422)
    assert (await web("POST", SESSIONS, {"phone": PHONE, "code": second}))[0] == (422 if first == second else 201)


async def test_five_wrong_tries_kill_a_code(house: Any) -> None:
    web = house.nobody()
    await web("POST", CODES, {"phone": PHONE})
    code = await house.code_of(PHONE)
    tries = [await web("POST", SESSIONS, {"phone": PHONE, "code": wrong(code)}) for _ in range(5)]

    right = await web("POST", SESSIONS, {"phone": PHONE, "code": code})

    assert {status for status, _ in tries} == {422}
    assert right == tries[0], "and nothing says that it would have been right"


async def test_wrong_tries_at_once_are_all_counted(house: Any) -> None:
    await house.nobody()("POST", CODES, {"phone": PHONE})
    code = await house.code_of(PHONE)
    await asyncio.gather(*(house.nobody()("POST", SESSIONS, {"phone": PHONE, "code": wrong(code)}) for _ in range(5)))

    assert (await house.nobody()("POST", SESSIONS, {"phone": PHONE, "code": code}))[0] == 422


async def test_a_code_lives_five_minutes(house: Any) -> None:
    web = house.nobody()
    await web("POST", CODES, {"phone": PHONE})
    house.clock.move(minutes=5)

    assert (await web("POST", SESSIONS, {"phone": PHONE, "code": await house.code_of(PHONE)}))[0] == 422


async def test_a_code_belongs_to_its_number(house: Any) -> None:
    web = house.nobody()
    await web("POST", CODES, {"phone": PHONE})

    assert (await web("POST", SESSIONS, {"phone": OTHER, "code": await house.code_of(PHONE)}))[0] == 422


async def test_a_number_gets_five_codes_an_hour_and_ten_a_day(house: Any) -> None:
    statuses = []
    for _ in range(26):
        statuses.append((await house.nobody()("POST", CODES, {"phone": PHONE}))[0])
        house.clock.move(minutes=10.1)

    assert statuses[:6] == [202] * 5 + [429]
    assert statuses.count(202) == 10


async def test_fresh_address_for_each_guess(house: Any) -> None:
    async with house.opened(limits=Limits()) as strict:
        web, statuses = strict.nobody(), []
        for n in range(50):
            said = {"X_Forwarded_For": f"203.0.113.{n}", "Forwarded": f"for=203.0.113.{n}", "X_Real_IP": f"203.0.113.{n}"}
            statuses.append((await web("POST", CODES, {"phone": f"+86139000000{n:02d}"}, **said))[0])

    assert statuses == [202] * 30 + [429] * 20
    assert model.network_of("2001:db8:1:2::1") == model.network_of("2001:db8:1:2:ffff::9") != model.network_of("2001:db8:1:3::1")
    assert model.network_of("::ffff:203.0.113.7") == "203.0.113.7"


async def test_an_address_that_guesses_is_stopped_for_every_number(house: Any) -> None:
    async with house.opened(limits=Limits(wrong=(Limit(3, 600),))) as strict:
        web = strict.nobody()
        await web("POST", CODES, {"phone": PHONE})
        code = await strict.code_of(PHONE)
        for n in range(3):
            assert (await web("POST", SESSIONS, {"phone": f"+861390000000{n}", "code": "123456"}))[0] == 422

        status, _ = await web("POST", SESSIONS, {"phone": PHONE, "code": code})
        assert status == 429 and int(web.headers["Retry-After"]) <= 600

        strict.clock.move(minutes=4)
        assert (await web("POST", SESSIONS, {"phone": PHONE, "code": code}))[0] == 429


async def test_the_whole_city_asks_for_so_many_codes_an_hour(house: Any) -> None:
    async with house.opened(limits=Limits(city=(Limit(3, 3600),))) as strict:
        statuses = [(await strict.nobody()("POST", CODES, {"phone": f"+861390000000{n}"}))[0] for n in range(4)]

    assert statuses == [202, 202, 202, 429]


@pytest.mark.parametrize("text", ["{}", "【OneLot】{}", " {} ", "{0:.3} {1}"])
async def test_whole_code_in_one_box(house: Any, text: str) -> None:
    web = house.nobody()
    await web("POST", CODES, {"phone": PHONE})
    code = await house.code_of(PHONE)
    typed = f"{code[:3]} {code[3:]}" if "{1}" in text else text.format(code)

    assert (await web("POST", SESSIONS, {"phone": PHONE, "code": typed}))[0] == 201


@pytest.mark.parametrize("text", ["", "12345", "1234567", "123456 654321", "abcdef"])
def test_what_is_not_one_code_of_six_digits_is_none(text: str) -> None:
    assert model.code_in(text) is None


# The page


async def test_a_page_gets_its_token_as_a_cookie_only(house: Any) -> None:
    web = house.nobody()
    await web("POST", CODES, {"phone": PHONE})
    status, body = await web("POST", SESSIONS, {"phone": PHONE, "code": await house.code_of(PHONE), "client": "page"})

    name, _, rest = web.headers["Set-Cookie"].partition("=")
    assert status == 201 and "token" not in body and name == "onelot"
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(rest.split("; ")) and "Secure" not in rest


async def page_of(house: Any, phone: str, nth: int = 1) -> tuple[Any, str]:
    web = house.nobody()
    await web("POST", CODES, {"phone": phone})
    status, _ = await web("POST", SESSIONS, {"phone": phone, "code": await house.code_of(phone, nth), "client": "page"})
    assert status == 201
    house.clock.move(seconds=61)
    return web, web.headers["Set-Cookie"].partition(";")[0]


async def test_over_https_the_cookie_is_bound_to_the_host(house: Any) -> None:
    async with house.opened(secure=True) as https:
        web, cookie = await page_of(https, PHONE)

        assert (
            cookie.startswith("__Host-onelot=")
            and web.headers["Set-Cookie"].endswith("; Secure")
            and "Domain" not in web.headers["Set-Cookie"]
        )
        assert (await web("GET", "/api/v1/me", Cookie=f"theme=dark; {cookie}"))[0] == 200
        assert (await web("GET", "/api/v1/me", Cookie=cookie.removeprefix("__Host-")))[0] == 401


async def test_a_cookie_writes_only_for_our_own_page(house: Any) -> None:
    web, cookie = await page_of(house, PHONE)
    plate = {"plate": "豫A12345", "colour": "blue"}

    assert (await web("GET", "/api/v1/me", Cookie=cookie))[0] == 200
    assert (await web("POST", "/api/v1/me/plates", plate, Cookie=cookie))[0] == 403
    assert (await web("POST", "/api/v1/me/plates", plate, Cookie=cookie, X_OneLot="page"))[0] == 201


async def test_logging_out_takes_the_cookie_back(house: Any) -> None:
    web, cookie = await page_of(house, PHONE)

    status, _ = await web("DELETE", SESSIONS + "/current", Cookie=cookie, X_OneLot="page")

    assert status == 204 and "Max-Age=0" in web.headers["Set-Cookie"]
    assert (await web("GET", "/api/v1/me", Cookie=cookie))[0] == 401


async def test_a_page_that_logs_in_again_leaves_no_log_in_behind(house: Any) -> None:
    web, cookie = await page_of(house, PHONE)
    await web("POST", CODES, {"phone": PHONE}, Cookie=cookie, X_OneLot="page")

    body = {"phone": PHONE, "code": await house.code_of(PHONE, 2), "client": "page"}
    status, _ = await web("POST", SESSIONS, body, Cookie=cookie, X_OneLot="page")

    assert status == 201 and web.headers["Set-Cookie"].partition(";")[0] != cookie
    assert (await web("GET", "/api/v1/me", Cookie=cookie))[0] == 401


# The provider


async def test_a_provider_that_stumbles_gets_the_message_again(house: Any) -> None:
    await house.turn(f"{house.sms_url}/control", "down")
    assert (await house.nobody()("POST", CODES, {"phone": PHONE}))[0] == 202
    await asyncio.sleep(0.05)
    await house.turn(f"{house.sms_url}/control", "up")

    assert len(await house.code_of(PHONE)) == 6


async def test_provider_punished_for_repeating(house: Any) -> None:
    await house.turn(f"{house.sms_url}/control", "lost_answer")
    await house.nobody()("POST", CODES, {"phone": PHONE})
    await house.code_of(PHONE)
    await asyncio.sleep(0.4)

    assert len(await house.outbox(PHONE)) == 1, "a lost answer makes no second message"


async def test_no_code_is_made_while_messages_cannot_leave(house: Any) -> None:
    class Nobody:
        async def send(self, message: object) -> None:
            raise AssertionError("never sent")

    async with house.opened(sender=Sender(Nobody(), waiting_max=1)) as stuck:
        assert (await stuck.nobody()("POST", CODES, {"phone": PHONE}))[0] == 202
        web = stuck.nobody()
        assert (await web("POST", CODES, {"phone": OTHER}))[0] == 503 and int(web.headers["Retry-After"]) > 0

    assert await count(house, "one_time_code") == 1
