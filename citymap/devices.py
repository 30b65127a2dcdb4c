"""Which devices are heard: presence follows from the connection that lives, never from the order in which news arrives."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from citymap.model import NEVER

SILENT_AFTER_LOSS_US: Final = 60_000_000  # Contract 2, "Known or not".
SILENT_AFTER_WORD_US: Final = 600_000_000
GRACE_US: Final = 60_000_000
FOREVER: Final = 1 << 62
CONNECTIONS_KEPT: Final = 8  # The newest; news of one that is older says nothing of the device any more.


class Connection(msgspec.Struct, frozen=True):
    """What is known of one connection of a device, in microseconds; None: not told yet."""

    connection: uuid.UUID
    began: int | None = None
    lost: int | None = None


def merged(known: Iterable[Connection], said: Iterable[Connection]) -> tuple[Connection, ...]:
    """The newest connections, newest last; a connection began when it was first said to live and ended when first lost."""
    held: dict[uuid.UUID, Connection] = {}
    for one in (*known, *said):
        before = held.get(one.connection, one)
        held[one.connection] = Connection(one.connection, _first(before.began, one.began), _first(before.lost, one.lost))
    return tuple(sorted(held.values(), key=_age)[-CONNECTIONS_KEPT:])


def _first(one: int | None, two: int | None) -> int | None:
    return two if one is None else one if two is None else min(one, two)


def _age(one: Connection) -> tuple[int, bytes]:
    return (NEVER if one.began is None else one.began, one.connection.bytes)


def lost_at(connections: Sequence[Connection]) -> int:
    """When the device lost its newest connection; FOREVER while it lives or none is known."""
    newest = connections[-1] if connections else None
    return FOREVER if newest is None or newest.lost is None else newest.lost


@dataclass(slots=True)
class Devices:
    """Columns of devices, by the number in which they were met."""

    ids: list[str] = field(default_factory=list)
    number: dict[str, int] = field(default_factory=dict)
    site: list[str] = field(default_factory=list)
    site_at: list[int] = field(default_factory=list)
    heard: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    connections: list[tuple[Connection, ...]] = field(default_factory=list)

    def meet(self, device: str, site: str, at: int) -> int:
        """The number of a device; it stands at the site of its newest word."""
        found = self.number.get(device)
        if found is None:
            found = self.number[device] = len(self.ids)
            self.ids.append(device)
            self.site.append(site)
            self.site_at.append(at)
            self.heard.append(NEVER)
            self.lost.append(FOREVER)
            self.connections.append(())
        elif at > self.site_at[found] or (at == self.site_at[found] and site > self.site[found]):
            self.site[found], self.site_at[found] = site, at
        return found

    def said(self, device: int, at: int) -> None:
        if at > self.heard[device]:
            self.heard[device] = at

    def connected(self, device: int, said: Connection) -> None:
        self.connections[device] = merged(self.connections[device], (said,))
        self.lost[device] = lost_at(self.connections[device])
        if said.began is not None:
            self.said(device, said.began)

    def silent(self, now: int) -> npt.NDArray[np.bool_]:
        """Which are silent at `now`, by number."""
        heard, lost = np.array(self.heard, np.int64), np.array(self.lost, np.int64)
        quiet: npt.NDArray[np.bool_] = (lost <= now - SILENT_AFTER_LOSS_US) | (heard <= now - SILENT_AFTER_WORD_US)
        return quiet

    def is_silent(self, device: int, now: int) -> bool:
        return self.lost[device] <= now - SILENT_AFTER_LOSS_US or self.heard[device] <= now - SILENT_AFTER_WORD_US
