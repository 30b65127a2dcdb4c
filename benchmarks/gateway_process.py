"""The gateway alone, as a process of its own for the load to hit: listener, ingest and journal, nothing else of the city.

Prints one JSON line with its port and devices, and serves until its standard input closes.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
from pathlib import Path

import uvloop

from citymap.import_sites import import_sites
from citymap.model import Bounds
from foundation import journal, logs, migrate, postgres, seal
from foundation.clock import Clock
from foundation.tasks import Supervisor, settle_memory
from gateway_mqtt.add_device import add_device
from gateway_mqtt.ingest import Ingest
from gateway_mqtt.listener import Listener
from gateway_mqtt.registry import Registry

DEVICES, SPOTS_EACH = 200, 5
SITE = "bench"


def lot() -> bytes:
    """One site with a spot for each reading that is under way."""
    site = {"kind": "site", "name": {"zh": "测", "en": "Bench"}, "type": "surface", "operator": "op-bench", "counted_by": "spots"}
    features: list[dict[str, object]] = [
        {"type": "Feature", "id": SITE, "geometry": {"type": "Point", "coordinates": [113.665, 34.752]}, "properties": site}
    ]
    for number in range(DEVICES * SPOTS_EACH):
        where = {"type": "Point", "coordinates": [113.66 + number % 100 / 1e4, 34.75 + number // 100 / 1e4]}
        spot = {"kind": "spot", "site": SITE, "class": "standard"}
        features.append({"type": "Feature", "id": f"{SITE}-{number:05d}", "geometry": where, "properties": spot})
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


async def serve(url: str, port: int) -> None:
    """Until standard input closes. Without a port it makes the lot and its devices, too; with one it is another gateway at that port."""
    logs.set_up(quiet=True)
    if not port:
        await migrate.migrate(url)
    clock = Clock()
    with tempfile.TemporaryDirectory(prefix="onelot-bench-keys-") as place:
        async with postgres.connect(url, size=8) as database:
            cards = [] if port else await _make_lot(database, clock)
            registry = Registry(database)
            await registry.load()
            ingest = Ingest(database, registry, seal.Keys(Path(place) / "keys.json"), clock, "bench")
            listener = Listener(ingest, port=port, shared=True)
            ingest.listener = listener
            supervisor = Supervisor()
            supervisor.start("ingest", ingest.take)
            await listener.start()
            settle_memory()
            sys.stdout.write(json.dumps({"port": listener.port, "devices": cards}) + "\n")
            sys.stdout.flush()
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
            await listener.drain(2.0)
            await supervisor.stop()


async def _make_lot(database: postgres.Database, clock: Clock) -> list[dict[str, object]]:
    """Cards of its devices."""
    await journal.prepare(database)
    await import_sites(database, lot(), bounds=Bounds(113, 34, 114, 35), now=clock.city())
    return [await _camera(database, number, clock) for number in range(DEVICES)]


async def _camera(database: postgres.Database, number: int, clock: Clock) -> dict[str, object]:
    spots = [f"{SITE}-{number * SPOTS_EACH + nth:05d}" for nth in range(SPOTS_EACH)]
    card = await add_device(
        database, SITE, "camera", city="bench", host="127.0.0.1", port=0, now=clock.city(), spots=spots, name=f"cam-{number}"
    )
    return {"device": card.device, "password": card.password, "topic": card.topic, "spots": spots}


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(serve(sys.argv[1], int(sys.argv[2])))
