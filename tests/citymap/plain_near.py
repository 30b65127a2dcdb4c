"""`near` as one would say it: every site of the city, one after the other, without index, columns or bytes kept from before."""

from datetime import datetime, timedelta

import numpy as np

from citymap import opening_hours, views
from citymap.board import Board
from citymap.datum import Datum
from citymap.grid import distances
from citymap.model import FRESHNESS, LIVE, NEVER
from citymap.near import DETOUR, UNPRICED_YUAN, WALK_M_PER_S, Pricing
from citymap.near_bytes import NearItem, NearSite
from foundation import clock
from foundation.money import Money


def plain_near(
    board: Board, lon: float, lat: float, *, radius_m: float, limit: int, spot_class: int | None, arrive: datetime, stay_s: int,
    pricing: Pricing, crs: Datum | None = None,
) -> list[NearItem]:  # fmt: skip
    ranked = []
    for number, site in enumerate(board.places.sites):
        doors = site.entrances or ((site.lon, site.lat),)
        metres = distances(lon, lat, *np.array(doors).T).tolist()
        distance, door = min((metre, place) for place, metre in enumerate(metres))
        free, unknown = (int(column[number]) for column in _columns(board, spot_class))
        into, out = (opening_hours.is_open(site.opening_hours, clock.local(at)) for at in (arrive, arrive + timedelta(seconds=stay_s)))
        if distance > radius_m or max(free, unknown) <= 0 or board.capacity[number] <= 0:
            continue
        if into is False or out is False or (site.max_stay_s or stay_s) < stay_s:
            continue
        fen, walk = pricing.price(site.id, arrive, stay_s), distance * (DETOUR / WALK_M_PER_S)
        cost = walk / 60.0 + 0.5 * (UNPRICED_YUAN if fen is None else fen / 100) + 12.0 / (free + 2.0)
        item = _item(board, number, doors[door], crs, free, unknown, fen, sure=into is not None, distance=distance, walk=walk)
        ranked.append((free <= 0, cost, number, item))
    return [one[-1] for one in sorted(ranked, key=lambda one: one[:3])[:limit]]


def _columns(board, spot_class):
    if spot_class is None:
        return board.shown[:, 0], board.shown[:, 2]
    return board.class_free[:, spot_class], board.class_unknown[:, spot_class]


def _item(board, number, door, crs, free, unknown, fen, *, sure, distance, walk):
    site, as_of, fresh = board.places.sites[number], int(board.as_of[number]), int(board.freshness[number])
    why = [
        "free_places" if free > 0 else "places_unknown",
        "some_unknown" if free > 0 and unknown > 0 else "",
        "few_left" if 0 < free <= 3 else "",
        "price_unknown" if fen is None else "free_of_charge" if fen == 0 else "",
        "" if sure else "hours_unknown",
        f"freshness_{FRESHNESS[fresh]}" if fresh != LIVE else "",
        "never_heard" if as_of == NEVER else "",
    ]
    told = NearSite(
        id=site.id, name=site.name, type=site.type, location=views.location(site.lon, site.lat, crs),
        entrance=views.location(*door, crs), capacity=int(board.capacity[number]), free=free, unknown=unknown, as_of=views.as_of(as_of),
        freshness=FRESHNESS[fresh], max_height_cm=site.max_height_cm,
    )  # fmt: skip
    item = NearItem(
        site=told, distance_m=round(distance), walk_s=round(walk), price=None if fen is None else Money(fen), p_free=None,
        why=tuple(word for word in why if word),
    )  # fmt: skip
    if crs is not None:
        item = NearItem(**{name: getattr(item, name) for name in item.__struct_fields__ if name != "crs"}, crs=crs)
    return item
