"""The devices' own door: accepts their MQTT connections, and acknowledges a message only when whoever keeps it says that it is kept.

It knows nothing of JSON or of PostgreSQL. What a message means is the business of a `Door`, which is told of every connection and
message in order, and later calls `Connection.acknowledge`.
"""

import asyncio
import collections
import dataclasses
import logging
import secrets
import socket
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

import msgspec

from gateway_mqtt import codec, downlink, uplink
from gateway_mqtt.codec import Malformed
from gateway_mqtt.downlink import CommandFailed, DeviceAway, DeviceBusy, DeviceRefused, DeviceSilent
from gateway_mqtt.uplink import NO_REASONS

__all__ = [
    "CommandFailed",
    "Connection",
    "DeviceAway",
    "DeviceBusy",
    "DeviceRefused",
    "DeviceSilent",
    "Door",
    "Limits",
    "Listener",
    "Login",
    "Messages",
]

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Login:
    """Who a connection speaks for; `topic` is what all its topics begin with, `onelot/1/{city}/{site}/{device}`."""

    device: str
    site: str
    kind: str
    topic: str


class Messages(msgspec.Struct, frozen=True, gc=False):
    """PUBLISHes of one connection to one topic that came together, in their order. Those of QoS 0 have `packet_id` 0 and are never
    acknowledged; every other must be, once."""

    connection: "Connection"
    topic: str
    qos: int
    retain: bool
    packet_ids: Sequence[int]
    payloads: Sequence[bytes]


