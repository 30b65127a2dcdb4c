"""From a device's message to the journal: decoded, deduplicated, on disk, and only then acknowledged."""

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import prometheus_client as prometheus
import structlog

from foundation import postgres, seal
from foundation.bell import ring_heard
from foundation.clock import Clock
from foundation.postgres import Database, Transaction
from gateway_mqtt import decode, store
from gateway_mqtt.batch import SEEN_BEFORE, STORED, Batch, Batches, Refusing, Run, Storing
from gateway_mqtt.decode import Refusal, World
from gateway_mqtt.listener import Connection, Listener, Login, Messages
from gateway_mqtt.registry import Registry
from gateway_mqtt.speakers import Speakers

log = structlog.get_logger()

BATCH_MESSAGES = 2000  # So many or more, by one run of messages, are a batch; or so many bytes:
BATCH_BYTES = 1024 * 1024  # some thousand readings. More would hold up the loop, and make one commit long.
QUEUE_HIGH, QUEUE_LOW = 8_000, 2_000  # Messages waiting: above, devices are not read; below, they are again.
QUEUE_BYTES_HIGH, QUEUE_BYTES_LOW = 64 * 1024 * 1024, 16 * 1024 * 1024
SLICE_MESSAGES = 64  # Decoded at a stretch, well under a millisecond of the loop.
BUSY_MESSAGES, GATHER_SECONDS = 32, 0.003  # Under load the next batch is given a moment to grow: each one costs seven round trips.
RETRY_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0)

SUCCESS, NOT_WILLING, NOT_AUTHORIZED, QUOTA_EXCEEDED, PAYLOAD_INVALID = 0x00, 0x83, 0x87, 0x97, 0x99
REASON_CODE = {  # MQTT 5, table 2-6. 0x83: "valid, but the receiver is not willing to accept it".
    "not_json": PAYLOAD_INVALID, "schema": PAYLOAD_INVALID, "too_large": QUOTA_EXCEEDED, "topic": NOT_AUTHORIZED,
    "not_your_spot": NOT_AUTHORIZED, "unknown_spot": NOT_WILLING, "unknown_lane": NOT_WILLING, "too_old": NOT_WILLING,
    "in_future": NOT_WILLING,
}  # fmt: skip

REFUSED = prometheus.Counter("onelot_gateway_refused_total", "Readings and messages refused", ["reason"])
WAITING = prometheus.Gauge("onelot_gateway_messages_waiting", "Messages waiting for the journal")
CONNECTED = prometheus.Gauge("onelot_gateway_devices_connected", "Devices that are logged in at this gateway")
CONNECTIONS = prometheus.Gauge("onelot_gateway_connections", "What became of connections since the start", ["what"])
COMMIT = prometheus.Histogram(
    "onelot_gateway_commit_seconds", "From taking a batch to its commit", buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 10)
)


