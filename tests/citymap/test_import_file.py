"""Files of other people: what is taken of them, what is refused and why, and that nothing is lost by what a file leaves out."""

import gzip
import io
import json
import lzma
import zipfile
from pathlib import Path
from typing import Any

import pytest

from citymap import cities, store
from citymap.errors import NothingReadable
from citymap.import_file import Asked, import_file
from citymap.import_sites import Report
from citymap.model import Bounds
from citymap.read_csv import read_csv, read_mapping
from citymap.read_parkapi import is_parkapi
from citymap.translate import id_of
from foundation.postgres import Database
from onelot.cli.commands.import_file import read_packed
from onelot.cli.errors import Failed
from tests.citymap.city import CITY, T0, a_site, a_spot, feature, file
from tests.shared import shared_path

MELBOURNE = Path(__file__).parents[2] / "docs" / "howto" / "maps" / "melbourne.yaml"
SITES = b"""
site: {id: "{site}", name: {zh: "{name}"}, type: surface, operator: op-50, lon: "{lon}", lat: "{lat}"}
"""


async def brought(db: Database, text: bytes, *, bounds: Bounds = cities.EVERYWHERE, **asked: Any) -> Report:
    return await import_file(db, text, Asked(**asked), bounds=bounds, now=T0)


def counts(report: Report) -> tuple[int, int, int, int]:
    return report.created, report.changed, report.same, len(report.refused)


# Real places


async def test_cologne_comes_in_but_for_the_city_itself(db: Database) -> None:
    text = shared_path("data/lots/parkapi-koeln.geojson").read_bytes()
    first = await brought(db, text, bounds=cities.bounds_of_city("koeln"), stem="parkapi-koeln")
    again = await brought(db, text, bounds=cities.bounds_of_city("koeln"), stem="parkapi-koeln")

    assert (first.format, counts(first), counts(again)) == ("parkapi", (52, 0, 0, 1), (0, 0, 52, 1))
    assert [(one.row, one.code) for one in first.refused] == [(1, "not_a_site")]


async def test_ulm_comes_in_with_its_single_bays(db: Database) -> None:
    bounds = cities.bounds_of_city("ulm")
    sites = await brought(db, shared_path("data/feeds/parkapi-static/ulm_sensors.geojson").read_bytes(), bounds=bounds, stem="ulm_sensors")
    text = shared_path("data/feeds/parkapi-static/parking-spots/ulm_sensors.geojson").read_bytes()
    bays = await brought(db, text, bounds=bounds, stem="bays")
    again = await brought(db, text, bounds=bounds, stem="bays")

    assert (counts(sites), counts(bays), counts(again)) == ((7, 0, 0, 0), (143, 0, 0, 0), (0, 0, 143, 0))
    assert bays.notes == []


async def test_bays_alone_make_the_sites_that_they_name(db: Database) -> None:
    text = shared_path("data/feeds/parkapi-static/parking-spots/ulm_sensors.geojson").read_bytes()
    first, again = await brought(db, text, stem="bays"), await brought(db, text, stem="bays")

    assert (counts(first), counts(again)) == ((148, 0, 0, 0), (0, 0, 148 - 5, 0))
    assert "5 sites were made of their bays" in first.notes[0]


@pytest.mark.parametrize("name", ["aalen", "freiburg", "heidelberg", "p_m_bw", "ulm", "kienzler_stuttgart", "kienzler_rad_safe"])
async def test_every_feed_of_the_shelf_is_taken_or_refused_for_a_reason(db: Database, name: str) -> None:
    text = shared_path(f"data/feeds/parkapi-static/{name}.geojson").read_bytes()
    report = await brought(db, text, stem=name)

    assert report.created + len(report.refused) == len(json.loads(text)["features"])
    assert {one.code for one in report.refused} <= {"not_for_cars"}
    assert (report.created > 0) is (not name.startswith("kienzler"))


async def test_melbourne_comes_in_bay_by_bay(db: Database) -> None:
    text = read_packed(shared_path("data/bays/melbourne/on-street-parking-bays.csv.xz"))
    asked = {"mapping": MELBOURNE.read_bytes(), "format": "csv", "bounds": cities.bounds_of_city("melbourne")}
    first, again = await brought(db, text, **asked), await brought(db, text, **asked)

    assert (counts(first), counts(again)) == ((23_864 + 1_256, 0, 0, 0), (0, 0, 23_864 + 1_256, 0))
    assert first.notes == ["the file was read as UTF-8"]


# Rows


