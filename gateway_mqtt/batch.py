"""Runs of messages become what one transaction stores: decoded, told apart from repeats, and made rows while they are at hand."""

import collections
from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
import prometheus_client as prometheus
import structlog

from foundation.copying import Row
from foundation.events import Reading, SpotSeen, SpotState, VehiclePassed
from gateway_mqtt import decode, store
from gateway_mqtt.decode import Decoded, Refusal, World
from gateway_mqtt.listener import Messages
from gateway_mqtt.registry import Registry
from gateway_mqtt.speakers import DeviceClock, Speaker, Speakers

log = structlog.get_logger()

PAYLOAD_KEPT = 4096
OF_THE_REGISTRY = frozenset({"unknown_spot", "not_your_spot", "unknown_lane"})  # What a newer fact may mend.

MESSAGES = prometheus.Counter("onelot_gateway_messages_total", "Messages taken from devices", ["kind"])
MESSAGES_OF = {kind: MESSAGES.labels(kind) for kind in ("spots", "passage", "count", "status", "other")}
READINGS = prometheus.Counter("onelot_gateway_readings_total", "Readings by what became of them", ["outcome"])
STORED, SEEN_BEFORE, NO_NEWS = (READINGS.labels(outcome) for outcome in ("stored", "seen_before", "no_news"))


class Run(msgspec.Struct, frozen=True, gc=False):
    """Messages that came together, when, and by what clock."""

    messages: Messages
    size: int  # Bytes.
    arrival: decode.Arrival  # Not decoding: a queue's wait is not the device's clock.
    clock: DeviceClock  # Of the connection by which they came, which may be over by now.

    def __len__(self) -> int:
        return len(self.messages.payloads)

    def single(self, place: int) -> "Run":
        said = self.messages
        one = Messages(said.connection, said.topic, said.qos, said.retain, (said.packet_ids[place],), (said.payloads[place],))
        return Run(one, len(said.payloads[place]), self.arrival, self.clock)


class Storing(msgspec.Struct, gc=False):
    """Whether what was under way together is on disk by now."""

    done: bool = False


class Known(msgspec.Struct, frozen=True, gc=False):
    """The newest word about a spot. No event: for each spot of the city there is one."""

    device: str
    state: SpotState
    token: bytes
    at: datetime
    seq: int
    breaks: int  # Of its device's numbering, when it came.
    storing: Storing


class Batch:
    """Some runs of messages, what each message came to, and the rows of their readings."""

    __slots__ = ("decoded", "rows", "runs", "storing")

    def __init__(self, runs: Sequence[Run], storing: Storing) -> None:
        self.runs = runs
        self.decoded: list[list[Decoded]] = []  # By run and message.
        self.rows: list[Row] = []
        self.storing = storing

    def __len__(self) -> int:
        return sum([len(run) for run in self.runs])

    def refusals(self) -> Iterator[tuple[Run, int, Decoded]]:
        """Messages of which something was refused: run, place in it, and what it came to."""
        for run, decoded in zip(self.runs, self.decoded, strict=True):
            for place, one in enumerate(decoded):
                if one.refused:
                    yield run, place, one

    def refused_rows(self) -> list[store.RefusedRow]:
        return [
            store.RefusedRow(
                run.arrival.at, login.device, login.site, run.messages.topic.replace("\x00", ""), refusal.reason,
                refusal.detail.replace("\x00", "")[:500], run.messages.payloads[place][:PAYLOAD_KEPT],
            )
            for run, place, decoded in self.refusals()
            for login in (run.messages.connection.login,)
            for refusal in decoded.refused
        ]  # fmt: skip

    def row_anew(self) -> None:
        """After some of it was decoded again: rows lie in the order in which they were told."""
        self.rows = [store.reading_row(reading) for run in self.decoded for one in run for reading in one.readings]

    def singly(self) -> Iterator["Batch"]:
        """Each message by itself, sharing what it came to with this batch."""
        for run, decoded in zip(self.runs, self.decoded, strict=True):
            for place, one in enumerate(decoded):
                single = Batch([run.single(place)], self.storing)
                single.decoded.append([one])
                single.row_anew()
                yield single


