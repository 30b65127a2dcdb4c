"""A publisher that loads an MQTT server with QoS 1, the same code for our listener and for a broker, so that the two can be compared.

    python -m benchmarks.mqtt_load --port 1883 --connections 200 --window 20 --messages 100000
    python -m benchmarks.mqtt_load --port 1883 --devices devices.json --rate 500 --messages 5000

As fast as the window lets it, or with `--rate` at a stated rate whatever the server does (latency then counts from when a message was due).

Load and server share a machine, so what a message costs here is taken from the server that is measured. All packets are therefore made
before the clock starts, what a window has room for is one slice and one write, and a run of plain PUBACKs is counted by its length.
"""

import argparse
import asyncio
import bisect
import collections
import dataclasses
import datetime
import gc
import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from simulators import mqtt_client

CONNECTING_MAX = 200  # Log-ins under way at once: more would only fill the server's backlog.


class Device(msgspec.Struct, frozen=True):
    """One who publishes; `topic` is without its kind, as `onelot devices add --json` gives it. With spots it reports on them."""

    device: str
    password: str
    topic: str
    spots: list[str] = []


Payload = Callable[[Device, int], bytes]


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """Rates a second, latencies in milliseconds from sending (or from being due) to PUBACK."""

    connections: int
    window: int
    messages: int
    seconds: float
    messages_per_s: float
    latency_p50_ms: float
    latency_p99_ms: float
    latency_max_ms: float
    refused: int
    unacknowledged: int
    connect_seconds: float
    cpu_us: float  # Of this process, a message, while the clock ran.


async def run_load(
    host: str,
    port: int,
    devices: Sequence[Device],
    *,
    messages: int,
    window: int = 20,
    rate: float = 0.0,
    version: int = mqtt_client.V311,
    payload: Payload | None = None,
    timeout_s: float = 120.0,
) -> Result:
    """Connects all devices, then sends `messages` in all; ends when each is acknowledged, or after `timeout_s`."""
    packets = [_packets(device, share, version, payload or default_payload) for device, share in _shares(devices, messages)]
    gc.collect()
    gc.freeze()
    began = time.perf_counter()
    publishers = await _connect_all(host, port, devices, packets, window, version)
    connected, used = time.perf_counter(), time.process_time()
    done = asyncio.Event()
    tally = _Tally(messages, done)
    try:
        async with asyncio.timeout(timeout_s):
            if rate:
                await _offer_at(rate, publishers, tally, messages)
            else:
                for publisher in publishers:
                    publisher.begin(tally)
            await done.wait()
    except TimeoutError:
        pass  # The result says how many are missing.
    seconds, used = time.perf_counter() - connected, time.process_time() - used
    for publisher in publishers:
        publisher.leave()
    return _result(tally, len(devices), window, seconds, connected - began, used)


def default_payload(device: Device, number: int) -> bytes:
    """A status, or a change of one of the device's spots; each is a reading of its own since its time is."""
    now = datetime.datetime.now(datetime.UTC).isoformat()
    if not device.spots:
        return b'{"at": "%s", "online": true, "firmware": "load-%d"}' % (now.encode(), number)
    spot = device.spots[number % len(device.spots)]
    state = "occupied" if number // len(device.spots) % 2 == 0 else "free"
    reading = f'{{"spot": "{spot}", "at": "{now}", "state": "{state}"}}'
    return f'{{"seq": {number + 1}, "sent": "{now}", "spots": [{reading}]}}'.encode()


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    devices = _devices(options)
    payload = None if not options.bytes else _sized_payload(options.bytes)
    result = uvloop.run(
        run_load(
            options.host,
            options.port,
            devices,
            messages=options.messages,
            window=options.window,
            rate=options.rate,
            version=mqtt_client.V5 if options.version == "5.0" else mqtt_client.V311,
            payload=payload,
            timeout_s=options.timeout,
        )
    )
    print(json.dumps(dataclasses.asdict(result)))
    sys.exit(1 if result.unacknowledged else 0)