async def test_what_is_no_place_to_park_is_refused_by_its_row(db: Database) -> None:
    def one(uid: Any, where: Any = (9.99, 48.4), **more: Any) -> dict[str, Any]:
        held = {"uid": uid, "name": "P", "type": "CAR_PARK", "capacity": 5, "purpose": "CAR"} | more
        return {"type": "Feature", "geometry": {"type": "Point", "coordinates": list(where)}, "properties": held}

    square = {"type": "Polygon", "coordinates": [[[9.99, 48.4], [9.991, 48.4], [9.991, 48.401], [9.99, 48.401], [9.99, 48.4]]]}
    rows = [
        one("a"), one("b", purpose="BIKE"), one("c", type="BALLOON"), one("d", where=(0, 0)), one("", name="x"), one("f", type="LOCKERS"),
        one("g", where=("9", 48)), one("h", capacity=-2), one(17), one("a"), None, one("k") | {"geometry": square},
        one("l", where=(19.9, 48.4)),
        one("m") | {"geometry": {"type": "Polygon", "coordinates": []}}, one("n", name=None),
    ]  # fmt: skip
    report = await brought(db, file(*rows), bounds=cities.bounds_of_city("ulm"))

    assert report.created == 2
    assert [(each.row, each.code) for each in report.refused] == [
        (2, "not_for_cars"), (3, "type"), (4, "geometry"), (5, "id"), (6, "not_for_cars"), (7, "geometry"), (8, "capacity"), (9, "id"),
        (10, "duplicate_id"), (11, "feature"), (13, "outside_city"), (14, "geometry"), (15, "name"),
    ]  # fmt: skip


def test_foreign_ids_stay_apart_however_alike_they_look() -> None:
    written = ["P1 Rathaus", "P1-Rathaus", "P1  Rathaus", "é", "è", "x" * 70, "x" * 71]

    assert len({id_of(one) for one in written}) == len(written)
    assert id_of("P1-Rathaus") == "P1-Rathaus" and id_of("12", "freiburg") == "freiburg:12"


def test_a_mapping_that_is_wrong_is_refused_with_its_word() -> None:
    for text, word in ((b"site: [", "not YAML"), (b"spot: {}", "spot"), (SITES + b"hats: 3", "hats"), (b"\xff", "not YAML")):
        with pytest.raises(NothingReadable, match=word):
            read_mapping(text)
    with pytest.raises(NothingReadable, match="no column lat; it has site, name"):
        read_csv(b"site,name\n1,a\n", read_mapping(SITES))
    for rubbish in (b"", b'site,name,lon,lat\n1,"a,2,3', b"a,a\n1,2\n"):
        with pytest.raises(NothingReadable):
            read_csv(rubbish, read_mapping(SITES))


def test_rows_of_a_table_are_refused_by_number_and_the_others_taken() -> None:
    table = "site;name;lon;lat\nA;一;113,6;34,7\n;二;113,6;34,7\nC;三;x;34,7\nD;四;113,6;34,7;too much\n"
    read = read_csv(table.encode(), read_mapping(SITES + b'decimal: ","')).read(CITY, {})

    assert [site.id for site in read.sites] == ["A", "D"]
    assert [(one.row, one.code) for one in read.refused] == [(2, "id"), (3, "geometry")]


async def test_a_table_without_a_map_says_what_it_needs(db: Database) -> None:
    with pytest.raises(NothingReadable, match="--map"):
        await brought(db, b"site,name\n1,a\n")


def test_a_packed_file_is_unpacked_and_a_broken_one_named(tmp_path: Path) -> None:
    for suffix, pack in ((".gz", gzip.compress), (".xz", lzma.compress), ("", bytes)):
        (tmp_path / f"a{suffix}").write_bytes(pack(b"hello"))
        assert read_packed(tmp_path / f"a{suffix}") == b"hello"
    (tmp_path / "b.xz").write_bytes(lzma.compress(b"hello" * 1000)[:40])
    with pytest.raises(Failed, match="cannot be unpacked"):
        read_packed(tmp_path / "b.xz")


# Cases


def test_chinese_excel_csv_without_bom() -> None:
    text = bytes.fromhex(
        "cda3b3b5b3a1b1e0bac52cc3fbb3c62cbeadb6c82cceb3b6c80a7a7a2d303030312cb6fec6dfb9e3b3a1cda3b3b5b3a12c3131332e363636302c33342e373533300a"
    )
    mapping = 'site: {id: "{停车场编号}", name: {zh: "{名称}"}, type: surface, operator: op, lon: "{经度}", lat: "{纬度}"}'
    found = read_csv(text, read_mapping(mapping.encode()))
    [site] = found.read(CITY, {}).sites

    assert (site.id, site.name.zh, site.lon, site.lat) == ("zz-0001", "二七广场停车场", 113.6660, 34.7530)
    assert found.notes == ["the file was read as GB18030"]
    with pytest.raises(NothingReadable, match="line 2 is in none of the encodings"):
        read_csv(b"site,name,lon,lat\n1,\xff\xff,2,3\n", read_mapping(SITES))


