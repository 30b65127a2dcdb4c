"""The basemap that travels with the project: fresh, readable, small, and saying that its streets are made up."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import mapbox_vector_tile as mvt
import pytest
from pmtiles.reader import MmapSource, Reader

from onelot import basemap
from simulators.city import skeleton
from simulators.city.basemap import source_hash
from simulators.city.places import places_of


@pytest.fixture(scope="module")
def tiles() -> Iterator[Reader]:
    with Path(basemap.TILES).open("rb") as file:
        yield Reader(MmapSource(file))


def test_the_basemap_is_made_from_the_sources_beside_it(tiles: Reader) -> None:
    assert tiles.metadata()["source_sha256"] == source_hash(), "run: make basemap"


def test_the_map_says_that_streets_and_bays_are_generated(tiles: Reader) -> None:
    said = tiles.metadata()

    assert "程序生成" in said["attribution_zh"] and "generated" in said["attribution_en"]
    assert said["attribution"] == f"{said['attribution_zh']} / {said['attribution_en']}"


def test_the_map_stays_small() -> None:
    assert basemap.TILES.stat().st_size <= 3_000_000
    assert basemap.PLACES.stat().st_size <= 150_000


def test_the_tile_of_the_old_centre_holds_every_layer_of_a_street_map(tiles: Reader) -> None:
    raw = tiles.get(14, 13364, 6503)  # Erqi Square.
    assert raw is not None
    held = mvt.decode(gzip.decompress(raw))

    assert {"zones", "blocks", "buildings", "lots", "roads", "districts", "places", "stations"} <= set(held)
    names = {one["properties"].get("zh") for one in held["roads"]["features"]}
    assert {"二七路", "解放路", "人民路", "西大街"} <= names


def test_the_places_are_those_of_the_skeleton() -> None:
    assert json.loads(basemap.PLACES.read_text()) == places_of(skeleton.load())


@pytest.mark.parametrize(
    ("typed", "key", "meant"),
    [
        ("二七广场", "zh", "二七广场"),
        ("erqiguangchang", "pinyin", "二七广场"),
        ("zzdz", "initials", "郑州东站"),
        ("Henan Museum", "en", "河南博物院"),
    ],
)
def test_a_place_is_found_in_chinese_pinyin_initials_and_english(typed: str, key: str, meant: str) -> None:
    items = json.loads(basemap.PLACES.read_text())["items"]

    assert meant in [item["zh"] for item in items if item[key] == typed]
    assert all(re.fullmatch("[a-z0-9]+", item[spelt]) for item in items for spelt in ("pinyin", "initials"))
    assert all(item["en"] for item in items)
