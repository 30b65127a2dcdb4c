"""A tariff published wrong is corrected: bills go down by themselves, never up, and the same whenever a stay is heard of."""

from datetime import timedelta

import pytest

from foundation import ids
from foundation.errors import Conflict
from foundation.sql import Query
from parking.sessions import rerun_bills as module
from parking.sessions.rerun_bills import Rerun, rerun_bills
from parking.tariffs.book import Book
from parking.tariffs.errors import TariffFaults
from parking.tariffs.model import Stay
from tests.parking.sessions.city import LOT, NINE, City

PLATES = [f"豫A0000{number}" for number in range(5)]


def corrected(site: str, *, first: int, more: str = "") -> str:
    """The lot's version 1 with another price of the first hour."""
    return LOT.format(code=f"{site}-tariff", more=more).replace("price: 500", f"price: {first}")


async def stays(city: City, site: str, *plates: str, minutes: int = 130, at: int = 0) -> None:
    for plate in plates:
        begin = NINE + timedelta(minutes=at)
        spot = plate[-1]
        await city.hear(
            city.seen(site, spot, begin, "occupied", plate), city.seen(site, spot, begin + timedelta(minutes=minutes), "free")
        )  # fmt: skip
    await city.conclude()


async def totals(city: City) -> list[int]:
    return [row["total"] for row in await city.stays()]


@pytest.mark.parametrize("first", [200, 800], ids=["was too dear", "was too cheap"])
async def test_bills_go_down_and_never_up(city: City, first: int) -> None:
    site, me = await city.site("s"), ids.new_id()
    await city.prove(PLATES[0], me, NINE - timedelta(days=1))
    await city.top_up(me, 2000)
    await stays(city, site, *PLATES[:2])
    assert await city.wallet(me) == 600

    _, found = await rerun_bills(city.database, corrected(site, first=first), now=city.clock.city())

    lower = first < 500
    assert found == (Rerun(2, 2, 600) if lower else Rerun(2, 0, 0))
    assert await totals(city) == ([1100] * 2 if lower else [1400] * 2)
    assert await city.wallet(me) == (900 if lower else 600)
    await city.proved()


async def test_dry_run_says_the_same_and_changes_nothing(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BILLS_MAX", 2)
    site = await city.site("s")
    await stays(city, site, *PLATES)
    before = await city.stays()

    _, asked = await rerun_bills(city.database, corrected(site, first=200), now=city.clock.city(), dry_run=True)
    assert await city.stays() == before
    assert await city.database.value(Query("none", "SELECT count(*) FROM parking.tariff_correction WHERE code = $1"), f"{site}-tariff") == 0
    _, done = await rerun_bills(city.database, corrected(site, first=200), now=city.clock.city())

    assert asked == done == Rerun(5, 5, 1500)


async def test_correction_said_again_goes_on_and_gives_nothing_twice(city: City) -> None:
    site = await city.site("s")
    await stays(city, site, PLATES[0])
    text = corrected(site, first=200)
    await rerun_bills(city.database, text, now=city.clock.city())

    _, again = await rerun_bills(city.database, text, now=city.clock.city())

    assert again == Rerun(1, 0, 0)
    assert await totals(city) == [1100]


async def test_second_correction_never_takes_back_what_the_first_gave(city: City) -> None:
    site = await city.site("s")
    await stays(city, site, PLATES[0])
    for first in (200, 400, 100):
        await rerun_bills(city.database, corrected(site, first=first), now=city.clock.city())

    assert await totals(city) == [1000]


async def test_later_stay_and_late_reading_cost_the_lower_too_and_so_does_the_quote(city: City) -> None:
    site = await city.site("s")
    text = corrected(site, first=200)
    await rerun_bills(city.database, text, now=city.clock.city())

    await stays(city, site, PLATES[0])
    book = Book(city.database, city.clock)
    await book.load()
    quoted = book.quote(site, Stay(NINE, NINE + timedelta(minutes=130), site=site))

    [stay] = await city.stays()
    bill = await city.bill_of(PLATES[0])
    assert quoted is not None and (stay["total"], quoted.price.total) == (1100, 1100)
    assert bill["tariff_sha256"] == quoted.sha256 != quoted.rule.sha256


async def test_only_a_published_version_can_be_corrected_and_only_by_something_else(city: City) -> None:
    site = await city.site("s")
    same = corrected(site, first=500)
    for text in (same, same.replace("version: 1", "version: 2"), corrected(site, first=200).replace("2020-01-01", "2021-01-01")):
        with pytest.raises(Conflict):
            await rerun_bills(city.database, text, now=city.clock.city())
    with pytest.raises(TariffFaults):
        await rerun_bills(city.database, "code: x", now=city.clock.city())
