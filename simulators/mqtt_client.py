"""A lean MQTT client (5.0 and 3.1.1), so that one process can be thousands of devices that speak as strangers do.

It trusts the server it was told to connect to; it is no place to learn how to read hostile bytes.
"""

import asyncio
import collections
import dataclasses
import itertools
from collections.abc import Callable
from typing import cast

V311, V5 = 4, 5
IN_FLIGHT_MAX = 65_535


class MqttError(Exception):
    """Something went wrong between a device and its server: `ConnectRefused | ConnectionGone`."""


class ConnectRefused(MqttError):
    """The server answered CONNECT with a reason: an MQTT 5 reason code, or a 3.1.1 return code."""

    def __init__(self, reason: int) -> None:
        super().__init__(f"refused with 0x{reason:02x}")
        self.reason = reason


class ConnectionGone(MqttError):
    """The connection is gone; what was not acknowledged has to be sent again. `reason` is the server's, where it gave one."""

    def __init__(self, reason: int | None = None) -> None:
        super().__init__("connection gone" if reason is None else f"the server left with 0x{reason:02x}")
        self.reason = reason


@dataclasses.dataclass(frozen=True, slots=True)
class Will:
    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """What came down on `topic`; the answer goes to `response_topic` with `correlation` where there is one."""

    topic: str
    payload: bytes
    response_topic: str
    correlation: bytes | None


OnCommand = Callable[[Command], bytes | None]


