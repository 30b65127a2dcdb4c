"""What this house needs of the sites, kept from their facts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from foundation import events, sql
from foundation.events import DeviceAdded, SiteChanged
from foundation.journal import Entry, Journal
from foundation.postgres import Record, Transaction

queries = sql.load("parking.sites")


@dataclass(frozen=True, slots=True)
class Site:
    id: str
    operator: str
    type: str
    tariff: str
    zone: str
    gated: bool


class SitesFollower:
    """Facts about sites into parking.site."""

    name = "parking.sites"
    journal: Journal = "fact"
    kinds = frozenset({SiteChanged.kind, DeviceAdded.kind})

    async def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        for entry in entries:
            fact = entry.event
            if isinstance(fact, SiteChanged):
                await save_site(tx, fact)
            elif isinstance(fact, DeviceAdded) and fact.device_kind == "gate":
                await mark_gated(tx, [fact.site])


async def save_site(tx: Transaction, fact: SiteChanged) -> None:
    await tx.execute(queries.save_site, fact.site, fact.operator, fact.type, fact.counted_by, fact.capacity, fact.tariff, fact.zone)


async def mark_gated(tx: Transaction, sites: Iterable[str]) -> None:
    """From now on the stays of these sites are told by passages."""
    await tx.execute(queries.mark_gated, sorted(set(sites)))


async def load_sites(tx: Transaction, sites: Iterable[str]) -> dict[str, Site]:
    """Sites by id. One whose fact is newer than our follower is taken from the journal itself: readings do not wait for facts."""
    wanted = sorted(set(sites))
    found = {row["id"]: _site(row) for row in await tx.fetch(queries.load_sites, wanted)}
    if len(found) < len(wanted):
        await refresh_sites(tx, [site for site in wanted if site not in found])
        found = {row["id"]: _site(row) for row in await tx.fetch(queries.load_sites, wanted)}
    return found


async def refresh_sites(tx: Transaction, sites: Sequence[str]) -> None:
    """Take what the journal says of them now, however far our follower has come."""
    for row in await tx.fetch(queries.newest_site_facts, sites):
        await save_site(tx, _fact(row["body"]))


def _site(row: Record) -> Site:
    return Site(row["id"], row["operator"], row["type"], row["tariff"], row["zone"], row["gated"])


def _fact(body: str) -> SiteChanged:
    fact = events.decode(SiteChanged.kind, body)
    assert isinstance(fact, SiteChanged)
    return fact
