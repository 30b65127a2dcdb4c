"""Who is at the door: devices with their connections, clocks and numbering, how they do, and strangers that were not let in."""

import math
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from datetime import datetime, timedelta

from foundation.clock import Clock
from foundation.events import DeviceHeard, Vehicle
from foundation.postgres import Database
from gateway_mqtt import decode, store
from gateway_mqtt.decode import Device, EarlierClock, StatusSaid, clock_error
from gateway_mqtt.listener import Connection, Listener, Login
from gateway_mqtt.registry import Registry
from gateway_mqtt.twins import Twins

STRANGERS_MAX = 1000  # Between two looks; who comes beyond them will come again.
STATUSES_KEPT = 8  # By which a status that an earlier connection said already is known.
HEARD_EVERY = timedelta(seconds=50)  # A device says something each minute; its life is told on about as often.
NETWORK_SECONDS = 0.25  # Of the wall: what a status may take to reach us while its device's clock is right.
CLOCK_SET_SECONDS = 60  # Between two connections: below it a network that was slow may look like a clock that was set.
EARLIER_CLOCKS_MAX = 4
LIVE_GRAINS = 10
NOT_AUTHORIZED = 0x87


@dataclass(slots=True)
class DeviceClock:
    """A device's clock as one of its connections shows it: by the smallest received - at of its live statuses, in seconds."""

    connection: uuid.UUID
    offset: float | None = None
    grain: float = 1.0  # City seconds that the network may take: more than one where the city's time runs fast.
    earlier: tuple[EarlierClock, ...] = ()  # As earlier connections showed it, the newest first.

    @property
    def offset_s(self) -> int | None:
        """Whole grains: what is left of one is the network's, which only ever adds. Less than one before zero is no error at all."""
        if self.offset is None:
            return None
        grains = self.offset / self.grain
        return round((int(grains) if grains > -1 else math.floor(grains)) * self.grain)

    @property
    def doubts(self) -> decode.ClockDoubts:
        """What a reading may have been stamped by instead, if it has waited since."""
        offset = self.offset_s or 0
        others = tuple(one for one in self.earlier if one.offset_s != offset)
        if not others:
            return decode.CERTAIN
        was_set = any(abs(one.offset_s - offset) > CLOCK_SET_SECONDS for one in others)
        return decode.ClockDoubts(others, math.ceil(self.grain) if was_set else 0, timedelta(seconds=LIVE_GRAINS * self.grain))

    def followed_by(self, connection: uuid.UUID, now: datetime) -> "DeviceClock":
        """The clock of the connection that comes after this one."""
        mine = () if self.offset_s is None else (EarlierClock(self.offset_s, now),)
        others = (one for one in self.earlier if not mine or one.offset_s != self.offset_s)
        return DeviceClock(connection, grain=self.grain, earlier=(*mine, *others)[:EARLIER_CLOCKS_MAX])


@dataclass(slots=True)
class Health:
    """What is counted of a device, in the order in which it is saved."""

    readings: int = 0
    plates_read: int = 0
    plates_due: int = 0
    refused: int = 0
    seq_gaps: int = 0
    no_clock: int = 0

    def saw(self, vehicle: Vehicle | None) -> None:
        """One whose plate could have been read."""
        self.plates_due += 1
        self.plates_read += vehicle is not None and vehicle.token != b""

    def add(self, other: "Health") -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class Speaker:
    """A device as this door knows it: its connection, its clock, what it said last."""

    device: Device
    clock: DeviceClock
    connection: uuid.UUID | None = None
    last_seq: int | None = None
    top_seq: int = -2  # No number follows on it.
    breaks: int = 0  # How often the numbering broke: what was seen before one no longer tells what is news.
    statuses: deque[tuple[datetime, uuid.UUID]] = field(default_factory=lambda: deque(maxlen=STATUSES_KEPT))
    heard_at: datetime | None = None
    told_at: datetime | None = None
    health: Health = field(default_factory=Health)  # Counted since it was last saved.
    saved: tuple[object, ...] = ()  # What of its health is on disk.
    firmware: str = ""
    identity_of: Callable[[bytes], bytes] | None = None  # Names what it says; made at its first message.

    def number(self, seq: int) -> None:
        """Take note of a message's number: whether it follows on the last one, or on the highest after older ones came late."""
        if seq == self.top_seq + 1:
            self.last_seq = self.top_seq = seq
            return
        if self.last_seq is None or seq != self.last_seq + 1:
            self.breaks += 1
            if self.last_seq is not None and seq > self.last_seq + 1:
                self.health.seq_gaps += 1
        self.last_seq, self.top_seq = seq, max(self.top_seq, seq)

    def learn_clock(self, clock: DeviceClock, status: StatusSaid, received_at: datetime) -> None:
        """What a status teaches of the clock behind its connection. One that an earlier connection said already and that is sent again
        has waited, and says nothing."""
        self.firmware = status.firmware[:64] or self.firmware
        if any(at == status.at and connection != clock.connection for at, connection in self.statuses):
            return
        self.statuses.append((status.at, clock.connection))
        error = clock_error(status, received_at)
        if error is not None:
            clock.offset = error if clock.offset is None else min(clock.offset, error)


