"""From a device's message to the journal: decoded, deduplicated, on disk, and only then acknowledged."""

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import datetime

import msgspec
import prometheus_client as prometheus
import structlog

from foundation import events, postgres, seal
from foundation.bell import ring_heard
from foundation.clock import Clock
from foundation.events import Reading, SpotSeen
from foundation.postgres import Database, Transaction
from gateway_mqtt import decode, store
from gateway_mqtt.decode import Decoded, Refusal, World
from gateway_mqtt.listener import Connection, Listener, Login, Message
from gateway_mqtt.registry import Registry
from gateway_mqtt.speakers import DeviceClock, Speaker, Speakers

log = structlog.get_logger()

BATCH_MESSAGES = 2000  # So many or more, by one run of messages, are a batch; or so many bytes:
BATCH_BYTES = 1024 * 1024  # some thousand readings. More would hold up the loop, and make one commit long.
QUEUE_HIGH, QUEUE_LOW = 8_000, 2_000  # Messages waiting: above, devices are not read; below, they are again.
QUEUE_BYTES_HIGH, QUEUE_BYTES_LOW = 64 * 1024 * 1024, 16 * 1024 * 1024
LANES = 2  # One batch is decoded while the other is being committed.
BUSY_MESSAGES, GATHER_SECONDS = 32, 0.003  # Under load the next batch is given a moment to grow: each one costs five round trips.
RETRY_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0)
PAYLOAD_KEPT = 4096
OF_THE_REGISTRY = frozenset({"unknown_spot", "not_your_spot", "unknown_lane"})  # What a newer fact may mend.

SUCCESS, NOT_WILLING, NOT_AUTHORIZED, QUOTA_EXCEEDED, PAYLOAD_INVALID = 0x00, 0x83, 0x87, 0x97, 0x99
REASON_CODE = {  # MQTT 5, table 2-6. 0x83: "valid, but the receiver is not willing to accept it".
    "not_json": PAYLOAD_INVALID, "schema": PAYLOAD_INVALID, "too_large": QUOTA_EXCEEDED, "topic": NOT_AUTHORIZED,
    "not_your_spot": NOT_AUTHORIZED, "unknown_spot": NOT_WILLING, "unknown_lane": NOT_WILLING, "too_old": NOT_WILLING,
    "in_future": NOT_WILLING,
}  # fmt: skip

MESSAGES = prometheus.Counter("onelot_gateway_messages_total", "Messages taken from devices", ["kind"])
MESSAGES_OF = {kind: MESSAGES.labels(kind) for kind in ("spots", "passage", "count", "status", "other")}
READINGS = prometheus.Counter("onelot_gateway_readings_total", "Readings by what became of them", ["outcome"])
STORED, SEEN_BEFORE, NO_NEWS = (READINGS.labels(outcome) for outcome in ("stored", "seen_before", "no_news"))
REFUSED = prometheus.Counter("onelot_gateway_refused_total", "Readings and messages refused", ["reason"])
WAITING = prometheus.Gauge("onelot_gateway_messages_waiting", "Messages waiting for the journal")
COMMIT = prometheus.Histogram(
    "onelot_gateway_commit_seconds", "From taking a batch to its commit", buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 10)
)


class Run(msgspec.Struct, frozen=True, gc=False):
    """Messages of one connection to one topic that came together."""

    messages: Sequence[Message]
    size: int  # Bytes.
    received_at: datetime  # Arrival, not decoding: a queue's wait is not the device's clock.
    clock: DeviceClock  # Of the connection by which they came, which may be over by now.


class Taken(msgspec.Struct, gc=False):
    """One message on its way through a batch."""

    message: Message
    run: Run
    decoded: Decoded
    breaks: int  # Of its device's numbering, when it came.
    reason: int = SUCCESS


class Known(msgspec.Struct, gc=False):
    """The newest stored word about a spot, and how many more are under way."""

    seen: SpotSeen | None = None
    breaks: int = 0
    pending: int = 0

    def says_again(self, reading: SpotSeen, breaks: int) -> bool:
        """Whether this repeats what its device last said. Only what is on disk can be repeated, since the repeat is acknowledged for its
        sake; and only while the numbering shows that nothing between the two is missing."""
        seen = self.seen
        if self.pending or seen is None or seen.device != reading.device or self.breaks != breaks or reading.no_clock:
            return False
        return seen.state == reading.state and seen.at <= reading.at and _token(seen) == _token(reading)


