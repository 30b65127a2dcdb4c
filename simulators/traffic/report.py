"""Ask the platform over HTTP what it believes, site by site, and write how far it is from the truth."""

import asyncio
import dataclasses
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulators.one_car import Driver
from simulators.traffic import judge, prices
from simulators.traffic.drivers import Drivers, everything
from simulators.traffic.faults import Knobs
from simulators.traffic.judge import Told, Truth, Verdict, Witnesses
from simulators.traffic.life import Life, Stay
from simulators.traffic.prices import Tariff
from simulators.traffic.street import Account, Street
from simulators.traffic.witness import Witness

ASK_AT_ONCE = 4
PATIENCE_SECONDS, AGAIN_SECONDS = 90.0, 3.0
DIFFERENCES_SHOWN = 300
Report = dict[str, Any]
Progress = Callable[[str], None]


@dataclass(slots=True)
class Inquiry:
    """Everything the comparison needs. `official` is logged in as somebody who may see all sites."""

    official: Driver
    life: Life
    witness: Witness
    street: Street
    drivers: Drivers
    tariffs: Mapping[str, Tariff]
    progress: Progress
    before: frozenset[str] = frozenset()  # Sessions of earlier runs.
    _stays: dict[int, list[Stay]] = field(default_factory=lambda: defaultdict(list))

    async def verdict(self) -> Verdict:
        """All sites; those with a difference that no fault explains are asked again as long as these become fewer, and a while beyond:
        the platform may be on its way, and what it has not come to yet is not lost.
        """
        self._stays.clear()
        for stay in self.life.stays.values():
            self._stays[stay.site].append(stay)
        found: dict[int, Verdict] = {}
        asked = list(range(len(self.life.places)))
        end, fewest = time.monotonic() + PATIENCE_SECONDS, math.inf
        while asked:
            sites = await self._sites()
            found |= dict(zip(asked, await self._ask_all(asked, sites), strict=True))
            asked = [site for site, one in found.items() if one.unexplained]
            open_questions = sum(len(one.unexplained) for one in found.values())
            if open_questions < fewest:
                end, fewest = time.monotonic() + PATIENCE_SECONDS, open_questions
            if time.monotonic() > end:
                break
            if asked:
                self.progress(f"{len(asked)} sites differ; asking them again")
                await asyncio.sleep(AGAIN_SECONDS)
        whole = Verdict()
        for one in found.values():
            whole.add(one)
        return whole

    async def _sites(self) -> dict[str, dict[str, Any]]:
        return {one["id"]: one for one in await everything(self.official, "/api/v1/sites")}

    async def _ask_all(self, sites: Sequence[int], known: Mapping[str, Mapping[str, Any]]) -> list[Verdict]:
        gate, done = asyncio.Semaphore(ASK_AT_ONCE), 0

        async def one(site: int) -> Verdict:
            nonlocal done
            async with gate:
                found = await self._judge(site, known[self.life.places[site].id])
            done += 1
            if done % 100 == 0:
                self.progress(f"{done} of {len(sites)} sites compared")
            return found

        return list(await asyncio.gather(*(one(site) for site in sites)))

    async def _judge(self, site: int, known: Mapping[str, Any]) -> Verdict:
        place = self.life.places[site]
        spots = [] if place.gated else await everything(self.official, f"/api/v1/sites/{place.id}/spots")
        sessions = await everything(self.official, "/api/v1/operator/sessions", site=place.id)
        bills = await everything(self.official, "/api/v1/operator/bills", site=place.id)
        mine = [one for one in sessions if one["id"] not in self.before]
        told = Told(known, spots, mine, {str(one["session"]): one for one in bills})
        return judge.judge(self._truth(site), told, self._witnesses(site))

    def _truth(self, site: int) -> Truth:
        place = self.life.places[site]
        tariff = self.tariffs[place.tariff]
        return Truth(place.id, place.gated, place.spots, self._stays[site], lambda came, left: prices.price(tariff, came, left))

    def _witnesses(self, site: int) -> Witnesses:
        witness = self.witness

        def name(device: int) -> str:
            return witness.cards[device].device if device >= 0 else ""

        return Witnesses(
            witness.ledger, lambda stay: name(witness.device_of(stay)), self.street.account.heard, witness.clones(),
            lambda spot: name(witness.camera_of(site, spot)),
        )  # fmt: skip

    async def charged(self) -> tuple[int, list[str]]:
        """How many accounts there are, and who of them was charged more than the truth."""
        true: Counter[int] = Counter()
        for stay in self.life.stays.values():
            if stay.car.account >= 0 and stay.gone:
                place = self.life.places[stay.site]
                true[stay.car.account] += prices.price(self.tariffs[place.tariff], stay.entered_at, stay.left_at)
        more = []
        for account in sorted(self.drivers.known):
            bills = await self.drivers.bills(account)
            paid = sum(bill["paid"]["amount"] for bill in bills if bill["session"] not in self.before)
            if paid > true[account]:
                more.append(f"account {account}: {paid} fen taken, {true[account]} true")
        return len(self.drivers.known), more


