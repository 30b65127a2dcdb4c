"""All doors of a running city, walked through generically: who may come in, what a request may hold, how a list is turned over."""

import asyncio
import json
import re
import typing
import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from foundation.http import LIMIT_MAX, Paged, Route, Who
from onelot import openapi
from tests.onelot.town import NATURAL, PLATE, PROOF, STAYS, Answer, Town

# A body that each route takes, and what in it the world, somebody else or a rule holds fast: told by its pointer.
BODIES: dict[str, tuple[dict[str, Any], list[tuple[dict[str, Any], str]]]] = {
    "POST /api/v1/auth/codes": ({"phone": "+8613700000009"}, [({"phone": "+861"}, "/phone")]),
    "POST /api/v1/auth/sessions": ({"phone": "+8613700000009", "code": "000000"}, [({"client": "robot"}, "/client")]),
    "POST /api/v1/me/plates": (
        {"plate": "豫A12346", "colour": "blue"},
        [({"plate": "豫A1234"}, "/plate"), ({"colour": "green"}, "/colour"), ({"nickname": "x" * 41}, "/nickname")],
    ),
    "POST /api/v1/me/plates/{id}/proof": (
        {"way": "vehicle_licence", "vin_last6": "000000"},
        [({"way": "my_word"}, "/way"), ({"vin_last6": "12345"}, "/vin_last6")],
    ),
    "POST /api/v1/me/level": (
        {"to": "L2", "way": "registry", "name": "王芳", "id_no": "990000199010150126"},
        [
            ({"to": "L9"}, "/to"),
            ({"way": "face"}, "/way"),
            ({"to": "L3"}, "/way"),
            ({"name": " "}, "/name"),
            ({"name": "x" * 61}, "/name"),
            ({"id_no": "990000199002300120"}, "/id_no"),
            ({"id_no": "12"}, "/id_no"),
        ],
    ),
    "POST /api/v1/me/plates/{id}/pay": ({"rail": "wallet"}, [({"rail": "shells"}, "/rail")]),
    "POST /api/v1/operator/sessions/{session}/close": (
        {"left_at": "2026-03-02T10:00:00+08:00", "evidence": "ticket:17"},
        [({"left_at": "2026-03-02T10:00:00"}, "/left_at"), ({"evidence": ""}, "/evidence"), ({"evidence": "the red car"}, "/evidence")],
    ),
    "POST /api/v1/services/licences/{id}/revocation": ({"reason": "misused"}, [({"reason": "plate_passed"}, "/reason")]),
    "POST /api/v1/services/verify": ({"token": "rubbish"}, [({"token": 7}, "/token")]),
    "POST /api/v1/me/bills/{bill}/pay": ({"rail": "wallet"}, [({"rail": "shells"}, "/rail")]),
    "POST /api/v1/me/wallet/topups": (
        {"amount": 100, "currency": "CNY"},
        [({"amount": 0}, "/amount"), ({"amount": 1.0}, "/amount"), ({"amount": -5}, "/amount"), ({"currency": "USD"}, "/currency")],
    ),
    "POST /api/v1/services/cases": ({"matter": "resident_parking"}, [({"matter": "dragon_licence"}, "/matter")]),
    "PATCH /api/v1/services/cases/{id}": ({"form": {}}, [({"form": {"colour": "red"}}, "/colour")]),
    "POST /api/v1/services/cases/{id}/supplement": ({"form": {}}, []),
    "POST /api/v1/services/cases/{id}/assign": ({"to": "00000000-0000-7000-8000-00000000000a"}, [({"to": "my friend"}, "/to")]),
    "POST /api/v1/services/cases/{id}/decision": (
        {"decision": "approve", "reason": "all papers seen"},
        [({"decision": "perhaps"}, "/decision"), ({"reason": "x" * 1001}, "/reason"), ({"decision": "reject", "reason": " "}, "/reason")],
    ),
    "POST /api/v1/operator/devices": (
        {"site": "lot-7", "kind": "counter", "name": "lot-7-cnt-1"},
        [({"kind": "eye"}, "/kind"), ({"name": "a b"}, "/device"), ({"lanes": [""]}, "/lanes/0")],
    ),
    "POST /api/v1/operator/devices/{device}/commands": (
        {"command": "open_barrier", "lane": "1"},
        [
            ({"command": "close"}, "/command"),
            ({"lane": ""}, "/lane"),
            ({"lane": "9"}, "/lane"),
            ({"until": "2026-03-02T09:00:00"}, "/until"),
            ({"until": "0001-01-01T00:00:00+14:00"}, "/until"),
        ],
    ),
}
QUERIES: dict[str, dict[str, str]] = {  # What a query cannot do without.
    "POST /api/v1/services/cases/{id}/files": {"field": PROOF},
    "GET /api/v1/near": {"lon": "113.66", "lat": "34.75"},
    "GET /api/v1/quote": {"site": "lot-7", "from": "2026-03-02T09:00:00+08:00", "to": "2026-03-02T11:00:00+08:00"},
    "GET /api/v1/quote/steps": {"site": "lot-7", "from": "2026-03-02T09:00:00+08:00", "to": "2026-03-02T11:00:00+08:00"},
    "GET /api/v1/me/quote": {"site": "lot-7", "from": "2026-03-02T09:00:00+08:00", "to": "2026-03-02T11:00:00+08:00", "plate": PLATE},
}
NAMES = {"site": 404}  # Parameters that name something: what is not there is not found.
FREE = {"cursor", "bbox", "plate", "field"}  # Texts with a form of their own.
RUBBISH = ("", "rubbish", "\x00", "-1", "1e999", "NaN", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "x" * 5000)


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


