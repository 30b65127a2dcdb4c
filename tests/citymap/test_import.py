"""What a file may say, what is refused of it, and how it gets into the city."""

from typing import Any

import pytest

from citymap.errors import NothingReadable
from citymap.import_sites import import_sites
from citymap.read_sites import Read, read_sites
from foundation import journal
from foundation.events import SiteChanged
from foundation.postgres import Database
from tests.citymap.city import CITY, T0, a_site, a_spot, feature, file


def read(*features: object, **known: bool) -> Read:
    return read_sites(file(*features), CITY, {name.replace("_", "-"): has for name, has in known.items()})


def test_a_right_file_is_taken_whole() -> None:
    entrances = [[113.6652, 34.7521]]
    found = read(
        a_spot(),
        a_site(counted_by="spots", zone="jinshui-07", tariff="lot-7-day", max_height_cm=210, opening_hours="24/7", entrances=entrances),
    )

    assert found.refused == []
    assert (found.sites[0].name.zh, found.sites[0].entrances, found.sites[0].max_height_cm) == ("七号停车场", ((113.6652, 34.7521),), 210)
    assert (found.spots[0].id, found.spots[0].site) == ("lot-7-001", "lot-7")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (a_site("lot-9", (0.0, 0.0)), "outside_city"),
        (a_site("lot-9", entrances=[[0, 0]]), "outside_city"),
        (a_site("lot-9", (113.6, "34")), "geometry"),
        (a_site("lot-9", (True, 34.7)), "geometry"),
        (a_site("lot-9") | {"geometry": None}, "geometry"),
        (a_site("lot-9") | {"geometry": {"type": "Polygon", "coordinates": []}}, "geometry"),
        (a_site(""), "id"),
        (a_site(9), "id"),
        (a_site("lot 9"), "id"),
        (a_site("lot-9", type="garage"), "type"),
        (a_site("lot-9", type=[]), "type"),
        (a_site("lot-9", operator=None), "operator"),
        (a_site("lot-9", name="Lot 9"), "name"),
        (a_site("lot-9", name={}), "name"),
        (a_site("lot-9", capacity=-1), "capacity"),
        (a_site("lot-9", capacity=2.5), "capacity"),
        (a_site("lot-9", capacity=True), "capacity"),
        (a_site("lot-9", counted_by="guess"), "counted_by"),
        (a_site("lot-9", counted_by=None), "counted_by"),
        (a_site("lot-9", max_height_cm="210"), "max_height_cm"),
        (a_site("lot-9", opening_hours=24), "opening_hours"),
        (a_site("lot-9", entrances=[1]), "entrances"),
        (a_site("lot-9", entrances={}), "entrances"),
        (a_site("lot-9", colour="red"), "unknown_field"),
        (a_site("lot-7"), "duplicate_id"),
        (a_spot("lot-7-002", **{"class": "huge"}), "class"),
        (a_spot("lot-7-001"), "duplicate_id"),
        (a_spot("lot-7-002", "lot-99"), "unknown_site"),
        (a_spot("lot-7-002", 7), "site"),
        (a_spot("lot-7-002", state="free"), "unknown_field"),
        (feature("lot-9", {"kind": "zone"}), "kind"),
        ({"type": "Feature", "id": "lot-9"}, "properties"),
        (["lot-9"], "feature"),
        (None, "feature"),
    ],
)
def test_a_wrong_feature_is_refused_by_its_row_and_the_others_are_taken(wrong: Any, code: str) -> None:
    found = read(a_site(), a_spot(), wrong)

    assert [(one.row, one.code) for one in found.refused] == [(3, code)]
    assert (len(found.sites), len(found.spots)) == (1, 1)


def test_spots_of_a_refused_site_are_refused_too() -> None:
    found = read(a_site("lot-9", (0.0, 0.0)), a_spot("lot-9-1", "lot-9"))

    assert [(one.row, one.id, one.code) for one in found.refused] == [(1, "lot-9", "outside_city"), (2, "lot-9-1", "unknown_site")]


def test_counted_by_left_out_is_spots_when_there_are_any_else_gates() -> None:
    found = read(a_site("lot-7"), a_spot(), a_site("lot-8"), a_site("lot-6"), lot_6=True)

    assert {one.id: one.counted_by for one in found.sites} == {"lot-7": "spots", "lot-8": "gates", "lot-6": "spots"}


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"type": "Feature"}', b'{"type": "FeatureCollection", "features": {}}', b"\xff\xfe"])
def test_what_is_no_collection_cannot_be_read(text: bytes) -> None:
    with pytest.raises(NothingReadable):
        read_sites(text, CITY)


async def facts(db: Database) -> list[SiteChanged]:
    async with db.transaction() as tx:
        entries = await journal.read(tx, "fact", 0, T0.replace(year=1))
    return [entry.event for entry in entries if isinstance(entry.event, SiteChanged)]


async def test_a_second_import_of_the_same_file_changes_nothing(db: Database) -> None:
    text = file(a_site(entrances=[[113.6652, 34.7521]]), a_spot(), a_spot("lot-7-002"), a_site("lot-9", (0.0, 0.0)))

    first = await import_sites(db, text, bounds=CITY, now=T0)
    second = await import_sites(db, text, bounds=CITY, now=T0)

    assert (first.created, first.changed, first.same, [one.row for one in first.refused]) == (3, 0, 0, [4])
    assert (second.created, second.changed, second.same, len(second.refused)) == (0, 0, 3, 1)
    (told,) = await facts(db)
    assert (told.site, told.capacity, [spot.id for spot in told.spots]) == ("lot-7", 3, ["lot-7-001", "lot-7-002"])


async def test_a_fact_carries_all_of_the_site_and_what_a_file_leaves_out_stays(db: Database) -> None:
    await import_sites(db, file(a_site(), a_spot(), a_spot("lot-7-002"), a_site("lot-8")), bounds=CITY, now=T0)
    progress: list[tuple[int, int]] = []

    report = await import_sites(
        db, file(a_spot("lot-7-002", **{"class": "electric"})), bounds=CITY, now=T0, progress=lambda *told: progress.append(told)
    )

    assert (report.created, report.changed, report.same) == (0, 1, 0)
    told = (await facts(db))[-1]
    assert [(spot.id, spot.spot_class) for spot in told.spots] == [("lot-7-001", "standard"), ("lot-7-002", "electric")]
    assert progress == [(1, 1)]


async def test_a_spot_that_moves_tells_both_sites(db: Database) -> None:
    await import_sites(db, file(a_site(), a_spot(), a_site("lot-8", counted_by="spots")), bounds=CITY, now=T0)

    await import_sites(db, file(a_spot("lot-7-001", "lot-8")), bounds=CITY, now=T0)

    assert {told.site: len(told.spots) for told in (await facts(db))[-2:]} == {"lot-7": 0, "lot-8": 1}
