"""The first sheet of a spreadsheet as a table of texts; what was a number there is marked, for it may have lost digits on its way."""

import io
import re
import zipfile
import zlib
from typing import Final
from xml.etree import ElementTree

from citymap.errors import NothingReadable

BYTES_MAX: Final = 256 * 1024 * 1024  # Of a part, unpacked.
SIGNATURE: Final = b"PK\x03\x04"
_N: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_SHEET: Final = re.compile(r"xl/worksheets/sheet(\d+)\.xml")
_LETTERS: Final = re.compile(r"([A-Z]{1,3})\d+")


class Number(str):
    """The text of a cell that holds a number."""

    __slots__ = ()


def read_xlsx(text: bytes) -> list[list[str]]:
    """Rows of cells. Raises NothingReadable."""
    try:
        with zipfile.ZipFile(io.BytesIO(text)) as book:
            sheets = sorted((int(found[1]), name) for name in book.namelist() if (found := _SHEET.fullmatch(name)))
            if not sheets:
                raise NothingReadable("the file is packed and is no spreadsheet (.xlsx)")
            shared = _shared(_part(book, "xl/sharedStrings.xml")) if "xl/sharedStrings.xml" in book.namelist() else []
            return [_row(row, shared) for row in _part(book, sheets[0][1]).iter(f"{_N}row")]
    except (zipfile.BadZipFile, zlib.error, ElementTree.ParseError, EOFError, ValueError, IndexError, KeyError) as error:
        raise NothingReadable(f"the spreadsheet is damaged: {error}") from None


def _part(book: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if book.getinfo(name).file_size > BYTES_MAX:
        raise NothingReadable(f"{name} of the spreadsheet is larger than {BYTES_MAX // 2**20} MB")
    raw = book.read(name)
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:  # Nothing that writes spreadsheets says either; what they can do is known.
        raise NothingReadable(f"{name} of the spreadsheet defines entities")
    return ElementTree.fromstring(raw)  # noqa: S314 - without a document type there are no entities.


def _shared(part: ElementTree.Element) -> list[str]:
    return ["".join(text.text or "" for text in one.iter(f"{_N}t")) for one in part.iter(f"{_N}si")]


def _row(row: ElementTree.Element, shared: list[str]) -> list[str]:
    cells: list[str] = []
    for cell in row.iter(f"{_N}c"):
        place = _place(cell.get("r", ""), len(cells))
        cells += [""] * (place - len(cells)) + [_cell(cell, shared)]
    return cells


def _place(name: str, after: int) -> int:
    """Empty cells are left out, so a cell says its column: A, B … AA."""
    found = _LETTERS.fullmatch(name)
    if found is None:
        return after
    place = 0
    for letter in found[1]:
        place = place * 26 + ord(letter) - 64
    return place - 1


def _cell(cell: ElementTree.Element, shared: list[str]) -> str:
    kind, held = cell.get("t", "n"), cell.find(f"{_N}v")
    value = held.text or "" if held is not None else ""
    if kind == "s":
        return shared[int(value)]
    if kind == "inlineStr":
        return "".join(text.text or "" for text in cell.iter(f"{_N}t"))
    return Number(value) if kind == "n" and value else value