def asks_for_something(route: Route) -> bool:
    return "{" in route.path


def is_problem(answer: Answer) -> bool:
    """RFC 9457, and of a kind that can be looked up."""
    if answer.kind != "application/problem+json":
        return False
    slug = answer.body["type"].removeprefix("/problems/")
    return answer.body["status"] == answer.status and bool(answer.body["title"]) and slug in openapi.problems()


def secrets(town: Town) -> list[str]:
    tokens = [driver.token for driver in town.people.values()]
    phones = [driver.phone for driver in town.people.values()]
    return [PLATE, "A12345", "豫B55555", *phones, *(phone.removeprefix("+86") for phone in phones), *town.codes, *tokens]


def leaks(town: Town, text: str) -> list[str]:
    return [secret for secret in secrets(town) if secret in text or secret.encode("unicode_escape").decode() in text]


async def test_nobody_comes_in_where_somebody_is_asked_for(running_city: Town) -> None:
    town = running_city
    for route in town.routes:
        if route.who is not Who.ANYBODY:
            body = BODIES.get(name_of(route), ({},))[0] if route.body else None
            answer = await town.ask(route.method, town.path_of(route), body=body)
            assert answer.status == 401, name_of(route)
            assert is_problem(answer)

            useless = await town.ask(route.method, town.path_of(route), body=body, Authorization="Bearer " + "x" * 43)
            assert useless.status == 401, name_of(route)


async def test_right_of_another_kind_opens_nothing(running_city: Town) -> None:
    town = running_city
    for route in town.routes:
        if route.who in (Who.OPERATOR, Who.STAFF, Who.CITY, Who.ADMIN):
            for who in {"anna", "clerk", "operator"} - {NATURAL[route.who]}:
                answer = await town.ask(route.method, town.path_of(route), who=who, body={} if route.body else None)
                assert answer.status == 403, (name_of(route), who)
                assert is_problem(answer)


