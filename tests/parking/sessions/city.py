"""A small city for stays: readings and facts go straight to the followers, and time stands where the test puts it."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from foundation import events, ids, seal
from foundation.clock import Clock
from foundation.events import (
    Direction,
    Names,
    PermitEnded,
    PermitGranted,
    PlateProved,
    PlateReleased,
    SiteChanged,
    SpotSeen,
    SpotState,
    TariffPublished,
    TopUpPaid,
    Vehicle,
    VehiclePassed,
)
from foundation.journal import Entry, Follower
from foundation.postgres import Database, Record, Transaction
from foundation.sql import Query
from parking.bills.follow import DebtsFollower
from parking.ledger import settle
from parking.ledger.model import AccountKind
from parking.sessions.follow import HoldersFollower, PermitsFollower, StaysFollower, conclude_once
from parking.sites import store as sites
from parking.tariffs.publish_tariff import publish_tariff

NINE = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # Monday, nine in the city.
LOT = """
code: {code}
version: 1
effective: {{from: "2020-01-01T00:00+08:00", to: null}}
free: {{minutes: 15, mode: threshold, once_per: chain}}
{more}
windows:
  - {{name: day, from: "08:00", to: "22:00", count: stay, round: up, edge: cut,
     steps: [{{until: 60, per: 60, price: 500}}, {{per: 30, price: 300}}]}}
  - {{name: night, from: "22:00", to: "08:00", steps: [{{per: 0, price: 1000}}]}}