async def connect(
    host: str,
    port: int,
    username: str,
    password: bytes,
    *,
    version: int = V5,
    client_id: str = "",
    keep_alive_s: int = 60,
    will: Will | None = None,
    window: int = 20,
    on_command: OnCommand | None = None,
    timeout_s: float = 10.0,
) -> "Client":
    """A client that is logged in. `on_command` returns the answer, or None to call `Client.answer` later (or never).

    Raises `ConnectRefused`, `ConnectionGone`, `TimeoutError`, or `OSError` when nobody is there.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        _, client = await loop.create_connection(lambda: Client(loop, version, window, keep_alive_s, on_command), host, port)
        try:
            await client.log_in(connect_packet(version, client_id, keep_alive_s, username, password, will))
        except BaseException:
            client.abort()
            raise
    return client


class Client(asyncio.Protocol):
    """One device's connection; at most `window` messages of QoS 1 are under way, the next waits."""

    __slots__ = (
        "_connected",
        "_heard",
        "_in_flight",
        "_keep_alive_s",
        "_loop",
        "_on_command",
        "_packet_ids",
        "_reason",
        "_requests",
        "_rest",
        "_timer",
        "_transport",
        "_version",
        "_waiters",
        "closed",
        "window",
    )

    _transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, version: int, window: int, keep_alive_s: int, on_command: OnCommand | None) -> None:
        self.window = min(window, IN_FLIGHT_MAX)
        self.closed: asyncio.Future[int | None] = loop.create_future()
        self._loop = loop
        self._version = version
        self._keep_alive_s = keep_alive_s
        self._on_command = on_command
        self._connected: asyncio.Future[None] = loop.create_future()
        self._in_flight: dict[int, asyncio.Future[int]] = {}
        self._requests: dict[int, asyncio.Future[int]] = {}
        self._waiters: collections.deque[asyncio.Future[None]] = collections.deque()
        self._packet_ids = itertools.cycle(range(1, IN_FLIGHT_MAX + 1))
        self._rest = b""
        self._heard = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._reason: int | None = None

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        """Sends a message and waits for its PUBACK (QoS 1); returns the reason, 0 when all is well. Raises `ConnectionGone`."""
        return await (await self.send(topic, payload, qos=qos, retain=retain))

    async def send(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> asyncio.Future[int]:
        """Sends a message as soon as the window has room; the future is its PUBACK's reason, or `ConnectionGone`."""
        while qos and len(self._in_flight) >= self.window:
            waiter = self._loop.create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                self._wake_next()  # The place it may have been given already.
                raise
        self._check_alive()
        acknowledged: asyncio.Future[int] = self._loop.create_future()
        packet_id = self._free_packet_id() if qos else 0
        if qos:
            self._in_flight[packet_id] = acknowledged
        else:
            acknowledged.set_result(0)
        self._transport.write(publish_packet(self._version, topic, payload, packet_id=packet_id, retain=retain))
        return acknowledged

    async def subscribe(self, topic: str, *, qos: int = 1) -> int:
        """The granted QoS, or from 0x80 on the reason why not."""
        self._check_alive()
        packet_id = self._free_packet_id()
        self._requests[packet_id] = self._loop.create_future()
        body = packet_id.to_bytes(2, "big") + (b"\0" if self._version == V5 else b"") + _text(topic) + bytes((qos,))
        self._transport.write(_packet(0x82, body))
        return await self._requests[packet_id]

    def answer(self, command: Command, payload: bytes) -> None:
        """Sends the answer to a command, of QoS 0: whoever asked has a time-out, and a late answer helps nobody."""
        if not self._transport.is_closing():
            packet = publish_packet(self._version, command.response_topic, payload, correlation=command.correlation)
            self._transport.write(packet)

    async def close(self) -> None:
        """Leaves cleanly: no will, and whatever is not acknowledged is given up."""
        if not self._transport.is_closing():
            self._transport.write(b"\xe0\x00")
            self._transport.close()
        await self.closed

    def abort(self) -> None:
        """Vanishes as a device does that lost its power."""
        self._transport.abort()

    async def log_in(self, packet: bytes) -> None:
        self._transport.write(packet)
        await self._connected
        self._keep_alive()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        buffer = self._rest + data if self._rest else data
        at = 0
        while (body := body_of(buffer, at)) is not None:
            self._take(buffer[at], buffer[body[0] : body[1]])
            at = body[1]
        self._rest = buffer[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        gone = ConnectionGone(self._reason)
        waiting: list[asyncio.Future[None] | asyncio.Future[int]] = [self._connected, *self._waiters]
        for future in (*waiting, *self._in_flight.values(), *self._requests.values()):
            if not future.done():
                future.set_exception(gone)
                future.exception()  # Who does not wait for it need not hear of it.
        self._in_flight.clear()
        if not self.closed.done():
            self.closed.set_result(self._reason)

    # Packets from the server.

    def _take(self, header: int, body: bytes) -> None:
        kind = header & 0xF0
        if kind == 0x40:
            self._acknowledged(int.from_bytes(body[:2], "big"), body[2] if len(body) > 2 else 0)
        elif kind == 0x30:
            self._take_command(header, body)
        elif kind == 0x90:
            request = self._requests.pop(int.from_bytes(body[:2], "big"), None)
            if request is not None and not request.done():
                request.set_result(body[-1])
        elif kind == 0x20:
            self._take_connack(body)
        elif kind == 0xE0:
            self._reason = body[0] if body else 0
            self._transport.close()

    def _take_connack(self, body: bytes) -> None:
        if self._connected.done():
            return
        if body[1]:
            self._connected.set_exception(ConnectRefused(body[1]))
            return
        if self._version == V5:
            properties, _ = read_properties(body, 2)
            self.window = min(self.window, int.from_bytes(properties.get(0x21, b"\xff\xff"), "big"))
            self._keep_alive_s = int.from_bytes(properties.get(0x13, self._keep_alive_s.to_bytes(2, "big")), "big")
        self._connected.set_result(None)

    def _acknowledged(self, packet_id: int, reason: int) -> None:
        future = self._in_flight.pop(packet_id, None)
        if future is not None and not future.done():
            future.set_result(reason)
        self._wake_next()

    def _wake_next(self) -> None:
        while self._waiters and len(self._in_flight) < self.window:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                break

    def _take_command(self, header: int, body: bytes) -> None:
        at = 2 + int.from_bytes(body[:2], "big")
        topic = body[2:at].decode()
        if header & 0x06:
            self._transport.write(b"\x40\x02" + body[at : at + 2])
            at += 2
        properties: dict[int, bytes] = {}
        if self._version == V5:
            properties, at = read_properties(body, at)
        response_topic = properties.get(0x08, (topic.rpartition("/")[0] + "/answer").encode()).decode()
        command = Command(topic, body[at:], response_topic, properties.get(0x09))
        answer = self._on_command(command) if self._on_command is not None else None
        if answer is not None:
            self.answer(command, answer)

    def _keep_alive(self) -> None:
        """Pings at three quarters of the keep-alive, and gives up on a server that has been silent for two of them."""
        if not self._keep_alive_s or self._transport.is_closing():
            return
        if self._loop.time() - self._heard > 2 * self._keep_alive_s:
            self.abort()
            return
        self._transport.write(b"\xc0\x00")
        self._timer = self._loop.call_later(self._keep_alive_s * 0.75, self._keep_alive)

    def _check_alive(self) -> None:
        if self._transport.is_closing():
            raise ConnectionGone(self._reason)

    def _free_packet_id(self) -> int:
        return next(each for each in self._packet_ids if each not in self._in_flight and each not in self._requests)


def connect_packet(version: int, client_id: str, keep_alive_s: int, username: str, password: bytes, will: Will | None) -> bytes:
    """A CONNECT with a clean session; an empty user name is left out."""
    flags = 0x02 | (0xC0 if username else 0)
    if will is not None:
        flags |= 0x04 | will.qos << 3 | (0x20 if will.retain else 0)
    properties = b"\0" if version == V5 else b""
    body = _text("MQTT") + bytes((version, flags)) + keep_alive_s.to_bytes(2, "big") + properties + _text(client_id)
    if will is not None:
        body += properties + _text(will.topic) + _prefixed(will.payload)
    if username:
        body += _text(username) + _prefixed(password)
    return _packet(0x10, body)


def publish_packet(
    version: int, topic: str, payload: bytes, *, packet_id: int = 0, retain: bool = False, correlation: bytes | None = None
) -> bytes:
    """A PUBLISH of QoS 1 with a packet id, of QoS 0 without."""
    body = _text(topic)
    if packet_id:
        body += packet_id.to_bytes(2, "big")
    if version == V5:
        properties = b"" if correlation is None else b"\x09" + _prefixed(correlation)
        body += _length(len(properties)) + properties
    return _packet(0x30 | (0x02 if packet_id else 0) | retain, body + payload)


def body_of(buffer: bytes, at: int) -> tuple[int, int] | None:
    """Start and end of the body of the packet at `at`, None while it is not all there."""
    length = shift = 0
    start = at + 1
    while start < len(buffer):
        byte = buffer[start]
        start += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (start, start + length) if start + length <= len(buffer) else None
    return None


# Bytes of each property's value; a text or binary carries its length, a pair is two texts, 0x0B is a variable integer.
_FIXED = {0x01: 1, 0x02: 4, 0x11: 4, 0x13: 2, 0x17: 1, 0x18: 4, 0x19: 1, 0x21: 2, 0x22: 2, 0x23: 2}
_FIXED |= {0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1}
_PAIR, _VARIABLE = 0x26, 0x0B


def read_properties(body: bytes, at: int) -> tuple[dict[int, bytes], int]:
    """Raw values by property, without their length prefixes, and where the properties end."""
    size, at = _read_length(body, at)
    end = at + size
    found = {}
    while at < end:
        name, at = body[at], at + 1
        if name == _VARIABLE:
            _, at = _read_length(body, at)
        elif name in _FIXED:
            found[name] = body[at : at + _FIXED[name]]
            at += _FIXED[name]
        else:
            if name == _PAIR:
                at += 2 + int.from_bytes(body[at : at + 2], "big")
            value_end = at + 2 + int.from_bytes(body[at : at + 2], "big")
            found[name] = body[at + 2 : value_end]
            at = value_end
    return found, end


def _read_length(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _packet(header: int, body: bytes) -> bytes:
    return bytes((header,)) + _length(len(body)) + body


def _length(size: int) -> bytes:
    out = bytearray()
    while size >= 0x80:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out)


def _text(text: str) -> bytes:
    return _prefixed(text.encode())


def _prefixed(raw: bytes) -> bytes:
    return len(raw).to_bytes(2, "big") + raw
