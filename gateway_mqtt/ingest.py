"""From a device's message to the journal: decoded, deduplicated, on disk, and only then acknowledged."""

import asyncio
import contextlib
import itertools
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter, Gauge, Histogram

from foundation import events, postgres, seal
from foundation.clock import Clock
from foundation.events import DeviceHeard, Reading, SpotSeen
from foundation.postgres import Database, Transaction
from gateway_mqtt import decode, store
from gateway_mqtt.decode import Decoded, Device, Refusal, World
from gateway_mqtt.listener import Connection, Listener, Login, Message
from gateway_mqtt.registry import Registry

log = structlog.get_logger()

BATCH_MESSAGES_MAX = 400
QUEUE_HIGH, QUEUE_LOW = 8_000, 2_000  # Messages waiting: above, devices are not read; below, they are again.
BYTES_HIGH = 64 * 2**20  # The same in bytes: few devices with large messages wait as well.
LANES = 2  # One batch is decoded while the other is being committed.
HEARD_EVERY = timedelta(seconds=50)  # A device says something each minute; its life is told on about as often.
RETRY_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0)
PAYLOAD_KEPT = 4096
LOOK_AGAIN_SECONDS = 0.2  # Between looks at the newest facts for the sake of an unknown spot.

SUCCESS, PAYLOAD_INVALID, NOT_AUTHORIZED, TOPIC_INVALID, TOO_LARGE = 0x00, 0x99, 0x87, 0x90, 0x97
REASON_CODE = {"not_json": PAYLOAD_INVALID, "schema": PAYLOAD_INVALID, "topic": NOT_AUTHORIZED, "too_large": TOO_LARGE}

MESSAGES = Counter("onelot_gateway_messages_total", "Messages taken from devices", ["kind"])
READINGS = Counter("onelot_gateway_readings_total", "Readings by what became of them", ["outcome"])
REFUSED = Counter("onelot_gateway_refused_total", "Readings and messages refused", ["reason"])
WAITING = Gauge("onelot_gateway_messages_waiting", "Messages waiting for the journal")
COMMIT = Histogram(
    "onelot_gateway_commit_seconds", "From taking a batch to its commit", buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 10)
)


@dataclass(slots=True)
class Speaker:
    """A device as this door knows it: its connection, its clock, what it said last."""

    device: Device
    connection: uuid.UUID | None = None
    offset: float | None = None  # Smallest received - at of this connection's statuses, seconds.
    last_seq: int | None = None
    heard_at: datetime | None = None
    told_at: datetime | None = None
    health: dict[str, int] = field(default_factory=dict)
    firmware: str = ""

    @property
    def offset_s(self) -> int | None:
        """Whole seconds, towards zero: what is left of one is the network's."""
        return None if self.offset is None else int(self.offset)

    def count(self, what: str, number: int = 1) -> None:
        self.health[what] = self.health.get(what, 0) + number


NOTHING_YET = Decoded()


@dataclass(slots=True)
class Taken:
    """One message on its way through a batch."""

    message: Message
    received_at: datetime  # Arrival, not decoding: a queue's wait is not the device's clock.
    decoded: Decoded
    reason: int = SUCCESS


