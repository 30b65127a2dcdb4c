"""From a reading's being due to its being seen on an open map, at a stated rate, through a whole city in a process of its own."""

import asyncio
import json
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from benchmarks.bench_chaos import SPOTS_EACH, City, found, spot_name
from benchmarks.rows import Row, measured
from gateway_mqtt.add_device import DeviceCard
from simulators import mqtt_client

NAMES = ("citymap.visible_p50_ms", "citymap.visible_p99_ms")
RATE, SECONDS = 500, 8
SETTLE_SECONDS = 3.0
BOX = [113.66, 34.75, 113.67, 34.755]  # The whole site, well under four square kilometres.


async def measure(postgres_url: str, place: Path) -> list[Row]:
    """The city starts its own servers; `postgres_url` is left alone."""
    home = place / "visible"
    home.mkdir()
    city = City(home)
    try:
        city.start()
        await city.ready()
        cards = await found(city)
        waits, sent = await _watched(city, cards)
    finally:
        await city.end()
    share = len(waits) / sent
    note = f"{RATE} readings a second by {len(cards)} cameras, open loop, {SECONDS} s; one map open; {share:.1%} seen, the rest overtaken"
    waits.sort()
    return [
        measured("citymap.visible_p50_ms", statistics.median(waits), "ms", note),
        measured("citymap.visible_p99_ms", waits[int(0.99 * len(waits))], "ms", note, goal=1000.0),
    ]


async def _watched(city: City, cards: list[DeviceCard]) -> tuple[list[float], int]:
    """Milliseconds from due to seen, and how many readings were sent."""
    due: dict[tuple[str, str], float] = {}
    waits: list[float] = []
    async with aiohttp.ClientSession() as http, http.ws_connect(f"http://127.0.0.1:{city.http_port}/api/v1/live") as live:
        await live.send_json({"subscribe": {"bbox": BOX, "level": "spots"}})
        await live.receive_json(timeout=10)
        watching = asyncio.ensure_future(_watch(live, due, waits))
        try:
            await asyncio.sleep(1.0)
            sent = await _speak(cards, due)
            await asyncio.sleep(SETTLE_SECONDS)
        finally:
            watching.cancel()
    return waits, sent


async def _watch(live: aiohttp.ClientWebSocketResponse, due: dict[tuple[str, str], float], waits: list[float]) -> None:
    async for message in live:
        seen_at = time.monotonic()
        for spot in json.loads(message.data).get("spots", ()):
            began = due.pop((spot["id"], _instant(spot["as_of"])), None)
            if began is not None:
                waits.append(1000 * (seen_at - began))


def _instant(text: str | None) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).isoformat() if text else ""


async def _speak(cards: list[DeviceCard], due: dict[tuple[str, str], float]) -> int:
    """Each reading at its time, whatever became of the one before."""
    clients = [await mqtt_client.connect(card.host, card.port, card.device, card.password.encode(), window=1000) for card in cards]
    spots = {card.device: [spot_name(number, nth) for nth in range(SPOTS_EACH)] for number, card in enumerate(cards)}
    began = time.monotonic()
    total = RATE * SECONDS
    for number in range(total):
        due_at = began + number / RATE
        await asyncio.sleep(max(0.0, due_at - time.monotonic()))
        place, turn = number % len(cards), number // len(cards)
        card = cards[place]
        spot = spots[card.device][turn % SPOTS_EACH]
        now = datetime.now(UTC)
        at = now.replace(microsecond=now.microsecond // 1000 * 1000)
        due[spot, at.isoformat()] = due_at
        reading = {"spot": spot, "at": at.isoformat(), "state": ("occupied", "free")[turn // SPOTS_EACH % 2]}
        body = json.dumps({"seq": turn + 1, "sent": at.isoformat(), "spots": [reading]}).encode()
        await clients[place].send(f"{card.topic}/spots", body)
    for client in clients:
        await client.close()
    return total


if __name__ == "__main__":
    raise SystemExit("run it by `onelot bench --only citymap.visible`")
