"""Give a device its name and secret; the secret is told once and kept only as its hash."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime

import msgspec

from foundation import ids, journal
from foundation.errors import NotFound, invalid
from foundation.events import DeviceAdded
from foundation.postgres import Database, Transaction
from gateway_mqtt import store
from gateway_mqtt.registry import SitesFollower

LOOKS_MAX, LOOK_SECONDS = 5, 0.1  # Another run may be following just now; half a second is enough for it.
KINDS = ("camera", "gate", "counter")


class DeviceCard(msgspec.Struct, frozen=True):
    """What goes into the device: `topic` is without its last part, the kind of message."""

    device: str
    password: str
    topic: str
    host: str
    port: int


async def add_device(
    database: Database, site: str, kind: str, *, city: str, host: str, port: int, now: datetime,
    lanes: Sequence[str] = (), spots: Sequence[str] | None = None, name: str | None = None,
) -> DeviceCard:  # fmt: skip
    """Add a device to a site, or give a known one a new secret. Raises NotFound and Invalid."""
    if kind not in KINDS:
        raise invalid("/kind", "kind", f"a device is one of {', '.join(KINDS)}")
    if name is not None and (fault := name_fault(name)):
        raise invalid("/device", "name", fault)
    password = ids.secret(128)
    await hear_of(database, site)

    async def work(tx: Transaction) -> str:
        if await tx.value(store.queries.lock_site, site) is None:
            raise NotFound(f"there is no site {site}; `onelot import` brings sites in")
        await _refuse_foreign_spots(tx, site, spots)
        device = name or await _free_name(tx, site, kind)
        chosen = list(lanes) or (["1"] if kind == "gate" else [])
        hashed = hashlib.sha256(password.encode()).digest()
        await tx.execute(store.queries.add_device, device, site, kind, chosen, None if spots is None else list(spots), hashed, now)
        await tx.execute(store.queries.forget_unknown, device)
        tx.tell(DeviceAdded(device=device, site=site, device_kind=kind), at=now)
        return device

    device = await database.run(work)
    return DeviceCard(device, password, f"onelot/1/{city}/{site}/{device}", host, port)


def name_fault(name: str) -> str | None:
    """What is wrong with a device's name."""
    wrong = not name or len(name) > 64 or any(sign in "/+#" or ord(sign) < 33 for sign in name)
    return "a device's name has no blanks and none of / + #" if wrong else None


async def hear_of(database: Database, site: str) -> None:
    """A site that was imported a moment ago may not have reached this house yet: follow its facts before saying no."""
    for _ in range(LOOKS_MAX):
        if await database.value(store.queries.site_exists, site):
            return
        while await journal.catch_up(database, SitesFollower()):
            pass
        await asyncio.sleep(LOOK_SECONDS)


async def _refuse_foreign_spots(tx: Transaction, site: str, spots: Sequence[str] | None) -> None:
    if spots is None:
        return
    ours = {row["id"] for row in await tx.fetch(store.queries.spots_of_site, site)}
    for spot in spots:
        if spot not in ours:
            raise invalid("/spots", "unknown_spot", f"{site} has no spot {spot}")


async def _free_name(tx: Transaction, site: str, kind: str) -> str:
    """camera -> lot-7-cam-1, the next number that is free."""
    short = {"camera": "cam", "gate": "gate", "counter": "cnt"}[kind]
    number = 1 + int(await tx.value(store.queries.count_devices, site, kind))
    while await tx.value(store.queries.device_exists, f"{site}-{short}-{number}"):
        number += 1
    return f"{site}-{short}-{number}"
