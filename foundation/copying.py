"""Rows as PostgreSQL's binary COPY wants them: half the work of parameters on both sides, for the one path that is hot.

The format is fixed by PostgreSQL (COPY, "Binary Format"): a signature, then for each row its number of columns and each
column's length and bytes, big-endian; times are microseconds and dates are days since 2000-01-01.
"""

import functools
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec

_HEAD = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_TAIL = b"\xff\xff"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(2000, 1, 1).toordinal()
_MICROSECOND = timedelta(microseconds=1)
_seen = struct.Struct("!hiii").pack  # 2 columns: 4 bytes of date, and the length of the key
_position = struct.Struct("!hiqiq").pack  # 6 columns: position and recorded_at


@functools.lru_cache(256)  # Kinds are five, and keys of a city are mostly of a few lengths.
def _told(kind_bytes: int, key_bytes: int) -> Callable[..., bytes]:
    """The columns at, kind and key, and the length of the body that follows."""
    return struct.Struct(f"!iqi{kind_bytes}si{key_bytes}si").pack


def micros(at: datetime) -> int:
    """Microseconds since 2000, as a timestamptz is stored."""
    return (at - _EPOCH) // _MICROSECOND


class Row(msgspec.Struct, frozen=True, gc=False):
    """A reading on its way into the journal: the day and identity by which it counts once, and the journal's columns."""

    day: date
    id: bytes
    at: datetime
    kind: str
    key: str
    body: bytes
    seen: bytes  # The first two, as copied.
    told: bytes  # The next three, as copied: all that is known before there is a position, so that the lock on positions is held shortly.


def row(day: date, identity: bytes, at: datetime, kind: str, key: str, body: bytes) -> Row:
    seen = _seen(2, 4, day.toordinal() - _EPOCH_DAY, len(identity)) + identity
    kind_bytes, key_bytes = kind.encode(), key.encode()
    pack = _told(len(kind_bytes), len(key_bytes))
    told = pack(8, micros(at), len(kind_bytes), kind_bytes, len(key_bytes), key_bytes, len(body))
    return Row(day, identity, at, kind, key, body, seen, told)


def seen_rows(rows: Sequence[Row]) -> bytes:
    """Rows of (day date, key bytea), in their order: as bytes they compare as the index compares them, while all keys are of one length."""
    return b"".join((_HEAD, *sorted([each.seen for each in rows]), _TAIL))


def reading_rows(rows: Sequence[Row], first: int, recorded_at: datetime) -> bytes:
    """Rows of (position bigint, recorded_at timestamptz, at timestamptz, kind text, key text, body json), positions from `first` on."""
    recorded, count = micros(recorded_at), len(rows)
    parts = [b""] * (3 * count)
    parts[::3] = [_position(6, 8, position, 8, recorded) for position in range(first, first + count)]
    parts[1::3] = [each.told for each in rows]
    parts[2::3] = [each.body for each in rows]
    return b"".join((_HEAD, *parts, _TAIL))