class Ingest:
    """The door behind the listener. What a device hears as acknowledged is in PostgreSQL."""

    def __init__(self, database: Database, registry: Registry, keys: seal.Keys, clock: Clock, city: str) -> None:
        self._database, self._registry, self._clock, self._city = database, registry, clock, city
        self._world = World(registry.site_of_spot, registry.owner_of, keys)
        self._lanes: list[deque[Taken]] = [deque() for _ in range(LANES)]
        self._wake = [asyncio.Event() for _ in range(LANES)]
        self._busy = [False] * LANES
        self._speakers: dict[str, Speaker] = {}
        self._last: dict[str, SpotSeen] = {}
        self._presence: list[DeviceHeard] = []
        self._strangers: dict[tuple[str, str], str] = {}
        self._paused, self._waiting, self._waiting_bytes = False, 0, 0
        self._looked_at = 0.0
        self.listener: Listener | None = None
        self.lanes = LANES

    # What the listener calls

    def log_in(self, username: str, password: bytes, address: str) -> Login | None:
        device = self._registry.known(username, password)
        if device is None:
            reason = "wrong_password" if username in self._registry.devices else "unknown"
            if len(self._strangers) < 1000:
                self._strangers[username[:64], address] = reason
            return None
        return Login(device=device.id, site=device.site, kind=device.kind, topic=f"onelot/1/{self._city}/{device.site}/{device.id}")

    def opened(self, connection: Connection) -> None:
        device = self._registry.devices[connection.login.device]
        speaker = self._speakers.setdefault(device.id, Speaker(device))
        speaker.device, speaker.connection, speaker.offset = device, self._name_of(connection), None
        speaker.heard_at = self._clock.city()
        self._tell_presence(speaker, connected=True)

    def closed(self, connection: Connection, *, clean: bool, will: tuple[str, bytes] | None, superseded: bool) -> None:
        """A will speaks only for its connection; what it says is that the device is gone, which is what we know."""
        speaker = self._speakers.get(connection.login.device)
        if speaker is not None and speaker.connection == self._name_of(connection):
            self._tell_presence(speaker, connected=False)
            speaker.connection = None

    def _name_of(self, connection: Connection) -> uuid.UUID:
        return uuid.UUID(int=connection.number)

    def publish(self, message: Message) -> None:
        lane = hash(message.connection.number) % LANES
        self._lanes[lane].append(Taken(message, self._clock.city(), NOTHING_YET))
        self._wake[lane].set()
        self._waiting += 1
        self._waiting_bytes += len(message.payload)
        if not self._paused and (self._waiting > QUEUE_HIGH or self._waiting_bytes > BYTES_HIGH) and self.listener is not None:
            self._paused = True
            self.listener.pause()

    # The loops

    async def run_lane(self, lane: int, done: Callable[[], None]) -> None:
        """Take what has come, commit it, acknowledge it: the batch is whatever arrived during the last one."""
        queue, wake = self._lanes[lane], self._wake[lane]
        while True:
            if not queue:
                done()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), 1.0)
                wake.clear()
                continue
            batch = [queue.popleft() for _ in range(min(len(queue), BATCH_MESSAGES_MAX))]
            self._waiting -= len(batch)
            self._waiting_bytes -= sum(len(taken.message.payload) for taken in batch)
            self._busy[lane] = True
            await self._store(batch)
            self._busy[lane] = False
            self._acknowledge(batch)
            self._resume()
            done()

    def _resume(self) -> None:
        WAITING.set(self._waiting)
        if self._paused and self._waiting < QUEUE_LOW and self._waiting_bytes < BYTES_HIGH // 4 and self.listener is not None:
            self._paused = False
            self.listener.resume()

    def idle(self) -> bool:
        return not any(self._lanes) and not any(self._busy)

    async def _store(self, batch: list[Taken]) -> None:
        await self._decode(batch)
        await self._persist(batch)

    async def _persist(self, batch: list[Taken]) -> None:
        """Until it is stored. PostgreSQL away is waited for; a message that it cannot hold is refused by itself."""
        for attempt in itertools.count():
            try:
                with COMMIT.time():
                    await self._commit(batch)
                return
            except postgres.Refused as error:
                if _of_data(error) and len(batch) > 1:
                    for taken in batch:
                        await self._persist([taken])
                    return
                if _of_data(error):
                    self._refuse_whole(batch[0], error)
                log.error("journal_refuses", error=repr(error)[:300], attempt=attempt)
            except postgres.AWAY as error:
                log.warning("journal_away", error=type(error).__name__, attempt=attempt)
            await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])

    def _refuse_whole(self, taken: Taken, error: Exception) -> None:
        log.error("message_refused_by_postgres", error=repr(error)[:300], device=taken.message.connection.login.device)
        taken.decoded = Decoded(refused=[Refusal("schema", f"the journal cannot hold it: {type(error).__name__}")])

    # One batch

    async def _decode(self, batch: list[Taken]) -> None:
        for taken in batch:
            self._decode_one(taken)
        unknown = [taken for taken in batch if any(refusal.reason == "unknown_spot" for refusal in taken.decoded.refused)]
        if unknown and await self._look_again():
            for taken in unknown:
                self._decode_one(taken, again=True)

    async def _look_again(self) -> bool:
        """The newest facts, before a spot that was imported a moment ago is refused; not for every stranger's message."""
        now = self._clock.monotonic()
        if now - self._looked_at < LOOK_AGAIN_SECONDS:
            return False
        self._looked_at = now
        before = len(self._registry.site_of_spot)
        with contextlib.suppress(*postgres.AWAY):
            await self._registry.catch_up()
        return len(self._registry.site_of_spot) != before

    def _decode_one(self, taken: Taken, *, again: bool = False) -> None:
        message, login = taken.message, taken.message.connection.login
        speaker = self._speakers[login.device]
        head, _, kind = message.topic.rpartition("/")
        if head != login.topic:
            taken.decoded = Decoded(refused=[Refusal("topic", f"a device says only what is under {login.topic}")])
        else:
            taken.decoded = decode.decode_message(
                speaker.device, kind, message.payload, world=self._world, received_at=taken.received_at, offset_s=speaker.offset_s
            )
        if not again:
            MESSAGES.labels(kind if kind in decode.SPEAKS[login.kind] else "other").inc()
            self._heard(speaker, taken)

    def _heard(self, speaker: Speaker, taken: Taken) -> None:
        """What every message teaches of its device: that it lives, its clock, its numbering."""
        decoded = taken.decoded
        speaker.heard_at = taken.received_at
        if decoded.status is not None:
            self._learn_clock(speaker, decoded.status, taken.received_at)
        if decoded.seq is not None:
            gap = speaker.last_seq is None or decoded.seq != speaker.last_seq + 1
            if gap and speaker.last_seq is not None and decoded.seq > speaker.last_seq + 1:
                speaker.count("seq_gaps")
            decoded.readings = [reading for reading in decoded.readings if gap or not self._no_news(reading)]
            speaker.last_seq = decoded.seq
            self._keep_last(decoded.readings)

    def _learn_clock(self, speaker: Speaker, status: decode.StatusSaid, received_at: datetime) -> None:
        speaker.firmware = status.firmware[:64] or speaker.firmware
        error = decode.clock_error(status, received_at)
        if error is not None:
            speaker.offset = error if speaker.offset is None else min(speaker.offset, error)

    def _keep_last(self, readings: Sequence[Reading]) -> None:
        """What each spot said last, known before it is stored: it will be, and what comes right behind it is compared with it."""
        for reading in readings:
            if isinstance(reading, SpotSeen):
                last = self._last.get(reading.spot)
                if last is None or (last.at, last.seq) <= (reading.at, reading.seq):
                    self._last[reading.spot] = reading

    def _no_news(self, reading: Reading) -> bool:
        """A repeat of the spot's last state and plate: heard, not stored."""
        if not isinstance(reading, SpotSeen) or reading.no_clock:
            return False
        last = self._last.get(reading.spot)
        same = last is not None and last.state == reading.state and _token(last) == _token(reading) and last.at <= reading.at
        if same:
            READINGS.labels("no_news").inc()
        return same

    async def _commit(self, batch: list[Taken]) -> None:
        """One transaction: readings that are new, refusals, who was heard."""
        presence, self._presence = self._presence, []
        told = [store.reading_row(reading) for taken in batch for reading in taken.decoded.readings]
        told += [store.heard_row(heard) for heard in presence]
        refused = [row for taken in batch for row in self._refused_rows(taken)]
        if not told and not refused:
            self._remember(batch, 0, 0, refused)
            return

        try:
            stored = await self._append(told, refused)
        except BaseException:
            self._presence = presence + self._presence
            raise
        self._remember(batch, len(told), stored, refused)

    async def _append(self, told: Sequence[store.Row], refused: Sequence[store.RefusedRow]) -> int:
        """Copied in on the hope that all is new; on the checked path, when something is not. Answers how many were new."""

        async def work(tx: Transaction, append: Callable[[Transaction, Sequence[store.Row]], Awaitable[int]]) -> int:
            if refused:
                await store.keep_refused(tx, refused)
            return await append(tx, told) if told else 0

        if store.may_be_copied(told):
            with contextlib.suppress(store.SeenBefore):
                return await self._database.run(lambda tx: work(tx, store.copy_readings))
        return await self._database.run(lambda tx: work(tx, store.append_readings))

    def _remember(self, batch: list[Taken], told: int, stored: int, refused: Sequence[store.RefusedRow]) -> None:
        READINGS.labels("stored").inc(stored)
        READINGS.labels("seen_before").inc(told - stored)
        for row in refused:
            REFUSED.labels(row.reason).inc()
        for taken in batch:
            speaker = self._speakers[taken.message.connection.login.device]
            speaker.count("readings", len(taken.decoded.readings))
            speaker.count("refused", len(taken.decoded.refused))
            for reading in taken.decoded.readings:
                self._remember_reading(speaker, reading)
            taken.reason = _reason_code(taken.decoded)

    def _remember_reading(self, speaker: Speaker, reading: Reading) -> None:
        if reading.no_clock:
            speaker.count("no_clock")
        if isinstance(reading, SpotSeen):
            self._registry.claim(reading.spot, reading.device)
        if isinstance(reading, events.VehiclePassed) or (isinstance(reading, SpotSeen) and reading.state == "occupied"):
            speaker.count("plates_due")
            speaker.count("plates_read", int(reading.vehicle is not None and reading.vehicle.token != b""))

    def _refused_rows(self, taken: Taken) -> Iterable[store.RefusedRow]:
        message, login = taken.message, taken.message.connection.login
        for refusal in taken.decoded.refused:
            yield store.RefusedRow(
                taken.received_at, login.device, login.site, message.topic.replace("\x00", ""), refusal.reason,
                refusal.detail.replace("\x00", "")[:500], message.payload[:PAYLOAD_KEPT],
            )  # fmt: skip

    def _acknowledge(self, batch: list[Taken]) -> None:
        """One write a connection and batch."""
        by_connection: dict[Connection, list[tuple[int, int]]] = {}
        for taken in batch:
            if taken.message.qos:
                by_connection.setdefault(taken.message.connection, []).append((taken.message.packet_id, taken.reason))
        for connection, packets in by_connection.items():
            connection.acknowledge(packets)

    # Presence and health

    def _tell_presence(self, speaker: Speaker, *, connected: bool) -> None:
        if speaker.connection is None or speaker.heard_at is None:
            return
        speaker.told_at = speaker.heard_at
        device = speaker.device
        self._presence.append(
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

    async def keep_presence(self, done: Callable[[], None]) -> None:
        """Tell on, each second, who came, who went and who still speaks; and each five seconds how they do."""
        for round_number in range(2**62):
            await asyncio.sleep(1.0 if round_number else 0.05)
            try:
                self._tell_who_speaks()
                if self._presence:
                    await self._commit([])
                if round_number % 5 == 0:
                    await self._save_health()
                    await self._save_strangers()
            except (postgres.Refused, *postgres.AWAY) as error:
                log.warning("presence_waits", error=type(error).__name__)
                continue
            done()

    def _tell_who_speaks(self) -> None:
        for speaker in self._speakers.values():
            if speaker.connection and speaker.heard_at and speaker.told_at and speaker.heard_at - speaker.told_at >= HEARD_EVERY:
                self._tell_presence(speaker, connected=True)

    async def _save_health(self) -> None:
        rows, counted = [], []
        for speaker in self._speakers.values():
            if speaker.heard_at is None:
                continue
            counts, speaker.health = speaker.health, {}
            counted.append((speaker, counts))
            named = [counts.get(name, 0) for name in ("readings", "plates_read", "plates_due", "refused", "seq_gaps", "no_clock")]
            rows.append((speaker.device.id, speaker.connection is not None, speaker.heard_at, speaker.offset_s, speaker.firmware, *named))
        if not rows:
            return
        try:
            await self._database.run(lambda tx: store.save_health(tx, sorted(rows)))
        except BaseException:
            for speaker, counts in counted:
                for what, number in counts.items():
                    speaker.count(what, number)
            raise

    async def _save_strangers(self) -> None:
        strangers, self._strangers = self._strangers, {}
        if strangers:
            await self._database.run(lambda tx: store.note_unknown(tx, strangers, self._clock.wall()))


def _token(reading: SpotSeen) -> bytes:
    return reading.vehicle.token if reading.vehicle else b""


def _reason_code(decoded: Decoded) -> int:
    """A message of which anything was taken succeeded; else the reason, where MQTT 5 has a word for it."""
    if decoded.readings or not decoded.refused:
        return SUCCESS
    return REASON_CODE.get(decoded.refused[0].reason, SUCCESS)


def _of_data(error: postgres.Refused) -> bool:
    """Class 22: the values themselves, which no retry mends."""
    return str(getattr(error, "sqlstate", "") or "").startswith("22")