def written(
    verdict: Verdict, *, life: Life, witness: Witness, account: Account, unacknowledged: int, drivers: tuple[int, Sequence[str]],
    run: Mapping[str, Any],
) -> Report:  # fmt: skip
    """The truth report (JSON)."""
    unexplained, refused = verdict.unexplained, _refused(account, witness)
    fine = not unexplained and not drivers[1] and not unacknowledged and not verdict.wrongly_taken and not refused["unexplained"]
    by = Counter(" + ".join(one.by) or "no fault" for one in verdict.differences)
    right = "right" if not verdict.differences else "differences explained by faults"
    return {
        "verdict": right if fine else "WRONG",
        "run": dict(run) | {"faults": _said(witness.knobs)},
        "bays": {"compared": verdict.bays, "wrong": verdict.bays_wrong},
        "sites": {"compared": verdict.sites, "wrong": verdict.sites_wrong},
        "stays": {
            "simulated": verdict.stays, "finished": verdict.finished, "billed": verdict.billed, "doubtful": verdict.doubtful,
            "wrong": verdict.stays_wrong, "turned_away": life.turned_away,
        },
        "bills": {
            "above_zero": verdict.above_zero, "above_zero_in_truth": verdict.above_zero_true, "wrong": verdict.bills_wrong,
            "too_high": verdict.too_high, "too_high_fen": verdict.too_high_fen,
            "too_low": verdict.too_low, "too_low_fen": verdict.too_low_fen,
        },
        "drivers": {
            "with_account": drivers[0], "charged_more_than_the_truth": len(drivers[1]), "who": list(drivers[1])[:20],
            "wrongly_taken": verdict.wrongly_taken, "wrongly_taken_fen": verdict.wrongly_taken_fen,
        },
        "messages": {
            "sent": account.sent, "acknowledged": account.acknowledged, "unacknowledged": unacknowledged, "sent_again": account.resent,
            "readings": account.readings, "repeats": account.repeats, "lost": verdict.lost, "doubled": verdict.doubled,
            "refused": refused,
        },
        "faults": judge.endings(witness.ledger, verdict.differences),
        "differences": {"all": len(verdict.differences), "unexplained": len(unexplained), "by": dict(by.most_common(40))},
        "examples": [dataclasses.asdict(one) for one in sorted(verdict.differences, key=lambda one: bool(one.by))[:DIFFERENCES_SHOWN]],
    }  # fmt: skip


def _refused(account: Account, witness: Witness) -> dict[str, Any]:
    """Messages of devices with a wrong clock may be from the future or too old; nobody else's may be refused."""
    wrong_clocks = {fault.device for fault in witness.ledger.faults if fault.kind in ("clock_skew", "clock_jump")}
    others = {f"{device} {why}": number for (device, why), number in account.refused.items() if device not in wrong_clocks}
    reasons = Counter[str]()
    for (_, why), number in account.refused.items():
        reasons[why] += number
    named = dict(sorted(others.items())[:DIFFERENCES_SHOWN])
    return {"all": account.refused.total(), "by": dict(reasons), "unexplained": sum(others.values()), "of": named}


def _said(knobs: Knobs) -> dict[str, float]:
    return {name: share for name, share in dataclasses.asdict(knobs).items() if share}
