"""The worked examples of real cities, as one table: what a stay costs and why."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from parking.tariffs import calendar, check_tariff, read_tariff
from parking.tariffs.model import CITY, PermitSpan, Stay, Tariff
from parking.tariffs.price_stay import price_chain, price_stay

NAMED = Path(__file__).parent / "named"

# Times without a date belong to Monday 2026-03-02; +1 is the next day. Prices in fen.
TABLE = """
 1 | bj1 | 08:00       | 08:14:59    |            |    0 | unfinished step, round down
 2 | bj1 | 08:00       | 08:15:00    |            |  250 | exactly one step
 3 | bj1 | 08:00       | 10:10       |            | 2500 | 4 x 250 + 4 x 375; the last 10 min unfinished
 4 | bj1 | 18:40       | 21:30       |            |  350 | one quarter, 5 min cut at 19:00 not charged, one full 2 h of night
 5 | bj1 | 18:00       | +1 07:30    |            | 2350 | 4 x 250 + 6 x 100 + 2 x 375: first-hour tier is spent for the stay
 6 | sz1 | 09:00       | 09:10:00    |            |    0 | bound included
 6 | sz1 | 09:00       | 09:10:01    |            |  300 | counted from the first second
 7 | sz1 | 09:00       | 13:05       |            | 6300 | 300 + 5 x 600 + 3 x 1000
 8 | sz1 | 19:50       | +1 08:10    |            | 1200 | 300 (cut at 20:00) + night 0 + next day's tiers anew: 300 + 600
 8 | sz1 | 07:30       | 20:00       |            | 22300 | the published day's maximum: 300 + 5 x 600 + 19 x 1000
 9 | sz1 | 02-28 12:00 | 02-28 13:00 |            |  900 | Saturday listed as a work day: calendar beats weekday
10 | sz1 | 02-21 12:00 | 02-21 13:00 |            |  360 | rest-day price
11 | qz1 | 09:00       | 12:20       |            | 1550 | 250 + 300 + 2 x 500
12 | qz1 | 08:00       | 20:00       |            | 3000 | 5550 capped
12 | qz1 | 08:00       | 20:00       | new energy | 1500 | half after the cap
13 | qz1 | 20:30       | +1 09:30    |            | 1100 | (250 + 300) each calendar day: tiers restart, steps cut at 22:00
14 | lot | 09:00       | 11:10       |            | 1400 | 500 + 3 x 300
15 | lot | 21:30       | +1 08:20    |            | 1800 | 500 (cut at 22:00 but paid) + 1000 + 300
16 | lot | 09:00       | +1 10:10    |            | 5900 | 24 h from entry capped at 5000, then 3 x 300
17 | lot | 07:00       | 23:00       | permit     | 2000 | day free, the two night occurrences paid
18 | per | 23:50       | +1 00:10    |            | 2000 | two calendar days
"""
ROWS = [tuple(cell.strip() for cell in row.split("|")) for row in TABLE.strip().splitlines()]


def tariff_named(name: str) -> Tariff:
    return read_tariff.read_tariff((NAMED / f"{name}.yaml").read_bytes())


def at(text: str) -> datetime:
    """08:00, 08:00:01, +1 08:00 or 02-28 08:00."""
    day, _, clock = text.rpartition(" ")
    base = datetime.fromisoformat(f"2026-{day if '-' in day else '03-02'}T{clock}").replace(tzinfo=CITY)
    return base + timedelta(days=int(day) if day.startswith("+") else 0)


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]}-{row[1]}-{row[5]}" for row in ROWS])
def test_every_worked_example_has_its_price(row: tuple[str, ...]) -> None:
    _, name, entry, exit, who, fen, why = row
    permits = (PermitSpan(at("01-01 00:00"), at("12-31 00:00")),) if who == "permit" else ()
    stay = Stay(at(entry), at(exit), "green" if who == "new energy" else "blue", permits=permits)

    price = price_stay(tariff_named(name), stay, calendar.official())

    assert price.total == int(fen), why
    assert sum(line.amount for line in price.lines) == price.total
    assert not price.provisional


@pytest.mark.parametrize(("second", "fen"), [("09:20", 500), ("09:28", 500), ("09:29", 0), ("10:20", 0)])
def test_two_short_visits_are_one_chain_when_close_and_two_free_ones_when_apart(second: str, fen: int) -> None:
    visits = [Stay(at("09:00"), at("09:14")), Stay(at(second), at(second) + timedelta(minutes=14))]

    assert price_chain(tariff_named("lot"), visits, calendar.official()).total == fen


@pytest.mark.parametrize("path", sorted(NAMED.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_named_tariffs_pass_the_proof(path: Path) -> None:
    tariff = read_tariff.read_tariff(path.read_bytes())

    assert check_tariff.check_tariff(tariff, calendar.official()) == []
    assert read_tariff.read_tariff(read_tariff.canonical_json(tariff)) == tariff
