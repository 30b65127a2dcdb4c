"""Say what a published version should have said. What was published stays; a stay costs the lower of both."""

from datetime import datetime

from foundation.errors import Conflict
from foundation.events import TariffPublished
from foundation.postgres import Transaction
from parking.tariffs import store
from parking.tariffs.model import Tariff
from parking.tariffs.publish_tariff import FOR_EVER
from parking.tariffs.read_tariff import sha256_of


async def correct_tariff(tx: Transaction, tariff: Tariff, text: str, *, now: datetime) -> None:
    """Saying it again changes nothing. Raises Conflict where no such version is published for this time, or it says just this."""
    row = await tx.row(store.queries.version, tariff.code, tariff.version)
    if row is None:
        raise Conflict(f"{tariff.code} has no version {tariff.version} that could be corrected")
    sha256 = sha256_of(tariff)
    if sha256 == row["sha256"]:
        raise Conflict(f"{tariff.code} version {tariff.version} says just this already")
    if tariff.effective_from != row["effective_from"] or (tariff.effective_to or FOR_EVER) not in (FOR_EVER, row["effective_to"]):
        raise Conflict("a correction is in force when its version was: keep `effective` as it is")
    if await tx.value(store.queries.add_correction, sha256, tariff.code, tariff.version, text, now) is not None:
        tx.tell(TariffPublished(code=tariff.code, version=tariff.version, sha256=sha256), at=now)