class Door(Protocol):
    """Who stands behind the listener. All calls are synchronous and must be quick; one that raises costs that connection only."""

    def log_in(self, username: str, password: bytes, address: str) -> Login | None: ...

    def opened(self, connection: "Connection") -> None: ...

    def closed(self, connection: "Connection", *, clean: bool, will: tuple[str, bytes] | None, superseded: bool) -> None: ...

    def publish(self, messages: Messages) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the listener allows, in bytes, seconds and pieces; what happens at each limit stands beside it."""

    connections_max: int = 20_000  # Logged in. Beyond: CONNACK 0x97 (3.1.1: 3).
    waiting_max: int = 2_000  # Sockets beyond those that have not logged in. Beyond: hung up on at once.
    connect_s: float = 5.0  # From accept to CONNECT. Then: hung up on.
    connect_bytes_max: int = 16_384  # A CONNECT. Beyond: CONNACK 0x95 (3.1.1: 5).
    packet_bytes_max: int = 256 * 1024 + 65_536  # Above the door's 256 kB, so that it can keep what is a little too large. Then: 0x95.
    topic_bytes_max: int = 512  # Of a PUBLISH. Beyond: DISCONNECT 0x90.
    receive_maximum: int = 500  # Messages of one connection not yet acknowledged. Then: DISCONNECT 0x93, and 3.1.1 waits.
    keep_alive_factor: float = 1.5  # The standard's. Then: DISCONNECT 0x8D.
    keep_alive_max_s: int | None = None  # The longest silence a device may ask for; it is told (Server Keep Alive).
    commands_max: int = 16  # Commands under way to one device. Then: `DeviceBusy`.
    late_s: float = 60.0  # How long a command that timed out still waits for its late answer, so that no other gets it.
    socket_send_bytes: int = 65_536  # In the kernel, for each device: acknowledgements and commands are small.
    socket_receive_bytes: int = 262_144  # In the kernel, for each device: what it may send while nothing is read.
    write_bytes_max: int = 65_536  # Bytes a device has not read beyond those. Then: nothing more is read from it.
    stall_s: float = 30.0  # How long it may leave them unread. Then: cut off.
    linger_s: float = 2.0  # How long a device may take to read a farewell. Then: cut off.
    held_bytes_max: int = 64 * 1024 * 1024  # Read but not handed on while paused, all together. Then: no connection is read at all.


_WAITING, _OPEN, _LEAVING, _GONE = range(4)


class Listener:
    """Accepts devices at one address. `start`, then `command`, `pause` and `resume` as needed, at the end `drain`."""

    def __init__(
        self, door: Door, *, host: str = "127.0.0.1", port: int = 1883, shared: bool = False, limits: Limits | None = None
    ) -> None:
        """`shared`: other processes of this user may listen at the same port, and the system deals connections out among them."""
        self.door = door
        self.limits = limits or Limits()
        self.paused = False
        self.resumed_at = 0.0
        self.counts: collections.Counter[str] = collections.Counter()  # What became of connections, for metrics.
        self.unacknowledged = 0
        self._host = host
        self._port = port
        self._shared = shared
        self._server: asyncio.Server | None = None
        self._devices: dict[str, Connection] = {}
        self._sockets: set[Connection] = set()
        self._held: set[Connection] = set()
        self._held_bytes = 0
        self._deaf = False
        self._draining = False
        self._settled = asyncio.Event()

    @property
    def port(self) -> int:
        """The port it listens on, also when it was asked to choose one (0)."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connected(self) -> int:
        """How many devices are logged in."""
        return len(self._devices)

    def connection_of(self, device: str) -> "Connection | None":
        return self._devices.get(device)

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Connection(self, loop), self._host, self._port, backlog=4096, reuse_port=self._shared, start_serving=False
        )
        for sock in server.sockets:  # Accepted sockets inherit these.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # Finds a device without keep-alive that lost its power.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.limits.socket_send_bytes)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.limits.socket_receive_bytes)
        await server.start_serving()
        self._server = server

    async def command(self, device: str, payload: bytes, *, timeout_s: float) -> bytes:
        """Sends a command and returns the device's answer.

        Raises `DeviceAway`, `DeviceBusy`, `DeviceRefused`, or `DeviceSilent` when `timeout_s` passed.
        """
        connection = self._devices.get(device)
        if connection is None:
            raise DeviceAway(f"{device} is not connected here")
        command = connection.send_command(payload, timeout_s)
        try:
            async with asyncio.timeout(timeout_s):
                return await command.answer
        except TimeoutError:
            raise DeviceSilent(f"{device} did not answer within {timeout_s} s") from None

    def pause(self) -> None:
        """No message is handed on from now; a device that sends one is not read any further, so that its own sending blocks.

        Pings, log-ins and answers to commands are still served: a device without news must not lose its connection over our outage.
        """
        self.paused = True

    def resume(self) -> None:
        """Hands on what was held, each connection's messages in their order."""
        if not self.paused or self._draining:
            return
        loop = asyncio.get_running_loop()
        self.paused = False
        self.resumed_at = loop.time()
        self._held_bytes = 0
        held, self._held = self._held, set()
        if self._deaf:
            self._deaf = False
            held = set(self._devices.values())
        for connection in held:
            loop.call_soon(connection.go_on)  # Never from inside the door's own call.

    async def drain(self, seconds: float) -> None:
        """Accepts nothing new, waits at most `seconds` for what is not acknowledged yet, then says 0x8B to all and hangs up."""
        self._draining = True
        if self._server is not None:
            self._server.close()
        self.pause()
        if self.unacknowledged:
            self._settled.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._settled.wait()
            except TimeoutError:
                log.warning("%d messages were not acknowledged in time; their devices send them again", self.unacknowledged)
        for connection in tuple(self._sockets):
            connection.dismiss()
        await self._all_gone()

    async def _all_gone(self) -> None:
        deadline = asyncio.get_running_loop().time() + self.limits.linger_s + 1
        while self._sockets and asyncio.get_running_loop().time() < deadline:
            self._settled.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._settled.wait()
            except TimeoutError:
                break
        for connection in tuple(self._sockets):
            connection.abort()

    # What connections tell their listener.

    def took_socket(self, connection: "Connection") -> bool:
        """Whether there is room for one more socket, known or not."""
        if self._draining or len(self._sockets) >= self.limits.connections_max + self.limits.waiting_max:
            self.counts["hung_up"] += 1
            return False
        self._sockets.add(connection)
        return True

    def lost_socket(self, connection: "Connection") -> None:
        self._sockets.discard(connection)
        self._held.discard(connection)
        if not self._sockets:
            self._settled.set()

    def welcome(self, connection: "Connection", connect: codec.Connect) -> int:
        """Judges a CONNECT: 0 and the connection is the device's only one, or the reason it is refused for."""
        if self._draining:
            return codec.SERVER_UNAVAILABLE
        if connect.authentication_method is not None:
            return codec.BAD_AUTHENTICATION_METHOD
        if not connect.client_id and connect.version == codec.V311 and not connect.clean_start:
            return codec.CLIENT_ID_INVALID
        if not connect.username:
            return codec.NOT_AUTHORIZED
        login = self.door.log_in(connect.username, connect.password or b"", connection.address)
        if login is None:
            return codec.BAD_PASSWORD
        former = self._devices.get(login.device)
        if former is not None:
            former.supersede()
        elif len(self._devices) >= self.limits.connections_max:
            return codec.QUOTA_EXCEEDED
        connection.login = login
        self._devices[login.device] = connection
        self.counts["accepted"] += 1
        return codec.SUCCESS

    def farewell(self, connection: "Connection", *, clean: bool, will: tuple[str, bytes] | None, superseded: bool) -> None:
        """A logged-in connection is over, for the device or for us; the socket may live on for a moment."""
        if self._devices.get(connection.login.device) is connection:
            del self._devices[connection.login.device]
        try:
            self.door.closed(connection, clean=clean, will=will, superseded=superseded)
        except Exception:
            log.exception("the door failed to hear of the end of connection %d", connection.number)  # The socket has to end all the same.

    def hold(self, connection: "Connection", held_bytes: int) -> None:
        """A connection waits for `resume`; when all together hold too much, no connection is read any more."""
        self._held.add(connection)
        if not self.paused:
            return  # It waits for its own acknowledgements, but must be woken all the same when they come during a pause.
        self._held_bytes += held_bytes
        if self._held_bytes > self.limits.held_bytes_max and not self._deaf:
            self._deaf = True
            for each in self._devices.values():
                each.stop_reading()

    def settled(self, count: int) -> None:
        """So many messages were acknowledged, or their connection is gone."""
        self.unacknowledged -= count
        if not self.unacknowledged:
            self._settled.set()