async def test_download_without_question(running_city: Town) -> None:
    """Each single thing has its own guard, lists or not: what is another's answers as what never was. A route without such a case fails."""
    town = running_city
    for route in town.routes:
        if asks_for_something(route) and route.who is not Who.ANYBODY:
            other = "ben" if route.who is Who.PERSON else "stranger"
            body = BODIES[name_of(route)][0] if route.body else None
            query, stranger_to = QUERIES.get(name_of(route)), re.sub(r"{\w+}", str(uuid.uuid4()), route.path)
            theirs = await town.ask(route.method, town.path_of(route), who=other, body=body, query=query)
            nothing = await town.ask(route.method, stranger_to, who=other, body=body, query=query)

            assert theirs.status in (403, 404), name_of(route)
            assert (theirs.status, theirs.body["detail"]) == (nothing.status, nothing.body["detail"]), (
                f"{name_of(route)} tells what there is"
            )
            assert leaks(town, theirs.text) == []
    assert (await town.ask("GET", "/api/v1/me", who="anna")).status == 200, "her log-in is still hers"


async def test_lists_hold_nothing_of_others(running_city: Town) -> None:
    town, others = running_city, {Who.OPERATOR: "stranger", Who.STAFF: "clerk"}
    for route in town.routes:
        if (
            route.method == "GET" and not asks_for_something(route) and route.who not in (Who.ANYBODY, Who.CITY)
        ):  # All sites are the city's.
            query = QUERIES.get(name_of(route))
            theirs = await town.ask("GET", route.path, who=others.get(route.who, "ben"), query=query)
            assert theirs.status == 200, name_of(route)
            assert town.ids["bill"] not in theirs.text
            if query is None:
                assert "lot-7" not in theirs.text and "lot-8" not in theirs.text, name_of(route)


async def test_operator_sees_plates_masked_and_the_map_none(running_city: Town) -> None:
    town = running_city
    for route in town.routes:
        if route.method == "GET" and route.who in (Who.OPERATOR, Who.ANYBODY):
            path, query = town.path_of(route), QUERIES.get(name_of(route))
            answer = await town.ask("GET", path, who=NATURAL[route.who], query=query)
            assert answer.status == 200, (name_of(route), answer.text)
            assert leaks(town, answer.text) == [], name_of(route)


async def test_admin_sees_all_operators(running_city: Town) -> None:
    for path in ("sites", "devices", "refused", "sessions"):
        answer = await running_city.ask("GET", f"/api/v1/operator/{path}", who="admin", query={"limit": "500"})

        assert answer.status == 200
        assert "lot-7" in answer.text and "lot-x" in answer.text, path


async def test_body_with_a_field_nobody_knows_is_refused_by_its_pointer(running_city: Town) -> None:
    for route in (route for route in running_city.routes if route.body):
        good, _ = BODIES[name_of(route)]
        answer = await running_city.ask(
            route.method, running_city.path_of(route), who=NATURAL[route.who], body=good | {"nonsense": {"deep": 1}}
        )

        assert (answer.status, answer.pointers) == (422, ["/nonsense"]), name_of(route)
        assert is_problem(answer)


async def test_field_of_another_type_is_refused_by_its_pointer(running_city: Town) -> None:
    for route in (route for route in running_city.routes if route.body):
        good, _ = BODIES[name_of(route)]
        for name in good:
            for wrong in ([], {"x": 1}, True, None):
                answer = await running_city.ask(
                    route.method, running_city.path_of(route), who=NATURAL[route.who], body=good | {name: wrong}
                )
                if (name, wrong) in (("colour", None), ("form", {"x": 1})):
                    continue  # It may be left out, and null says so; what is in a form is told by its place there.
                assert (answer.status, answer.pointers) == (422, [f"/{name}"]), (name_of(route), name, wrong)


async def test_field_that_the_world_holds_fast_is_refused_by_its_pointer(running_city: Town) -> None:
    for route in (route for route in running_city.routes if route.body):
        good, held = BODIES[name_of(route)]
        for change, pointer in held:
            answer = await running_city.ask(route.method, running_city.path_of(route), who=NATURAL[route.who], body=good | change)
            assert (answer.status, answer.pointers) == (422, [pointer]), (name_of(route), change, answer.text)


