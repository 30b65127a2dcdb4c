"""Runs of messages become what one transaction stores: decoded, told apart from repeats, and made rows while they are at hand."""

import collections
import itertools
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


class Refusing(msgspec.Struct):
    """A message of which something was refused."""

    run: Run
    place: int  # In its run.
    number: int  # In its batch.
    refused: Sequence[Refusal]
    taken: bool  # Whether something of it was taken all the same.


class Batch:
    """Some runs of messages, the rows of what they told, and what of them was refused. What a message was decoded to is kept no longer
    than it takes to make rows of it: two thousand messages are more than a processor's cache."""

    __slots__ = ("counts", "refusing", "rows", "runs", "storing")

    def __init__(self, runs: Sequence[Run], storing: Storing) -> None:
        self.runs = runs
        self.rows: list[Row] = []  # In the order in which they were told.
        self.counts: list[int] = []  # How many of them are of each message.
        self.refusing: list[Refusing] = []
        self.storing = storing

    def __len__(self) -> int:
        return sum([len(run) for run in self.runs])

    def refused_rows(self) -> list[store.RefusedRow]:
        return [
            store.RefusedRow(
                run.arrival.at, login.device, login.site, run.messages.topic.replace("\x00", ""), refusal.reason,
                refusal.detail.replace("\x00", "")[:500], run.messages.payloads[each.place][:PAYLOAD_KEPT],
            )
            for each in self.refusing
            for run, login in ((each.run, each.run.messages.connection.login),)
            for refusal in each.refused
        ]  # fmt: skip

    def retell(self, number: int, rows: Sequence[Row]) -> None:
        """A message was decoded again: these are its rows."""
        first = sum(self.counts[:number])
        self.rows[first : first + self.counts[number]] = rows
        self.counts[number] = len(rows)

    def singly(self) -> Iterator["Batch"]:
        """Each message as a batch of its own, stored with this batch."""
        refusing = {each.number: each for each in self.refusing}
        rows = iter(self.rows)
        places = ((run, place) for run in self.runs for place in range(len(run)))
        for number, (run, place) in enumerate(places):
            single = Batch([run.single(place)], self.storing)
            single.rows, single.counts = list(itertools.islice(rows, self.counts[number])), [self.counts[number]]
            if each := refusing.get(number):
                single.refusing = [Refusing(single.runs[0], 0, 0, each.refused, each.taken)]
            yield single


class Batches:
    """Makes batches. Knows the newest word about each spot, and so what is news."""

    def __init__(self, world: World, registry: Registry, speakers: Speakers) -> None:
        self._world, self._registry, self._speakers = world, registry, speakers
        self._spots: dict[str, Known] = {}

    def take(self, batch: Batch) -> Iterator[int]:
        """In the order of arrival: what a message teaches of its device holds for the next one. Tells of each run how many were taken."""
        kinds = collections.Counter[str]()
        for run in batch.runs:
            kind, count = _kind_of(run), len(run.messages.payloads)
            kinds[kind] += count
            self._take(run, kind, batch)
            yield count
        for kind, count in kinds.items():
            MESSAGES_OF.get(kind, MESSAGES_OF["other"]).inc(count)

    def strange(self, batch: Batch) -> list[Refusing]:
        """Messages that newer facts may make good."""
        return [each for each in batch.refusing if any(refusal.reason in OF_THE_REGISTRY for refusal in each.refused)]

    def take_again(self, batch: Batch, strange: Sequence[Refusing]) -> None:
        for each in strange:
            run, speaker = each.run, self._speakers[each.run.messages.connection.login.device]
            anew = self._decoded(run, self._heard(speaker, run), _kind_of(run), run.messages.payloads[each.place])
            each.refused, each.taken = anew.refused, bool(anew.readings)
            batch.retell(each.number, self._news(anew.readings, speaker, batch.storing))

    def refuse(self, single: Batch, refusal: Refusal) -> None:
        """The one message of this batch cannot be stored: what it said is not known of its spots."""
        for row in single.rows:
            if row.kind == SpotSeen.kind:
                self._spots.pop(row.key, None)
        single.rows, single.counts = [], [0]
        single.refusing = [Refusing(single.runs[0], 0, 0, [refusal], taken=False)]

    def _take(self, run: Run, kind: str, batch: Batch) -> None:
        """The hot path: all that needs a message's fields is done here, while they are in the processor's cache."""
        speaker = self._speakers[run.messages.connection.login.device]
        speaker.heard_at = run.arrival.at
        heard = self._heard(speaker, run)
        rows, counts, storing = batch.rows, batch.counts, batch.storing
        for place, payload in enumerate(run.messages.payloads):
            decoded = self._decoded(run, heard, kind, payload)
            if decoded.status is not None:
                speaker.learn_clock(run.clock, decoded.status, run.arrival.at)
                heard = self._heard(speaker, run)
            if decoded.seq is not None:
                speaker.number(decoded.seq)
            if decoded.refused:
                batch.refusing.append(Refusing(run, place, len(counts), decoded.refused, bool(decoded.readings)))
            told = self._news(decoded.readings, speaker, storing)
            rows += told
            counts.append(len(told))

    def _decoded(self, run: Run, heard: decode.Heard, kind: str, payload: bytes) -> Decoded:
        if not kind:
            return Decoded(refused=[Refusal("topic", f"a device says only what is under {run.messages.connection.login.topic}")])
        try:
            return decode.decode_message(heard, kind, payload)
        except Exception as error:  # A fault of ours may cost this message; it comes again for ever when it ends the process.
            log.error("decoding_failed", error=type(error).__name__, device=heard.device.id)
            return Decoded(refused=[Refusal("schema", f"it cannot be read here: {type(error).__name__}")])

    def _news(self, readings: list[Reading], speaker: Speaker, storing: Storing) -> list[Row]:
        """What is no repeat of what is on disk: that is heard, not stored."""
        news, health = [], speaker.health
        for reading in readings:
            if isinstance(reading, SpotSeen):
                if not self._learn(reading, speaker.breaks, storing):
                    NO_NEWS.inc()
                    continue
                if reading.state == "occupied":
                    health.saw(reading.vehicle)
            elif isinstance(reading, VehiclePassed):
                health.saw(reading.vehicle)
            health.readings += 1
            health.no_clock += reading.no_clock
            news.append(store.reading_row(reading))
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
