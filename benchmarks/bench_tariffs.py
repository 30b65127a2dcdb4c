"""How many stays a second the tariff engine prices, beside the plain walk of one step after the other in the same run."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import perf_counter

from benchmarks.step_walking import price_by_steps
from parking.tariffs import calendar, read_tariff
from parking.tariffs.model import CITY, Stay, Tariff
from parking.tariffs.price_stay import price_stay

GOAL = 10.0
MEASURED_SECONDS = 2.0
STAYS = 2_000
MONDAY = datetime(2026, 3, 2, tzinfo=CITY)
LOT = """
code: bench-lot
version: 1
effective: {from: "2020-01-01T00:00+08:00", to: null}
free: {minutes: 15, mode: threshold}
windows:
  - {name: day, from: "08:00", to: "22:00", count: stay, round: up, edge: cut, steps: [{until: 60, per: 60, price: 500}, {per: 30, price: 300}]}
  - {name: night, from: "22:00", to: "08:00", steps: [{per: 0, price: 1000}]}
caps: {day: 5000, period: rolling}
"""
STREET = """
code: bench-street
version: 1
effective: {from: "2020-01-01T00:00+08:00", to: null}
windows:
  - {name: day, days: [work], from: "07:00", to: "19:00", count: window, round: down, edge: cut,
     steps: [{until: 60, per: 15, price: 250}, {per: 15, price: 375}]}
  - {name: rest, days: [rest], from: "09:00", to: "19:00", count: window, round: down, edge: cut, steps: [{per: 15, price: 150}]}
  - {name: night, count: window, round: down, steps: [{per: 120, price: 100}]}
caps: {day: 8000, period: calendar}
"""


def rows() -> list[dict[str, object]]:
    work = [(tariff, stay) for tariff in (read_tariff.read_tariff(LOT), read_tariff.read_tariff(STREET)) for stay in _stays()]
    official = calendar.official()
    different = sum(price_stay(tariff, stay, official).total != price_by_steps(tariff, stay, official) for tariff, stay in work)
    ours = _rate(lambda tariff, stay: price_stay(tariff, stay, official), work)
    plain = _rate(lambda tariff, stay: price_by_steps(tariff, stay, official), work)
    ratio = ours / plain
    return [
        {
            "name": "tariff.stays_per_s",
            "value": round(ours),
            "unit": "stays/s",
            "baseline": round(plain),
            "ratio": round(ratio, 1),
            "goal": GOAL,
            "met": ratio >= GOAL and not different,
            "note": f"{len(work)} stays of a city's mix under two tariffs, with all lines in two languages; {different} priced otherwise than"
            " by the plain walk of one step after the other (which writes no lines); one core",
        }
    ]


def _stays() -> list[Stay]:
    """A city's mix: mostly one or two hours, some work days and nights, few of several days."""
    chance = random.Random(20260302)
    hours = [chance.lognormvariate(0.6, 0.8) if chance.random() < 0.8 else chance.uniform(6, 80) for _ in range(STAYS)]
    entries = [MONDAY + timedelta(seconds=chance.randrange(7 * 86_400)) for _ in range(STAYS)]
    return [Stay(entry, entry + timedelta(seconds=int(3600 * length))) for entry, length in zip(entries, hours, strict=True)]


def _rate(price: Callable[[Tariff, Stay], object], work: Sequence[tuple[Tariff, Stay]]) -> float:
    began, done = perf_counter(), 0
    while perf_counter() - began < MEASURED_SECONDS:
        for tariff, stay in work[done % len(work) :][:200]:
            price(tariff, stay)
        done += 200
    return done / (perf_counter() - began)
