"""Publish a version of a tariff: from then on it is what it is, and bills name it by its hash."""

from datetime import UTC, datetime

from foundation import postgres
from foundation.errors import Conflict
from foundation.events import TariffPublished
from foundation.postgres import Database, Transaction
from parking.tariffs import store
from parking.tariffs.calendar import official
from parking.tariffs.check_tariff import check_tariff
from parking.tariffs.errors import TariffFaults
from parking.tariffs.model import Tariff
from parking.tariffs.read_tariff import read_tariff, sha256_of

FOR_EVER = datetime.max.replace(tzinfo=UTC)


def checked(text: str | bytes) -> Tariff:
    """The tariff, read and proved. Raises TariffFaults."""
    tariff = read_tariff(text)
    faults = check_tariff(tariff, official())
    if faults:
        raise TariffFaults(faults)
    return tariff


async def _succeed(tx: Transaction, tariff: Tariff, now: datetime) -> None:
    """An open-ended version ends where this one begins. Not in the past: that would change what has been billed."""
    if tariff.effective_from >= now:
        await tx.execute(store.queries.end_open_version, tariff.code, tariff.effective_from)


async def publish_tariff(database: Database, text: str, *, now: datetime) -> tuple[Tariff, bool]:
    """Publish; False when this very version is published already. Raises TariffFaults, and Conflict where it differs or overlaps."""
    tariff = checked(text)
    sha256 = sha256_of(tariff)

    async def work(tx: Transaction) -> bool:
        for row in await tx.fetch(store.queries.versions_of, tariff.code):
            if row["version"] == tariff.version:
                if row["sha256"] == sha256:
                    return False
                raise Conflict(f"{tariff.code} version {tariff.version} is published with other content; give it a new version")
        await _succeed(tx, tariff, now)
        until = tariff.effective_to or FOR_EVER
        await tx.execute(store.queries.publish, tariff.code, tariff.version, sha256, tariff.effective_from, until, text, now)
        tx.tell(TariffPublished(code=tariff.code, version=tariff.version, sha256=sha256), at=now)
        return True

    try:
        return tariff, await database.run(work)
    except postgres.ExclusionViolation:
        raise Conflict(
            f"{tariff.code} version {tariff.version} is in force at the same time as another version; "
            "let it begin when that one ends, or later than now when that one has no end"
        ) from None