class _Packets(msgspec.Struct, frozen=True, gc=False):
    """All that one connection will say, and where each packet of it ends."""

    stream: bytes
    ends: list[int]


def _shares(devices: Sequence[Device], messages: int) -> Iterator[tuple[Device, int]]:
    share, more = divmod(messages, len(devices))
    for number, device in enumerate(devices):
        yield device, share + (number < more)


def _packets(device: Device, count: int, version: int, payload: Payload) -> _Packets:
    topic = f"{device.topic}/{'spots' if device.spots else 'status'}"
    packets = [
        mqtt_client.publish_packet(version, topic, payload(device, number), packet_id=(number - 1) % 65_535 + 1)
        for number in range(1, count + 1)
    ]
    return _Packets(b"".join(packets), list(itertools.accumulate(map(len, packets), initial=0)))


class _Tally:
    """What all connections have got back so far."""

    def __init__(self, expected: int, done: asyncio.Event) -> None:
        self.left = expected
        self.refused = 0
        self.latencies: list[tuple[float, int]] = []  # And how many messages had it.
        self._done = done

    def broken(self) -> None:
        """A connection was lost with messages under way: there is nothing to wait for any more."""
        self._done.set()

    def acknowledged(self, count: int) -> None:
        self.left -= count
        if not self.left:
            self._done.set()


