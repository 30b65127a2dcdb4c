"""Zhengzhou's published prices: the marginal price falls and rises again, and caps belong to the day period."""

from datetime import datetime
from pathlib import Path

import pytest

from parking.tariffs import calendar, read_tariff
from parking.tariffs.model import CITY, Stay
from parking.tariffs.price_stay import price_stay

NAMED = Path(__file__).parent / "named"
TABLE = """
zz1_street | 02 09:00 | 02 09:20 |    0 | free minutes, bound included
zz1_street | 02 09:00 | 02 09:21 |  400 | first hour
zz1_street | 02 09:00 | 02 11:00 |  600 | + a cheap hour
zz1_street | 02 09:00 | 02 12:00 |  800 | + another cheap hour
zz1_street | 02 09:00 | 02 13:00 | 1200 | from the fourth hour dear again
zz1_street | 02 07:00 | 02 21:00 | 3500 | 400 + 2 x 200 + 11 x 400 = 5200, capped
zz1_street | 02 07:00 | 03 21:00 | 7000 | the cap belongs to the day period: twice
zz1_street | 02 20:00 | 03 08:00 |  800 | 400, night free, and the next day's first hour anew
zz1_street | 02 19:00 | 03 09:00 | 1200 | 400 + 200, night free, 400 + 200
zz1_lot    | 02 09:00 | 02 13:00 |  900 | 400 + 2 x 100 + 300
zz1_lot    | 02 20:00 | 03 08:00 | 1300 | 400 + night 500 + 400
zz1_lot    | 02 22:00 | 04 06:00 | 3100 | 500 a visit by night, once, and one capped day
zz1_peak   | 02 08:00 | 02 10:00 |  800 | peak first hour 600, then a cheap hour of 200
zz1_peak   | 02 16:00 | 02 18:00 |  800 | first hour 400, then 200 + 200 for the peak
zz1_peak   | 02 07:00 | 02 21:00 | 3500 | the calendar day's cap
"""
ROWS = [tuple(cell.strip() for cell in row.split("|")) for row in TABLE.strip().splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]}-{row[1]}-{row[2]}" for row in ROWS])
def test_class_one_prices_fall_and_rise(row: tuple[str, ...]) -> None:
    name, entry, exit, fen, why = row
    tariff = read_tariff.read_tariff((NAMED / f"{name}.yaml").read_bytes())

    price = price_stay(tariff, Stay(at(entry), at(exit)), calendar.official())

    assert price.total == int(fen), why
    assert sum(line.amount for line in price.lines) == price.total


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-{text}").replace(tzinfo=CITY)
