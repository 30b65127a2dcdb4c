"""What the listener's tests share: a door that keeps everything in memory, a raw device, and both event loops."""

import asyncio
import contextlib
import functools
import inspect
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import pytest
import uvloop

from gateway_mqtt import codec
from gateway_mqtt.listener import Connection, Limits, Listener, Login, Messages

PASSWORD = b"secret"
TOPIC = "onelot/1/city/lot-7/"


def on_both_loops(scenario: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """The scenario as a test on asyncio's own loop and on uvloop, which differ where a connection ends."""

    @functools.wraps(scenario)
    def test(loop: str, **arguments: Any) -> None:
        factory = uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(asyncio.wait_for(scenario(**arguments), 30))

    loop = inspect.Parameter("loop", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    own = inspect.signature(scenario).parameters.values()
    test.__signature__ = inspect.Signature([loop, *own])  # type: ignore[attr-defined]
    del test.__wrapped__  # type: ignore[attr-defined]
    return pytest.mark.parametrize("loop", ["asyncio", "uvloop"])(test)


both_versions = pytest.mark.parametrize("version", [codec.V311, codec.V5], ids=["3.1.1", "5.0"])


class Message(NamedTuple):
    connection: Connection
    topic: str
    payload: bytes
    qos: int
    retain: bool
    packet_id: int


class MemoryDoor:
    """Takes every device whose password is right; acknowledges at once unless `patient`."""

    def __init__(self, *, patient: bool = False) -> None:
        self.patient = patient
        self.connections: list[Connection] = []
        self.ends: list[tuple[str, bool, tuple[str, bytes] | None, bool]] = []
        self.messages: list[Message] = []
        self.changed = asyncio.Event()

    def log_in(self, username: str, password: bytes, address: str) -> Login | None:
        return Login(username, "lot-7", "camera", TOPIC + username) if password == PASSWORD else None

    def opened(self, connection: Connection) -> None:
        self.connections.append(connection)
        self.changed.set()

    def closed(self, connection: Connection, *, clean: bool, will: tuple[str, bytes] | None, superseded: bool) -> None:
        self.ends.append((connection.login.device, clean, will, superseded))
        self.changed.set()

    def publish(self, messages: Messages) -> None:
        said, each = messages, zip(messages.packet_ids, messages.payloads, strict=True)
        self.messages += [Message(said.connection, said.topic, payload, said.qos, said.retain, packet_id) for packet_id, payload in each]
        self.changed.set()
        for packet_id in said.packet_ids:
            if packet_id and not self.patient:
                said.connection.acknowledge([packet_id])

    @property
    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.messages]

    async def until(self, true: Callable[[], object]) -> None:
        """Waits until something is true that only this door's calls can make true."""
        async with asyncio.timeout(10):
            while not true():
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def listening(door: Any = None, **limits: Any) -> AsyncIterator[tuple[Listener, Any]]:
    door = door or MemoryDoor()
    limits = {"linger_s": 0.2, **limits}
    listener = Listener(door, port=0, limits=Limits(**limits))
    await listener.start()
    try:
        yield listener, door
    finally:
        await listener.drain(0)


class Wire:
    """A device of raw bytes: what it sends need not be MQTT."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, version: int) -> None:
        self.reader, self.writer, self.version = reader, writer, version

    async def send(self, *packets: bytes) -> None:
        self.writer.write(b"".join(packets))
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    async def packet(self) -> tuple[int, bytes]:
        """(header, body) of the next packet."""
        header = (await self.reader.readexactly(1))[0]
        length = shift = 0
        while True:
            byte = (await self.reader.readexactly(1))[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return header, await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        """All that comes until the other side hangs up."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""

    async def publish(self, payload: bytes, *, packet_id: int = 0, qos: int = 1, kind: str = "status", device: str = "cam-1") -> None:
        await self.send(publish(self.version, payload, packet_id=packet_id, qos=qos, kind=kind, device=device))

    def abort(self) -> None:
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def wired(listener: Listener, version: int = codec.V5) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    wire = Wire(reader, writer, version)
    try:
        yield wire
    finally:
        await wire.close()


@contextlib.asynccontextmanager
async def device(listener: Listener, version: int = codec.V5, name: str = "cam-1", **more: Any) -> AsyncIterator[Wire]:
    """A raw device that is logged in."""
    async with wired(listener, version) as wire:
        await wire.send(connect(version, name, **more))
        header, body = await wire.packet()
        assert (header, body[1]) == (0x20, 0)
        yield wire


def text(value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return len(raw).to_bytes(2, "big") + raw


def length(size: int) -> bytes:
    out = bytearray()
    while size >= 0x80:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes((*out, size))


def packet(header: int, body: bytes) -> bytes:
    return bytes((header,)) + length(len(body)) + body


def connect(
    version: int,
    name: str = "cam-1",
    password: bytes | None = PASSWORD,
    *,
    protocol: bytes = b"MQTT",
    level: int | None = None,
    client_id: bytes = b"any",
    keep_alive_s: int = 0,
    flags: int = 0x02,
    will: tuple[str, bytes] | None = None,
    properties: bytes = b"",
) -> bytes:
    flags |= (0x80 if name else 0) | (0x40 if password is not None else 0) | (0x04 if will else 0)
    body = text(protocol) + bytes((level if level is not None else version, flags)) + keep_alive_s.to_bytes(2, "big")
    if version == codec.V5:
        body += length(len(properties)) + properties
    body += text(client_id)
    if will:
        body += (b"\0" if version == codec.V5 else b"") + text(will[0]) + text(will[1])
    body += (text(name) if name else b"") + (text(password) if password is not None else b"")
    return packet(0x10, body)


def publish(
    version: int,
    payload: bytes,
    *,
    packet_id: int = 0,
    qos: int = 1,
    kind: str = "status",
    device: str = "cam-1",
    topic: bytes | None = None,
    properties: bytes = b"",
    flags: int = 0,
) -> bytes:
    body = text(topic if topic is not None else f"{TOPIC}{device}/{kind}")
    body += packet_id.to_bytes(2, "big") if qos else b""
    body += length(len(properties)) + properties if version == codec.V5 else b""
    return packet(0x30 | qos << 1 | flags, body + payload)


def subscribe(version: int, *filters: tuple[str, int], packet_id: int = 9, properties: bytes = b"") -> bytes:
    body = packet_id.to_bytes(2, "big") + (length(len(properties)) + properties if version == codec.V5 else b"")
    return packet(0x82, body + b"".join(text(name) + bytes((options,)) for name, options in filters))


def small_buffers(listener: Listener) -> socket.socket:
    """A blocking socket to the listener whose kernel buffers are as small as they get."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", listener.port))
    return sock
