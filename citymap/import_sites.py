"""Take sites and spots from a file into the city: as often as one likes, and never retiring what a file leaves out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, cast

import msgspec

from citymap import store
from citymap.model import Bounds, Site, Spot
from citymap.read_sites import Read, Refused, read_sites
from foundation.events import SiteChanged, SpotOfSite
from foundation.postgres import Database, Transaction

SITES_MAX, SPOTS_MAX = 300, 20_000  # A transaction: short enough that devices' readings hardly wait for it.
CHANGED_SHOWN_MAX: Final = 1000
PROGRESS: Final = "sites"

Progress = Callable[[int, int], None]  # Rows done, and of how many.


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many sites and spots are new, changed or as before, and what was refused."""

    created: int
    changed: int
    same: int
    refused: list[Refused]
    changed_ids: list[str] = []  # The first of them.
    format: str = "onelot"
    notes: list[str] = []  # What else whoever brought the file should know.


@dataclass(frozen=True, slots=True)
class Part:
    """Some sites of a file with their spots; spots of sites that are registered already may stand alone."""

    sites: list[Site]
    spots: list[Spot]

    def __len__(self) -> int:
        return len(self.sites) + len(self.spots)


async def import_sites(database: Database, text: bytes, *, bounds: Bounds, now: datetime, progress: Progress | None = None) -> Report:
    """Read a file and save it, a few hundred sites a transaction, telling each site that changed. Raises NothingReadable."""
    return await save_read(database, read_sites(text, bounds, await store.known_sites(database)), now=now, progress=progress)


async def save_read(database: Database, read: Read, *, now: datetime, progress: Progress | None = None) -> Report:
    """Save what was read of a file."""
    total, done, created, changed = len(read.sites) + len(read.spots), 0, 0, list[str]()
    for part in parts_of(read):
        new, other = await database.run(lambda tx, part=part: _save(tx, part, now))  # type: ignore[misc]  # mypy cannot infer a default
        created, changed, done = created + new, changed + other, done + len(part)
        if progress is not None:
            progress(done, total)
    return Report(created, len(changed), total - created - len(changed), read.refused, changed[:CHANGED_SHOWN_MAX])


async def _save(tx: Transaction, part: Part, now: datetime) -> tuple[int, list[str]]:
    """How many are new, and the ids of what is another than before."""
    sites = await store.save_sites(tx, part.sites)
    spots = await store.save_spots(tx, part.spots)
    touched = set(sites) | {row["site_id"] for row in spots} | {row["former"] for row in spots if row["former"] is not None}
    await _tell(tx, sorted(touched), now)
    created = sum(sites.values()) + sum(row["created"] for row in spots)
    return created, [site for site, new in sites.items() if not new] + [spot for row in spots for spot in row["changed"] or ()]


async def _tell(tx: Transaction, sites: Sequence[str], now: datetime) -> None:
    rows = await store.fetch_spots_of(tx, sites)
    spots = {site: tuple(SpotOfSite(id=spot, spot_class=kind, lon=lon, lat=lat) for spot, kind, lon, lat in rows[site]) for site in rows}
    tx.tell(*(site_changed(site, spots.get(site.id, ())) for site in await store.fetch_some_sites(tx, sites)), at=now)


def site_changed(site: Site, spots: tuple[SpotOfSite, ...]) -> SiteChanged:
    counted_by = cast(Literal["spots", "gates", "counter"], site.counted_by)
    who = {"site": site.id, "operator": site.operator, "type": site.type, "tariff": site.tariff, "zone": site.zone}
    return SiteChanged(counted_by=counted_by, capacity=max(site.capacity, len(spots)), spots=spots, **who)


def parts_of(read: Read) -> Iterator[Part]:
    """Sites together with their spots, in order of id, in parts that fit a transaction."""
    sites = {site.id: site for site in read.sites}
    spots: dict[str, list[Spot]] = {site: [] for site in sites}
    for spot in read.spots:
        spots.setdefault(spot.site, []).append(spot)
    part = Part([], [])
    for site in sorted(spots):
        if part and (len(part.sites) >= SITES_MAX or len(part.spots) + len(spots[site]) > SPOTS_MAX):
            yield part
            part = Part([], [])
        part.sites.extend([sites[site]] if site in sites else [])
        part.spots.extend(spots[site])
    if part:
        yield part
