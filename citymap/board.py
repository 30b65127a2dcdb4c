"""The live picture of the city in columns: what each device last said, and what follows from it for every site.

Nothing here depends on the order in which events arrive, or on how often one does: a spot is a last-writer-wins register
ordered by (corrected at, seq, device, reading id), a count likewise, and presence follows from the connection that lives.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from citymap import devices, gates
from citymap.devices import Connection, Devices
from citymap.gates import Count, Inside, Passage
from citymap.model import BY_COUNTER, BY_SPOTS, FREE, LATE, LIVE, NEVER, OCCUPIED, SILENT, STATE_NUMBER, STATIC, UNKNOWN, micros
from citymap.places import CLASS_COUNT, Places
from foundation.events import DeviceHeard, Event, SpotSeen, VehiclePassed, VehiclesCounted

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]

KEY_BYTES: Final = 16
MINUTE_US: Final = 60_000_000
TREND_MINUTES: Final = 15
TREND_SHARE: Final = 0.02  # Of the capacity, and at least one place: less is noise.
NOBODY: Final = -1

Word = tuple[int, int, str, bytes, int, int]  # What orders a reading (at, seq, device, id), then its state and its device's number.


@dataclass(slots=True)
class Changed:
    """Sites and spots whose shown state is another than before, by number."""

    sites: set[int] = field(default_factory=set)
    spots: set[int] = field(default_factory=set)

    def add(self, other: "Changed") -> None:
        self.sites |= other.sites
        self.spots |= other.spots


class Board:
    """`shown` (S, 4) are free, occupied, unknown and out of order of each site and sum to `capacity`; -1 marks a site whose
    capacity nobody knows. `class_free`, `class_unknown` and `class_capacity` (S, 6) are the same by class."""

    def __init__(self, places: Places, now: int) -> None:
        """`now` in microseconds since 1970, city time; every device has a minute from here before its silence counts."""
        self.places, self.now, self.grace_until = places, now, now + devices.GRACE_US
        spots, sites = len(places.spot_ids), len(places.sites)
        self.spot_state: Bytes = np.full(spots, UNKNOWN, np.uint8)
        self.spot_shown: Bytes = np.full(spots, UNKNOWN, np.uint8)
        self.spot_at: Ints = np.full(spots, NEVER, np.int64)
        self.spot_seq: Ints = np.zeros(spots, np.int64)
        self.spot_device: Numbers = np.full(spots, NOBODY, np.int32)
        self.spot_key: Bytes = np.zeros((spots, KEY_BYTES), np.uint8)
        self.devices = Devices()
        self.silent: npt.NDArray[np.bool_] = np.empty(0, np.bool_)
        self.inside: dict[int, Inside] = {}
        self.freshness: Bytes = np.full(sites, STATIC, np.uint8)
        self.as_of: Ints = np.full(sites, NEVER, np.int64)
        self.sums: Numbers = np.zeros((sites, 4), np.int32)
        self.class_sums: Numbers = np.zeros((sites, CLASS_COUNT, 4), np.int32)
        self.capacity: Numbers = np.zeros(sites, np.int32)
        self.shown: Numbers = np.zeros((sites, 4), np.int32)
        self.class_capacity: Numbers = np.zeros((sites, CLASS_COUNT), np.int32)
        self.class_free: Numbers = np.zeros((sites, CLASS_COUNT), np.int32)
        self.class_unknown: Numbers = np.zeros((sites, CLASS_COUNT), np.int32)
        self.revision: Ints = np.zeros(sites, np.int64)  # Of what is shown of each site: another number, and it may be another picture.
        self._revisions = 0
        self._stood: list[str] = []  # Where each device stood when freshness was judged last.
        self.history: list[tuple[int, Numbers]] = []  # (minute, shown) of the last minutes, oldest first.
        self.recount()

    # What happened

    def apply(self, events: Iterable[Event]) -> Changed:
        """Take events of the reading journal, in any order."""
        changed = Changed()
        seen: list[SpotSeen] = []
        touched: set[int] = set()
        sites: set[int] = set()
        for event in events:
            if type(event) is SpotSeen:
                seen.append(event)
            elif isinstance(event, DeviceHeard):
                touched.add(self._take_presence(event))
            elif isinstance(event, VehiclePassed | VehiclesCounted):
                touched.add(self._met(event))
                sites |= self._take_gate(event)
        changed.spots, of_spots = self._take_spots(seen, touched)
        changed.add(self._judge(touched))
        changed.sites |= sites | of_spots
        self._refresh(np.fromiter(changed.sites, np.int64, len(changed.sites)))
        return changed

    def tick(self, now: int) -> Changed:
        """Let time pass: devices fall silent, gates forget what was counted in, trends move on."""
        self.now = max(self.now, now)
        changed = self._judge(range(len(self.devices.ids)))
        self._refresh(np.fromiter(changed.sites, np.int64, len(changed.sites)))
        self._remember()
        return changed

    def _met(self, event: SpotSeen | VehiclePassed | VehiclesCounted) -> int:
        received = micros(event.received_at)
        device = self.devices.meet(event.device, event.site, received)
        self.devices.said(device, received)
        return device

    def _take_presence(self, event: DeviceHeard) -> int:
        at = micros(event.at)
        device = self.devices.meet(event.device, event.site, at if event.connected else 0)  # Who goes says nothing of where it stands.
        began, lost = (at, None) if event.connected else (None, at)
        self.devices.connected(device, Connection(event.connection, began, lost))
        return device

    def _take_gate(self, event: VehiclePassed | VehiclesCounted) -> set[int]:
        """The site, when its number may be another now."""
        site = self.places.site_number.get(event.site)
        if site is None or self.places.counted_by[site] == BY_SPOTS:
            return set()
        inside = self.inside.setdefault(site, Inside())
        if isinstance(event, VehiclesCounted):
            return {site} if inside.counted(count_of(event)) else set()
        if self.places.counted_by[site] == BY_COUNTER:
            return set()
        return {site} if inside.passed(passage_of(event)) else set()

    def _take_spots(self, seen: Sequence[SpotSeen], touched: set[int]) -> tuple[set[int], set[int]]:
        """The last word on each spot of a batch, and of those the ones that are later than what the board has."""
        last: dict[int, Word] = {}
        number, meet, said = self.places.spot_number.get, self.devices.meet, self.devices.said
        for event in seen:
            received = micros(event.received_at)
            device = meet(event.device, event.site, received)
            said(device, received)
            touched.add(device)
            spot = number(event.spot)
            if spot is None:
                continue
            at = received if event.at is event.received_at else micros(event.at)
            word = (at, event.seq, event.device, key_bytes(event.id), STATE_NUMBER[event.state], device)
            before = last.get(spot)
            if before is None or word > before:
                last[spot] = word
        return self._write(last) if last else (set(), set())

    def _write(self, last: dict[int, Word]) -> tuple[set[int], set[int]]:
        spots = np.fromiter(last, np.int64, len(last))
        ats, seqs, names, keys, states, numbers = zip(*last.values(), strict=True)
        at, seq = np.array(ats, np.int64), np.array(seqs, np.int64)
        known_at, known_seq = self.spot_at[spots], self.spot_seq[spots]
        later = (at > known_at) | ((at == known_at) & (seq > known_seq))
        for tie in np.nonzero((at == known_at) & (seq == known_seq))[0].tolist():
            later[tie] = (names[tie], keys[tie]) > self._writer(int(spots[tie]))
        spots, at = spots[later], at[later]
        self.spot_at[spots], self.spot_seq[spots] = at, seq[later]
        self.spot_state[spots] = np.array(states, np.uint8)[later]
        self.spot_device[spots] = np.array(numbers, np.int32)[later]
        self.spot_key[spots] = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, KEY_BYTES)[later]
        self._show(spots)
        sites = self.places.spot_site[spots]
        np.maximum.at(self.as_of, sites, at)
        return set(spots.tolist()), set(sites.tolist())

    def _writer(self, spot: int) -> tuple[str, bytes]:
        device = int(self.spot_device[spot])
        return (self.devices.ids[device] if device != NOBODY else "", self.spot_key[spot].tobytes())

    # What follows

    def _show(self, spots: Ints) -> Ints:
        """Show the spots' states, or unknown where their device is silent; answers which of them look different now."""
        device = self.spot_device[spots]
        silent = np.append(self._silence(), False)[device]  # NOBODY, -1, reads the last one.
        now = np.where(silent, np.uint8(UNKNOWN), self.spot_state[spots])
        different = now != self.spot_shown[spots]
        spots, now = spots[different], now[different]
        site, spot_class = self.places.spot_site[spots], self.places.spot_class[spots]
        row = site.astype(np.int64) * CLASS_COUNT + spot_class
        for step, state in ((-1, self.spot_shown[spots]), (1, now)):
            np.add.at(self.sums.reshape(-1), site * 4 + state, step)
            np.add.at(self.class_sums.reshape(-1), row * 4 + state, step)
        self.spot_shown[spots] = now
        return spots

    def _silence(self) -> npt.NDArray[np.bool_]:
        if len(self.silent) < len(self.devices.ids):
            self.silent = np.append(self.silent, np.zeros(len(self.devices.ids) - len(self.silent), np.bool_))
        return self.silent

    def _judge(self, touched: Iterable[int]) -> Changed:
        """Who of these devices fell silent or was heard again, and what that does to their spots and sites."""
        known, silence = len(self.silent), self._silence()
        if self.now < self.grace_until:
            turned = np.nonzero(silence)[0].tolist()
            silence[:] = False
        elif isinstance(touched, range):
            quiet = self.devices.silent(self.now)
            turned = np.nonzero(quiet != silence)[0].tolist()
            silence[:] = quiet
        else:
            turned = [device for device in touched if self.devices.is_silent(device, self.now) != silence[device]]
            silence[turned] = ~silence[turned]
        changed = Changed()
        if turned:
            spots = self._show(np.nonzero(np.isin(self.spot_device, np.array(turned, np.int32)))[0])
            changed.spots = set(spots.tolist())
            changed.sites = set(self.places.spot_site[spots].tolist())
        if turned or known < len(silence) or self._moved():
            changed.sites |= self._judge_sites()
        return changed

    def _moved(self) -> bool:
        """Whether a device stands at another site than when freshness was judged last."""
        return self._stood != self.devices.site

    def _judge_sites(self) -> set[int]:
        """Freshness of every site; answers those where it changed."""
        self._stood = self.devices.site.copy()
        number = self.places.site_number
        site = np.array([number.get(site, NOBODY) for site in self.devices.site], np.int64)
        stands = site != NOBODY
        sites = len(self.places.sites)
        total = np.bincount(site[stands], minlength=sites)
        silent = np.bincount(site[stands & self.silent], minlength=sites)
        fresh = np.where(total == 0, STATIC, np.where(silent == 0, LIVE, np.where(silent == total, SILENT, LATE))).astype(np.uint8)
        changed = set(np.nonzero(fresh != self.freshness)[0].tolist())
        self.freshness = fresh
        return changed

    def recount(self) -> None:
        """Everything that follows, from what was said: after a start and after geometry changed."""
        places = self.places
        self._silence()
        self._judge_sites()
        silent = np.append(self.silent, False)[self.spot_device]
        self.spot_shown = np.where(silent, np.uint8(UNKNOWN), self.spot_state)
        flat = (places.spot_site.astype(np.int64) * CLASS_COUNT + places.spot_class) * 4 + self.spot_shown
        sites = len(places.sites)
        self.class_sums = np.bincount(flat, minlength=sites * CLASS_COUNT * 4).reshape(sites, CLASS_COUNT, 4).astype(np.int32)
        self.sums = self.class_sums.sum(axis=1, dtype=np.int32)
        self.as_of = np.full(sites, NEVER, np.int64)
        np.maximum.at(self.as_of, places.spot_site, self.spot_at)
        self._refresh(np.arange(sites))

    def _refresh(self, sites: Ints) -> None:
        """What is shown of these sites."""
        if not len(sites):
            return
        self._revisions += 1
        self.revision[sites] = self._revisions
        by_spots = self.places.counted_by[sites] == BY_SPOTS
        self._refresh_summed(sites[by_spots])
        for site in sites[~by_spots].tolist():
            self._refresh_counted(site)

    def _refresh_summed(self, sites: Ints) -> None:
        """A site is the sum of its spots; places that are registered beyond them are unknown standard ones."""
        capacity = np.maximum(self.places.registered[sites], self.places.spots[sites])
        beyond = capacity - self.places.spots[sites]
        shown = self.sums[sites].copy()
        shown[:, UNKNOWN] += beyond
        self.capacity[sites], self.shown[sites] = capacity, np.where(capacity[:, None] > 0, shown, -1)
        self.class_capacity[sites] = self.places.class_spots[sites]
        self.class_free[sites], self.class_unknown[sites] = self.class_sums[sites, :, FREE], self.class_sums[sites, :, UNKNOWN]
        self.class_capacity[sites, 0] += beyond
        self.class_unknown[sites, 0] += beyond

    def _refresh_counted(self, site: int) -> None:
        """A site's number comes from its gates or counter while one of its devices is heard; its classes share one number
        only when all its places are of one class."""
        inside = self.inside.get(site)
        count = inside.count if inside is not None else None
        capacity = max(int(self.places.registered[site]), int(self.places.spots[site])) or (count.capacity or 0 if count else 0)
        said = inside.occupied() if inside is not None and self.freshness[site] != SILENT else None
        self.capacity[site] = capacity
        self.as_of[site] = inside.as_of() if inside is not None else NEVER
        occupied = 0 if said is None else min(max(said, 0), capacity)
        free = 0 if said is None else capacity - occupied
        self.shown[site] = (free, occupied, capacity - free - occupied, 0) if capacity else -1
        classes = self.places.class_spots[site].copy()
        classes[0] += capacity - classes.sum()
        alone = classes == capacity
        self.class_capacity[site] = classes
        self.class_free[site] = np.where(alone, free, 0)
        self.class_unknown[site] = np.where(alone, capacity - free - occupied, classes)

    # Trends

    def _remember(self) -> None:
        minute = self.now // MINUTE_US
        if not self.history or self.history[-1][0] < minute:
            self.history.append((minute, self.shown.copy()))
            if minute % 60 == 0:
                self._fold()
        while self.history and self.history[0][0] < minute - TREND_MINUTES:
            self.history.pop(0)

    def _fold(self) -> None:
        for inside in self.inside.values():
            if inside.passages:
                inside.fold(inside.newest - gates.LATEST_US)

    def trend(self, site: int) -> str:
        """Of the free share of what is known, over the last quarter of an hour."""
        if not self.history or self.capacity[site] <= 0:
            return "stable"
        then, now = self.history[0][1][site], self.shown[site]
        known_then, known_now = int(then[FREE] + then[OCCUPIED]), int(now[FREE] + now[OCCUPIED])
        if known_then <= 0 or known_now <= 0:
            return "stable"
        moved = float(self.capacity[site]) * (now[FREE] / known_now - then[FREE] / known_then)
        least = max(1.0, TREND_SHARE * float(self.capacity[site])) - 1e-9
        return "rising" if moved >= least else "falling" if moved <= -least else "stable"

    # Geometry

    def moved_to(self, places: Places) -> "Board":
        """The same knowledge on other places: what is known of a spot or site goes with its id."""
        board = Board(places, self.now)
        board.grace_until, board.devices, board.silent = self.grace_until, self.devices, self.silent
        old = np.fromiter((self.places.spot_number.get(spot, NOBODY) for spot in places.spot_ids), np.int64, len(places.spot_ids))
        new = np.nonzero(old != NOBODY)[0]
        old = old[new]
        board.spot_state[new], board.spot_at[new], board.spot_seq[new] = self.spot_state[old], self.spot_at[old], self.spot_seq[old]
        board.spot_device[new], board.spot_key[new] = self.spot_device[old], self.spot_key[old]
        for site, inside in self.inside.items():
            there = places.site_number.get(self.places.sites[site].id)
            if there is not None and places.counted_by[there] != BY_SPOTS:
                board.inside[there] = inside
        board.recount()
        return board

    def picture(self) -> dict[str, object]:
        """What can be seen, by id: two boards with the same history have equal pictures, whatever the order they heard it in."""
        spots = {
            spot: (int(self.spot_shown[place]), int(self.spot_state[place]), int(self.spot_at[place]), self._writer(place))
            for place, spot in enumerate(self.places.spot_ids)
        }
        sites = {
            site.id: (self.shown[place].tolist(), self.class_free[place].tolist(), int(self.as_of[place]), int(self.freshness[place]))
            for place, site in enumerate(self.places.sites)
        }
        return {"spots": spots, "sites": sites}


def count_of(event: VehiclesCounted) -> Count:
    return Count(micros(event.at), event.seq, event.device, event.id, event.occupied, event.capacity)


def passage_of(event: VehiclePassed) -> Passage:
    """A reading that carries no identity is told apart by what it says."""
    token = event.vehicle.token if event.vehicle is not None else b""
    told = event.id or f"{event.device}\x1f{event.lane}\x1f{event.direction}\x1f{micros(event.raw_at)}\x1f{token.hex()}".encode()
    return Passage(micros(event.at), told, 1 if event.direction == "in" else -1, token)


def key_bytes(key: bytes) -> bytes:
    """A reading's identity in the width of a column."""
    return key if len(key) == KEY_BYTES else key[:KEY_BYTES].ljust(KEY_BYTES, b"\0")
