"""Take out of a picture what its camera wrote into it unasked (where, when, with which device), and refuse what is no whole file. Pure.

A picture is copied segment by segment, so nothing that hides before, between or behind them comes along. How a JPEG is to be turned is
kept, since without it people read their papers sideways. A PDF is kept as it is.
"""

import struct
import zlib
from collections.abc import Iterator

from services.evidence.model import Damaged, Kind

PIXELS_MAX = 100_000_000
_OF_THE_PICTURE = frozenset({0x00, *range(0xD0, 0xD8)})  # After FF inside of a scan: a stuffed zero, or where a decoder may begin anew.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_KEPT = _FRAMES | {0xC4, 0xCC, 0xDA, 0xDB, 0xDD}
_APPLICATIONS = {0xE0: b"JFIF\x00", 0xE2: b"ICC_PROFILE\x00", 0xEE: b"Adobe"}  # What colours need; thumbnails and further pictures go.
_EXIF, _SCAN, _END = 0xE1, 0xDA, 0xD9
_PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"pHYs"})
_PNG_HEAD, _TAIL_BYTES = 8, 2048


def cleaned(kind: Kind, content: bytes) -> bytes:
    """Raises Damaged."""
    if kind == "pdf":
        if b"%%EOF" not in content[-_TAIL_BYTES:]:
            raise Damaged("the document is cut short")
        return content
    parts = _jpeg(content) if kind == "jpeg" else _png(content)
    try:
        return b"".join(parts)
    except (struct.error, IndexError):
        raise Damaged("the picture is cut short") from None


def _jpeg(content: bytes) -> Iterator[bytes]:
    yield content[:2]
    at, seen = 2, set[int]()
    while True:
        marker, at = _marker(content, at)
        seen.add(marker)
        if marker == _END:
            break
        (size,) = struct.unpack_from(">H", content, at)
        segment, at = content[at : at + size], at + size
        if size < 2 or len(segment) < size:
            raise Damaged("the picture is cut short")
        if marker in _FRAMES:
            _, high, wide = struct.unpack_from(">BHH", segment, 2)
            _refuse_giants(wide, high)
        if marker == _EXIF and (turned := _turned(segment[2:])) is not None:
            yield _turning(turned)
        elif marker in _JPEG_KEPT or (marker in _APPLICATIONS and segment[2:].startswith(_APPLICATIONS[marker])):
            yield bytes((0xFF, marker)) + segment
        if marker == _SCAN:
            end = _end_of_scan(content, at)
            yield content[at:end]
            at = end
    if _SCAN not in seen or not seen & _FRAMES:
        raise Damaged("there is no picture in it")
    yield bytes((0xFF, _END))


def _end_of_scan(content: bytes, at: int) -> int:
    """From one FF to the next, of which there are few: a pattern would look at each byte."""
    while (at := content.find(b"\xff", at)) >= 0:
        if content[at + 1] not in _OF_THE_PICTURE:
            return at
        at += 2
    raise Damaged("the picture is cut short")


def _marker(content: bytes, at: int) -> tuple[int, int]:
    """The marker here, and where what it begins goes on; any number of FF may stand before it."""
    if content[at] != 0xFF:
        raise Damaged("the picture is damaged")
    while content[at] == 0xFF:
        at += 1
    if content[at] in (0x00, 0x01, 0xD8) or 0xD0 <= content[at] <= 0xD7:
        raise Damaged("the picture is damaged")
    return content[at], at + 1


def _turned(payload: bytes) -> int | None:
    """Exif's orientation, 2 to 8; None where the picture stands as it is, or nothing can be read."""
    tiff = payload[6:] if payload.startswith(b"Exif\x00\x00") else b""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return None
    try:
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, first)
        for place in range(min(count, 100)):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, first + 2 + 12 * place)
            if tag == 0x0112 and kind == 3:
                return int(value) if 2 <= value <= 8 else None
    except struct.error:
        return None  # Not to be read: then not to be kept, either.
    return None


def _turning(orientation: int) -> bytes:
    """Exif that says the orientation and nothing else."""
    tiff = b"MM\x00\x2a" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    payload = b"Exif\x00\x00" + tiff
    return b"\xff\xe1" + struct.pack(">H", 2 + len(payload)) + payload


def _png(content: bytes) -> Iterator[bytes]:
    yield content[:_PNG_HEAD]
    at, seen = _PNG_HEAD, list[bytes]()
    while not seen or seen[-1] != b"IEND":
        size, name = struct.unpack_from(">I4s", content, at)
        chunk, at = content[at : at + 12 + size], at + 12 + size
        if len(chunk) < 12 + size or zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:]):
            raise Damaged("the picture is damaged")
        if not seen:
            wide, high = struct.unpack_from(">II", chunk, 8)
            _refuse_giants(wide, high)
        seen.append(name)
        if name in _PNG_KEPT:
            yield chunk
    if seen[0] != b"IHDR" or b"IDAT" not in seen:
        raise Damaged("there is no picture in it")


def _refuse_giants(wide: int, high: int) -> None:
    """A few bytes may say a picture that no desk can open."""
    if wide * high > PIXELS_MAX or not wide or not high:
        raise Damaged(f"a picture has at most {PIXELS_MAX // 1_000_000} million points")
