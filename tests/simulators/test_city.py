"""The reference city, whole: as many bays as it says, each where a car could stand, and always the same."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import shapely

from citymap.model import CLASSES, COUNTED_BY, TYPES, Bounds
from citymap.opening_hours import _week
from citymap.read_sites import read_sites
from parking.tariffs.calendar import official
from parking.tariffs.check_tariff import check_tariff
from parking.tariffs.read_tariff import read_tariff
from simulators.city import build_city as building
from simulators.city import skeleton
from simulators.city.build_city import BAYS, City, build_city
from simulators.city.skeleton import STOPPING
from simulators.city.streets import closed_ground
from simulators.city.write_files import TARIFFS, write_city

ZHENGZHOU = Bounds(112.70, 34.26, 114.24, 34.99)
SMALL = 5_000


@pytest.fixture(scope="module")
def city() -> City:
    return build_city()


@pytest.fixture(scope="module")
def small() -> City:
    return build_city(bays=SMALL)


def test_the_bays_are_exactly_as_many_as_the_city_says(city: City, small: City) -> None:
    assert len(city.bays) == BAYS == 354_100
    assert len(small.bays) == SMALL
    assert 1_150 <= len(city.sites) <= 1_250
    assert [site.spots.start for site in city.sites[1:]] == [site.spots.stop for site in city.sites[:-1]]


def test_no_bay_lies_on_another(city: City) -> None:
    shapes = city.bays.shapes()

    one, other = shapely.STRtree(shapes).query(shapely.buffer(shapes, -0.04, join_style="mitre"), predicate="intersects")

    assert not (one != other).any()


def test_no_bay_lies_in_water_on_rails_or_on_an_expressway(city: City) -> None:
    tree, bones = shapely.STRtree(city.bays.shapes()), city.bones
    fast = [road.line.buffer(road.width / 2 - 1) for road in bones.roads if road.kind not in STOPPING]

    assert {"motorway", "ring"} == {road.kind for road in bones.roads} - STOPPING
    assert len(tree.query(closed_ground(bones), predicate="intersects")[1]) == 0
    assert len(tree.query(fast, predicate="intersects")[1]) == 0


def test_bays_off_the_street_lie_on_their_block_and_those_on_it_do_not(city: City) -> None:
    blocks = shapely.STRtree([block.shape for block in city.fabric.blocks])
    points = shapely.points(np.column_stack([city.bays.x, city.bays.y]))
    within = np.zeros(len(points), bool)
    within[blocks.query(points, predicate="within")[0]] = True
    on_street = np.concatenate([np.full(site.spots.stop - site.spots.start, site.kind == "on_street") for site in city.sites])

    assert (within != on_street).all()


def test_every_kerbside_bay_stands_along_a_street_that_one_may_stop_at(city: City) -> None:
    lines = [*(street.line for street in city.fabric.streets), *(road.line for road in city.bones.roads if road.kind in STOPPING)]
    here = np.concatenate([np.arange(site.spots.start, site.spots.stop) for site in city.sites if site.kind == "on_street"])
    points = shapely.points(np.column_stack([city.bays.x[here], city.bays.y[here]]))

    _, distance = shapely.STRtree(lines).query_nearest(points, all_matches=False, return_distance=True)

    assert distance.max() < 20.0


def test_sites_are_counted_by_what_watches_them(city: City) -> None:
    for site in city.sites:
        assert (site.counted_by == "spots") == (site.kind in ("on_street", "surface"))
    share = Counter(site.kind for site in city.sites)
    assert {kind: share[kind] > 50 for kind in TYPES} == dict.fromkeys(TYPES, True)
    assert {site.counted_by for site in city.sites} == set(COUNTED_BY)


def test_classes_of_bays_come_in_plausible_shares(city: City) -> None:
    share = np.bincount(city.spot_class, minlength=len(CLASSES)) / len(city.bays)

    assert building.CLASSES == CLASSES
    assert share[0] > 0.75 and 0.05 < share[1] < 0.2 and 0.01 < share[2] < 0.04 and (share[3:] > 0.001).all()


def test_sites_have_names_in_both_languages_zones_hours_and_operators(city: City) -> None:
    assert len({(site.name, site.kind) for site in city.sites}) == len(city.sites)
    assert {site.operator for site in city.sites} == set(building.OPERATORS)
    for site in city.sites:
        assert all(site.name) and site.name[1].isascii() and _week(site.opening_hours) is not None
        assert site.zone.rpartition("-")[0] in {district.code for district in city.bones.districts}
        assert 0.3 <= site.weight <= 3.0 and bool(site.entrances) == (site.kind != "on_street")


def test_the_import_takes_the_file_whole(small: City, tmp_path: Path) -> None:
    write_city(small, tmp_path / "city.geojson")

    read = read_sites((tmp_path / "city.geojson").read_bytes(), ZHENGZHOU)

    assert (len(read.sites), len(read.spots), read.refused) == (len(small.sites), SMALL, [])
    assert {site.id: site.capacity for site in read.sites} == Counter(spot.site for spot in read.spots)


def test_the_file_says_to_simulators_why_people_come(small: City, tmp_path: Path) -> None:
    write_city(small, tmp_path / "city.geojson")
    sites = [
        one["properties"] for one in json.loads((tmp_path / "city.geojson").read_text())["features"] if one["properties"]["kind"] == "site"
    ]

    assert {site["area_class"] for site in sites} <= {1, 2, 3}
    uses = {"office", "residential", "hospital", "mall", "scenic", "hub", "school", "mixed", "stadium"}
    assert {site["demand"] for site in sites} <= uses
    assert {place.demand for place in small.bones.places} <= uses


def test_a_seed_gives_the_same_file_for_ever_and_another_seed_another(small: City, tmp_path: Path) -> None:
    def written(seed: int) -> str:
        write_city(build_city(seed, SMALL), tmp_path / "again.geojson")
        return hashlib.sha256((tmp_path / "again.geojson").read_bytes()).hexdigest()

    write_city(small, tmp_path / "city.geojson")
    first = hashlib.sha256((tmp_path / "city.geojson").read_bytes()).hexdigest()

    assert written(building.SEED) == first != written(2)


def test_a_smaller_city_has_the_streets_of_the_whole_one(city: City, small: City) -> None:
    whole = {block.shape.wkb for block in city.fabric.blocks}

    assert {block.shape.wkb for block in small.fabric.blocks} < whole


def test_every_site_has_a_tariff_that_is_proved(city: City) -> None:
    tariffs = [read_tariff(path.read_bytes()) for path in TARIFFS]

    assert {tariff.code for tariff in tariffs} == {site.tariff for site in city.sites}
    assert [check_tariff(tariff, official()) for tariff in tariffs] == [[]] * 9
    assert all(len(tariff.examples) >= 5 for tariff in tariffs)


def test_what_was_drawn_by_hand_is_sound() -> None:
    bones = skeleton.load()
    areas = [*bones.yards, *bones.waters, *bones.parks, *bones.zones, *bones.grounds, *bones.districts]

    assert [area.zh for area in areas if not area.shape.is_valid] == []
    assert sum(road.kind == "primary" for road in bones.roads) >= 60 and len(bones.districts) == 12 and len(bones.stations) > 200
    overlap = [
        one.zh for i, one in enumerate(bones.districts) for other in bones.districts[:i] if one.shape.intersection(other.shape).area > 1
    ]
    assert overlap == []


def test_metro_stations_lie_in_the_district_they_belong_to() -> None:
    bones = skeleton.load()
    expected = {
        "二七广场": "二七区",
        "郑州东站": "金水区",
        "航海广场": "管城回族区",
        "碧沙岗": "中原区",
        "毛庄": "惠济区",
        "绿博园": "中牟县",
    }
    where = {zh: shapely.Point(x, y) for zh, _, _, x, y in bones.stations}

    found = {zh: next(one.zh for one in bones.districts if one.shape.contains(where[zh])) for zh in expected}

    assert found == expected