async def test_missing_field_is_told_by_its_pointer(running_city: Town) -> None:
    for route in (route for route in running_city.routes if route.body):
        answer = await running_city.ask(route.method, running_city.path_of(route), who=NATURAL[route.who], body={})

        assert answer.status == 422, name_of(route)
        assert answer.pointers[0].removeprefix("/") in BODIES[name_of(route)][0]


@pytest.mark.parametrize(
    "raw",
    [b"{", b"[]", b"1", b"\xff\xfe", b'"\xff"', b'{"phone": "\\ud800"}', b'{"phone": "\\u0000"}', b"[" * 60_000, b'{"x": ' + b"[" * 60_000],
    ids=["cut", "list", "number", "utf16", "latin", "surrogate", "nul", "deep", "deep_in_a_field"],
)
async def test_what_is_no_object_of_json_is_a_problem_of_the_sender(running_city: Town, raw: bytes) -> None:
    for route in (route for route in running_city.routes if route.body or route.raw_body):
        answer = await running_city.ask(route.method, running_city.path_of(route), who=NATURAL[route.who], raw=raw)

        assert 400 <= answer.status < 500, (name_of(route), answer.text)
        assert is_problem(answer)


async def test_body_of_another_type_or_size_is_refused(running_city: Town) -> None:
    for route in (route for route in running_city.routes if route.body):
        path, who = running_city.path_of(route), NATURAL[route.who]
        form = await running_city.ask(route.method, path, who=who, raw=b"phone=1", Content_Type="application/x-www-form-urlencoded")
        big = await running_city.ask(route.method, path, who=who, raw=b'{"x": "' + b"x" * 300_000 + b'"}')

        assert (form.status, big.status) == (415, 413), name_of(route)
        assert is_problem(form) and is_problem(big)


def fields(kind: type[msgspec.Struct]) -> Iterator[tuple[str, Any]]:
    hints = typing.get_type_hints(kind, include_extras=True)
    for one in msgspec.structs.fields(kind):
        yield one.encode_name, hints[one.name]


def is_text(kind: Any) -> bool:
    bare = [one for one in (typing.get_args(kind) or (kind,)) if one is not type(None)]
    return bare == [str]


async def test_rubbish_in_a_query_is_refused_by_its_name(running_city: Town) -> None:
    for route in (route for route in running_city.routes if route.query):
        good, who = QUERIES.get(name_of(route), {}), NATURAL[route.who]
        for name, kind in fields(route.query):
            for rubbish in RUBBISH:
                answer = await running_city.ask(route.method, running_city.path_of(route), who=who, query=good | {name: rubbish})
                said = (name_of(route), name, rubbish[:30], answer.text[:200])
                if is_text(kind) and name in NAMES:
                    assert answer.status == NAMES[name] or answer.pointers == [f"?{name}"], said
                elif is_text(kind):
                    assert name in FREE, f"{said}: the walk does not know what this text is for"
                    assert (answer.status, answer.pointers) == (422, [f"?{name}"]), said
                elif answer.status != 200:  # Some number or time may be one that can be asked for.
                    assert (answer.status, answer.pointers) == (422, [f"?{name}"]), said
                assert answer.status == 200 or is_problem(answer)


async def test_query_without_what_it_needs_is_told_the_name(running_city: Town) -> None:
    for route in running_city.routes:
        for name in QUERIES.get(name_of(route), ()):
            less = {other: value for other, value in QUERIES[name_of(route)].items() if other != name}
            answer = await running_city.ask(route.method, running_city.path_of(route), who=NATURAL[route.who], query=less)

            assert (answer.status, answer.pointers) == (422, [f"?{name}"]), name_of(route)


@pytest.mark.parametrize(
    "rubbish", ["%00", "%FF", "%2e%2e%2f", "x" * 3000, "%F0%9F%9A%97", "'; DROP TABLE parking.bill; --", "0", "-1", "null"]
)
async def test_rubbish_in_a_path_is_not_there(running_city: Town, rubbish: str) -> None:
    for route in (route for route in running_city.routes if asks_for_something(route)):
        body = BODIES[name_of(route)][0] if route.body else None
        path, query = re.sub(r"{\w+}", rubbish, route.path), QUERIES.get(name_of(route))
        answer = await running_city.ask(route.method, path, who=NATURAL[route.who], body=body, query=query)

        if rubbish == "%2e%2e" and answer.kind == "text/html":
            continue  # Two dots lead up, and what is up there may be the page.
        assert answer.status in (404, 405), (name_of(route), answer.status, answer.text)
        assert is_problem(answer)