class _Publisher(asyncio.Protocol):
    """One connection that keeps `window` messages under way; PUBACKs come in order, so the oldest is the one acknowledged."""

    def __init__(self, device: Device, packets: _Packets, window: int, version: int) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._device = device
        self._version = version
        self._packets = packets
        self._room = window
        self._number = 0  # Messages sent.
        self._offered = 0  # Messages that may be sent.
        self._due: collections.deque[float] = collections.deque()
        self._sent: collections.deque[tuple[float, int]] = collections.deque()  # When, and how many in one write.
        self._rest = b""
        self._tally: _Tally | None = None

    def begin(self, tally: _Tally) -> None:
        """All its messages, sent as fast as the window allows."""
        self._tally = tally
        self._offered = len(self._packets.ends) - 1
        self._fill(time.perf_counter())

    def offer(self, tally: _Tally, due: float) -> None:
        """One message more that is due now, or was while the window was full."""
        self._tally = tally
        self._offered += 1
        self._due.append(due)
        self._fill(due)

    def leave(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(b"\xe0\0")
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        device = self._device
        self._transport.write(mqtt_client.connect_packet(self._version, device.device, 600, device.device, device.password.encode(), None))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(mqtt_client.ConnectionGone())
        elif self._tally is not None and (self._sent or self._number < self._offered):
            self._tally.broken()

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        count, odd = divmod(len(data), 4)
        if not odd and not self._rest and data[::4] == b"\x40" * count and data[1::4] == b"\x02" * count:
            self._acknowledged(count, now)
        else:
            self._take(data, now)
        self._fill(now)

    def _take(self, data: bytes, now: float) -> None:
        """Anything but a whole number of plain PUBACKs, packet by packet."""
        buffer = self._rest + data
        at = 0
        while (body := mqtt_client.body_of(buffer, at)) is not None:
            start, end = body
            if buffer[at] == 0x40 and self._tally is not None:
                self._tally.refused += end - start > 2 and buffer[start + 2] >= 0x80
                self._acknowledged(1, now)
            elif buffer[at] == 0x20:
                self._welcomed(buffer[start + 1])
            at = end
        self._rest = buffer[at:]

    def _welcomed(self, reason: int) -> None:
        if reason:
            self.ready.set_exception(mqtt_client.ConnectRefused(reason))
        else:
            self.ready.set_result(None)

    def _acknowledged(self, count: int, now: float) -> None:
        assert self._tally is not None
        self._room += count
        left = count
        while left:
            sent, many = self._sent.popleft()
            took = min(left, many)
            if took < many:
                self._sent.appendleft((sent, many - took))
            self._tally.latencies.append((now - sent, took))
            left -= took
        self._tally.acknowledged(count)

    def _fill(self, now: float) -> None:
        count = min(self._room, self._offered - self._number)
        if not count:
            return
        ends, number = self._packets.ends, self._number
        self._sent.extend([(self._due.popleft(), 1) for _ in range(count)] if self._due else [(now, count)])
        self._room -= count
        self._number = number + count
        self._transport.write(self._packets.stream[ends[number] : ends[number + count]])


async def _connect_all(
    host: str, port: int, devices: Sequence[Device], packets: Sequence[_Packets], window: int, version: int
) -> list[_Publisher]:
    room = asyncio.Semaphore(CONNECTING_MAX)

    async def connect(device: Device, mine: _Packets) -> _Publisher:
        async with room, asyncio.timeout(30):
            _, publisher = await asyncio.get_running_loop().create_connection(lambda: _Publisher(device, mine, window, version), host, port)
            await publisher.ready
            return publisher

    return list(await asyncio.gather(*(connect(*each) for each in zip(devices, packets, strict=True))))


async def _offer_at(rate: float, publishers: Sequence[_Publisher], tally: _Tally, messages: int) -> None:
    began = time.perf_counter()
    offered = 0
    while offered < messages:
        due = min(messages, int((time.perf_counter() - began) * rate) + 1)
        for number in range(offered, due):
            publishers[number % len(publishers)].offer(tally, began + number / rate)
        offered = due
        await asyncio.sleep(0.001)


def _result(tally: _Tally, connections: int, window: int, seconds: float, connect_seconds: float, used: float) -> Result:
    latencies = sorted(tally.latencies) or [(math.nan, 0)]
    counts = list(itertools.accumulate(count for _, count in latencies))
    count = counts[-1]

    def at(share: float) -> float:
        return round(latencies[min(len(latencies) - 1, bisect.bisect_right(counts, share * count))][0] * 1000, 3)

    return Result(
        connections=connections,
        window=window,
        messages=count,
        seconds=round(seconds, 3),
        messages_per_s=round(count / seconds, 1),
        latency_p50_ms=at(0.5),
        latency_p99_ms=at(0.99),
        latency_max_ms=at(1.0),
        refused=tally.refused,
        unacknowledged=tally.left,
        connect_seconds=round(connect_seconds, 3),
        cpu_us=round(1e6 * used / max(count, 1), 2),
    )


def _sized_payload(size: int) -> Payload:
    filler = b"x" * size

    def payload(device: Device, number: int) -> bytes:
        return (b"%d " % number + filler)[:size]

    return payload


def _devices(options: argparse.Namespace) -> Sequence[Device]:
    if options.devices:
        return msgspec.json.decode(Path(options.devices).read_bytes(), type=list[Device])
    names = [f"bench-{number:05d}" for number in range(options.connections)]
    return [Device(name, options.password, f"{options.prefix}/{name}") for name in names]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mqtt_load", description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--connections", type=int, default=200, help="made-up devices, when no --devices are given")
    parser.add_argument("--devices", help='JSON list of {"device", "password", "topic", "spots"?}')
    parser.add_argument("--password", default="bench")
    parser.add_argument("--prefix", default="onelot/1/bench/site", help="topic prefix of made-up devices")
    parser.add_argument("--window", type=int, default=20, help="messages under way on each connection")
    parser.add_argument("--messages", type=int, default=100_000, help="in all")
    parser.add_argument("--rate", type=float, default=0.0, help="messages a second in all; 0 is as fast as it goes")
    parser.add_argument("--bytes", type=int, default=0, help="plain payloads of this size instead of readings")
    parser.add_argument("--version", choices=["3.1.1", "5.0"], default="3.1.1")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds")
    return parser


if __name__ == "__main__":
    main()
