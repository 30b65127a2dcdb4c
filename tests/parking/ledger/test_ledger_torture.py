"""Everybody at once for some seconds: drivers, gates, corrections, repetitions, thieves, and connections that die in the middle."""

import asyncio
import contextlib
import dataclasses
import itertools
import random
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import asyncpg
import pytest

from foundation import ids, postgres
from foundation.postgres import Database, Transaction
from foundation.sql import Query
from parking.ledger import settle
from parking.ledger.model import AccountKind, DebtPayment, Outcome, Settlement

SECONDS = 6.0
TRIES_MAX = 20
WALLETS, PLATES, OPERATORS = 25, 25, 4
Answer = TypeVar("Answer")


@dataclass
class Stay:
    """One session as its follower remembers it; the lock is that of its bill."""

    first: Settlement
    cost: int
    refunded: int = 0
    version: int = 1
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class City:
    """Who is at it, and what was answered."""

    town: object
    database: Database
    owner: Callable[[str], Awaitable[object]]
    wallets: list[int]
    receivables: list[int]
    payables: list[int]
    deferreds: list[int]
    chance: random.Random
    stays: list[Stay] = field(default_factory=list)
    answered: dict[uuid.UUID, tuple[Settlement, Outcome]] = field(default_factory=dict)
    booked: set[uuid.UUID] = field(default_factory=set)
    seen: Counter[str] = field(default_factory=Counter)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def surely(self, work: Callable[[Transaction], Awaitable[Answer]]) -> Answer:
        """The same request again until there is an answer, as somebody does whose connection was lost: did it happen or not?"""
        for _ in range(TRIES_MAX):
            try:
                return await self.database.run(work)
            except asyncpg.InsufficientPrivilegeError:
                raise  # To others a forgotten grant, here the answer.
            except (*postgres.AWAY, asyncpg.AdminShutdownError, asyncpg.InternalClientError):  # the last: cut while being given back
                self.seen["connections lost"] += 1
        raise AssertionError("the database stays away")

    async def arrive(self) -> None:
        """A batch of new stays; some have no wallet, some are not to be collected."""
        new = [self._settlement() for _ in range(self.chance.randrange(1, 40))]
        outcomes = await self.surely(lambda tx: settle.settle(tx, new))
        for asked, outcome in zip(new, outcomes, strict=True):
            self._keep(asked, outcome)
            self.stays.append(Stay(asked, asked.amount))

    def _settlement(self) -> Settlement:
        who, operator, number = self.chance.randrange(WALLETS), self.chance.randrange(OPERATORS), next(self.numbers)
        return Settlement(
            id=ids.id_of("torture", number),
            session=ids.id_of("session", number),
            wallet=self.wallets[who] if self.chance.random() < 0.8 else None,
            receivable=self.receivables[who],
            payable=self.payables[operator],
            deferred=self.deferreds[operator],
            amount=self.chance.randrange(1, 400),
            owed=0,
            at=self.town.now,
            collect=self.chance.random() < 0.9,
            fee_bp=self.chance.choice([0, 60]),
        )

    def _keep(self, asked: Settlement, outcome: Outcome) -> None:
        assert outcome.status in ("booked", "repeated"), outcome
        assert outcome.paid + outcome.debt == asked.amount
        self.seen[outcome.status] += 1
        self.booked.add(asked.id)
        self.answered[asked.id] = (asked, outcome)

    async def correct(self) -> None:
        """Some stays cost something else now, up or down, some of them together in one call."""
        chosen = self._some_stays(self.chance.randrange(1, 8))
        async with contextlib.AsyncExitStack() as locks:
            for stay in chosen:
                await locks.enter_async_context(stay.lock)
            targets = [self.chance.randrange(stay.refunded, stay.refunded + 500) for stay in chosen]
            asked = [self._version(stay, target) for stay, target in zip(chosen, targets, strict=True) if target != stay.cost]
            outcomes = await self.surely(lambda tx: settle.settle(tx, asked))
            for one, outcome in zip(asked, outcomes, strict=True):
                self._keep(one, outcome)
            for stay, target in zip(chosen, targets, strict=True):
                stay.cost, stay.version = target, stay.version + 1

    def _some_stays(self, number: int) -> list[Stay]:
        """In the order of their sessions, or two correctors would wait for each other's bills."""
        return sorted(self.chance.sample(self.stays, min(number, len(self.stays))), key=lambda stay: stay.first.session)

    def _version(self, stay: Stay, target: int) -> Settlement:
        id = ids.id_of("torture", stay.first.session, stay.version)
        return dataclasses.replace(stay.first, id=id, amount=target - stay.cost, owed=stay.cost, before=stay.first.id)

    async def repeat(self) -> None:
        """What was answered is asked again: the same body gets the same answer, another body a conflict."""
        if not self.answered:
            return
        known = self.chance.choices(list(self.answered.values()), k=10)
        again = await self.surely(lambda tx: settle.settle(tx, [asked for asked, _ in known]))
        assert [(one.status, one.paid, one.debt) for one in again] == [("repeated", first.paid, first.debt) for _, first in known]
        other = [dataclasses.replace(asked, amount=asked.amount + 1 or 2) for asked, _ in known]
        assert {one.status for one in await self.surely(lambda tx: settle.settle(tx, other))} == {"conflict"}
        self.seen["repeated on purpose"] += 20

    async def race_for_an_id(self) -> None:
        """The same new stays from two connections, in two orders; afterwards with another payer."""
        new = [self._settlement() for _ in range(10)]
        both = [self.surely(lambda tx: settle.settle(tx, new)), self.surely(lambda tx: settle.settle(tx, new[::-1]))]
        one, two = await asyncio.gather(*both)
        for asked, first, second in zip(new, one, two[::-1], strict=True):
            assert (first.paid, first.debt) == (second.paid, second.debt)
            self._keep(asked, first)
            self.stays.append(Stay(asked, asked.amount))
        other = [dataclasses.replace(asked, wallet=self.chance.choice(self.wallets), collect=True, amount=500) for asked in new]
        assert {outcome.status for outcome in await self.surely(lambda tx: settle.settle(tx, other))} == {"conflict"}

    async def collect(self) -> None:
        """Two gates collect the debts of the same stays, at once and without asking each other."""
        chosen = self._some_stays(6)
        found = [(stay.first, await self.surely(lambda tx, stay=stay: settle.money_of(tx, stay.first.session))) for stay in chosen]
        debts = [(first, money.owed) for first, money in found if money.owed]
        await asyncio.gather(*(self._gate(debts, next(self.numbers)) for _ in range(2)))

    async def _gate(self, debts: list[tuple[Settlement, int]], attempt: int) -> None:
        asked = [
            DebtPayment(
                id=ids.id_of("gate", first.session, attempt),
                session=first.session,
                wallet=first.wallet or self.chance.choice(self.wallets),
                receivable=first.receivable,
                payable=first.payable,
                deferred=first.deferred,
                amount=amount,
                at=self.town.now,
            )
            for first, amount in debts
        ]
        outcomes = await self.surely(lambda tx: settle.pay_debt(tx, asked))
        self.seen.update(outcomes)
        self.booked |= {one.id for one, outcome in zip(asked, outcomes, strict=True) if outcome in ("paid", "repeated")}

    async def refund(self) -> None:
        (stay,) = self._some_stays(1)
        async with stay.lock:
            id, amount = ids.id_of("refund", next(self.numbers)), self.chance.randrange(1, 100)
            given = await self.surely(
                lambda tx: settle.refund(
                    tx, id=id, session=stay.first.session, payment=stay.first.id, wallet=stay.first.wallet, amount=amount, at=self.town.now
                )
            )
            self.seen[f"refund {given.status}"] += 1
            stay.refunded += given.amount
            if given.amount:
                self.booked.add(id)

    async def top_up(self) -> None:
        id, wallet, amount = ids.id_of("top-up", next(self.numbers)), self.chance.choice(self.wallets), self.chance.randrange(1, 3000)
        await self.surely(lambda tx: settle.top_up(tx, id=id, wallet=wallet, clearing=self.town.clearing, amount=amount, at=self.town.now))
        self.booked.add(id)

    async def pay_out(self) -> None:
        """An operator takes what it sees, so that later refunds find nothing; what it no longer has is refused."""
        payable = self.chance.choice(self.payables)
        held = await self.surely(lambda tx: settle.balance_of(tx, payable))
        id = ids.id_of("out", next(self.numbers))
        with contextlib.suppress(postgres.CheckViolation):
            await self.owner(
                f"""INSERT INTO ledger.posting (id, digest, code, event_at, d0, c0, a0)
                    VALUES ('{id}', 0, 7, now(), {payable}, {self.town.clearing}, {max(held, 1)})"""
            )
            self.booked.add(id)

    async def sabotage(self) -> None:
        wallet = self.chance.choice(self.wallets)
        for text in (
            f"UPDATE ledger.balance SET credits = credits + 1000000 WHERE account = {wallet}",
            "DELETE FROM ledger.posting",
            f"""INSERT INTO ledger.posting (id, digest, code, event_at, d0, c0, a0)
                VALUES (gen_random_uuid(), 0, 2, now(), {self.town.clearing}, {wallet}, 1000000)""",
        ):
            with pytest.raises(postgres.Refused):
                await self.surely(lambda tx, text=text: tx.execute(Query("sabotage", text)))
        with pytest.raises(postgres.Refused):
            await self.owner(f"UPDATE ledger.balance SET credits = credits + 1000000 WHERE account = {wallet}")
        self.seen["sabotage refused"] += 4

    async def cut(self) -> None:
        """One connection of the application dies, whatever it is doing."""
        await asyncio.sleep(self.chance.uniform(0.1, 0.4))
        await self.owner(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'onelot' ORDER BY state = 'active' DESC, random() LIMIT 1"""
        )


async def test_the_books_hold_whatever_happens_at_once(town, postgres_url: str) -> None:
    city = await build(town, postgres_url)
    until = asyncio.get_running_loop().time() + SECONDS

    async def keep_at(act: Callable[[], Awaitable[None]]) -> None:
        while asyncio.get_running_loop().time() < until:
            await act()

    await city.arrive()
    acts = [city.arrive] * 2 + [city.correct] * 3 + [city.collect] * 2 + [city.top_up, city.refund, city.repeat, city.race_for_an_id]
    async with asyncio.TaskGroup() as everybody:
        for act in [*acts, city.sabotage, city.pay_out, city.cut]:
            everybody.create_task(keep_at(act))

    assert await city.surely(settle.proof) == []  # A connection may have been cut at the very last.
    assert await town.owner_rows("SELECT 1 FROM ledger.balance HAVING sum(credits) <> sum(debits)") == []
    assert await wrong_stays(city) == []
    assert {row["id"] for row in await town.owner_rows("SELECT id FROM ledger.posting")} == city.booked
    assert await town.owner_rows("SELECT account FROM ledger.balance WHERE credits - debits < low OR credits - debits > high") == []
    for must in ("connections lost", "paid", "not_owed", "too_little", "refund booked", "refund too_much", "sabotage refused"):
        assert city.seen[must], (must, city.seen)


async def build(town, postgres_url: str) -> City:
    """Few wallets and fewer operators, so that everybody meets everybody."""
    kinds = (
        (AccountKind.WALLET, WALLETS),
        (AccountKind.RECEIVABLE, PLATES),
        (AccountKind.PAYABLE, OPERATORS),
        (AccountKind.DEFERRED, OPERATORS),
    )
    accounts = [await town.open(*((kind, f"torture-{number}") for number in range(count))) for kind, count in kinds]
    by_hand = asyncio.Lock()

    async def owner(text: str) -> object:
        async with by_hand:
            return await town.owner(text)

    return City(town, town.database, owner, *accounts, chance=random.Random(20260302))


async def wrong_stays(city: City) -> list[object]:
    """Stays whose books do not say what they were said to cost last."""
    rows = await city.town.owner_rows("SELECT ref, paid, returned, owed FROM ledger.session")
    found = {row["ref"]: row["paid"] - row["returned"] + row["owed"] for row in rows}
    said = {stay.first.session: stay.cost - stay.refunded for stay in city.stays}
    return [(session, cost, found.get(session, 0)) for session, cost in said.items() if cost != found.get(session, 0)]
