"""MQTT 3.1.1 and 5.0 packets to and from bytes, so that nothing a device sends can surprise the rest of the gateway.

Every reader here raises `Malformed` and nothing else, whatever the bytes. Section numbers in comments are those of MQTT 5.0 (OASIS).
"""

import struct
from collections.abc import Iterable, Iterator, Sequence

import msgspec

V311, V5 = 4, 5

CONNECT, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 0x10, 0x30, 0x40, 0x50, 0x62, 0x70
SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT, AUTH = 0x82, 0xA2, 0xC0, 0xE0, 0xF0

PINGRESP = b"\xd0\x00"
_QOS_1 = 0x32  # The header of a PUBLISH of QoS 1 that is neither a duplicate nor retained.
_ACK_HEADS = {kind: bytes((kind, 2)) for kind in (PUBACK, PUBREC, PUBREL, PUBCOMP)}

# Reason codes (2.4), as far as this server speaks or understands them.
SUCCESS = 0x00
WITH_WILL = 0x04
NO_SUBSCRIPTION = 0x11
UNSPECIFIED = 0x80
MALFORMED = 0x81
PROTOCOL_ERROR = 0x82
SERVER_ERROR = 0x83
UNSUPPORTED_VERSION = 0x84
CLIENT_ID_INVALID = 0x85
BAD_PASSWORD = 0x86
NOT_AUTHORIZED = 0x87
SERVER_UNAVAILABLE = 0x88
SHUTTING_DOWN = 0x8B
BAD_AUTHENTICATION_METHOD = 0x8C
KEEP_ALIVE_TIMEOUT = 0x8D
TAKEN_OVER = 0x8E
TOPIC_INVALID = 0x90
UNKNOWN_PACKET_ID = 0x92
RECEIVE_MAXIMUM = 0x93
TOPIC_ALIAS_INVALID = 0x94
TOO_LARGE = 0x95
QUOTA_EXCEEDED = 0x97
SUBSCRIPTION_ID_UNSUPPORTED = 0xA1

# The five refusals a 3.1.1 client knows; every other reason is "not authorized" to it.
_CONNACK_311 = {UNSUPPORTED_VERSION: 1, CLIENT_ID_INVALID: 2, SERVER_UNAVAILABLE: 3, QUOTA_EXCEEDED: 3, SERVER_ERROR: 3, BAD_PASSWORD: 4}

_CONNECT_HEAD_BYTES = 7  # Name and level: what it takes to know in which version to refuse.
_LENGTH_BYTES_MAX = 4