class Ingest:
    """The door behind the listener. What a device hears as acknowledged is in PostgreSQL."""

    def __init__(self, database: Database, registry: Registry, keys: seal.Keys, clock: Clock, city: str) -> None:
        self._database, self._registry, self._clock = database, registry, clock
        self._world = World(registry.site_of_spot, registry.owner_of, keys)
        self._lanes: list[deque[Run]] = [deque() for _ in range(LANES)]
        self._wake = [asyncio.Event() for _ in range(LANES)]
        self._busy = [False] * LANES
        self.speakers = Speakers(database, registry, clock, city)
        self._spots: dict[str, Known] = {}
        self._waiting, self._waiting_bytes = 0, 0
        self._arrived: datetime | None = None
        self._paused = False
        self.listener: Listener | None = None
        self.lanes = LANES

    # What the listener calls

    def log_in(self, username: str, password: bytes, address: str) -> Login | None:
        return self.speakers.log_in(username, password, address)

    def opened(self, connection: Connection) -> None:
        self.speakers.opened(connection)

    def closed(self, connection: Connection, *, clean: bool, will: tuple[str, bytes] | None, superseded: bool) -> None:
        """A will speaks only for its connection; what it says is that the device is gone, which is what we know."""
        self.speakers.closed(connection)

    def publish(self, messages: Sequence[Message]) -> None:
        number = messages[0].connection.number
        lane = number % LANES
        size = sum([len(message.payload) for message in messages])
        self._lanes[lane].append(Run(messages, size, self._arrival(), self.speakers.clock_of(number)))
        self._waiting += len(messages)
        self._waiting_bytes += size
        if not self._wake[lane].is_set():
            self._wake[lane].set()
        if not self._paused and self.listener is not None and self._is_full():
            log.warning("devices_wait", messages=self._waiting, bytes=self._waiting_bytes)
            self._paused = True
            self.listener.pause()

    def _arrival(self) -> datetime:
        """Now, asked once for all that one turn of the loop brings: thirty thousand times a second a clock is not free."""
        if self._arrived is None:
            self._arrived = self._clock.city()
            asyncio.get_running_loop().call_soon(self._next_turn)
        return self._arrived

    def _next_turn(self) -> None:
        self._arrived = None

    def _is_full(self) -> bool:
        return self._waiting > QUEUE_HIGH or self._waiting_bytes > QUEUE_BYTES_HIGH

    # The loops

    async def run_lane(self, lane: int, done: Callable[[], None]) -> None:
        """Take what has come, commit it, acknowledge it: the batch is whatever arrived during the last one."""
        queue, wake = self._lanes[lane], self._wake[lane]
        while True:
            if not queue:
                done()
                await ring_heard(wake)
                continue
            runs = self._next_runs(queue)
            self._busy[lane] = True
            batch = await self._store(runs)
            self._busy[lane] = False
            self._acknowledge(batch)
            self._resume()
            done()
            if len(batch) >= BUSY_MESSAGES and sum([len(run.messages) for run in queue]) < BATCH_MESSAGES:
                await asyncio.sleep(GATHER_SECONDS)

    def _next_runs(self, queue: deque[Run]) -> list[Run]:
        runs: list[Run] = []
        count = size = 0
        while queue and count < BATCH_MESSAGES and size < BATCH_BYTES:
            run = queue.popleft()
            runs.append(run)
            count += len(run.messages)
            size += run.size
        self._waiting -= count
        self._waiting_bytes -= size
        return runs

    def _resume(self) -> None:
        WAITING.set(self._waiting)
        if self._paused and self._waiting < QUEUE_LOW and self._waiting_bytes < QUEUE_BYTES_LOW and self.listener is not None:
            self._paused = False
            self.listener.resume()

    def idle(self) -> bool:
        return not any(self._lanes) and not any(self._busy)

    async def _store(self, runs: list[Run]) -> list[Taken]:
        batch = await self._decode(runs)
        await self._persist(batch)
        return batch

    async def _persist(self, batch: list[Taken]) -> None:
        """Until it is stored. PostgreSQL away is waited for; a message that it cannot hold is refused by itself."""
        for attempt in itertools.count():
            try:
                with COMMIT.time():
                    await self._commit(batch)
                return
            except (postgres.Refused, *postgres.AWAY) as error:
                if _of_data(error) and (len(batch) > 1 or batch[0].decoded.readings):
                    await self._persist_singly(batch, error)
                    return
                log.warning("journal_waits", error=_words(error), attempt=attempt)
            await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])

    async def _persist_singly(self, batch: list[Taken], error: Exception) -> None:
        """Some value cannot be stored, whoever tries: the message that holds it is refused, the others are not."""
        if len(batch) == 1:
            log.error("message_refused_by_journal", error=_words(error), device=batch[0].message.connection.login.device)
            refusal = Refusal("schema", f"the journal cannot hold it: {type(error).__name__}")
            self._replace(batch[0], Decoded(refused=[refusal]))
        for taken in batch:
            await self._persist([taken])

    # One batch

    async def _decode(self, runs: list[Run]) -> list[Taken]:
        batch = [taken for run in runs for taken in self._decode_run(run)]
        strange = [taken for taken in batch if any(refusal.reason in OF_THE_REGISTRY for refusal in taken.decoded.refused)]
        if strange and await self._look_again():
            for taken in strange:
                self._replace(taken, self._decoded(self._heard(taken.run), self._kind_of(taken.run), taken.message))
                for spot in self._spots_of(taken.decoded):
                    spot.pending += 1
        return batch

    async def _look_again(self) -> bool:
        """The newest facts, once a batch, before a spot that was imported a moment ago is refused. Whether there were any."""
        for attempt in itertools.count():
            try:
                return await self._registry.catch_up()
            except (postgres.Refused, *postgres.AWAY) as error:  # Without facts nothing may be refused; nor could it be stored.
                log.warning("registry_waits", error=_words(error), attempt=attempt)
            await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
        raise AssertionError("unreachable: it is looked for ever")

    def _decode_run(self, run: Run) -> Iterator[Taken]:
        """In the order of arrival: what a message teaches of its device holds for the next one."""
        speaker = self.speakers[run.messages[0].connection.login.device]
        speaker.heard_at = run.received_at
        heard, kind = self._heard(run), self._kind_of(run)
        MESSAGES_OF.get(kind, MESSAGES_OF["other"]).inc(len(run.messages))
        for message in run.messages:
            decoded = self._decoded(heard, kind, message)
            if decoded.status is not None:
                speaker.learn_clock(run.clock, decoded.status, run.received_at)
                heard = self._heard(run)
            if decoded.seq is not None:
                speaker.number(decoded.seq)
            if decoded.readings:
                decoded.readings = self._news(decoded.readings, speaker.breaks)
            yield Taken(message, run, decoded, speaker.breaks)

    def _heard(self, run: Run) -> decode.Heard:
        speaker = self.speakers[run.messages[0].connection.login.device]
        return decode.heard(speaker.device, self._world, run.received_at, run.clock.offset_s)

    def _kind_of(self, run: Run) -> str:
        """What they are about; nothing, when the topic is not their device's own."""
        head, _, kind = run.messages[0].topic.rpartition("/")
        return kind if head == run.messages[0].connection.login.topic else ""

    def _decoded(self, heard: decode.Heard, kind: str, message: Message) -> Decoded:
        if not kind:
            return Decoded(refused=[Refusal("topic", f"a device says only what is under {message.connection.login.topic}")])
        try:
            return decode.decode_message(heard, kind, message.payload)
        except Exception as error:  # A fault of ours may cost this message; it comes again for ever when it ends the process.
            log.error("decoding_failed", error=type(error).__name__, device=heard.device.id)
            return Decoded(refused=[Refusal("schema", f"it cannot be read here: {type(error).__name__}")])

    def _news(self, readings: list[Reading], breaks: int) -> list[Reading]:
        """What is no repeat: that is heard, not stored. What is on its way makes all that follows on it news, until it is stored."""
        news = []
        for reading in readings:
            if isinstance(reading, SpotSeen):
                known = self._spots.get(reading.spot) or self._spots.setdefault(reading.spot, Known())
                if known.says_again(reading, breaks):
                    NO_NEWS.inc()
                    continue
                known.pending += 1
            news.append(reading)
        return news

    def _replace(self, taken: Taken, decoded: Decoded) -> None:
        """It came to something else than it seemed."""
        for spot in self._spots_of(taken.decoded):
            spot.pending -= 1
        taken.decoded = decoded

    def _spots_of(self, decoded: Decoded) -> list[Known]:
        spots = [reading.spot for reading in decoded.readings if isinstance(reading, SpotSeen)]
        return [self._spots.get(spot) or self._spots.setdefault(spot, Known()) for spot in spots]

    async def _commit(self, batch: list[Taken]) -> None:
        """One transaction: readings that are new, refusals, who was heard."""
        presence, self.speakers.presence = self.speakers.presence, []
        told = [store.reading_row(reading) for taken in batch for reading in taken.decoded.readings]
        told += [store.heard_row(heard) for heard in presence]
        refused = [row for taken in batch for row in self._refused_rows(taken)]
        if not told and not refused:
            self._remember(batch, 0, 0, refused)
            return
        try:
            stored = await self._append(told, refused)
        except BaseException:
            self.speakers.presence = presence + self.speakers.presence
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
        STORED.inc(stored)
        SEEN_BEFORE.inc(told - stored)
        for row in refused:
            REFUSED.labels(row.reason).inc()
        for taken in batch:
            speaker, decoded = self.speakers[taken.message.connection.login.device], taken.decoded
            speaker.health.readings += len(decoded.readings)
            for reading in decoded.readings:
                self._remember_reading(speaker, reading, taken.breaks)
            if decoded.refused:
                speaker.health.refused += len(decoded.refused)
                taken.reason = _reason_code(decoded)

    def _remember_reading(self, speaker: Speaker, reading: Reading, breaks: int) -> None:
        health = speaker.health
        if reading.no_clock:
            health.no_clock += 1
        if isinstance(reading, SpotSeen):
            self._registry.claim(reading.spot, reading.device)
            known = self._spots[reading.spot]
            known.pending -= 1
            if known.seen is None or (known.seen.at, known.seen.seq) <= (reading.at, reading.seq):
                known.seen, known.breaks = reading, breaks
            if reading.state != "occupied":
                return
        if isinstance(reading, SpotSeen | events.VehiclePassed):
            health.plates_due += 1
            health.plates_read += reading.vehicle is not None and reading.vehicle.token != b""

    def _refused_rows(self, taken: Taken) -> Iterable[store.RefusedRow]:
        message, login = taken.message, taken.message.connection.login
        for refusal in taken.decoded.refused:
            yield store.RefusedRow(
                taken.run.received_at, login.device, login.site, message.topic.replace("\x00", ""), refusal.reason,
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

    async def keep_presence(self, done: Callable[[], None]) -> None:
        """Tell on, each second, who came, who went and who still speaks; and each five seconds how they do."""
        for round_number in itertools.count():
            await asyncio.sleep(1.0 if round_number else 0.05)
            try:
                self.speakers.judge_anew(self.listener)
                self.speakers.tell_who_speaks()
                if self.speakers.presence:
                    await self._commit([])
                await self.speakers.tell_twins(self.listener)
                if round_number % 5 == 0:
                    await self.speakers.save_health()
                    await self.speakers.save_strangers()
            except (postgres.Refused, *postgres.AWAY) as error:
                log.warning("presence_waits", error=_words(error))
                continue
            done()


def _token(reading: SpotSeen) -> bytes:
    return reading.vehicle.token if reading.vehicle else b""


def _reason_code(decoded: Decoded) -> int:
    """A message of which anything was taken succeeded; else the reason, where MQTT 5 has a word for it."""
    if decoded.readings or not decoded.refused:
        return SUCCESS
    return REASON_CODE.get(decoded.refused[0].reason, SUCCESS)


def _of_data(error: Exception) -> bool:
    """Class 22 and what cannot even be encoded: the values themselves, which no retry mends."""
    return isinstance(error, ValueError) or str(getattr(error, "sqlstate", "") or "").startswith("22")


def _words(error: Exception) -> str:
    """For the log. What is wrong with a value may quote it, and it may be a plate."""
    return type(error).__name__ if _of_data(error) else repr(error)[:300]