async def test_unknown_paths_and_methods_are_problems(running_city: Town) -> None:
    for method, path, status in [
        ("GET", "/nowhere", 404),
        ("GET", "/api/v1/nowhere", 404),
        ("GET", "/problems/nothing", 404),
        ("PUT", "/api/v1/sites", 405),
        ("POST", "/healthz", 405),
    ]:
        answer = await running_city.ask(method, path)
        assert (answer.status, is_problem(answer)) == (status, True), path
        assert status != 405 or "GET" in answer.headers["Allow"]


async def test_head_is_answered_as_get_without_a_body(running_city: Town) -> None:
    for path in ("/api/v1/sites", "/healthz", "/api/v1/sites/lot-7"):
        answer = await running_city.ask("HEAD", path)
        assert (answer.status, answer.text) == (200, ""), path


@pytest.mark.parametrize(("name", "pointer"), [("a/b", "/a~1b"), ("a~b", "/a~0b"), ("x" * 9000, "/" + "x" * 200)], ids=["/", "~", "long"])
async def test_pointer_to_a_strange_field_is_one(running_city: Town, name: str, pointer: str) -> None:
    answer = await running_city.ask("POST", "/api/v1/auth/codes", body={"phone": "+8613700000009", name: 1})

    assert (answer.status, answer.pointers) == (422, [pointer])
    assert len(answer.text) < 4000


async def test_every_problem_can_be_looked_up(running_city: Town) -> None:
    for slug, problem in openapi.problems().items():
        answer = await running_city.ask("GET", f"/problems/{slug}")

        assert answer.status == 200
        assert (answer.body["type"], answer.body["status"]) == (f"/problems/{slug}", problem.status)


async def test_every_answer_is_guarded(running_city: Town) -> None:
    for path in ("/healthz", "/docs", "/openapi.json", "/api/v1/sites", "/nowhere", "/api/v1/me"):
        answer = await running_city.ask("GET", path)

        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"], path


# Lists


def lists(town: Town) -> list[Route]:
    found = [route for route in town.routes if route.query and issubclass(route.query, Paged)]
    assert len(found) >= 8
    return found


def rows(answer: Answer) -> list[str]:
    body = answer.body
    return [json.dumps(one, sort_keys=True) for one in body["items" if "items" in body else "entries"]]


async def test_limit_of_a_list_has_its_bounds(running_city: Town) -> None:
    for route in lists(running_city):
        path, who = running_city.path_of(route), NATURAL[route.who]
        for limit, status in (("0", 422), (str(LIMIT_MAX + 1), 422), ("1", 200), (str(LIMIT_MAX), 200)):
            answer = await running_city.ask("GET", path, who=who, query={"limit": limit})
            assert answer.status == status, (name_of(route), limit)
            assert status == 200 or answer.pointers == ["?limit"]
            assert limit != "1" or len(rows(answer)) <= 1


CURSORS = [
    "",
    "!",
    "e30",
    "W10",
    "WzFd",
    "WyJ4Il0",
    "bnVsbA",
    "W251bGwsbnVsbF0",
    "WyIyMDI2LTAzLTAyVDEwOjAwOjAwIiwieCJd",
    "WzFlMzBd",
    "W3t9XQ",
    "x" * 4000,
]


