"""Tables of anybody's columns, by a mapping of a few lines that says what each column is (docs/howto/import-a-city.md)."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
import yaml

from citymap.errors import NothingReadable
from citymap.read_xlsx import SIGNATURE, Number, read_xlsx
from citymap.translate import NotTaken, Translated, feature, id_of, position

_PART: Final = re.compile(r"\{([^{}]+)\}")
FIELD_BYTES_MAX: Final = 131_072
SITE_TEXTS: Final = ("type", "operator", "counted_by", "tariff", "zone", "opening_hours")
SITE_NUMBERS: Final = ("capacity", "max_height_cm", "max_stay_s")
ENCODINGS: Final = ("utf-8-sig", "gb18030")  # Strict, so that the first that fits is told apart: GB18030 contains GBK and GB2312.

Words = Annotated[str, msgspec.Meta(max_length=500)]  # Text with `{column}` in it.


class NameMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    zh: Words = ""
    en: Words = ""


class SpotMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"spot_class": "class"}):
    id: Words
    lon: Words
    lat: Words
    spot_class: Words = "standard"


class SiteMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: Words
    name: NameMap
    type: Words
    operator: Words
    lon: Words = ""
    lat: Words = ""
    counted_by: Words = ""
    capacity: Words = ""
    tariff: Words = ""
    zone: Words = ""
    max_height_cm: Words = ""
    max_stay_s: Words = ""
    opening_hours: Words = ""


class TableMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What each column is. With `spot`, each row is a bay and its site is made of its rows; without, each row is a site."""

    site: SiteMap
    spot: SpotMap | None = None
    source: Words = ""
    encoding: Words = ""
    delimiter: Annotated[str, msgspec.Meta(max_length=1)] = ""
    decimal: Annotated[str, msgspec.Meta(max_length=1)] = "."
    words: dict[str, dict[str, str]] = {}  # Field -> what the file says -> what we say.


@dataclass(frozen=True, slots=True)
class Table:
    header: list[str]
    rows: list[dict[str, str]]
    encoding: str


def read_mapping(text: bytes) -> TableMap:
    """Raises NothingReadable, naming what is wrong."""
    try:
        return msgspec.convert(yaml.safe_load(text), TableMap)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise NothingReadable(f"the mapping is not YAML: {str(error).splitlines()[0]}") from None
    except msgspec.ValidationError as error:
        raise NothingReadable(f"the mapping is wrong: {error}") from None


def read_csv(text: bytes, mapping: TableMap, *, prefix: str = "") -> Translated:
    """Raises NothingReadable when it is no such table."""
    table = read_table(text, mapping)
    found = Translated(notes=[f"the file was read as {table.encoding}"])
    _refuse_unknown_columns(mapping, table.header)
    if mapping.spot is None:
        _read_sites(found, table, mapping, prefix)
    else:
        _read_spots(found, table, mapping, mapping.spot, prefix)
    return found


def read_table(text: bytes, mapping: TableMap) -> Table:
    """Raises NothingReadable."""
    lines, encoding = (read_xlsx(text), "a spreadsheet") if text.startswith(SIGNATURE) else _lines(text, mapping)
    lines = [line for line in lines if any(line)]
    if not lines:
        raise NothingReadable("the file is empty; a table begins with the names of its columns")
    header = [name.strip() for name in lines[0]]
    if len(set(header)) != len(header):
        raise NothingReadable("two columns have the same name")
    rows = [dict(zip(header, (cell if isinstance(cell, Number) else cell.strip() for cell in line), strict=False)) for line in lines[1:]]
    return Table(header, rows, encoding)


def _lines(text: bytes, mapping: TableMap) -> tuple[list[list[str]], str]:
    held, encoding = decoded(text, mapping.encoding)
    delimiter = mapping.delimiter or max(",;\t|", key=held.split("\n", 1)[0].count)
    csv.field_size_limit(FIELD_BYTES_MAX)
    try:
        return list(csv.reader(io.StringIO(held, newline=""), delimiter=delimiter, strict=True)), encoding
    except csv.Error as error:
        raise NothingReadable(f"the file is not a table: {error}") from None


def decoded(text: bytes, encoding: str = "") -> tuple[str, str]:
    """The text and its encoding; never a replacement character. Raises NothingReadable, naming the line that fits none."""
    failures = []
    for one in (encoding,) if encoding else ENCODINGS:
        try:
            held = text.decode(one)
        except LookupError:
            raise NothingReadable(f"there is no encoding {one}") from None
        except UnicodeDecodeError as error:
            failures.append((error.start, one))
            continue
        if "\ufffd" not in held and "\x00" not in held:
            return held, "UTF-8" if one == "utf-8-sig" else one.upper()
        failures.append((len(held[: held.find("\ufffd")].encode(one, "replace")), one))
    line = text.count(b"\n", 0, max(failures)[0]) + 1
    raise NothingReadable(f"line {line} is in none of the encodings {', '.join(each for _, each in failures)}")


