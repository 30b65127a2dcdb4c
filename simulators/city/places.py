"""The list that a search for a place goes through: names in Chinese, English and pinyin, with where they are."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from pypinyin import Style, lazy_pinyin

from simulators.city.skeleton import Skeleton


def places_of(bones: Skeleton) -> Mapping[str, Any]:
    """Places of note first, the heaviest first, then stations, districts and quarters, parks and waters, main roads."""
    zh, en = bones.about
    items = [_item(bones, f"p{number + 1}", *row) for number, row in enumerate(_rows(bones))]
    return {"about": {"zh": zh, "en": en}, "items": items}


def _rows(bones: Skeleton) -> Iterator[tuple[str, str, str, float, float, float]]:
    for place in sorted(bones.places, key=lambda place: -place.weight):
        yield place.demand, place.zh, place.en, place.weight, place.x, place.y
    for zh, en, lines, x, y in bones.stations:
        yield "station", zh, en, 300.0 + 100.0 * lines.count("/"), x, y
    for kind, areas, weight in (
        ("district", bones.districts, 500.0),
        ("quarter", bones.zones, 250.0),
        ("park", bones.parks, 150.0),
        ("water", bones.waters, 120.0),
    ):
        for area in areas:
            inside = area.shape.representative_point()
            yield kind, area.zh, area.en, weight, inside.x, inside.y
    for road in bones.roads:
        middle = road.line.interpolate(0.5, normalized=True)
        yield "road", road.zh, road.en, 100.0, middle.x, middle.y


def _item(bones: Skeleton, number: str, kind: str, zh: str, en: str, weight: float, x: float, y: float) -> Mapping[str, Any]:
    lon, lat = bones.frame.degrees(np.array([[x, y]]))[0].tolist()
    return {
        "id": number, "kind": kind, "zh": zh, "en": en, "pinyin": pinyin(zh), "initials": initials(zh),
        "lon": round(lon, 6), "lat": round(lat, 6), "weight": weight,
    }  # fmt: skip


@functools.cache
def pinyin(text: str) -> str:
    """Without tones and gaps, as people type it: 二七广场 is erqiguangchang."""
    return "".join(letter for one in lazy_pinyin(text) for letter in one.lower() if letter.isascii() and letter.isalnum())


@functools.cache
def initials(text: str) -> str:
    """The first letters: 二七广场 is eqgc."""
    return "".join(one[0].lower() for one in lazy_pinyin(text, style=Style.NORMAL) if one[0].isascii() and one[0].isalnum())
