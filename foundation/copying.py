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
_SEEN_BYTES = 14
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
    """A reading on its way into the journal, in three pieces that only have to be joined: while the lock on positions is held, every
    microsecond counts. Its values are read from them where they are wanted, which is where something is not as usual."""

    seen: bytes  # The day and identity by which it counts once.
    told: bytes  # at, kind and key: all that is known before there is a position.
    body: bytes

    @property
    def day(self) -> date:
        return day_of(self.seen)

    @property
    def id(self) -> bytes:
        return self.seen[_SEEN_BYTES:]

    @property
    def at(self) -> datetime:
        return _EPOCH + timedelta(microseconds=int.from_bytes(self.told[4:12], "big", signed=True))

    @property
    def kind(self) -> str:
        return self.told[16 : self._kind_end].decode()

    @property
    def key(self) -> str:
        return self.told[self._kind_end + 4 : -4].decode()

    @property
    def _kind_end(self) -> int:
        return 16 + int.from_bytes(self.told[12:16], "big")


def row(day: date, identity: bytes, at: datetime, kind: str, key: str, body: bytes) -> Row:
    kind_bytes, key_bytes = kind.encode(), key.encode()
    pack = _told(len(kind_bytes), len(key_bytes))
    return Row(
        _seen(2, 4, day.toordinal() - _EPOCH_DAY, len(identity)) + identity,
        pack(8, micros(at), len(kind_bytes), kind_bytes, len(key_bytes), key_bytes, len(body)),
        body,
    )


def day_of(seen: bytes) -> date:
    return date.fromordinal(int.from_bytes(seen[6:10], "big", signed=True) + _EPOCH_DAY)


def seen_rows(seen: Sequence[bytes]) -> bytes:
    """Rows of (day date, key bytea). Sorted as bytes they lie as the index lies, while all keys are of one length; but days before 2000
    come last."""
    return b"".join((_HEAD, *seen, _TAIL))


def reading_rows(rows: Sequence[Row], first: int, recorded_at: datetime) -> bytes:
    """Rows of (position bigint, recorded_at timestamptz, at timestamptz, kind text, key text, body json), positions from `first` on."""
    recorded, count = micros(recorded_at), len(rows)
    parts = [b""] * (3 * count)
    parts[::3] = [_position(6, 8, position, 8, recorded) for position in range(first, first + count)]
    parts[1::3] = [each.told for each in rows]
    parts[2::3] = [each.body for each in rows]
    return b"".join((_HEAD, *parts, _TAIL))