class Connection(asyncio.Protocol):
    """One device's connection. For the door: `number`, `login`, `address`, `version`, `acknowledge` and `close`."""

    __slots__ = (
        "_answer_topic",
        "_clogged",
        "_downlink",
        "_heard",
        "_keep_alive_s",
        "_limits",
        "_listener",
        "_loop",
        "_peer",
        "_splitter",
        "_stall",
        "_state",
        "_stopped",
        "_timer",
        "_topics",
        "_transport",
        "_uplink",
        "_usual_topic",
        "_will",
        "address",
        "login",
        "number",
        "version",
    )

    _transport: asyncio.Transport
    login: Login

    def __init__(self, listener: Listener, loop: asyncio.AbstractEventLoop) -> None:
        self.number = secrets.randbits(62)  # Unique among all listeners, since clocks are judged by connection.
        self.address = ""
        self.version = codec.V311  # Until its CONNECT says otherwise: who sends rubbish is answered with nothing.
        self._listener = listener
        self._limits = listener.limits
        self._loop = loop
        self._state = _WAITING
        self._splitter = codec.Splitter(listener.limits.connect_bytes_max)
        self._timer: asyncio.TimerHandle | None = None  # For CONNECT, then for the keep-alive, then for the device to hang up.
        self._stall: asyncio.TimerHandle | None = None
        self._heard = 0.0
        self._keep_alive_s = 0.0
        self._will: codec.Will | None = None
        self._peer: tuple[int, int] = (65_535, 0)
        self._downlink: downlink.Downlink | None = None
        self._answer_topic = b""
        self._topics: dict[bytes, str] = {}
        self._usual_topic = b""
        self._uplink = uplink.Uplink(codec.V311, 0)
        self._stopped = False
        self._clogged = False

    # What the door calls.

    def acknowledge(self, packet_ids: Sequence[int], reasons: Mapping[int, int] = NO_REASONS) -> None:
        """Messages are kept, in any order; the device hears of them in the order in which it sent them.

        One write for all that are ready. `reasons` are of those that were refused, and said in MQTT 5 only. Ids of a connection that is
        gone mean nothing.
        """
        if self._state != _OPEN:
            return
        kept, due = self._uplink.keep(packet_ids, reasons)
        self._listener.settled(kept)
        if due:
            self._write(due)
        if self._stopped and not self._listener.paused and not self._uplink.full:
            self._loop.call_soon(self.go_on)  # Never from inside the door's own call.

    def close(self, reason: int = codec.UNSPECIFIED) -> None:
        """Hangs up on the device: what is not acknowledged comes again over its next connection."""
        self._leave(codec.disconnect(self.version, reason))

    # What the listener calls.

    def send_command(self, payload: bytes, timeout_s: float) -> downlink.Command:
        if self._downlink is None:
            raise DeviceAway(f"{self.login.device} does not listen to its commands")
        if self._clogged:
            raise DeviceBusy(f"{self.login.device} does not read what is sent to it")
        packet, command = self._downlink.issue(payload, self._loop.time(), timeout_s)
        self._write(packet)
        return command

    def supersede(self) -> None:
        """The device has come by another connection."""
        self._listener.counts["taken_over"] += 1
        self._leave(codec.disconnect(self.version, codec.TAKEN_OVER), superseded=True)

    def dismiss(self) -> None:
        """The listener ends: that is our doing, so the device's will is not its last word."""
        self._will = None
        self._leave(codec.disconnect(self.version, codec.SHUTTING_DOWN) if self._state == _OPEN else b"")

    def stop_reading(self) -> None:
        self._stopped = True
        self._settle_reading()

    def go_on(self) -> None:
        """Serves what was held back, then reads again unless something holds again."""
        if self._state != _OPEN:
            return
        self._stopped = False
        self._serve()
        self._settle_reading()

    def abort(self) -> None:
        self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._listener.took_socket(self):
            self._state = _GONE
            self._transport.abort()
            return
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        self._transport.set_write_buffer_limits(high=self._limits.write_bytes_max)
        self._heard = self._loop.time()
        self._timer = self._loop.call_at(self._heard + self._limits.connect_s, self._look_at_the_clock)

    def data_received(self, data: bytes) -> None:
        if self._state in (_LEAVING, _GONE):
            return
        self._heard = self._loop.time()
        self._splitter.feed(data)
        self._serve()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._timer, self._stall):
            if timer is not None:
                timer.cancel()
        self._timer = self._stall = None
        self._part(clean=False, superseded=False)
        self._state = _GONE
        self._listener.lost_socket(self)

    def pause_writing(self) -> None:
        """The device does not read: nor is it read, or its acknowledgements would pile up here."""
        self._clogged = True
        self._settle_reading()
        self._stall = self._loop.call_later(self._limits.stall_s, self._cut_off)

    def resume_writing(self) -> None:
        self._clogged = False
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        self._settle_reading()

    # Reading.

    def _serve(self) -> None:
        """Serves the packets that are here. Whatever they hold, and whatever the door makes of them, only this connection can fail."""
        try:
            if self._usual_topic and self._state == _OPEN and not self._listener.paused:
                self._serve_run(self._usual_topic)
            for buffer, header, start, end in self._splitter.packets():
                if self._state == _OPEN:
                    if header & 0xF0 != codec.PUBLISH:
                        self._serve_rare(buffer, header, start, end)
                    elif not self._serve_publish(buffer, header, start, end):
                        self._hold()
                        break
                elif self._state == _WAITING:
                    self._serve_connect(buffer, header, start, end)
                if self._state in (_LEAVING, _GONE):
                    break
        except Malformed as wrong:
            self._fail(wrong)
        except Exception:
            log.exception("connection %d failed", self.number)
            self._listener.counts["failed"] += 1
            self._give_up(codec.SERVER_ERROR)

    def _serve_connect(self, buffer: bytes, header: int, start: int, end: int) -> None:
        if header != codec.CONNECT:
            self._listener.counts["no_connect"] += 1
            self._leave(b"")  # 3.1.0-1: whoever begins with anything else gets no answer.
            return
        self.version = codec.version_of(buffer[start:end])
        connect = codec.read_connect(buffer, start, end)
        reason = self._listener.welcome(self, connect)
        if reason:
            self._refuse(reason)
            return
        self._state = _OPEN
        self._will = connect.will
        self._uplink = uplink.Uplink(self.version, self._limits.receive_maximum)
        self._peer = (connect.receive_maximum, connect.packet_bytes_max)
        self._answer_topic = f"{self.login.topic}/answer".encode()
        self._splitter.bytes_max = self._limits.packet_bytes_max
        self._write(self._connack(connect))
        self._listener.door.opened(self)

    def _connack(self, connect: codec.Connect) -> bytes:
        longest = self._limits.keep_alive_max_s
        keep_alive_s = connect.keep_alive_s
        ours = longest is not None and not 0 < keep_alive_s <= longest
        if longest is not None and ours:
            keep_alive_s = longest
        self._keep_alive_s = keep_alive_s * self._limits.keep_alive_factor
        self._look_at_the_clock()
        return codec.connack(
            self.version,
            codec.SUCCESS,
            receive_maximum=self._limits.receive_maximum,
            packet_bytes_max=self._limits.packet_bytes_max,
            client_id=None if connect.client_id else f"onelot-{self.number:x}",
            keep_alive_s=keep_alive_s if ours else None,
        )

    def _serve_run(self, raw_topic: bytes) -> None:
        """Hands on the plain messages at the front that go where the last one went. Any other, and what follows it, comes singly."""
        ids, payloads, end = self._splitter.run(raw_topic, self.version, self._uplink.room)
        if not ids or not self._uplink.admit_run(ids):
            return
        self._splitter.skip(end)
        self._listener.unacknowledged += len(ids)
        self._listener.door.publish(Messages(self, self._topics[raw_topic], 1, False, ids, payloads))

    def _serve_publish(self, buffer: bytes, header: int, start: int, end: int) -> bool:
        """Hands a message to the door; False when it must wait where it is."""
        found = codec.read_publish(buffer, start, end, header, self.version)
        topic = self._topics.get(found.topic) or self._learn_topic(found.topic)
        if found.topic == self._answer_topic:
            self._take_answer(found, header)
            return True
        if self._listener.paused or self._uplink.full:
            return False
        packet_id = found.packet_id
        if packet_id and not self._admit(packet_id, header):
            return True
        self._usual_topic = found.topic if found.topic in self._topics else b""
        self._listener.door.publish(Messages(self, topic, header >> 1 & 3, bool(header & 1), (packet_id,), (found.payload,)))
        return True

    def _serve_rare(self, buffer: bytes, header: int, start: int, end: int) -> None:
        if header == codec.PINGREQ:
            codec.read_nothing(start, end)
            self._write(codec.PINGRESP)
        elif header == codec.PUBREL:
            self._write(self._uplink.release(codec.read_ack(buffer, start, end, self.version)[0]))
        elif header == codec.PUBACK:
            packet_id, reason = codec.read_ack(buffer, start, end, self.version)
            if self._downlink is not None:
                self._downlink.acknowledged(packet_id, reason)
        elif header == codec.SUBSCRIBE:
            self._subscribe(codec.read_subscribe(buffer, start, end, self.version))
        elif header == codec.UNSUBSCRIBE:
            self._unsubscribe(codec.read_unsubscribe(buffer, start, end, self.version))
        elif header == codec.DISCONNECT:
            reason = codec.read_disconnect(buffer, start, end, self.version)
            self._leave(b"", clean=reason == codec.SUCCESS)
        else:
            raise Malformed(codec.PROTOCOL_ERROR, f"a packet of type {header >> 4} out of place")

    # Messages up.

    def _learn_topic(self, raw: bytes) -> str:
        topic = codec.read_topic(raw, self._limits.topic_bytes_max)
        if len(self._topics) < 16:  # A device has four; a rogue one must not fill the memory with others.
            self._topics[raw] = topic
        return topic

    def _hold(self) -> None:
        self._stopped = True
        self._listener.hold(self, self._splitter.held_bytes)
        self._settle_reading()

    def _admit(self, packet_id: int, header: int) -> bool:
        answer = self._uplink.admit(packet_id, header & 0x04)
        if answer is None:
            self._listener.unacknowledged += 1
            return True
        self._write(answer)
        return False

    # Commands down.

    def _subscribe(self, request: codec.Subscribe) -> None:
        """A device hears its own commands and nothing else; QoS 1 at most."""
        reasons = []
        own = f"{self.login.topic}/command"
        for topic, options in request.filters:
            if topic != own:
                reasons.append(codec.NOT_AUTHORIZED)
                continue
            reasons.append(min(options & 0x03, 1))
            self._listen(reasons[-1])
        self._write(codec.suback(self.version, request.packet_id, reasons))

    def _listen(self, qos: int) -> None:
        if self._downlink is not None:
            self._downlink.qos = qos
            return
        window, packet_bytes_max = self._peer
        self._downlink = downlink.Downlink(
            self.login.topic,
            self.version,
            qos,
            window=min(window, self._limits.commands_max),
            packet_bytes_max=packet_bytes_max,
            late_s=self._limits.late_s,
        )

    def _unsubscribe(self, request: codec.Unsubscribe) -> None:
        reasons = []
        for topic in request.filters:
            listening = self._downlink is not None and topic == f"{self.login.topic}/command"
            reasons.append(codec.SUCCESS if listening else codec.NO_SUBSCRIPTION)
            if self._downlink is not None and listening:
                self._downlink.give_up()
                self._downlink = None
        self._write(codec.unsuback(self.version, request.packet_id, reasons))

    def _take_answer(self, found: codec.Publish, header: int) -> None:
        """An answer is for whoever gave the command, not for the door; it is acknowledged in its turn all the same."""
        if found.packet_id and not self._admit(found.packet_id, header):
            return
        if self._downlink is None or not self._downlink.answered(found.correlation, found.payload, self._loop.time()):
            self._listener.counts["answers_unasked"] += 1
        if found.packet_id:
            self.acknowledge((found.packet_id,))

    # Leaving.

    def _fail(self, wrong: Malformed) -> None:
        self._listener.counts[f"malformed_0x{wrong.reason:02x}"] += 1
        log.info("connection %d from %s: %s", self.number, self.address, wrong)
        if self._state == _WAITING and wrong.reason == codec.TOO_LARGE:
            self.version = codec.version_of(self._splitter.head())
        self._give_up(wrong.reason)

    def _give_up(self, reason: int) -> None:
        """Ends it in the words of the moment: a CONNACK to who has not been let in, a DISCONNECT to who has."""
        if self._state == _WAITING:
            self._refuse(reason)
        else:
            self._leave(codec.disconnect(self.version, reason))

    def _refuse(self, reason: int) -> None:
        """CONNACK with the reason; only a malformed 3.1.1 CONNECT gets none (3.1.1, MQTT-3.1.4-1)."""
        self._listener.counts[f"refused_0x{reason:02x}"] += 1
        unspeakable = self.version == codec.V311 and reason in (codec.MALFORMED, codec.PROTOCOL_ERROR, codec.TOPIC_INVALID)
        self._leave(b"" if unspeakable else codec.connack(self.version, reason))

    def _leave(self, farewell: bytes, *, clean: bool = False, superseded: bool = False) -> None:
        """Says farewell and half-closes: closing outright with unread bytes would reset the connection and could eat the farewell."""
        if self._state in (_LEAVING, _GONE):
            return
        self._part(clean=clean, superseded=superseded)
        self._state = _LEAVING
        self._splitter = codec.Splitter(0)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._limits.linger_s, self._cut_off)
        if farewell:
            self._write(farewell)
        if self._transport.is_closing():
            return
        try:
            self._transport.write_eof()
        except OSError:  # The device was faster; asyncio's own loop says so here.
            self._transport.abort()
        self._settle_reading()

    def _part(self, *, clean: bool, superseded: bool) -> None:
        """Tells everybody, once, that this connection speaks for its device no more."""
        if self._state != _OPEN:
            return
        self._state = _LEAVING
        if self._downlink is not None:
            self._downlink.give_up()
            self._downlink = None
        self._listener.settled(self._uplink.waiting)
        will = None if clean or superseded or self._will is None else (self._will.topic, self._will.payload)
        self._listener.farewell(self, clean=clean, will=will, superseded=superseded)

    def _cut_off(self) -> None:
        if self._state == _OPEN:
            self._listener.counts["stalled"] += 1
            self._part(clean=False, superseded=False)
        self._transport.abort()

    # Time.

    def _look_at_the_clock(self) -> None:
        """One timer a connection, set again lazily: for the CONNECT that must come, then for the keep-alive."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._state == _WAITING:
            self._listener.counts["connect_timeout"] += 1
            self._leave(b"")
            return
        if self._state != _OPEN or not self._keep_alive_s:
            return
        now = self._loop.time()
        unread = self._stopped and not self._clogged  # What we do not read we must not miss.
        due = (now if unread else max(self._heard, self._listener.resumed_at)) + self._keep_alive_s
        if now < due:
            self._timer = self._loop.call_at(due, self._look_at_the_clock)
            return
        self._listener.counts["keep_alive_timeout"] += 1
        self._leave(codec.disconnect(self.version, codec.KEEP_ALIVE_TIMEOUT))

    def _write(self, packets: bytes) -> None:
        if not self._transport.is_closing():  # A connection may be lost before anybody has been told.
            self._transport.write(packets)

    def _settle_reading(self) -> None:
        if self._transport.is_closing():
            return
        if (self._stopped or self._clogged) and self._state in (_WAITING, _OPEN):
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