caps: {{day: 5000, period: rolling, stay: null}}
"""
CHAINED = "reentry: {gap_minutes: 15, same: lot}"
PERMITS = "permits: {windows: [day]}"


@dataclass(frozen=True)
class FixedClock(Clock):
    """City time stands still until it is put elsewhere."""

    stands: list[datetime] = field(default_factory=lambda: [NINE + timedelta(days=1)])

    def city(self) -> datetime:
        return self.stands[0]

    def put(self, at: datetime) -> None:
        self.stands[0] = at


STAYS = """
SELECT s.*, b.id AS bill, b.total, b.paid, b.owed, b.state AS bill_state, b.person AS bill_person, b.certainty AS bill_certainty,
       b.collect AS bill_collects, b.lines, b.version AS bill_version, b.tariff_version
  FROM parking.session s LEFT JOIN parking.bill b ON b.session = s.id
 WHERE starts_with(s.site, $1) AND (s.state <> 'void' OR $2) ORDER BY s.entered_at, s.unit, s.left_at"""


@dataclass
class City:
    """One city among others in a database: all its names begin with its own."""

    database: Database
    keys: seal.Keys
    clock: FixedClock
    name: str = field(default_factory=lambda: f"c{uuid.uuid4().hex[:10]}")
    seq: int = 0
    position: int = 0

    async def site(
        self, name: str, *, more: str = "", publish: bool = True, operator: str = "op", tariff: str | None = None, zone: str = "z"
    ) -> str:
        """A site with a tariff of its own."""
        site = f"{self.name}-{name}"
        code = f"{site}-tariff" if tariff is None else tariff
        fact = SiteChanged(
            site=site, operator=f"{self.name}-{operator}", type="surface", counted_by="spots", capacity=3, tariff=code, zone=zone
        )
        await self.database.run(lambda tx: sites.save_site(tx, fact))
        if publish:
            await self.publish(code, more)
        return site

    async def change_site(self, name: str, *, tariff: str) -> None:
        """Its fact is in the journal and reaches those who wait for it, before the follower of sites."""
        fact = SiteChanged(
            site=f"{self.name}-{name}", operator=f"{self.name}-op", type="surface", counted_by="spots", capacity=3, tariff=tariff, zone="z"
        )
        async with self.database.transaction() as tx:
            tx.tell(fact, at=NINE)
        await self.tell(fact)

    async def publish(self, code: str, more: str = "") -> None:
        await publish_tariff(self.database, LOT.format(code=code, more=more), now=self.clock.city())

    def vehicle(self, plate: str, confidence: float = 0.95, *, colour: str = "blue") -> Vehicle:
        token = self.token(plate, colour)
        return Vehicle(token=token, sealed=self.keys.seal(f"{plate}\x1f{colour}", NINE), colour=colour, confidence=confidence, type="small")

    def token(self, plate: str, colour: str = "blue") -> bytes:
        return self.keys.token(self.name, plate, colour)

    def _reading(self, at: datetime, device: str, seq: int | None, **raw: Any) -> dict[str, Any]:
        self.seq += 1
        return {
            "device": f"{self.name}-{device}", "seq": self.seq if seq is None else seq, "at": at, "raw_at": raw.get("raw_at", at),
            "received_at": at, "no_clock": raw.get("no_clock", False), "id": self.keys.token("reading", str(self.seq)),
        }  # fmt: skip

    def seen(
        self, site: str, spot: str, at: datetime, state: SpotState, plate: str | None = None, *, confidence: float = 0.95,
        seq: int | None = None, device: str | None = None,
    ) -> SpotSeen:  # fmt: skip
        vehicle = self.vehicle(plate, confidence) if plate else None
        base = self._reading(at, device or f"cam-{spot}", seq)
        return SpotSeen(site=site, spot=f"{site}-{spot}", state=state, vehicle=vehicle, **base)

    def passed(
        self, site: str, at: datetime, direction: Direction, plate: str | None = None, *, confidence: float = 0.95, lane: str = "1",
        seq: int | None = None, colour: str = "blue", **raw: Any,
    ) -> VehiclePassed:  # fmt: skip
        vehicle = self.vehicle(plate, confidence, colour=colour) if plate else None
        return VehiclePassed(site=site, lane=lane, direction=direction, vehicle=vehicle, **self._reading(at, f"gate-{site}", seq, **raw))

    async def hear(self, *readings: events.Event) -> None:
        await self._apply(StaysFollower(self.keys, self.clock), readings)

    async def tell(self, *facts: events.Event) -> None:
        for fact in facts:
            follower: Follower = DebtsFollower(self.clock) if isinstance(fact, TopUpPaid) else HoldersFollower(self.clock)
            await self._apply(follower, [fact])

    async def grant(
        self, plate: str, since: datetime, until: datetime, *, at: datetime = NINE, permit: uuid.UUID | None = None, zone: str = "z"
    ) -> uuid.UUID:
        """A permit, told at a time."""
        fact = PermitGranted(
            permit=permit or ids.new_id(), plate_token=self.token(plate), zone=zone, permit_kind="resident",
            names=Names("居民停车证", "Resident permit"), valid_from=since, valid_to=until,
        )  # fmt: skip
        await self._apply(PermitsFollower(self.clock), [fact], at)
        return fact.permit

    async def end_permit(self, permit: uuid.UUID, plate: str, ended_at: datetime, *, at: datetime = NINE) -> None:
        fact = PermitEnded(permit=permit, plate_token=self.token(plate), ended_at=ended_at)
        await self._apply(PermitsFollower(self.clock), [fact], at)

    async def _apply(self, follower: Follower, told: Sequence[events.Event], at: datetime = NINE) -> None:
        entries = []
        for one in told:
            self.position += 1
            row = events.told(one, at)
            entries.append(Entry(self.position, NINE, row.at, row.kind, row.key, row.body))
        await self.database.run(lambda tx: follower.apply(tx, entries))

    async def conclude(self, at: datetime | None = None) -> None:
        if at is not None:
            self.clock.put(at)
        while await conclude_once(self.database, self.clock):
            pass

    async def prove(self, plate: str, person: uuid.UUID, since: datetime, *, auto_pay: bool = True) -> None:
        await self.tell(PlateProved(plate_token=self.token(plate), person=person, since=since, auto_pay=auto_pay))

    async def release(self, plate: str, person: uuid.UUID, until: datetime) -> None:
        await self.tell(PlateReleased(plate_token=self.token(plate), person=person, until=until))

    async def top_up(self, person: uuid.UUID, amount: int) -> None:
        """Money comes, and what is told of it collects debts."""
        number = ids.new_id()

        async def work(tx: Transaction) -> None:
            wallet, clearing = await settle.open_accounts(tx, [(AccountKind.WALLET, str(person)), (AccountKind.CLEARING, "bank")])
            assert await settle.top_up(tx, id=number, wallet=wallet, clearing=clearing, amount=amount, at=NINE) == "booked"

        await self.database.run(work)
        await self.tell(TopUpPaid(topup=number, person=person, amount=amount))

    async def tell_tariff(self, code: str) -> None:
        await self.tell(TariffPublished(code=code, version=1, sha256=""))

    async def balance(self, kind: AccountKind, owner: str) -> int:
        async def work(tx: Transaction) -> int:
            (account,) = await settle.open_accounts(tx, [(kind, owner)])
            return await settle.balance_of(tx, account)

        return await self.database.run(work)

    async def wallet(self, person: uuid.UUID) -> int:
        return await self.balance(AccountKind.WALLET, str(person))

    async def stays(self, *, void: bool = False) -> list[Record]:
        """Sessions with their bills, oldest first."""
        return await self.database.fetch(Query("stays", STAYS), self.name, void)

    async def told(self) -> list[str]:
        """Stays in short: minutes since nine, state, bill, codes."""
        return [_short(row) for row in await self.stays()]

    async def bill_of(self, plate: str) -> Record:
        """The only bill of a plate."""
        [row] = await self.database.fetch(Query("bill", "SELECT * FROM parking.bill WHERE plate_token = $1"), self.token(plate))
        return row

    async def proved(self) -> None:
        """The ledger agrees with itself, and with every bill of this city."""
        async with self.database.transaction() as tx:
            assert await settle.proof(tx) == []
            rows = await tx.fetch(Query("bills", "SELECT * FROM parking.bill WHERE starts_with(site, $1)"), self.name)
            for bill in rows:
                booked = await settle.money_of(tx, bill["session"])
                assert (bill["paid"], bill["owed"]) == (booked.paid - booked.returned, booked.owed)
                assert bill["paid"] + bill["owed"] == bill["total"]
                _tiles(bill)


def _short(row: Record) -> str:
    entered, left = ((at - NINE) // timedelta(minutes=1) if at else "*" for at in (row["entered_at"], row["left_at"]))
    money = "" if row["total"] is None else f" {row['total']}={row['paid']}+{row['owed']} {row['bill_state']}"
    return " ".join([f"{entered}-{left} {row['state']}{money}", *row["why"]])


def _tiles(bill: Record) -> None:
    """The lines of kind time tile the stay, and all lines sum to the total."""
    lines = json.loads(bill["lines"])
    assert sum(line["amount"]["amount"] for line in lines) == bill["total"]
    times = [(datetime.fromisoformat(line["from"]), datetime.fromisoformat(line["to"])) for line in lines if line["kind"] == "time"]
    entered, left = (at.replace(microsecond=0) for at in (bill["entered_at"], bill["left_at"]))
    if bill["state"] != "void" and entered < left:
        assert [start for start, _ in times] + [left] == [entered] + [end for _, end in times]
