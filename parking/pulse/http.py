"""The city's turnover: who came, who left and what was billed, for whoever steers the city."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from foundation.clock import Clock, local, rfc3339
from foundation.http import Call, Route, Who
from foundation.money import Money, money
from foundation.postgres import Database, Record
from parking.pulse import store
from parking.pulse.model import STEP, step_of


class TurnoverQuery(msgspec.Struct, kw_only=True):
    hours: Annotated[int, msgspec.Meta(ge=1, le=168)] = 24


class OperatorTurnover(msgspec.Struct, frozen=True, kw_only=True):
    """Of one operator since midnight; `turnover` is departures for each of its places."""

    operator: str
    capacity: int
    arrivals: int
    departures: int
    billed: Money
    turnover: float | None


class TurnoverView(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of every `step_s` seconds from `first` on, in fen where they are money; `today` is since midnight."""

    as_of: str
    first: str
    step_s: int
    arrivals: list[int]
    departures: list[int]
    billed: list[int]
    arrivals_today: int
    departures_today: int
    billed_today: Money
    operators: list[OperatorTurnover]


def routes(database: Database, clock: Clock) -> list[Route]:
    async def get_turnover(call: Call) -> TurnoverView:
        return await _turnover(database, clock.city(), call.query.hours, None)

    async def get_own_turnover(call: Call) -> TurnoverView:
        operators = None if call.me.has("admin") else sorted(call.me.scopes("operator"))
        return await _turnover(database, clock.city(), call.query.hours, operators)

    return [
        Route(
            *("GET", "/api/v1/operator/turnover", get_own_turnover, "Who came and left at one's own sites, and what was billed"),
            who=Who.OPERATOR, query=TurnoverQuery, answer=TurnoverView,
        ),
        Route(
            *("GET", "/api/v1/city/turnover", get_turnover, "Who came and left, and what was billed"),
            who=Who.CITY, query=TurnoverQuery, answer=TurnoverView,
        ),
    ]  # fmt: skip


async def _turnover(database: Database, now: datetime, hours: int, operators: Sequence[str] | None) -> TurnoverView:
    steps = hours * timedelta(hours=1) // STEP
    first = step_of(now) - (steps - 1) * STEP
    beats = {row["at"]: row for row in await store.fetch_pulses(database, first, first + steps * STEP, operators)}
    held = [beats.get(first + number * STEP) for number in range(steps)]
    midnight = local(now).replace(hour=0, minute=0, second=0, microsecond=0)
    sums = [_operator(row) for row in await store.fetch_operators(database, midnight, midnight + timedelta(days=1), operators)]
    lines = {name: [int(row[name]) if row else 0 for row in held] for name in ("arrivals", "departures", "billed")}
    return TurnoverView(
        as_of=rfc3339(now), first=rfc3339(first), step_s=int(STEP.total_seconds()), operators=sums,
        arrivals_today=sum(one.arrivals for one in sums), departures_today=sum(one.departures for one in sums),
        billed_today=money(sum(one.billed.amount for one in sums)), **lines,
    )  # fmt: skip


def _operator(row: Record) -> OperatorTurnover:
    turnover = round(row["departures"] / row["capacity"], 2) if row["capacity"] else None
    counts = {name: row[name] for name in ("operator", "capacity", "arrivals", "departures")}
    return OperatorTurnover(**counts, billed=money(row["billed"]), turnover=turnover)
