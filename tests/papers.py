"""Papers that people hand in, made byte by byte: what a camera writes into a picture stands in them to be looked for afterwards."""

import struct
import zlib

GPS, DEVICE = b"34.7466,113.6253", b"Somebody's phone"


def png(*, wide: int = 2, high: int = 2, more: bytes = b"", end: bytes = b"") -> bytes:
    rows = b"".join(b"\x00" + b"\x7f" * (3 * wide) for _ in range(min(high, 64)))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + more + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"") + end


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", 2 + len(payload)) + payload


def exif(orientation: int = 6, order: str = ">") -> bytes:
    """As a phone writes it: which device, how it was held, and where."""
    entries = struct.pack(f"{order}HHII", 0x010F, 2, len(DEVICE), 38) + struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = {">": b"MM\x00*", "<": b"II*\x00"}[order] + struct.pack(f"{order}IH", 8, 2) + entries + bytes(4) + DEVICE + GPS
    return segment(0xE1, b"Exif\x00\x00" + tiff)


JFIF, XMP = segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + GPS)
FRAME = segment(0xC0, struct.pack(">BHHB", 8, 2, 2, 1) + b"\x01\x11\x00")
SCAN = segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"\x12\xff\x00\x34\xff\xd0\x56"


def jpeg(*segments: bytes, end: bytes = b"") -> bytes:
    return b"\xff\xd8" + JFIF + b"".join(segments) + segment(0xDB, bytes(65)) + FRAME + segment(0xC4, bytes(17)) + SCAN + b"\xff\xd9" + end


def pdf(text: str = "lease") -> bytes:
    return f"%PDF-1.4\n1 0 obj << /Title ({text}) >> endobj\ntrailer << /Root 1 0 R >>\n%%EOF\n".encode()