class Batches:
    """Makes batches. Knows the newest word about each spot, and so what is news."""

    def __init__(self, world: World, registry: Registry, speakers: Speakers) -> None:
        self._world, self._registry, self._speakers = world, registry, speakers
        self._spots: dict[str, Known] = {}

    def make(self, runs: Sequence[Run]) -> Batch:
        """In the order of arrival: what a message teaches of its device holds for the next one."""
        batch, kinds = Batch(runs, Storing()), collections.Counter[str]()
        for run in runs:
            kind = _kind_of(run)
            kinds[kind] += len(run.messages.payloads)
            batch.decoded.append(self._take(run, kind, batch))
        for kind, count in kinds.items():
            MESSAGES_OF.get(kind, MESSAGES_OF["other"]).inc(count)
        return batch

    def strange(self, batch: Batch) -> list[tuple[Run, int, Decoded]]:
        """Messages that newer facts may make good."""
        return [each for each in batch.refusals() if any(refusal.reason in OF_THE_REGISTRY for refusal in each[2].refused)]

    def take_again(self, batch: Batch, strange: Sequence[tuple[Run, int, Decoded]]) -> None:
        for run, place, decoded in strange:
            speaker = self._speakers[run.messages.connection.login.device]
            anew = self._decoded(run, self._heard(speaker, run), _kind_of(run), run.messages.payloads[place])
            decoded.refused = anew.refused
            decoded.readings = self._news(anew.readings, speaker, batch)
        batch.row_anew()

    def refuse(self, single: Batch, refusal: Refusal) -> None:
        """The one message of this batch cannot be stored: what it said is not known of its spots."""
        [[decoded]] = single.decoded
        for reading in decoded.readings:
            if isinstance(reading, SpotSeen):
                self._spots.pop(reading.spot, None)
        decoded.readings, decoded.refused = [], [refusal]
        single.row_anew()

    def _take(self, run: Run, kind: str, batch: Batch) -> list[Decoded]:
        """The hot path: all that needs a message's fields is done here, while they are in the processor's cache."""
        speaker = self._speakers[run.messages.connection.login.device]
        speaker.heard_at = run.arrival.at
        heard = self._heard(speaker, run)
        taken = []
        for payload in run.messages.payloads:
            decoded = self._decoded(run, heard, kind, payload)
            if decoded.status is not None:
                speaker.learn_clock(run.clock, decoded.status, run.arrival.at)
                heard = self._heard(speaker, run)
            if decoded.seq is not None:
                speaker.number(decoded.seq)
            if decoded.readings:
                decoded.readings = self._news(decoded.readings, speaker, batch)
            taken.append(decoded)
        return taken

    def _decoded(self, run: Run, heard: decode.Heard, kind: str, payload: bytes) -> Decoded:
        if not kind:
            return Decoded(refused=[Refusal("topic", f"a device says only what is under {run.messages.connection.login.topic}")])
        try:
            return decode.decode_message(heard, kind, payload)
        except Exception as error:  # A fault of ours may cost this message; it comes again for ever when it ends the process.
            log.error("decoding_failed", error=type(error).__name__, device=heard.device.id)
            return Decoded(refused=[Refusal("schema", f"it cannot be read here: {type(error).__name__}")])

    def _news(self, readings: list[Reading], speaker: Speaker, batch: Batch) -> list[Reading]:
        """What is no repeat of what is on disk: that is heard, not stored."""
        news, health = [], speaker.health
        for reading in readings:
            if isinstance(reading, SpotSeen):
                if not self._learn(reading, speaker.breaks, batch.storing):
                    NO_NEWS.inc()
                    continue
                if reading.state == "occupied":
                    health.saw(reading.vehicle)
            elif isinstance(reading, VehiclePassed):
                health.saw(reading.vehicle)
            health.readings += 1
            health.no_clock += reading.no_clock
            news.append(reading)
            batch.rows.append(store.reading_row(reading))
        return news

    def _learn(self, reading: SpotSeen, breaks: int, storing: Storing) -> bool:
        """Whether this is news of its spot. Only what is on disk can be repeated, since the repeat is acknowledged for its sake; and only
        while the numbering shows that nothing between the two is missing."""
        spot, token = reading.spot, reading.vehicle.token if reading.vehicle else b""
        self._registry.claim(spot, reading.device)
        known = self._spots.get(spot)
        if known is not None:
            same = known.state == reading.state and known.token == token and known.device == reading.device
            if same and known.at <= reading.at and known.storing.done and known.breaks == breaks and not reading.no_clock:
                return False
            if (known.at, known.seq) > (reading.at, reading.seq):
                return True
        self._spots[spot] = Known(reading.device, reading.state, token, reading.at, reading.seq, breaks, storing)
        return True

    def _heard(self, speaker: Speaker, run: Run) -> decode.Heard:
        if speaker.identity_of is None:
            speaker.identity_of = self._world.keys.identities(speaker.device.id.encode())
        return decode.Heard(speaker.device, self._world, speaker.identity_of, run.arrival, run.clock.offset_s, run.clock.doubts)


def _kind_of(run: Run) -> str:
    """What they are about; nothing, when the topic is not their device's own."""
    head, _, kind = run.messages.topic.rpartition("/")
    return kind if head == run.messages.connection.login.topic else ""
