"""Who sees which stays and bills, page by page; nothing twice, nothing left out, no plate that is not one's own."""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from foundation import ids
from foundation.caller import Caller, Role
from foundation.errors import NotFound
from foundation.http import Call, Route
from parking.bills import http as bills_http
from parking.sessions import http as sessions_http
from parking.tariffs.book import Book
from tests.parking.sessions.city import NINE, City


async def routes_of(city: City) -> dict[str, Route]:
    """By path."""
    book = Book(city.database, city.clock)
    await book.load()

    async def plate_of(person: uuid.UUID, plate: str) -> bytes:
        raise NotFound

    routes = [
        *sessions_http.routes(city.database, city.keys, book, city.clock),
        *bills_http.routes(city.database, city.keys, city.clock, plate_of),
    ]
    return {route.path: route for route in routes if route.method == "GET"}


async def ask(route: Route, caller: Caller, path: dict[str, str] | None = None, **query: Any) -> Any:
    asked = route.query(**query) if route.query else None
    return await route.handle(Call(path=path or {}, query=asked, body=None, caller=caller, headers={}, raw=b"", address="", route=""))


async def all_pages(route: Route, caller: Caller, limit: int) -> list[Any]:
    found: list[Any] = []
    cursor = None
    while True:
        page = await ask(route, caller, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


def person(id: uuid.UUID) -> Caller:
    return Caller(id, ids.new_id())


def operator(names: Sequence[str]) -> Caller:
    return Caller(ids.new_id(), ids.new_id(), roles=tuple(Role("operator", name) for name in names))


async def seven_stays_of_one_second(city: City) -> tuple[uuid.UUID, list[str]]:
    """All of one driver, on two sites of two operators."""
    sites = [await city.site("a"), await city.site("b", operator="other")]
    driver = ids.new_id()
    for number in range(7):
        plate, site = f"豫A1234{number}", sites[number % 2]
        await city.prove(plate, driver, NINE - timedelta(days=1))
        spot = f"s{number}"
        await city.hear(city.seen(site, spot, NINE, "occupied", plate), city.seen(site, spot, NINE + timedelta(hours=1), "free"))
    await city.conclude()
    return driver, sites


@pytest.mark.parametrize("path", ["/api/v1/me/sessions", "/api/v1/me/bills"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
async def test_pages_of_equal_times_neither_skip_nor_repeat(city: City, path: str, limit: int) -> None:
    driver, _ = await seven_stays_of_one_second(city)

    found = await all_pages((await routes_of(city))[path], person(driver), limit)

    assert len(found) == len({one.id for one in found}) == 7
    assert {one.plate for one in found} == {f"豫A1234{number}" for number in range(7)}


@pytest.mark.parametrize("path", ["/api/v1/operator/sessions", "/api/v1/operator/bills"])
async def test_an_operator_sees_its_own_sites_and_masked_plates(city: City, path: str) -> None:
    _, sites = await seven_stays_of_one_second(city)
    route = (await routes_of(city))[path]

    found = await all_pages(route, operator([f"{city.name}-other"]), 2)

    assert {one.site for one in found} == {sites[1]} and len(found) == 3
    assert all("*" in one.plate for one in found)
    assert await all_pages(route, operator([]), 2) == []
    assert await all_pages(route, operator(["nobody"]), 2) == []
    assert len(await all_pages(route, operator([f"{city.name}-other", f"{city.name}-op"]), 3)) == 7


async def test_nobody_sees_the_bill_of_another(city: City) -> None:
    driver, _ = await seven_stays_of_one_second(city)
    routes = await routes_of(city)
    bill = (await ask(routes["/api/v1/me/bills"], person(driver))).items[0]

    seen = await ask(routes["/api/v1/me/bills/{bill}"], person(driver), {"bill": str(bill.id)})

    assert (seen.id, seen.total.amount, seen.state) == (bill.id, 500, "open")
    for wrong in (str(bill.id), str(ids.new_id()), "no-id"):
        with pytest.raises(NotFound):
            await ask(routes["/api/v1/me/bills/{bill}"], person(ids.new_id()), {"bill": wrong})


async def test_the_operator_is_shown_which_stay_an_unknown_exit_may_end(city: City) -> None:
    site = await city.site("a")
    await city.hear(city.passed(site, NINE, "in", "豫A8B012"), city.passed(site, NINE + timedelta(hours=1), "out", "豫A88012"))
    await city.conclude()

    exit, entered = (await ask((await routes_of(city))["/api/v1/operator/sessions"], operator([f"{city.name}-op"]))).items

    assert (exit.candidate, exit.why, exit.certainty) == (entered.id, ["entry_missing", "near_plate"], "doubtful")
    assert entered.candidate is None


async def test_an_open_stay_carries_its_running_fee(city: City) -> None:
    site, driver = await city.site("a"), ids.new_id()
    await city.prove("豫A12345", driver, NINE - timedelta(days=1))
    city.clock.put(NINE + timedelta(minutes=70))
    await city.hear(city.seen(site, "1", NINE, "occupied", "豫A12345"))

    [stay] = (await ask((await routes_of(city))["/api/v1/me/sessions"], person(driver), state="open")).items

    assert (stay.fee.amount, stay.left_at, stay.bill) == (800, None, None)


async def test_a_stay_without_a_tariff_has_no_fee_and_says_so(city: City) -> None:
    site, driver = await city.site("a", publish=False), ids.new_id()
    await city.prove("豫A12345", driver, NINE - timedelta(days=1))
    await city.hear(city.seen(site, "1", NINE, "occupied", "豫A12345"), city.seen(site, "1", NINE + timedelta(hours=1), "free"))
    await city.conclude()

    [stay] = (await ask((await routes_of(city))["/api/v1/me/sessions"], person(driver))).items

    assert (stay.fee, stay.bill, stay.why) == (None, None, ["no_tariff"])