class Malformed(Exception):
    """Bytes that are no legal packet here; `reason` is the MQTT 5 reason code that says why."""

    def __init__(self, reason: int, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Splitter:
    """Cuts a stream of bytes into packets and keeps at most one unfinished packet of at most `bytes_max` bytes."""

    __slots__ = ("_at", "_buffer", "_needed", "_rest", "bytes_max")

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self._buffer = b""
        self._at = 0
        self._rest: bytearray | None = None
        self._needed = 0

    @property
    def held_bytes(self) -> int:
        return len(self._rest) if self._rest is not None else len(self._buffer) - self._at

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes of the stream; a long packet in tiny pieces costs no more than its length."""
        if self._rest is None:
            if self._at == len(self._buffer):
                self._buffer, self._at = chunk, 0
                return
            self._rest = bytearray(self._buffer[self._at :])
            self._buffer, self._at = b"", 0
        self._rest += chunk
        if len(self._rest) >= self._needed:
            self._buffer, self._rest = bytes(self._rest), None

    def packets(self) -> Iterator[tuple[bytes, int, int, int]]:
        """Each whole packet as (buffer, header byte, start and end of its body); one the caller breaks at is given again next time."""
        if self._rest is not None:
            return
        self._needed = 0
        while self._at < len(self._buffer) and (found := self._next()) is not None:
            yield found
            self._at = found[3]

    def run(self, topic: bytes, version: int, most: int) -> tuple[list[int], list[bytes], int]:
        """The plain messages that stand next: QoS 1 for the first time, to `topic`, without properties, at most `most` of them.

        Their packet ids, their payloads, and where to go on (`skip`). The hot path: everything else it leaves where it is, without
        a word, to `packets` and the readers below, which judge every byte.
        """
        buffer, at = self._buffer, self._at
        ids: list[int] = []
        payloads: list[bytes] = []
        if self._rest is not None:
            return ids, payloads, at
        named = _prefixed(topic)
        to_id, to_payload = len(named), len(named) + (2 if version == V311 else 3)
        last = len(buffer) - 2 - to_payload  # From here on, header, lengths and packet id may not be here.
        while at < last and len(ids) < most and buffer[at] == _QOS_1:
            length, start = buffer[at + 1], at + 2
            if length & 0x80:
                if buffer[start] & 0x80:
                    break  # 16 kB and more: rare enough.
                length, start = length & 0x7F | buffer[start] << 7, start + 1
            end = start + length
            if length < to_payload or length > self.bytes_max or end > len(buffer) or not buffer.startswith(named, start):
                break
            packet_id = buffer[start + to_id] << 8 | buffer[start + to_id + 1]
            if not packet_id or (version == V5 and buffer[start + to_payload - 1]):
                break
            ids.append(packet_id)
            payloads.append(buffer[start + to_payload : end])
            at = end
        return ids, payloads, at

    def skip(self, at: int) -> None:
        """What `run` gave has been taken."""
        self._needed, self._at = 0, at

    def head(self) -> bytes:
        """The first bytes of the body that stands next, as far as they are here."""
        start = self._at + 1
        while start < len(self._buffer) and self._buffer[start] & 0x80:
            start += 1
        return self._buffer[start + 1 : start + 1 + _CONNECT_HEAD_BYTES]

    def _next(self) -> tuple[bytes, int, int, int] | None:
        buffer, at = self._buffer, self._at
        size = len(buffer)
        if size - at < 2:
            if size > at and not _LEGAL[buffer[at]]:
                raise Malformed(MALFORMED, "a header that no client may send")
            return None
        header, length, start = buffer[at], buffer[at + 1], at + 2
        if not _LEGAL[header]:
            raise Malformed(MALFORMED, "a header that no client may send")
        if length & 0x80:
            length &= 0x7F
            shift = 7
            while True:
                if start == size:
                    return None
                byte = buffer[start]
                start += 1
                length |= (byte & 0x7F) << shift
                if byte < 0x80:
                    break
                shift += 7
                if shift == 7 * _LENGTH_BYTES_MAX:
                    raise Malformed(MALFORMED, "a remaining length of more than four bytes")
        if length > self.bytes_max:
            if header == CONNECT and size - start < _CONNECT_HEAD_BYTES:  # The answer needs the version that stands there.
                return None
            raise Malformed(TOO_LARGE, "a packet larger than announced")
        end = start + length
        if end > size:
            self._needed = end - at
            return None
        return buffer, header, start, end


class Will(msgspec.Struct, frozen=True):
    topic: str
    payload: bytes
    qos: int
    retain: bool


class Connect(msgspec.Struct, frozen=True, kw_only=True):
    """A CONNECT; seconds and bytes, and for 3.1.1 what its silence means."""

    version: int
    client_id: str
    clean_start: bool
    keep_alive_s: int
    will: Will | None
    username: str | None
    password: bytes | None
    session_expiry_s: int = 0
    receive_maximum: int = 65_535
    packet_bytes_max: int = 268_435_460
    authentication_method: str | None = None


class Publish(msgspec.Struct, frozen=True, gc=False):
    """A PUBLISH as it stands on the wire: the topic not yet judged, `packet_id` 0 for QoS 0, `correlation` only where one was sent."""

    topic: bytes
    payload: bytes
    packet_id: int
    correlation: bytes | None


class Subscribe(msgspec.Struct, frozen=True):
    packet_id: int
    filters: list[tuple[str, int]]


class Unsubscribe(msgspec.Struct, frozen=True):
    packet_id: int
    filters: list[str]


def version_of(head: bytes) -> int:
    """The version in which a CONNECT that begins with these bytes hopes to be answered, even when it is none we serve."""
    level_at = 2 + int.from_bytes(head[:2], "big")
    level = head[level_at] if level_at < len(head) else 0
    return V5 if V5 <= level < 0x80 else V311  # Bit 7 is mosquitto's bridge, which tries again plainly after a 3.1.1 refusal.


def read_connect(buffer: bytes, start: int, end: int) -> Connect:
    body = _Body(buffer, start, end)
    name, version = body.binary(), body.u8()
    if name != b"MQTT" or version not in (V311, V5):
        raise Malformed(UNSUPPORTED_VERSION, "neither MQTT 3.1.1 nor 5.0")
    flags, keep_alive_s = body.u8(), body.u16()
    _check_connect_flags(flags, version)
    properties = body.properties(_CONNECT_PROPERTIES) if version == V5 else {}
    client_id = body.text()
    will = _read_will(body, flags, version) if flags & 0x04 else None
    username = body.text() if flags & 0x80 else None
    password = body.binary() if flags & 0x40 else None
    body.finish()
    return Connect(
        version=version,
        client_id=client_id,
        clean_start=bool(flags & 0x02),
        keep_alive_s=keep_alive_s,
        will=will,
        username=username,
        password=password,
        session_expiry_s=_number(properties, 0x11, 0),
        receive_maximum=_number(properties, 0x21, 65_535),
        packet_bytes_max=_number(properties, 0x27, 268_435_460),
        authentication_method=_words(properties, 0x15),
    )


def read_publish(buffer: bytes, start: int, end: int, header: int, version: int) -> Publish:
    """The hot path: two slices (topic and payload) and no other copy when there are no properties."""
    topic_at = start + 2
    if topic_at > end:
        raise Malformed(MALFORMED, "a PUBLISH without a topic")
    at = topic_end = topic_at + (buffer[start] << 8 | buffer[start + 1])
    packet_id = 0
    if header & 0x06:
        at += 2
        if at > end:
            raise Malformed(MALFORMED, "a PUBLISH without its packet id")
        packet_id = buffer[at - 2] << 8 | buffer[at - 1]
        if not packet_id:
            raise Malformed(PROTOCOL_ERROR, "packet id 0")
    correlation = None
    if version == V5:
        if at < end and not buffer[at]:
            at += 1
        else:
            at, correlation = _read_publish_properties(buffer, at, end)
    if at > end:
        raise Malformed(MALFORMED, "a PUBLISH shorter than it says")
    return Publish(buffer[topic_at:topic_end], buffer[at:end], packet_id, correlation)


def read_topic(topic: bytes, bytes_max: int) -> str:
    """A topic name that may be published to (4.7.1), or `Malformed`."""
    if not topic or len(topic) > bytes_max or b"+" in topic or b"#" in topic:
        raise Malformed(TOPIC_INVALID, "an empty or overlong topic, or one with wildcards")
    return _text(topic)


def read_subscribe(buffer: bytes, start: int, end: int, version: int) -> Subscribe:
    """Filters with their options byte; a 3.1.1 option is the QoS alone."""
    body = _Body(buffer, start, end)
    packet_id = body.packet_id()
    if version == V5 and 0x0B in body.properties(_SUBSCRIBE_PROPERTIES):
        raise Malformed(SUBSCRIPTION_ID_UNSUPPORTED, "subscription identifiers are not served")
    filters = []
    while body.left:
        filters.append((body.text(), _subscribe_options(body.u8(), version)))
        if not filters[-1][0]:
            raise Malformed(MALFORMED, "an empty filter")
    if not filters:
        raise Malformed(PROTOCOL_ERROR, "a SUBSCRIBE to nothing")
    return Subscribe(packet_id, filters)


def read_unsubscribe(buffer: bytes, start: int, end: int, version: int) -> Unsubscribe:
    body = _Body(buffer, start, end)
    packet_id = body.packet_id()
    if version == V5:
        body.properties(_USER_PROPERTIES)
    filters = []
    while body.left:
        filters.append(body.text())
    if not filters:
        raise Malformed(PROTOCOL_ERROR, "an UNSUBSCRIBE from nothing")
    return Unsubscribe(packet_id, filters)


def read_ack(buffer: bytes, start: int, end: int, version: int) -> tuple[int, int]:
    """(packet id, reason) of a PUBACK, PUBREC, PUBREL or PUBCOMP; 3.1.1 has no reasons."""
    body = _Body(buffer, start, end)
    packet_id = body.packet_id()
    reason = body.u8() if version == V5 and body.left else SUCCESS
    if version == V5 and body.left:
        body.properties(_REASON_PROPERTIES)
    body.finish()
    return packet_id, reason


def read_disconnect(buffer: bytes, start: int, end: int, version: int) -> int:
    """The reason a device gives for leaving; 0 is the clean one."""
    body = _Body(buffer, start, end)
    reason = body.u8() if version == V5 and body.left else SUCCESS
    if version == V5 and body.left:
        body.properties(_DISCONNECT_PROPERTIES)
    body.finish()
    return reason


def read_nothing(start: int, end: int) -> None:
    """The body of a PINGREQ."""
    if start != end:
        raise Malformed(MALFORMED, "a PINGREQ with a body")


def connack(
    version: int,
    reason: int,
    *,
    receive_maximum: int = 0,
    packet_bytes_max: int = 0,
    client_id: str | None = None,
    keep_alive_s: int | None = None,
) -> bytes:
    """A CONNACK without a session. In 5.0 it says what this server is not: no sessions, aliases, wildcards, shares, subscription ids."""
    if version == V311:
        return bytes((0x20, 2, 0, _CONNACK_311.get(reason, 5) if reason else 0))
    properties = b""
    if reason == SUCCESS:
        properties = b"\x11\0\0\0\0\x21" + receive_maximum.to_bytes(2, "big") + b"\x27" + packet_bytes_max.to_bytes(4, "big")
        properties += b"\x28\0\x29\0\x2a\0"
        if client_id is not None:
            properties += b"\x12" + _prefixed(client_id.encode())
        if keep_alive_s is not None:
            properties += b"\x13" + keep_alive_s.to_bytes(2, "big")
    return _packet(0x20, bytes((0, reason)) + _length(len(properties)) + properties)


def acks(kind: int, answers: Iterable[tuple[int, int]], version: int) -> bytes:
    """Many acknowledgements of one kind as one run of bytes, in their order; reasons are said in 5.0 only."""
    head = _ACK_HEADS[kind]
    return b"".join(
        [
            head + packet_id.to_bytes(2, "big") if not reason or version == V311 else _ack_with_reason(kind, packet_id, reason)
            for packet_id, reason in answers
        ]
    )


def pubacks(packet_ids: Sequence[int]) -> bytes:
    """PUBACKs of success, which both versions write alike."""
    words = [PUBACK << 8 | 2] * (2 * len(packet_ids))
    words[1::2] = packet_ids
    return struct.pack(f">{len(words)}H", *words)


def suback(version: int, packet_id: int, reasons: Iterable[int]) -> bytes:
    codes = bytes(reasons) if version == V5 else bytes(0x80 if reason & 0x80 else reason for reason in reasons)
    return _packet(0x90, packet_id.to_bytes(2, "big") + (b"\0" if version == V5 else b"") + codes)


def unsuback(version: int, packet_id: int, reasons: Iterable[int]) -> bytes:
    return _packet(0xB0, packet_id.to_bytes(2, "big") + (b"\0" + bytes(reasons) if version == V5 else b""))


def disconnect(version: int, reason: int) -> bytes:
    """What a server says before it hangs up; 3.1.1 has no word for it."""
    return bytes((0xE0, 1, reason)) if version == V5 else b""


def publish(
    version: int,
    topic: str,
    payload: bytes,
    *,
    packet_id: int = 0,
    expiry_s: int = 0,
    response_topic: str | None = None,
    correlation: bytes | None = None,
) -> bytes:
    """A PUBLISH to a device: QoS 1 with a packet id, QoS 0 without; what 3.1.1 cannot say is left out."""
    body = _prefixed(topic.encode())
    if packet_id:
        body += packet_id.to_bytes(2, "big")
    if version == V5:
        properties = b"\x02" + expiry_s.to_bytes(4, "big") if expiry_s else b""
        if response_topic is not None:
            properties += b"\x08" + _prefixed(response_topic.encode())
        if correlation is not None:
            properties += b"\x09" + _prefixed(correlation)
        body += _length(len(properties)) + properties
    return _packet(0x32 if packet_id else 0x30, body + payload)


Property = int | str | bytes

_BYTE, _SHORT, _LONG, _VARIABLE, _TEXT, _BINARY, _PAIR = range(7)
# Every property that a client may send (2.2.2.2), by its wire type.
_WIRE = {
    0x01: _BYTE,
    0x02: _LONG,
    0x03: _TEXT,
    0x08: _TEXT,
    0x09: _BINARY,
    0x0B: _VARIABLE,
    0x11: _LONG,
    0x15: _TEXT,
    0x16: _BINARY,
    0x17: _BYTE,
    0x18: _LONG,
    0x19: _BYTE,
    0x1F: _TEXT,
    0x21: _SHORT,
    0x22: _SHORT,
    0x23: _SHORT,
    0x26: _PAIR,
    0x27: _LONG,
}
_ZERO_OR_ONE = frozenset({0x01, 0x17, 0x19})
_NEVER_ZERO = frozenset({0x0B, 0x21, 0x23, 0x27})
_USER_PROPERTIES = frozenset({0x26})
_CONNECT_PROPERTIES = frozenset({0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27})
_WILL_PROPERTIES = frozenset({0x01, 0x02, 0x03, 0x08, 0x09, 0x18, 0x26})
_PUBLISH_PROPERTIES = frozenset({0x01, 0x02, 0x03, 0x08, 0x09, 0x23, 0x26})
_SUBSCRIBE_PROPERTIES = frozenset({0x0B, 0x26})
_REASON_PROPERTIES = frozenset({0x1F, 0x26})
_DISCONNECT_PROPERTIES = frozenset({0x11, 0x1F, 0x26})

# 2.1.3: flags are fixed but for PUBLISH, where QoS 3 does not exist and QoS 0 is never a duplicate.
_LEGAL = tuple(
    header in (CONNECT, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT, AUTH)
    or (header & 0xF0 == PUBLISH and header & 0x06 != 0x06 and header & 0x0E != 0x08)
    for header in range(256)
)


class _Body:
    """Reads a packet's body from front to back; every step checks that the bytes are there."""

    __slots__ = ("_buffer", "_end", "at")

    def __init__(self, buffer: bytes, start: int, end: int) -> None:
        self._buffer, self.at, self._end = buffer, start, end

    @property
    def left(self) -> int:
        return self._end - self.at

    def take(self, count: int) -> bytes:
        at = self.at
        if count > self._end - at:
            raise Malformed(MALFORMED, "a packet shorter than it says")
        self.at = at + count
        return self._buffer[at : at + count]

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def variable(self) -> int:
        value = 0
        for shift in range(0, 7 * _LENGTH_BYTES_MAX, 7):
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise Malformed(MALFORMED, "a variable integer of more than four bytes")

    def binary(self) -> bytes:
        return self.take(self.u16())

    def text(self) -> str:
        return _text(self.binary())

    def packet_id(self) -> int:
        packet_id = self.u16()
        if not packet_id:
            raise Malformed(PROTOCOL_ERROR, "packet id 0")
        return packet_id

    def finish(self) -> None:
        if self.left:
            raise Malformed(MALFORMED, "bytes after the end of a packet")

    def properties(self, allowed: frozenset[int]) -> dict[int, Property]:
        """The property block; user properties are checked and forgotten, since nothing here listens to them."""
        size = self.variable()
        if size > self.left:
            raise Malformed(MALFORMED, "properties longer than their packet")
        block = _Body(self._buffer, self.at, self.at + size)
        self.at += size
        found: dict[int, Property] = {}
        while block.left:
            name = block.u8()
            if name not in allowed:
                raise Malformed(PROTOCOL_ERROR, f"property 0x{name:02x} does not belong here")
            value = block.property(_WIRE[name])
            if name in found:
                raise Malformed(PROTOCOL_ERROR, f"property 0x{name:02x} twice")
            if (name in _NEVER_ZERO and not value) or (name in _ZERO_OR_ONE and value not in (0, 1)):
                raise Malformed(PROTOCOL_ERROR, f"property 0x{name:02x} out of range")
            if name != 0x26:
                found[name] = value
        return found

    def property(self, wire: int) -> Property:
        if wire == _PAIR:
            return self.text() + "=" + self.text()
        return _READERS[wire](self)


_READERS = (_Body.u8, _Body.u16, _Body.u32, _Body.variable, _Body.text, _Body.binary)


def _text(raw: bytes) -> str:
    """A UTF-8 string as 1.5.4 wants it: well-formed, no surrogates, no NUL."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise Malformed(MALFORMED, "text that is not UTF-8") from None
    if "\0" in text:
        raise Malformed(MALFORMED, "text with a NUL in it")
    return text


def _check_connect_flags(flags: int, version: int) -> None:
    will_flags = flags & 0x38
    if flags & 0x01 or (will_flags and not flags & 0x04) or flags & 0x18 == 0x18:
        raise Malformed(MALFORMED, "CONNECT flags that contradict one another")
    if version == V311 and flags & 0xC0 == 0x40:
        raise Malformed(MALFORMED, "a password without a user name")


def _read_will(body: _Body, flags: int, version: int) -> Will:
    if version == V5:
        body.properties(_WILL_PROPERTIES)  # A delay ends with the session, and ours end with the connection (3.1.3.2.2).
    topic = read_topic(body.binary(), 65_535)
    return Will(topic, body.binary(), flags >> 3 & 3, bool(flags & 0x20))


def _read_publish_properties(buffer: bytes, at: int, end: int) -> tuple[int, bytes | None]:
    body = _Body(buffer, at, end)
    properties = body.properties(_PUBLISH_PROPERTIES)
    if 0x23 in properties:
        raise Malformed(TOPIC_ALIAS_INVALID, "a topic alias, though none was offered")
    response_topic = _words(properties, 0x08)
    if response_topic is not None and ("+" in response_topic or "#" in response_topic):
        raise Malformed(PROTOCOL_ERROR, "wildcards in a response topic")
    correlation = properties.get(0x09)
    return body.at, correlation if isinstance(correlation, bytes) else None


def _subscribe_options(options: int, version: int) -> int:
    reserved = 0xC0 if version == V5 else 0xFC
    if options & reserved or options & 0x03 == 0x03:
        raise Malformed(MALFORMED, "subscription options with reserved bits")
    if options & 0x30 == 0x30:
        raise Malformed(PROTOCOL_ERROR, "retain handling 3")
    return options


def _number(properties: dict[int, Property], name: int, default: int) -> int:
    value = properties.get(name, default)
    return value if isinstance(value, int) else default


def _words(properties: dict[int, Property], name: int) -> str | None:
    value = properties.get(name)
    return value if isinstance(value, str) else None


def _ack_with_reason(kind: int, packet_id: int, reason: int) -> bytes:
    return bytes((kind, 3, packet_id >> 8, packet_id & 0xFF, reason))


def _packet(header: int, body: bytes) -> bytes:
    return bytes((header,)) + _length(len(body)) + body


def _length(size: int) -> bytes:
    if size < 0x80:
        return bytes((size,))
    out = bytearray()
    while size >= 0x80:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out)


def _prefixed(raw: bytes) -> bytes:
    return len(raw).to_bytes(2, "big") + raw
