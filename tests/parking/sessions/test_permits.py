"""What a permit changes of a bill and what not: it splits the stay where it begins or ends, and never reaches behind its own telling."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from foundation import ids
from foundation.caller import Caller
from parking.bills import apply_permits
from parking.tariffs.publish_tariff import publish_tariff
from tests.parking.sessions.city import CHAINED, NINE, PERMITS, City
from tests.parking.sessions.test_lists import ask, routes_of

A, B = "豫A8B012", "豫A12345"
CARD = """
code: {code}
version: 1
effective: {{from: "2020-01-01T00:00+08:00", to: null}}
free: {{minutes: 15, mode: threshold}}
windows: [{{name: all, from: "00:00", to: "24:00", steps: [{{until: 60, per: 60, price: 500}}, {{per: 30, price: 300}}]}}]
permits: {{}}
"""


def minute(number: float) -> datetime:
    return NINE + timedelta(minutes=number)


async def stays(city: City, site: str, plate: str, *spans: tuple[float, float], spot: str = "1") -> None:
    """Whole stays on a spot, heard."""
    for entry, exit in spans:
        await city.hear(city.seen(site, spot, minute(entry), "occupied", plate), city.seen(site, spot, minute(exit), "free"))
    await city.conclude()


async def totals(city: City) -> list[int]:
    return [row["total"] for row in await city.stays()]


async def permit_lines(city: City) -> list[dict[str, Any]]:
    [stay] = await city.stays()
    return [line for line in json.loads(stay["lines"]) if line["kind"] == "permit"]


async def test_permit_frees_its_windows_in_its_zone_only(city: City) -> None:
    home, elsewhere, plain = (
        await city.site("home", more=PERMITS),
        await city.site("far", more=PERMITS, zone="y"),
        await city.site("plain"),
    )
    await city.grant(A, minute(0), minute(600))

    await stays(city, home, A, (0, 130))
    await stays(city, elsewhere, A, (200, 330))
    await stays(city, plain, A, (400, 530))
    await stays(city, home, B, (0, 130), spot="2")

    assert sorted(await city.told()) == [
        "0-130 closed 0=0+0 paid",
        "0-130 closed 1400=0+1400 open",
        "200-330 closed 1400=0+1400 open",
        "400-530 closed 1400=0+1400 open",
    ]


async def test_bill_names_the_permit_and_the_span_in_both_languages(city: City) -> None:
    site = await city.site("s", more=PERMITS)
    await city.grant(A, minute(0), minute(600))

    await stays(city, site, A, (0, 130))

    [line] = await permit_lines(city)
    assert line["what"] == {"zh": "停车证免费（居民停车证）", "en": "free with permit (Resident permit)"}
    assert (line["from"], line["to"], line["amount"]["amount"]) == ("2026-03-02T09:00:00+08:00", "2026-03-02T11:10:00+08:00", -1400)


@pytest.mark.parametrize(
    ("since", "until", "total"),
    [(60, 600, 500), (-60, 60, 800), (60, 90, 1100), (130, 600, 1400), (-60, 0, 1400), (0, 130, 0)],
    ids=["begins inside", "ends inside", "lies inside", "begins at its end", "ended at its beginning", "is exactly it"],
)
async def test_permit_splits_a_stay_where_it_begins_and_ends(city: City, since: int, until: int, total: int) -> None:
    site = await city.site("s", more=PERMITS)
    await city.grant(A, minute(since), minute(until), at=minute(-90))

    await stays(city, site, A, (0, 130))

    assert await totals(city) == [total]


async def test_card_valid_through_its_last_day(city: City) -> None:
    code = f"{city.name}-card"
    site = await city.site("s", tariff=code, publish=False)
    await publish_tariff(city.database, CARD.format(code=code), now=NINE)
    day = datetime(2026, 6, 6, 16, tzinfo=UTC)  # 2026-06-07 00:00 in the city.
    await city.grant(A, day, day + timedelta(days=30), at=day - timedelta(days=3))
    begins = [day + timedelta(days=29, hours=20), day + timedelta(days=29, hours=23), day - timedelta(minutes=30)]
    for entry, hours in zip(begins, (2, 2, 1), strict=True):
        await city.hear(city.seen(site, "1", entry, "occupied", A), city.seen(site, "1", entry + timedelta(hours=hours), "free"))
    await city.conclude(day + timedelta(days=31))

    assert await totals(city) == [500, 0, 500]


async def test_old_bill_stays_as_it_was_however_early_a_permit_is_valid_from(city: City) -> None:
    site = await city.site("s", more=PERMITS)
    await stays(city, site, A, (0, 130))
    before = await city.stays()

    await city.grant(A, minute(-600), minute(600), at=minute(200))

    assert await city.stays() == before
    await city.hear(city.seen(site, "1", minute(131), "free"))  # Nor does evidence that comes later bring the permit in.
    assert await totals(city) == [1400]


async def test_late_reading_of_before_the_grant_is_priced_as_of_then(city: City) -> None:
    site = await city.site("s", more=PERMITS)
    await city.grant(A, minute(-600), minute(600), at=minute(200))

    await stays(city, site, A, (0, 130))

    assert await totals(city) == [1400]


@pytest.mark.parametrize("first", ["readings", "permit", "both looks"])
async def test_stay_that_outlives_the_grant_costs_the_same_whoever_heard_first(city: City, first: str) -> None:
    """Closed and billed before parking learnt of the permit, after it, or in between: the grant was told while the car stood there."""
    site = await city.site("s", more=PERMITS)
    car = [city.seen(site, "1", minute(0), "occupied", A), city.seen(site, "1", minute(130), "free")]

    if first == "permit":
        await city.grant(A, minute(60), minute(600), at=minute(60))
    await city.hear(*car[: 1 if first == "both looks" else 2])
    if first == "both looks":
        await city.grant(A, minute(60), minute(600), at=minute(60))
        await city.hear(car[1])
    await city.conclude()
    if first == "readings":
        assert await totals(city) == [1400]
        await city.grant(A, minute(60), minute(600), at=minute(60))

    assert await totals(city) == [500]


async def test_permit_that_ends_early_splits_there_and_no_earlier_than_it_was_told(city: City) -> None:
    site = await city.site("s", more=PERMITS)
    permit = await city.grant(A, minute(-60), minute(600), at=minute(-60))
    await stays(city, site, A, (0, 130))

    await city.end_permit(permit, A, minute(-30), at=minute(60))

    assert await totals(city) == [800]
    await city.end_permit(permit, A, minute(-30), at=minute(60))
    await city.grant(A, minute(-60), minute(600), at=minute(-60), permit=permit)  # Heard again, neither changes anything.
    assert await totals(city) == [800]


async def test_permit_that_ended_before_it_began_frees_nothing(city: City) -> None:
    site = await city.site("s", more=PERMITS)
    permit = await city.grant(A, minute(60), minute(600), at=minute(-60))
    await city.end_permit(permit, A, minute(-10), at=minute(-10))

    await stays(city, site, A, (0, 130))

    assert await totals(city) == [1400]


async def test_chain_of_visits_counts_the_hours_of_a_permit_once(city: City) -> None:
    site = await city.site("s", more=f"{CHAINED}\n{PERMITS}")
    await city.grant(A, minute(-60), minute(65), at=minute(-60))

    await stays(city, site, A, (0, 60), (65, 125))

    assert await totals(city) == [0, 500]


async def test_chain_across_zones_is_free_only_where_the_permit_is(city: City) -> None:
    chained = f"reentry: {{gap_minutes: 15, same: tariff}}\n{PERMITS}"
    home = await city.site("home", more=chained)
    away = await city.site("away", tariff=f"{home}-tariff", publish=False, zone="y")
    await city.grant(A, minute(-60), minute(600), at=minute(-60))

    await stays(city, home, A, (0, 60))
    await stays(city, away, A, (65, 125))

    assert await totals(city) == [0, 500]


async def test_permission_of_previous_car_stays_on(city: City) -> None:
    """A right is bound to a plate that was read: neither the unread car behind it nor the next one is covered."""
    site = await city.site("s", more=PERMITS)
    await city.grant(A, minute(-60), minute(600), at=minute(-60))
    for at, plate in ((0, A), (4 / 60, None), (9 / 60, B)):
        await city.hear(city.passed(site, minute(at), "in", plate))
    for at, plate in ((130, A), (131, B)):
        await city.hear(city.passed(site, minute(at), "out", plate, lane="2"))
    await city.conclude()

    found = {row["plate_token"]: row["total"] for row in await city.stays()}
    assert found == {city.token(A): 0, None: None, city.token(B): 1400}


async def test_running_fee_of_an_open_stay_knows_the_permit(city: City) -> None:
    site = await city.site("s", more=PERMITS)
    me = Caller(ids.new_id(), ids.new_id())
    await city.prove(A, me.person, minute(-60))
    await city.hear(city.seen(site, "1", minute(0), "occupied", A))
    city.clock.put(minute(130))
    route = (await routes_of(city))["/api/v1/me/sessions"]

    [before] = (await ask(route, me, limit=5)).items
    await city.grant(A, minute(60), minute(600), at=minute(60))
    [after] = (await ask(route, me, limit=5)).items

    assert (before.fee.amount, after.fee.amount) == (1400, 500)


async def test_quote_covers_the_zone_of_the_site_only(city: City) -> None:
    home, far = await city.site("home", more=PERMITS), await city.site("far", more=PERMITS, zone="y")
    await city.grant(A, minute(60), minute(600), at=minute(60))

    async with city.database.transaction() as tx:
        spans = [
            await apply_permits.spans_at(tx, city.token(plate), site, minute(0), minute(130)) for site in (home, far) for plate in (A, B)
        ]
        unknown = await apply_permits.spans_at(tx, city.token(A), "nowhere", minute(0), minute(130))

    assert [(one.start, one.end, one.name) for one in spans[0]] == [(minute(60), minute(130), "resident")]
    assert (*spans[1:], unknown) == ((), (), (), ())