async def test_cursor_that_is_not_ours_is_refused(running_city: Town) -> None:
    for route in lists(running_city):
        for cursor in CURSORS:
            answer = await running_city.ask("GET", running_city.path_of(route), who=NATURAL[route.who], query={"cursor": cursor})
            if answer.status == 200 and cursor == "WyJ4Il0":
                continue  # ["x"]: where ids are texts, a place in their order like any other.
            if answer.status == 200 and cursor == "WzFd":
                continue  # [1]: the same where they are numbers.
            assert (answer.status, answer.pointers) == (422, ["?cursor"]), (name_of(route), cursor, answer.text[:200])


@pytest.mark.parametrize("limit", [1, 3, 10])
async def test_pages_of_a_list_neither_skip_nor_repeat(running_city: Town, limit: int) -> None:
    for route in lists(running_city):
        path, who = running_city.path_of(route), NATURAL[route.who]
        whole = rows(await running_city.ask("GET", path, who=who, query={"limit": str(LIMIT_MAX)}))
        turned: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = await running_city.ask("GET", path, who=who, query={"limit": str(limit)} | cursor)
            turned += rows(page)
            if page.body["next_cursor"] is None:
                break
            assert len(rows(page)) == limit
            cursor = {"cursor": page.body["next_cursor"]}
        assert [row for row in turned if row in whole] == whole, name_of(route)  # A row that came meanwhile may be there, too.
        assert len(set(turned)) == len(turned)


@pytest.mark.parametrize("what", ["bills", "sessions"])
async def test_many_rows_of_the_same_second_are_all_turned_over(running_city: Town, what: str) -> None:
    pages, cursor = [], {}
    while cursor is not None:
        page = (await running_city.ask("GET", f"/api/v1/me/{what}", who="anna", query={"limit": "10"} | cursor)).body
        pages.append([one["id"] for one in page["items"]])
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else None

    assert [len(page) for page in pages] == [10, 10, 5]
    assert len({one for page in pages for one in page}) == STAYS


# Once


async def test_same_key_and_meaning_gives_the_first_answer_again(running_city: Town) -> None:
    town, key = running_city, str(uuid.uuid4())
    first = await town.ask("POST", "/api/v1/me/plates", who="ben", body={"plate": "豫A12399", "colour": "blue"}, Idempotency_Key=key)
    again = await town.ask(
        "POST", "/api/v1/me/plates", who="ben", raw=' {"colour":"blue",  "plate":"豫A12399"}'.encode(), Idempotency_Key=key
    )
    other = await town.ask("POST", "/api/v1/me/plates", who="ben", body={"plate": "豫A12398", "colour": "blue"}, Idempotency_Key=key)

    assert (first.status, again.status, again.body) == (201, 201, first.body)
    assert (other.status, is_problem(other)) == (409, True)
    kept = await town.owner("SELECT string_agg(answer::text || encode(digest, 'escape'), ' ') FROM journal.idempotency")
    assert "12399" not in kept and first.body["id"] not in kept


async def test_key_is_its_callers_own_and_its_routes(running_city: Town) -> None:
    town, key = running_city, str(uuid.uuid4())
    topup = {"amount": 100, "currency": "CNY"}
    mine = await town.ask("POST", "/api/v1/me/wallet/topups", who="anna", body=topup, Idempotency_Key=key)
    theirs = await town.ask("POST", "/api/v1/me/wallet/topups", who="ben", body=topup, Idempotency_Key=key)
    elsewhere = await town.ask("POST", "/api/v1/me/plates", who="anna", body={"plate": "豫A12397"}, Idempotency_Key=key)

    assert (mine.status, theirs.status, elsewhere.status) == (201, 201, 201)
    assert len({mine.body["id"], theirs.body["id"], elsewhere.body["id"]}) == 3


async def test_refusal_is_not_kept(running_city: Town) -> None:
    town, key = running_city, str(uuid.uuid4())
    refused = await town.ask("POST", "/api/v1/me/plates", who="ben", body={"plate": "豫A1", "colour": "blue"}, Idempotency_Key=key)
    taken = await town.ask("POST", "/api/v1/me/plates", who="ben", body={"plate": "豫A12396", "colour": "blue"}, Idempotency_Key=key)

    assert (refused.status, taken.status) == (422, 201)


