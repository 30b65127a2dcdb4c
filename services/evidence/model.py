"""What a file of evidence is: of one of three kinds, told by its content and never by its name. Pure."""

import re
import unicodedata
import urllib.parse
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

Kind = Literal["pdf", "jpeg", "png"]
BEGINS: Mapping[bytes, Kind] = {b"%PDF-": "pdf", b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png"}
MEDIA: Mapping[Kind, str] = {"pdf": "application/pdf", "jpeg": "image/jpeg", "png": "image/png"}
ENDING: Mapping[Kind, str] = {"pdf": "pdf", "jpeg": "jpg", "png": "png"}
NAME_LENGTH_MAX = 100
DAY_BYTES_MAX = 200_000_000  # Of one person in a day, in all of her cases together.
_STAR, _QUOTED = re.compile(r"filename\*\s*=\s*UTF-8'[\w-]*'([^;\s]+)", re.I), re.compile(r'filename\s*=\s*"([^"]*)"', re.I)


class Damaged(Exception):
    """It begins like a file of its kind and does not go on like one."""


class About(msgspec.Struct, frozen=True):
    """What is said of a file, sealed beside it: a name may say as much as the file."""

    name: str
    sha256: str  # Of what is kept and shown.


@dataclass(frozen=True, slots=True)
class Evidence:
    """A file as its row has it, without its content."""

    id: uuid.UUID
    case: uuid.UUID
    field: str  # The pointer of the question that it answers.
    kind: Kind
    size: int
    about_sealed: bytes
    at: datetime
    submitted: bool  # It was handed in with the form, so it stays with the case.


def kind_of(content: bytes) -> Kind | None:
    return next((kind for begin, kind in BEGINS.items() if content.startswith(begin)), None)


def name_in(disposition: str) -> str:
    """The name that whoever uploads gives the file (RFC 6266), as far as it is one; the way to it on her disk is nobody's business."""
    starred, quoted = _STAR.search(disposition), _QUOTED.search(disposition)
    said = urllib.parse.unquote(starred[1], errors="replace") if starred else quoted[1] if quoted else ""
    seen = "".join(char for char in said if unicodedata.category(char)[0] not in "CZ" or char == " ")
    return re.split(r"[/\\]", seen)[-1].strip(" .")[:NAME_LENGTH_MAX]


def disposition_of(name: str, kind: Kind) -> str:
    """Kept, never opened in our page; what it is called ends as it is, whatever its name said."""
    stem = re.sub(r"\.(pdf|jpe?g|png)$", "", name, flags=re.I) or "file"
    whole = f"{stem}.{ENDING[kind]}"
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", whole)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{urllib.parse.quote(whole, safe='')}"
