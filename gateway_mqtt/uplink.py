"""Messages on their way up from one device: which of them wait to be kept, and what the device is told in which order."""

import itertools
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from gateway_mqtt import codec
from gateway_mqtt.codec import Malformed

NO_REASONS: Mapping[int, int] = MappingProxyType({})


class Uplink:
    """Packet ids of one connection, from PUBLISH to PUBACK, or to PUBREC and PUBREL (QoS 2).

    `waiting` counts messages that were handed on and are not kept yet. At most `share` messages are unfinished at once.
    """

    # Dicts for what is a queue and a set, because ten thousand idle ones of those would be megabytes.
    __slots__ = ("_exactly_once", "_handed_on", "_reasons", "_share", "_version", "_waits_at", "waiting")

    def __init__(self, version: int, share: int) -> None:
        self.waiting = 0
        self._version = version
        self._share = share
        self._waits_at = share if version == codec.V311 else 1 << 30  # 5.0 is told its share and cut off beyond.
        self._handed_on: dict[int, int] = {}  # In order of arrival: how often this id waits to be kept.
        self._exactly_once: dict[int, None] = {}  # Ids of QoS 2, until they are released.
        self._reasons: dict[int, int] = {}

    @property
    def full(self) -> bool:
        """A 3.1.1 device, which cannot be told of its share, has used it up: it has to wait."""
        return self.waiting >= self._waits_at

    def admit(self, packet_id: int, exactly_once: int) -> bytes | None:
        """None when the message is to be handed on; else it is one of QoS 2 that is held already, and this is what to answer.

        A QoS 1 id that comes again before its PUBACK is handed on again (nobody can tell a repetition from a mix-up without losing
        something), and one PUBACK answers when all of them are kept. The DUP flag is never asked: common clients do not set it.
        """
        count = self._handed_on.get(packet_id, 0)
        if packet_id in self._exactly_once:
            if not exactly_once:
                raise Malformed(codec.PROTOCOL_ERROR, "a packet id of QoS 2 used for QoS 1")
            return b"" if count else codec.acks(codec.PUBREC, ((packet_id, codec.SUCCESS),), self._version)
        if exactly_once and count:
            raise Malformed(codec.PROTOCOL_ERROR, "a packet id of QoS 1 used for QoS 2")
        if self.waiting + len(self._exactly_once) >= self._share:
            self._check_share()
        if exactly_once:
            self._exactly_once[packet_id] = None
        self._handed_on[packet_id] = count + 1
        self.waiting += 1
        return None

    @property
    def room(self) -> int:
        """How many more may be under way."""
        return self._share - self.waiting - len(self._exactly_once)

    def admit_run(self, packet_ids: Sequence[int]) -> bool:
        """All of these, of QoS 1, if nothing about any of them is unusual: what `admit` would do, at a stroke. Else none of them."""
        fresh = dict.fromkeys(packet_ids, 1)
        if len(fresh) != len(packet_ids) or not self._handed_on.keys().isdisjoint(fresh) or self._exactly_once:
            return False
        self._handed_on |= fresh
        self.waiting += len(fresh)
        return True

    def keep(self, packet_ids: Sequence[int], reasons: Mapping[int, int] = NO_REASONS) -> tuple[int, bytes]:
        """Messages are kept, in any order: how many of them were ours, and what to tell the device now, in the order it sent them.

        `reasons` are of those that were refused."""
        if not reasons and self._are_next(packet_ids):
            return len(packet_ids), self._keep_next(packet_ids)
        kept = 0
        for packet_id in packet_ids:
            if count := self._handed_on.get(packet_id):
                self._handed_on[packet_id] = count - 1
                kept += 1
                if packet_id in reasons:
                    self._reasons[packet_id] = reasons[packet_id]
        self.waiting -= kept
        return kept, self._answers_due() if kept else b""

    def release(self, packet_id: int) -> bytes:
        """The answer to a PUBREL: the id may be used anew."""
        if packet_id in self._handed_on:
            raise Malformed(codec.PROTOCOL_ERROR, "a PUBREL before its PUBREC")
        known = packet_id in self._exactly_once
        if known:
            del self._exactly_once[packet_id]
        return codec.acks(codec.PUBCOMP, ((packet_id, codec.SUCCESS if known else codec.UNKNOWN_PACKET_ID),), self._version)

    def _are_next(self, packet_ids: Sequence[int]) -> bool:
        """The usual: in the order of arrival, of messages that came once, and nothing before them waits."""
        if self._reasons or self._exactly_once:
            return False
        count, front = len(packet_ids), itertools.islice
        return list(front(self._handed_on, count)) == list(packet_ids) and list(front(self._handed_on.values(), count)) == [1] * count

    def _keep_next(self, packet_ids: Sequence[int]) -> bytes:
        if len(packet_ids) == len(self._handed_on):
            self._handed_on.clear()
        for packet_id in packet_ids if self._handed_on else ():
            del self._handed_on[packet_id]
        self.waiting -= len(packet_ids)
        due = codec.pubacks(packet_ids)
        return due if next(iter(self._handed_on.values()), 1) else due + self._answers_due()  # What was kept out of turn follows.

    def _answers_due(self) -> bytes:
        due = self._take_kept()
        if not self._reasons and not self._exactly_once:
            return codec.acks(codec.PUBACK, [(packet_id, codec.SUCCESS) for packet_id in due], self._version)
        return b"".join([self._answer_for(packet_id) for packet_id in due])

    def _take_kept(self) -> list[int]:
        """Of what was handed on, the front that is kept: what is kept behind something that is not has to wait."""
        if not self.waiting:
            kept = list(self._handed_on)
            self._handed_on.clear()
            return kept
        kept = []
        for packet_id, count in self._handed_on.items():
            if count:
                break
            kept.append(packet_id)
        for packet_id in kept:
            del self._handed_on[packet_id]
        return kept

    def _answer_for(self, packet_id: int) -> bytes:
        reason = self._reasons.pop(packet_id, codec.SUCCESS)
        kind = codec.PUBREC if packet_id in self._exactly_once else codec.PUBACK
        if kind == codec.PUBREC and reason >= codec.UNSPECIFIED and self._version == codec.V5:
            del self._exactly_once[packet_id]  # 4.3.3: a refused message is over, no PUBREL will come.
        return codec.acks(kind, ((packet_id, reason),), self._version)

    def _check_share(self) -> None:
        """Unfinished is what is not kept, and what is kept but not released (QoS 2)."""
        unreleased = sum(1 for packet_id in self._exactly_once if packet_id not in self._handed_on)
        share = self._share if self._version == codec.V5 else 4 * self._share  # 3.1.1 waits for the former; this bounds the latter.
        if self.waiting + unreleased >= share:
            raise Malformed(codec.RECEIVE_MAXIMUM, "more messages at once than announced")