def test_hex_id_read_as_a_power_of_ten() -> None:
    ids = ["73928e03", "4e872096", "74095673", "12345678901234567890"]
    table = "site,name,lon,lat\n" + "".join(f"{one},停车场,113.6,34.7\n" for one in ids)

    assert [site.id for site in read_csv(table.encode(), read_mapping(SITES)).read(CITY, {}).sites] == ids
    texts, numbers = (read_csv(spreadsheet(ids, kind), read_mapping(SITES)).read(CITY, {}) for kind in ("text", "number"))
    assert [site.id for site in texts.sites] == ids
    assert numbers.sites == [] and [(one.row, one.code) for one in numbers.refused] == [(n, "id") for n in range(1, 5)]
    assert "column site" in numbers.refused[0].detail and "may be damaged" in numbers.refused[0].detail


def spreadsheet(ids: list[str], kind: str) -> bytes:
    """As spreadsheet programs write it: texts shared or in place, numbers as such, empty cells left out."""
    cells = {"text": '<c r="A{row}" t="inlineStr"><is><t>{it}</t></is></c>', "number": '<c r="A{row}"><v>{it}</v></c>'}[kind]
    rest = '<c r="C{row}" t="s"><v>4</v></c><c r="D{row}"><v>113.6</v></c><c r="E{row}"><v>34.7</v></c>'
    head = "".join(f'<c r="{letter}1" t="s"><v>{n}</v></c>' for n, letter in enumerate("ACDE"))
    rows = "".join(f'<row r="{row}">{(cells + rest).format(row=row, it=it)}</row>' for row, it in enumerate(ids, 2))
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as book:
        strings = "".join(f"<si><t>{one}</t></si>" for one in ("site", "name", "lon", "lat", "停车场"))
        book.writestr("xl/sharedStrings.xml", f"<sst {space}>{strings}</sst>")
        book.writestr("xl/worksheets/sheet1.xml", f'<worksheet {space}><sheetData><row r="1">{head}</row>{rows}</sheetData></worksheet>')
    return held.getvalue()


@pytest.mark.parametrize("part", ["<!DOCTYPE x [<!ENTITY a 'b'>]><worksheet/>", "<worksheet", ""])
def test_a_spreadsheet_that_is_none_is_refused(part: str) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as book:
        book.writestr("xl/worksheets/sheet1.xml" if part else "a.txt", part)
    for text in (held.getvalue(), held.getvalue()[:60]):
        with pytest.raises(NothingReadable):
            read_csv(text, read_mapping(SITES))


async def test_empty_list_retires_the_city(db: Database) -> None:
    everything = [a_site(f"lot-{n:02d}", (113.6, 34.7)) for n in range(41)]
    spots = [a_spot(f"lot-{n:02d}-1", f"lot-{n:02d}") for n in range(41)]
    assert (await brought(db, file(*everything, *spots), source="op-50")).created == 82
    for some, said in (([], "lists 0 of its 41"), (everything[:3], "lists 3 of its 41")):
        report = await brought(db, file(*some), source="op-50", format="onelot")
        assert report.changed == 0 and said in report.notes[0], report.notes
        assert len(await known(db)) == 41
        assert [(row["name"], row["known"], row["listed"]) for row in await store.sources_that_list_less(db)] == [("op-50", 41, len(some))]

    last = await brought(db, file(*everything, *spots), source="op-50")
    assert (counts(last), last.notes) == ((0, 0, 82, 0), [])


async def known(db: Database) -> list[Any]:
    async with db.transaction() as tx:
        return list(await tx.connection.fetch("SELECT id FROM citymap.site"))


async def test_overlapping_files_book_twice(db: Database) -> None:
    """The kind of that case where sites are concerned: rows in common count once, and what differs is named."""
    first = file(a_site("a", (113.6, 34.7)), a_site("b", (113.61, 34.7)), a_site("c", (113.62, 34.7)))
    second = file(a_site("b", (113.61, 34.7)), a_site("c", (113.62, 34.7), capacity=9), a_site("d", (113.63, 34.7)))

    assert counts(await brought(db, first)) == (3, 0, 0, 0)
    report = await brought(db, second)
    assert (counts(report), report.changed_ids) == ((1, 1, 1, 0), ["c"])
    assert counts(await brought(db, second)) == (0, 0, 3, 0)


def test_our_own_files_are_told_from_parkapi() -> None:
    assert not is_parkapi([a_site(), a_spot()]) and not is_parkapi([None, {}, feature("x", {})])
    assert is_parkapi([None, feature("x", {"uid": "1"})])
