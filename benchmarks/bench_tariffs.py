"""How many stays a second the tariff engine prices, beside the plain walk of one step after the other in the same run."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.step_walking import price_by_steps
from parking.tariffs import calendar, read_tariff
from parking.tariffs.model import CITY, Stay, Tariff
from parking.tariffs.price_many import Ints, fees_of
from parking.tariffs.price_stay import price_stay

GOALS = {"tariff.stays_per_s": 10.0, "tariff.lined_stays_per_s": 5.0}
MEASURED_SECONDS = 2.0
STAYS = 2_000
BATCH = 40_000
MONDAY = datetime(2026, 3, 2, tzinfo=CITY)
LOT = """
code: bench-lot
version: 1
effective: {from: "2020-01-01T00:00+08:00", to: null}
free: {minutes: 15, mode: threshold}
windows:
  - {name: day, from: "08:00", to: "22:00", count: stay, round: up, edge: cut,
     steps: [{until: 60, per: 60, price: 500}, {per: 30, price: 300}]}
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


NAMES = ("tariff.stays_per_s", "tariff.lined_stays_per_s")


async def measure(postgres_url: str, place: Path) -> list[dict[str, object]]:
    tariffs, stays, official = [read_tariff.read_tariff(LOT), read_tariff.read_tariff(STREET)], _stays(), calendar.official()
    work = [(tariff, stay) for tariff in tariffs for stay in stays]
    entries, exits = (np.array([int(getattr(s, name).timestamp()) for s in stays], np.int64) for name in ("entry", "exit"))
    plain_fees = [price_by_steps(tariff, stay, official) for tariff, stay in work]
    at_once = [fee for tariff in tariffs for fee in fees_of(tariff, entries, exits, official).tolist()]
    lined = [price_stay(tariff, stay, official).total for tariff, stay in work]
    different = sum(len({*fees}) > 1 for fees in zip(plain_fees, at_once, lined, strict=True))
    plain = _rate(lambda tariff, stay: price_by_steps(tariff, stay, official), work)
    single = _rate(lambda tariff, stay: price_stay(tariff, stay, official), work)
    batch = _batch_rate(tariffs, entries, exits, official)
    mix = f"{len(work)} stays of a city mix, two tariffs, one core; {different} of them priced unlike the plain walk of single steps"
    return [
        _row("tariff.stays_per_s", batch, plain, different, f"totals of many stays at once (a re-run of a month), peer: totals; {mix}"),
        _row(
            "tariff.lined_stays_per_s",
            single,
            plain,
            different,
            f"each stay by itself with its lines in two languages, peer: totals; {mix}",
        ),
    ]


def _row(name: str, ours: float, plain: float, different: int, note: str) -> dict[str, object]:
    ratio = ours / plain
    goal = GOALS[name]
    return {
        "name": name,
        "value": round(ours),
        "unit": "stays/s",
        "baseline": round(plain),
        "ratio": round(ratio, 1),
        "goal": goal,
        "met": ratio >= goal and not different,
        "note": note,
    }


def _batch_rate(tariffs: Sequence[Tariff], entries: Ints, exits: Ints, official: calendar.Calendar) -> float:
    entries, exits = np.tile(entries, BATCH // STAYS), np.tile(exits, BATCH // STAYS)
    began, done = perf_counter(), 0
    while perf_counter() - began < MEASURED_SECONDS:
        for tariff in tariffs:
            fees_of(tariff, entries, exits, official)
            done += len(entries)
    return done / (perf_counter() - began)


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
