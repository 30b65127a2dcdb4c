"""A small town of accounts in a database of each test's own."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from foundation import ids, postgres
from foundation.postgres import Database, Record
from foundation.sql import Query
from parking.ledger import settle
from parking.ledger.model import AccountKind, DebtPayment, Settlement

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


@dataclass
class Town:
    """One driver, one plate, one operator and a provider, with words to move money among them."""

    database: Database
    owner: Callable[[str], Awaitable[object]]
    owner_rows: Callable[[str], Awaitable[list[Record]]]
    wallet: int
    receivable: int
    payable: int
    deferred: int
    clearing: int
    now: datetime = NOW

    def settlement(
        self, amount: int, *, fact: object = None, session: uuid.UUID | None = None, owed: int = 0, **more: object
    ) -> Settlement:
        session = session or ids.id_of("session", fact if fact is not None else amount)
        known = {"wallet": self.wallet, "receivable": self.receivable, "payable": self.payable, "deferred": self.deferred} | more
        id = ids.id_of("settle", session, fact if fact is not None else amount)
        return Settlement(id=id, session=session, amount=amount, owed=owed, at=NOW, **known)  # type: ignore[arg-type]

    def debt(self, of: Settlement, amount: int, attempt: object = 1, **more: object) -> DebtPayment:
        known = {"wallet": self.wallet, "receivable": of.receivable, "payable": of.payable, "deferred": of.deferred} | more
        return DebtPayment(id=ids.id_of("pay", of.session, attempt), session=of.session, amount=amount, at=NOW, **known)  # type: ignore[arg-type]

    async def fill(self, amount: int, fact: object = "first", wallet: int | None = None) -> None:
        async with self.database.transaction() as tx:
            status = await settle.top_up(
                tx, id=ids.id_of("top-up", fact), wallet=wallet or self.wallet, clearing=self.clearing, amount=amount, at=NOW
            )
        assert status == "booked"

    async def settle(self, *settlements: Settlement) -> list[tuple[str, int, int]]:
        async with self.database.transaction() as tx:
            return [(o.status, o.paid, o.debt) for o in await settle.settle(tx, settlements)]

    async def pay(self, *payments: DebtPayment) -> list[str]:
        async with self.database.transaction() as tx:
            return list(await settle.pay_debt(tx, payments))

    async def open(self, *wanted: tuple[AccountKind, str]) -> list[int]:
        async with self.database.transaction() as tx:
            return await settle.open_accounts(tx, wanted)

    async def holds(self, *accounts: int) -> list[int]:
        async with self.database.snapshot() as tx:
            found = await settle.balances_of(tx, accounts)
        return [found[account] for account in accounts]

    async def pay_out(self, amount: int) -> None:
        """The operator takes its money away, as the owner of the database books it."""
        await self.owner(
            f"""INSERT INTO ledger.posting (id, digest, code, event_at, d0, c0, a0)
                VALUES (gen_random_uuid(), 0, 7, now(), {self.payable}, {self.clearing}, {amount})"""
        )

    async def unsound(self) -> list[object]:
        """What is wrong with the books: nothing, always."""
        async with self.database.snapshot() as tx:
            faults: list[object] = [*await settle.proof(tx)]
            total = await tx.value(Query("total", "SELECT coalesce(sum(credits) - sum(debits), 0)::bigint FROM ledger.balance"))
        return faults + ([total] if total else [])


@pytest.fixture
async def town(postgres_url: str) -> AsyncIterator[Town]:
    """The database is the application's (role onelot_app), except where a test asks the owner; afterwards the books are proved."""
    kinds = (AccountKind.WALLET, AccountKind.RECEIVABLE, AccountKind.PAYABLE, AccountKind.DEFERRED, AccountKind.CLEARING)
    owners = ("person-1", "plate-1:1", "op-1", "op-1", "wechat")
    owner = await postgres.connection(postgres_url)
    try:
        async with postgres.connect(postgres_url) as database:
            async with database.transaction() as tx:
                accounts = await settle.open_accounts(tx, list(zip(kinds, owners, strict=True)))
            town = Town(database, owner.execute, owner.fetch, *accounts)
            yield town
            assert await town.unsound() == []
    finally:
        await owner.close()
