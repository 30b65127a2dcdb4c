"""Who may speak and of what, in memory: devices, spots and who owns them, kept fresh by the facts."""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Sequence

import structlog

from foundation import journal, postgres
from foundation.events import DeviceAdded, SiteChanged
from foundation.journal import Entry, Journal
from foundation.postgres import Database, Transaction
from gateway_mqtt import store
from gateway_mqtt.decode import Device

log = structlog.get_logger()


class SitesFollower:
    """Keeps this house's own tables of sites and spots."""

    name = "gateway.sites"
    journal: Journal = "fact"
    kinds = frozenset({SiteChanged.kind})

    async def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        """A batch in two statements: the later fact has the last word on a site, and on whose a spot is."""
        facts = [entry.event for entry in entries]
        operators = {fact.site: fact.operator for fact in facts if isinstance(fact, SiteChanged)}
        sites = {spot.id: fact.site for fact in facts if isinstance(fact, SiteChanged) for spot in fact.spots}
        await tx.execute(store.queries.save_sites, list(operators), list(operators.values()))
        await tx.execute(store.queries.save_spots, list(sites), list(sites.values()))


class Registry:
    """Devices and spots as the facts say up to a position. A spot without a named owner is whose device of its site spoke of it first."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.devices: dict[str, Device] = {}
        self.site_of_spot: dict[str, str] = {}
        self._owners: dict[str, str] = {}
        self._position, self._recorded_at = 0, postgres.BEGINNING
        self._look = asyncio.Lock()

    @property
    def position(self) -> int:
        """Of the newest fact that is taken in."""
        return self._position

    async def load(self) -> None:
        async with self._database.snapshot() as tx:
            cursor = await tx.row(store.queries.sites_cursor)
            self._position, self._recorded_at = (cursor["position"], cursor["recorded_at"]) if cursor else (0, postgres.BEGINNING)
            for row in await tx.fetch(store.queries.load_devices):
                self._add(store.device_of(row))
            self.site_of_spot.update((row["id"], row["site"]) for row in await tx.fetch(store.queries.load_spots))

    def _add(self, device: Device) -> None:
        before = self.devices.get(device.id)
        for spot in (before.spots or ()) if before else ():
            if self._owners.get(spot) == device.id:  # It may have passed to another device since.
                del self._owners[spot]
        self.devices[device.id] = device
        self._owners |= dict.fromkeys(device.spots or (), device.id)

    async def follow(self, done: Callable[[], None]) -> None:
        await journal.hear_facts(self._database, "registry", self.catch_up, done)

    async def catch_up(self) -> bool:
        """Take in the facts up to now, and whether there were any; also called before a spot is refused, since the bell may be late."""
        before = self._position
        async with self._look:
            while True:
                async with self._database.transaction() as tx:
                    entries = await journal.read(tx, "fact", self._position, self._recorded_at)
                    await self._take(tx, entries)
                if not entries:
                    return self._position != before
                self._position, self._recorded_at = entries[-1].position, entries[-1].recorded_at

    async def _take(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        """Devices are looked up together: a city's worth of them may come in one batch."""
        added = sorted({entry.key for entry in entries if entry.kind == DeviceAdded.kind})
        found = {row["id"]: row for row in await tx.fetch(store.queries.load_some_devices, added)} if added else {}
        for entry in entries:
            if entry.kind == SiteChanged.kind:
                fact = entry.event
                assert isinstance(fact, SiteChanged)
                self.site_of_spot |= {spot.id: fact.site for spot in fact.spots}
        for device in added:
            if device in found:
                self._add(store.device_of(found[device]))
            else:
                self.devices.pop(device, None)

    def owner_of(self, spot: str) -> str | None:
        return self._owners.get(spot)

    def claim(self, spot: str, device: str) -> None:
        self._owners.setdefault(spot, device)

    def known(self, username: str, password: bytes) -> Device | None:
        """The device, when the password is its own. Secrets are 128 random bits of ours, so one SHA-256 is enough."""
        device = self.devices.get(username)
        given = hashlib.sha256(password).digest()
        if hmac.compare_digest(given, device.secret_hash if device else bytes(32)) and device is not None:
            return device
        return None
