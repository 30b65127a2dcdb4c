"""A published version is what it is: said again it is the same, said otherwise or beside another it is refused."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from foundation import journal, postgres
from foundation.clock import Clock
from foundation.errors import Conflict
from foundation.events import SiteChanged
from foundation.postgres import Database
from foundation.sql import Query
from parking.sites import store as sites
from parking.tariffs.book import Book
from parking.tariffs.errors import TariffFaults
from parking.tariffs.model import Stay
from parking.tariffs.publish_tariff import publish_tariff

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


@pytest.fixture
async def connected(postgres_url: str) -> AsyncIterator[Database]:
    async with postgres.connect(postgres_url, size=2) as database:
        await journal.prepare(database)
        yield database


def hourly(version: int, price: int, start: str, end: str | None) -> str:
    until = f'"{end}T00:00+08:00"' if end else "null"
    return f"""
code: hourly
version: {version}
effective: {{from: "{start}T00:00+08:00", to: {until}}}
windows:
  - {{name: all, edge: run, steps: [{{per: 60, price: {price}}}]}}
"""


async def publish(database: Database, *what: object) -> bool:
    _, fresh = await publish_tariff(database, hourly(*what), now=NOW)  # type: ignore[arg-type]
    return fresh


async def told(database: Database) -> int:
    return int(await database.value(Query("told", "SELECT count(*) FROM journal.fact WHERE kind = 'tariff_published'")))


async def test_the_same_version_again_says_so_and_tells_nothing(connected: Database) -> None:
    assert await publish(connected, 1, 100, "2026-01-01", None)
    assert not await publish(connected, 1, 100, "2026-01-01", None)

    assert await told(connected) == 1


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ((1, 200, "2026-01-01", "2026-04-01"), "other content"),
        ((2, 200, "2026-03-31", None), "at the same time"),
        ((2, 200, "2025-01-01", "2026-01-02"), "at the same time"),
        ((2, 200, "2026-02-01", "2026-02-02"), "at the same time"),
    ],
)
async def test_what_differs_or_overlaps_is_refused(connected: Database, what: tuple[object, ...], why: str) -> None:
    await publish(connected, 1, 100, "2026-01-01", "2026-04-01")

    with pytest.raises(Conflict, match=why):
        await publish(connected, *what)

    assert await told(connected) == 1


async def test_a_version_without_an_end_ends_where_its_successor_begins(connected: Database) -> None:
    await publish(connected, 1, 100, "2026-01-01", None)
    with pytest.raises(Conflict, match="at the same time"):
        await publish(connected, 2, 200, "2026-02-01", None)  # It would change what was billed since.
    assert await publish(connected, 2, 200, "2026-04-01", None)

    site = SiteChanged(site="s", operator="op", type="surface", counted_by="spots", capacity=1, tariff="hourly")
    await connected.run(lambda tx: sites.save_site(tx, site))
    book = Book(connected, Clock())
    await book.load()
    change = datetime(2026, 3, 31, 16, 0, tzinfo=UTC)
    for start, total, version in ((change - timedelta(minutes=30), 100, 1), (change, 200, 2)):
        quoted = book.quote("s", Stay(start, start + timedelta(minutes=60), site="s"))
        assert quoted is not None and (quoted.price.total, quoted.rule.tariff.version) == (total, version)


async def test_versions_follow_one_another_and_a_car_inside_keeps_its_own(connected: Database) -> None:
    await publish(connected, 1, 100, "2026-01-01", "2026-04-01")
    await publish(connected, 2, 200, "2026-04-01", None)
    site = SiteChanged(site="s", operator="op", type="surface", counted_by="spots", capacity=1, tariff="hourly")
    await connected.run(lambda tx: sites.save_site(tx, site))
    book = Book(connected, Clock())
    await book.load()
    change = datetime(2026, 3, 31, 16, 0, tzinfo=UTC)

    for start, total, version in ((change - timedelta(minutes=30), 100, 1), (change, 200, 2)):
        quoted = book.quote("s", Stay(start, start + timedelta(minutes=60), site="s"))
        assert quoted is not None and (quoted.price.total, quoted.rule.tariff.version) == (total, version)


async def test_a_tariff_with_a_fault_is_not_published(connected: Database) -> None:
    with pytest.raises(TariffFaults):
        await publish_tariff(connected, hourly(1, -5, "2026-01-01", None), now=NOW)

    assert await told(connected) == 0


async def test_what_was_published_stays(connected: Database) -> None:
    await publish(connected, 1, 100, "2026-01-01", None)

    for change in ("UPDATE parking.tariff SET version = 2", "DELETE FROM parking.tariff"):
        with pytest.raises(postgres.Refused, match="what was published stays"):
            await connected.value(Query("change", change))


async def test_the_price_list_learns_of_a_new_version_and_of_a_sites_other_tariff(connected: Database) -> None:
    book = Book(connected, Clock())
    await book.load()
    assert not book.knows("s")
    editions = [book.edition]

    await publish(connected, 1, 100, "2026-01-01", None)
    async with connected.transaction() as tx:
        tx.tell(SiteChanged(site="s", operator="op", type="surface", counted_by="spots", capacity=1, tariff="hourly"), at=NOW)
    await book.catch_up()
    assert book.price("s", NOW, 3600) == 100
    editions.append(book.edition)
    async with connected.transaction() as tx:
        tx.tell(SiteChanged(site="s", operator="op", type="surface", counted_by="spots", capacity=1, tariff="other"), at=NOW)
    await book.catch_up()

    assert book.price("s", NOW, 3600) is None
    assert editions[0] < editions[1] < book.edition, "who remembers a price asks again"