class Speakers:
    """All devices that this process has heard, and what is to be told of them: `presence` waits for the journal."""

    def __init__(self, database: Database, registry: Registry, clock: Clock, city: str) -> None:
        self._database, self._registry, self._clock, self._city = database, registry, clock, city
        self._by_name: dict[str, Speaker] = {}
        self._clocks: dict[int, DeviceClock] = {}  # Of the open connections, by number.
        self.presence: list[DeviceHeard] = []
        self.strangers: dict[tuple[str, str], str] = {}
        self.twins = Twins(database)

    def __getitem__(self, device: str) -> Speaker:
        return self._by_name[device]

    def clock_of(self, connection: int) -> DeviceClock:
        return self._clocks[connection]

    def log_in(self, username: str, password: bytes, address: str) -> Login | None:
        device = self._registry.known(username, password)
        if device is None:
            reason = "wrong_password" if username in self._registry.devices else "unknown"
            if len(self.strangers) < STRANGERS_MAX:
                self.strangers[username[:64], address] = reason
            return None
        return Login(device=device.id, site=device.site, kind=device.kind, topic=f"onelot/1/{self._city}/{device.site}/{device.id}")

    def opened(self, connection: Connection) -> None:
        device = self._registry.devices[connection.login.device]
        number, held = uuid.UUID(int=connection.number), self._by_name.get(device.id)
        fresh = DeviceClock(number, grain=max(1.0, NETWORK_SECONDS * self._clock.speed))
        clock = self._clocks[connection.number] = held.clock.followed_by(number, self._clock.city()) if held else fresh
        speaker = self._by_name.setdefault(device.id, Speaker(device, clock))
        speaker.device, speaker.clock, speaker.connection, speaker.heard_at = device, clock, clock.connection, self._clock.city()
        self.twins.opened(device.id, clock.connection, self._clock.wall())
        if not self.twins.alone:
            speaker.breaks += 1  # It may have spoken at another gateway meanwhile: what was seen here no longer tells what is news.
        self._tell(speaker, connected=True)

    def closed(self, connection: Connection) -> None:
        """Only the connection that a device has now can say that the device is gone."""
        clock = self._clocks.pop(connection.number, None)
        speaker = self._by_name.get(connection.login.device)
        if clock is not None:
            self.twins.closed(connection.login.device, clock.connection)
        if speaker is not None and clock is not None and speaker.connection == clock.connection:
            self._tell(speaker, connected=False)
            speaker.connection = None

    def _tell(self, speaker: Speaker, *, connected: bool) -> None:
        if speaker.connection is None or speaker.heard_at is None:
            return
        speaker.told_at = speaker.heard_at
        device = speaker.device
        self.presence.append(
            DeviceHeard(
                device=device.id,
                site=device.site,
                device_kind=device.kind,
                spots=device.spots_listed,
                connection=speaker.connection,
                connected=connected,
                at=speaker.heard_at if connected else self._clock.city(),
            )
        )

    def judge_anew(self, listener: Listener | None) -> None:
        """Rights are judged now, not as they were at CONNECT: another secret or site ends the connection, other spots and lanes hold."""
        for name, speaker in self._by_name.items():
            now = self._registry.devices.get(name)
            if now is speaker.device:
                continue
            before, speaker.device = speaker.device, now or speaker.device
            if now is None or (now.secret_hash, now.site, now.kind) != (before.secret_hash, before.site, before.kind):
                connection = listener.connection_of(name) if listener is not None else None
                if connection is not None:
                    connection.close(NOT_AUTHORIZED)

    async def tell_twins(self, listener: Listener | None) -> None:
        """One connection a device, across gateways, too: who went to another one is let go here."""

        def let_go(device: str, connection: uuid.UUID) -> None:
            there = listener.connection_of(device) if listener is not None else None
            if there is not None and there.number == connection.int:
                there.supersede()

        was_alone = self.twins.alone
        await self.twins.tell({name: one.connection for name, one in self._by_name.items() if one.connection is not None}, let_go)
        if was_alone and not self.twins.alone:  # Somebody may have been there and back since the other gateway opened.
            for speaker in self._by_name.values():
                speaker.breaks += 1

    def tell_who_speaks(self) -> None:
        """That those who go on speaking live, about as often as they do."""
        for speaker in self._by_name.values():
            if speaker.connection and speaker.heard_at and speaker.told_at and speaker.heard_at - speaker.told_at >= HEARD_EVERY:
                self._tell(speaker, connected=True)

    async def save_health(self) -> None:
        """What has changed of how they do; counted again when it could not be saved."""
        rows, counted = [], []
        for speaker in self._by_name.values():
            said = (speaker.heard_at, speaker.clock.offset_s, speaker.firmware)
            if speaker.heard_at is None or (said == speaker.saved and speaker.health == Health()):
                continue
            counts, speaker.health, speaker.saved = speaker.health, Health(), said
            counted.append((speaker, counts))
            rows.append((speaker.device.id, *said, *astuple(counts)))
        if not rows:
            return
        try:
            await self._database.run(lambda tx: store.save_health(tx, sorted(rows)))
        except BaseException:
            for speaker, counts in counted:
                speaker.saved = ()
                speaker.health.add(counts)
            raise

    async def save_strangers(self) -> None:
        """Who was added a moment before it knocked, and not heard of yet, is no stranger any more."""
        known, knocked = self._registry.devices, self.strangers
        strangers, self.strangers = {who: why for who, why in knocked.items() if why != "unknown" or who[0] not in known}, {}
        if not strangers:
            return
        try:
            await self._database.run(lambda tx: store.note_unknown(tx, strangers, self._clock.wall()))
        except BaseException:
            self.strangers = strangers | self.strangers
            raise
