"""A board in one file, with the positions of the journals it has followed: a start in a fraction of a second."""

import os
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from citymap.board import Board
from citymap.devices import Connection
from citymap.errors import SnapshotUnusable
from citymap.gates import Count, Inside, Passage
from citymap.model import Site
from citymap.places import Places

_MAGIC: Final = b"ONELOT1\n"
_LENGTH: Final = struct.Struct("<Q")
_COLUMNS: Final = {
    "spot_site": "<i4",
    "spot_class": "|u1",
    "spot_lon": "<f8",
    "spot_lat": "<f8",
    "spot_state": "|u1",
    "spot_at": "<i8",
    "spot_seq": "<i8",
    "spot_device": "<i4",
    "spot_key": "|u1",
}
_STILL: Final = ("spot_site", "spot_class", "spot_lon", "spot_lat")  # Columns of the places; the others are the board's.


class Mark(msgspec.Struct, frozen=True):
    """A position of a journal and when its entry was recorded."""

    position: int = 0
    recorded_at: datetime = datetime(1, 1, 1, tzinfo=UTC)


class Marks(msgspec.Struct, frozen=True):
    reading: Mark = Mark()
    fact: Mark = Mark()


class _Device(msgspec.Struct, frozen=True, array_like=True):
    id: str
    site: str
    site_at: int
    heard: int
    connections: tuple[Connection, ...]


class _Inside(msgspec.Struct, frozen=True, array_like=True):
    site: int
    count: tuple[int, int, str, bytes, int, int | None] | None
    passages: tuple[tuple[int, bytes, int, bytes], ...]


class _Head(msgspec.Struct, frozen=True):
    marks: Marks
    spots: int
    ids_bytes: int
    sites: tuple[Site, ...]
    devices: tuple[_Device, ...]
    inside: tuple[_Inside, ...]


def cut(board: Board, marks: Marks) -> list[bytes]:
    """The board as it is now, to be written while it goes on."""
    places, devices = board.places, board.devices
    ids = "\n".join(places.spot_ids).encode()
    columns = [np.asarray(getattr(places if name in _STILL else board, name), kind).tobytes() for name, kind in _COLUMNS.items()]
    known = zip(devices.ids, devices.site, devices.site_at, devices.heard, devices.connections, strict=True)
    inside = tuple(_Inside(site, one.count, tuple(one.passages.values())) for site, one in board.inside.items())
    head = _Head(marks, len(places.spot_ids), len(ids), places.sites, tuple(_Device(*row) for row in known), inside)
    said = msgspec.msgpack.encode(head)
    return [_MAGIC, _LENGTH.pack(len(said)), said, ids, *columns]


def write(path: Path, parts: Sequence[bytes]) -> None:
    """Replace the file whole: a reader sees the former or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    with beside.open("wb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read(path: Path, now: int) -> tuple[Board, Marks]:
    """The board of a file. Raises SnapshotUnusable."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise SnapshotUnusable(f"{path} cannot be read: {error}") from None
    try:
        return _board(raw, now)
    except (ValueError, IndexError, struct.error, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SnapshotUnusable(f"{path} is damaged or of another version: {error}") from None


def _board(raw: bytes, now: int) -> tuple[Board, Marks]:
    if not raw.startswith(_MAGIC):
        raise ValueError("it does not begin as a snapshot does")
    place = len(_MAGIC) + _LENGTH.size
    (length,) = _LENGTH.unpack_from(raw, len(_MAGIC))
    head = msgspec.msgpack.decode(raw[place : place + length], type=_Head)
    place += length
    ids = raw[place : place + head.ids_bytes].decode().split("\n") if head.spots else []
    columns = _columns(raw, place + head.ids_bytes, head.spots)
    board = Board(Places(head.sites, ids, *(columns[name] for name in _STILL)), now)
    for name in _COLUMNS.keys() - set(_STILL):
        setattr(board, name, columns[name])
    _restore(board, head)
    return board, head.marks


def _columns(raw: bytes, place: int, spots: int) -> dict[str, npt.NDArray[Any]]:
    columns: dict[str, npt.NDArray[Any]] = {}
    for name, kind in _COLUMNS.items():
        count = spots * (16 if name == "spot_key" else 1)
        column = np.frombuffer(raw, kind, count, place)
        place += column.nbytes
        columns[name] = column.reshape(-1, 16).copy() if name == "spot_key" else column.copy()
    if place != len(raw):
        raise ValueError("its length is not what its head says")
    return columns


def _restore(board: Board, head: _Head) -> None:
    for device in head.devices:
        number = board.devices.meet(device.id, device.site, device.site_at)
        board.devices.said(number, device.heard)
        for connection in device.connections:
            board.devices.connected(number, connection)
    for held in head.inside:
        inside = board.inside[held.site] = Inside(Count(*held.count) if held.count is not None else None)
        for passage in held.passages:
            inside.passed(Passage(*passage))
    board.recount()