class Ingest:
    """The door behind the listener. What a device hears as acknowledged is in PostgreSQL."""

    def __init__(self, database: Database, registry: Registry, keys: seal.Keys, clock: Clock, city: str) -> None:
        self._database, self._registry, self._clock = database, registry, clock
        self._queue: deque[Run] = deque()
        self._wake = asyncio.Event()
        self._busy = False
        self.speakers = Speakers(database, registry, clock, city)
        self._batches = Batches(World(registry.site_of_spot, registry.owner_of, keys), registry, self.speakers)
        self._waiting, self._waiting_bytes = 0, 0
        self._arrived: decode.Arrival | None = None
        self._paused = False
        self.listener: Listener | None = None

    # What the listener calls

    def log_in(self, username: str, password: bytes, address: str) -> Login | None:
        return self.speakers.log_in(username, password, address)

    def opened(self, connection: Connection) -> None:
        self.speakers.opened(connection)

    def closed(self, connection: Connection, *, clean: bool, will: tuple[str, bytes] | None, superseded: bool) -> None:
        """A will speaks only for its connection; what it says is that the device is gone, which is what we know."""
        self.speakers.closed(connection)

    def publish(self, messages: Messages) -> None:
        number = messages.connection.number
        run = Run(messages, sum(map(len, messages.payloads)), self._arrived or self._arrival(), self.speakers.clock_of(number))
        self._queue.append(run)
        self._waiting += len(messages.payloads)
        self._waiting_bytes += run.size
        if not self._wake.is_set():
            self._wake.set()
        if not self._paused and self.listener is not None and self._is_full():
            log.warning("devices_wait", messages=self._waiting, bytes=self._waiting_bytes)
            self._paused = True
            self.listener.pause()

    def _arrival(self) -> decode.Arrival:
        """Now, asked once for all that one turn of the loop brings: thirty thousand times a second a clock is not free."""
        self._arrived = decode.arrival(self._clock.city())
        asyncio.get_running_loop().call_soon(self._next_turn)
        return self._arrived

    def _next_turn(self) -> None:
        self._arrived = None

    def _is_full(self) -> bool:
        return self._waiting > QUEUE_HIGH or self._waiting_bytes > QUEUE_BYTES_HIGH

    # The loops

    async def take(self, done: Callable[[], None]) -> None:
        """Take what has come, commit it, acknowledge it: the batch is whatever arrived during the last one."""
        while True:
            if not self._queue:
                done()
                await ring_heard(self._wake)
                continue
            runs = self._next_runs()
            self._busy = True
            batch = await self._store(runs)
            self._busy = False
            self._acknowledge(batch)
            self._resume()
            done()
            if len(batch) >= BUSY_MESSAGES and self._waiting < BATCH_MESSAGES:
                await asyncio.sleep(GATHER_SECONDS)

    def _next_runs(self) -> list[Run]:
        queue, runs = self._queue, list[Run]()
        count = size = 0
        while queue and count < BATCH_MESSAGES and size < BATCH_BYTES:
            run = queue.popleft()
            runs.append(run)
            count += len(run)
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
        return not self._queue and not self._busy

    async def _store(self, runs: list[Run]) -> Batch:
        batch = await self._taken(runs)
        strange = self._batches.strange(batch)
        if strange and await self._look_again():
            self._batches.take_again(batch, strange)
        await self._persist(batch)
        batch.storing.done = True
        return batch

    async def _taken(self, runs: list[Run]) -> Batch:
        """Slice by slice: between two of them sockets are read, and the loop's other work is done."""
        batch, taken = Batch(runs, Storing()), 0
        for count in self._batches.take(batch):
            taken += count
            if taken >= SLICE_MESSAGES:
                taken = 0
                await asyncio.sleep(0)
        return batch

    async def _persist(self, batch: Batch) -> None:
        """Until it is stored. PostgreSQL away is waited for; a message that it cannot hold is refused by itself."""
        for attempt in itertools.count():
            try:
                with COMMIT.time():
                    await self._commit(batch)
                return
            except (postgres.Refused, *postgres.AWAY) as error:
                if _of_data(error) and (len(batch) > 1 or batch.rows):
                    await self._persist_singly(batch, error)
                    return
                log.warning("journal_waits", error=_words(error), attempt=attempt)
            await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])

    async def _persist_singly(self, batch: Batch, error: Exception) -> None:
        """Some value cannot be stored, whoever tries: the message that holds it is refused, the others are not."""
        if len(batch) == 1:
            log.error("message_refused_by_journal", error=_words(error), device=batch.runs[0].messages.connection.login.device)
            self._batches.refuse(batch, Refusal("schema", f"the journal cannot hold it: {type(error).__name__}"))
            await self._persist(batch)
            return
        singles = list(batch.singly())
        for single in singles:
            await self._persist(single)
        batch.refusing = [each for single in singles for each in single.refusing]

    async def _look_again(self) -> bool:
        """The newest facts, once a batch, before a spot that was imported a moment ago is refused. Whether there were any."""
        for attempt in itertools.count():
            try:
                return await self._registry.catch_up()
            except (postgres.Refused, *postgres.AWAY) as error:  # Without facts nothing may be refused; nor could it be stored.
                log.warning("registry_waits", error=_words(error), attempt=attempt)
            await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
        raise AssertionError("unreachable: it is looked for ever")

    async def _commit(self, batch: Batch | None) -> None:
        """One transaction: readings that are new, refusals, who was heard."""
        presence, self.speakers.presence = self.speakers.presence, []
        told = store.Told([*(batch.rows if batch else ()), *map(store.heard_row, presence)])
        refused = batch.refused_rows() if batch else []
        try:
            stored = await self._append(told, refused) if told.rows or refused else 0
        except BaseException:
            self.speakers.presence = presence + self.speakers.presence
            raise
        STORED.inc(stored)
        SEEN_BEFORE.inc(len(told.rows) - stored)
        for row in refused:
            self.speakers[row.device].health.refused += 1
            REFUSED.labels(row.reason).inc()

    async def _append(self, told: store.Told, refused: Sequence[store.RefusedRow]) -> int:
        """Copied in on the hope that all is new; on the checked path, when something is not. Answers how many were new."""

        async def work(tx: Transaction, append: Callable[[Transaction, store.Told], Awaitable[int]]) -> int:
            if refused:
                await store.keep_refused(tx, refused)
            return await append(tx, told) if told.rows else 0

        if told.may_be_copied():
            with contextlib.suppress(store.SeenBefore):
                return await self._database.run(lambda tx: work(tx, store.copy_readings))
        return await self._database.run(lambda tx: work(tx, store.append_readings))

    def _acknowledge(self, batch: Batch) -> None:
        """One write a connection and batch."""
        kept: dict[Connection, list[int]] = {}
        reasons: dict[Connection, dict[int, int]] = {}
        for run in batch.runs:
            if run.messages.qos:
                kept.setdefault(run.messages.connection, []).extend(run.messages.packet_ids)
        for each in batch.refusing:
            if reason := _reason_code(each):
                said = each.run.messages
                reasons.setdefault(said.connection, {})[said.packet_ids[each.place]] = reason
        for connection, packet_ids in kept.items():
            connection.acknowledge(packet_ids, reasons.get(connection, {}))

    # Presence and health

    def _measure(self) -> None:
        if self.listener is not None:
            CONNECTED.set(self.listener.connected)
            for what, number in self.listener.counts.items():
                CONNECTIONS.labels(what).set(number)

    async def keep_presence(self, done: Callable[[], None]) -> None:
        """Tell on, each second, who came, who went and who still speaks; and each five seconds how they do."""
        for round_number in itertools.count():
            await asyncio.sleep(1.0 if round_number else 0.05)
            try:
                self.speakers.judge_anew(self.listener)
                self.speakers.tell_who_speaks()
                if self.speakers.presence:
                    await self._commit(None)
                await self.speakers.tell_twins(self.listener)
                self._measure()
                if round_number % 5 == 0:
                    await self.speakers.save_health()
                    await self.speakers.save_strangers()
            except (postgres.Refused, *postgres.AWAY) as error:
                log.warning("presence_waits", error=_words(error))
                continue
            done()


def _reason_code(message: Refusing) -> int:
    """A message of which anything was taken succeeded; else the reason, where MQTT 5 has a word for it."""
    if message.taken or not message.refused:
        return SUCCESS
    return REASON_CODE.get(message.refused[0].reason, SUCCESS)


def _of_data(error: Exception) -> bool:
    """Class 22 and what cannot even be encoded: the values themselves, which no retry mends."""
    return isinstance(error, ValueError) or str(getattr(error, "sqlstate", "") or "").startswith("22")


def _words(error: Exception) -> str:
    """For the log. What is wrong with a value may quote it, and it may be a plate."""
    return type(error).__name__ if _of_data(error) else repr(error)[:300]