def _refuse_unknown_columns(mapping: TableMap, header: Sequence[str]) -> None:
    used = {name for text in _texts(msgspec.to_builtins(msgspec.structs.replace(mapping, words={}))) for name in _PART.findall(text)}
    unknown = sorted(used - set(header))
    if unknown:
        raise NothingReadable(f"the file has no column {unknown[0]}; it has {', '.join(header)[:300]}")


def _texts(held: object) -> Iterator[str]:
    if isinstance(held, str):
        yield held
    for one in held.values() if isinstance(held, dict) else ():
        yield from _texts(one)


def _read_sites(found: Translated, table: Table, mapping: TableMap, prefix: str) -> None:
    for number, row in enumerate(table.rows, 1):
        try:
            lon, lat = _position(mapping, row, mapping.site.lon, mapping.site.lat)
            found.add(number, _site(mapping, row, lon, lat, prefix))
        except NotTaken as why:
            found.refuse(number, _filled(mapping.site.id, row), why)


def _read_spots(found: Translated, table: Table, mapping: TableMap, spot: SpotMap, prefix: str) -> None:
    """Each bay by its row; then each site, by the first row of it that holds, in the middle of its bays."""
    sites: dict[str, list[tuple[int, float, float]]] = {}
    for number, row in enumerate(table.rows, 1):
        try:
            lon, lat = _position(mapping, row, spot.lon, spot.lat)
            name, site = _id(spot.id, row, prefix), _id(mapping.site.id, row, prefix)
            found.add(number, feature("spot", name, lon, lat, site=site, **{"class": _word(mapping, "class", spot.spot_class, row)}))
            sites.setdefault(site, []).append((number, lon, lat))
        except NotTaken as why:
            found.refuse(number, _filled(spot.id, row), why)
    for bays in sites.values():
        lon, lat = (round(sum(bay[axis] for bay in bays) / len(bays), 7) for axis in (1, 2))
        try:
            found.add(bays[0][0], _site(mapping, table.rows[bays[0][0] - 1], lon, lat, prefix))
        except NotTaken as why:
            found.refuse(bays[0][0], _filled(mapping.site.id, table.rows[bays[0][0] - 1]), why)


def _site(mapping: TableMap, row: Mapping[str, str], lon: float, lat: float, prefix: str) -> dict[str, Any]:
    site = mapping.site
    texts = {
        key: _word(mapping, key, getattr(site, key), row) for key in ("type", "operator", "counted_by", "tariff", "zone", "opening_hours")
    }
    numbers = {key: _whole(key, _word(mapping, key, getattr(site, key), row)) for key in ("capacity", "max_height_cm", "max_stay_s")}
    name = {"zh": _filled(site.name.zh, row), "en": _filled(site.name.en, row)}
    return feature("site", _id(site.id, row, prefix), lon, lat, name=name, **texts, **numbers)


def _id(template: str, row: Mapping[str, str], prefix: str) -> str:
    """Exactly as written: `73928e03` is a name and no number."""
    for column in _PART.findall(template):
        if not row.get(column):
            raise NotTaken("id", f"the column {column} is empty, and the id is made of it")
        if isinstance(row[column], Number):
            raise NotTaken("id", f"the column {column} holds the number {row[column]}: the id may be damaged already; write it as text")
    return id_of(_filled(template, row), prefix)


def _position(mapping: TableMap, row: Mapping[str, str], lon: str, lat: str) -> tuple[float, float]:
    return position(_number(mapping, lon, row), _number(mapping, lat, row))


def _number(mapping: TableMap, template: str, row: Mapping[str, str]) -> float:
    text = _filled(template, row)
    try:
        return float(text.replace(mapping.decimal, ".") if mapping.decimal != "." else text)
    except ValueError:
        raise NotTaken("geometry", f"{template or 'the position'} is {text!r} and no number") from None


def _word(mapping: TableMap, key: str, template: str, row: Mapping[str, str]) -> str:
    text = _filled(template, row)
    return mapping.words.get(key, {}).get(text, text)


def _whole(key: str, text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal():
        raise NotTaken(key, f"{key} is {text!r} and no whole number")
    return int(text)


def _filled(template: str, row: Mapping[str, str]) -> str:
    return _PART.sub(lambda part: row.get(part[1], ""), template).strip()
