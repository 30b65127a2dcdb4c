"""The city as the platform shows it to anybody: for files whose form is not ours, which the platform has read already."""

from typing import Any

import aiohttp

from simulators.one_car import Driver
from simulators.traffic.drivers import everything
from simulators.traffic.places import Place


async def ask_places(url: str) -> list[Place]:
    """All sites with some room, in order of id, with the bays that cameras would see."""
    async with aiohttp.ClientSession() as http:
        anybody = Driver(http, url, "")
        found = [_place(one) for one in await everything(anybody, "/api/v1/sites") if one["capacity"]]
        for place in found:
            if not place.gated:
                place.spots = sorted([one["id"] for one in await everything(anybody, f"/api/v1/sites/{place.id}/spots")])
    return sorted(found, key=lambda place: place.id)


def _place(one: dict[str, Any]) -> Place:
    tariff = one["tariff"]["id"] if one["tariff"] else ""
    lonlat = (one["location"]["lon"], one["location"]["lat"])
    return Place(one["id"], one["type"], one["counted_by"], tariff, one["capacity"], lonlat=lonlat)
