"""A tariff was published wrong: say what it should have said, look at every bill of it again, and give back what was too much."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from foundation.postgres import Database, Transaction
from parking.bills import store as bills
from parking.sessions import fold_stays, store
from parking.tariffs.correct_tariff import correct_tariff
from parking.tariffs.model import Tariff
from parking.tariffs.publish_tariff import checked

BILLS_MAX = 100  # In one transaction.


@dataclass(frozen=True, slots=True)
class Rerun:
    """How many bills of the version there are, how many cost less now, and by how many fen together."""

    bills: int = 0
    lowered: int = 0
    given_back: int = 0


class _OnlyAsked(Exception):
    """Ends the transaction of a dry run."""


async def rerun_bills(database: Database, text: str, *, now: datetime, dry_run: bool = False) -> tuple[Tariff, Rerun]:
    """Correct the version that the text names and settle its bills anew; said again, it goes on where it was ended.

    Raises TariffFaults, and Conflict where there is nothing that the text could correct.
    """
    tariff = checked(text)
    if not dry_run:
        await database.run(lambda tx: correct_tariff(tx, tariff, text, now=now))
    found, last = Rerun(), UUID(int=0)
    while batch := await database.fetch(bills.queries.bills_of_version, tariff.code, tariff.version, last, BILLS_MAX):
        last = batch[-1]["session"]
        lowered = await _again(database, tariff, text, {row["session"]: row["total"] for row in batch}, now, dry_run)
        found = Rerun(found.bills + len(batch), found.lowered + len(lowered), found.given_back + sum(lowered))
    return tariff, found


async def _again(database: Database, tariff: Tariff, text: str, totals: dict[UUID, int], now: datetime, dry_run: bool) -> list[int]:
    """By how much each bill that costs less now is lower."""
    lowered: list[int] = []

    async def work(tx: Transaction) -> None:
        await store.lock_house(tx)
        if dry_run:
            await correct_tariff(tx, tariff, text, now=now)
        await fold_stays.reconsider(tx, list(totals), now=now)
        rows = await tx.fetch(bills.queries.totals_of_sessions, list(totals))
        lowered[:] = [less for row in rows if (less := totals[row["session"]] - row["total"]) > 0]
        if dry_run:
            raise _OnlyAsked

    try:
        await database.run(work)
    except _OnlyAsked:
        pass
    return lowered
