"""Several gateways of one city: each is a run that says it lives, and a device that comes to another one is let go here."""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import structlog

from foundation import ids
from foundation.postgres import Database, Transaction
from gateway_mqtt import store

log = structlog.get_logger()

OVERLAP = timedelta(seconds=10)  # Rows are seen at their commit, not at the time they carry: looked at again that long.
Held = Mapping[str, uuid.UUID]  # Device -> its connection here.


class Twins:
    """What this run holds, told to the others in one short transaction a second. Times are PostgreSQL's, but for when a device came."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.run = ids.new_id()
        self.alone = True
        self._opened: dict[str, tuple[uuid.UUID, datetime]] = {}
        self._closed: dict[uuid.UUID, str] = {}
        self._looked_at = datetime(1970, 1, 1, tzinfo=UTC)

    def opened(self, device: str, connection: uuid.UUID, at: datetime) -> None:
        """`at` is wall time: of two connections the later one holds."""
        self._opened[device] = connection, at

    def closed(self, device: str, connection: uuid.UUID) -> None:
        if self._opened.get(device, (None,))[0] == connection:
            del self._opened[device]
        self._closed[connection] = device

    async def begin(self) -> None:
        """Say that this run lives, before it opens its door. Runs that died long ago are forgotten."""
        await self._database.run(lambda tx: store.bury_runs(tx))
        await self.tell({}, lambda device, connection: None)

    async def tell(self, held: Held, let_go: Callable[[str, uuid.UUID], None]) -> None:
        """Tell what came and went since, and let go what another run holds by now."""
        opened, closed = self._opened, self._closed
        self._opened, self._closed = {}, {}
        try:
            lost = await self._database.run(lambda tx: self._round(tx, opened, closed))
        except BaseException:
            self._opened, self._closed = opened | self._opened, closed | self._closed
            raise
        for device in lost & held.keys():
            log.info("device_went_to_another_gateway", device=device)
            let_go(device, held[device])

    async def _round(self, tx: Transaction, opened: Mapping[str, tuple[uuid.UUID, datetime]], closed: Mapping[uuid.UUID, str]) -> set[str]:
        others, now = await store.beat(tx, self.run)
        if closed:
            await store.release_devices(tx, closed)
        won = await store.hold_devices(tx, self.run, opened) if opened else set()
        lost = (opened.keys() - won) | await store.held_elsewhere(tx, self.run, self._looked_at - OVERLAP)
        self.alone, self._looked_at = others == 0, now
        return lost

    async def leave(self) -> None:
        """A run that ends in order holds nothing any more."""
        await self._database.run(lambda tx: store.end_run(tx, self.run))