async def test_same_key_at_the_same_time_is_done_once(running_city: Town) -> None:
    town, key = running_city, str(uuid.uuid4())
    bodies = [{"amount": 777, "currency": "CNY"}] * 6 + [{"amount": 778, "currency": "CNY"}] * 2
    answers = await asyncio.gather(
        *(town.ask("POST", "/api/v1/me/wallet/topups", who="ben", body=body, Idempotency_Key=key) for body in bodies)
    )

    good = {answer.body["id"] for answer in answers if answer.status == 201}
    assert len(good) == 1
    assert {answer.status for answer in answers} == {201, 409}
    assert len({answer.body["amount"]["amount"] for answer in answers if answer.status == 201}) == 1


async def test_payment_asked_for_twice_at_once_with_one_key_is_not_told_a_conflict(running_city: Town) -> None:
    """The second waits for the first: otherwise it would find the bill paid, by itself, and say so."""
    town, key = running_city, str(uuid.uuid4())
    plate = next(one for one in (await town.ask("GET", "/api/v1/me/plates", who="ben")).body["items"] if one["plate"] == PLATE)
    pay = f"/api/v1/me/plates/{plate['id']}/pay"
    answers = await asyncio.gather(*(town.ask("POST", pay, who="ben", body={"rail": "wallet"}, Idempotency_Key=key) for _ in range(4)))

    assert len({(answer.status, answer.text) for answer in answers}) == 1


@pytest.mark.parametrize("key", ["", "x" * 201, "schlüssel"])
async def test_key_that_cannot_be_kept_is_refused(running_city: Town, key: str) -> None:
    answer = await running_city.ask(
        "POST", "/api/v1/me/wallet/topups", who="anna", body={"amount": 1, "currency": "CNY"}, Idempotency_Key=key
    )

    assert (answer.status, answer.pointers) == (422, ["Idempotency-Key"])


def test_every_creating_route_takes_a_key_or_needs_none(running_city: Town) -> None:
    """Codes, log-ins, proofs and barriers are acts of the moment; a callback carries the provider's own number."""
    free = {"/api/v1/auth/codes", "/api/v1/auth/sessions", "/api/v1/me/level", "/api/v1/me/fresh", "/api/v1/me/plates/{id}/proof"}
    free |= {
        f"/api/v1/services/cases/{{id}}/{act}"
        for act in ("submit", "withdraw", "supplement", "review", "check", "decision", "claim", "release", "assign")
        for act in ("submit", "withdraw", "supplement", "review", "check", "decision", "claim", "release", "assign")
    }  # A state has one way on.
    free |= {"/api/v1/operator/devices/{device}/commands", "/api/v1/services/verify"}
    free |= {"/api/v1/operator/devices"}  # A secret is told once, and kept by nobody.
    free |= {"/api/v1/services/licences/{id}/presentation", "/api/v1/services/licences/{id}/revocation"}
    posts = {route.path for route in running_city.routes if route.method == "POST" and not route.idempotent and not route.raw_body}

    assert posts <= free


# Last, after everything above has been said and answered.


def test_nothing_personal_stands_in_a_log_line_or_url(running_city: Town) -> None:
    town = running_city
    assert len(town.log) > 50
    assert [line for line in town.log if leaks(town, line)] == []
    ours = [url for url in town.asked if "/outbox" not in url and "plate=" not in url]  # Those two are the walk's own.
    assert [url for url in ours if leaks(town, url)] == []


async def test_nothing_personal_stands_in_a_metric(running_city: Town) -> None:
    answer = await running_city.ask("GET", "/metrics")

    assert answer.status == 200 and "onelot_http_requests_total" in answer.text
    labels = "\n".join(line.rpartition(" ")[0] for line in answer.text.splitlines())  # A number may look like anybody's code.
    assert leaks(running_city, labels) == []
    for value in set(running_city.ids.values()) - {"conflict"}:
        assert f'"{value}"' not in answer.text and f"/{value}" not in answer.text, "ids stay out of labels"
