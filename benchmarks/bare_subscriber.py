"""The least a subscriber can be: takes every PUBLISH of QoS 1 from a broker, acknowledges it and counts. A peer, not a part of the city."""

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

from simulators.mqtt_client import V311, connect_packet


class Counter(asyncio.Protocol):
    """Splits packets and answers each PUBLISH at once, in one write a read."""

    transport: asyncio.Transport

    def __init__(self, expected: int, done: "asyncio.Future[float]") -> None:
        self._expected, self._done, self._rest, self.count, self._began = expected, done, b"", 0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(connect_packet(V311, "bare", 0, "", b"", None))

    def data_received(self, data: bytes) -> None:
        buffer = self._rest + data if self._rest else data
        acks, place = _run(buffer)
        while (found := _packet_at(buffer, place)) is not None:
            header, body, end = found
            if header == 0x20:
                self.transport.write(b"\x82\x06\x00\x01\x00\x01#\x01")
            elif header & 0xF0 == 0x90:
                sys.stdout.write("ready\n")
                sys.stdout.flush()
            elif header & 0xF0 == 0x30:
                topic = int.from_bytes(buffer[body : body + 2], "big")
                acks.append(b"\x40\x02" + buffer[body + 2 + topic : body + 4 + topic])
            place = end
        self._rest = buffer[place:]
        if acks:
            self.transport.write(b"".join(acks))
            if not self.count:
                self._began = time.perf_counter()
            self.count += len(acks)
            if self.count >= self._expected and not self._done.done():
                self._done.set_result(time.perf_counter() - self._began)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("the broker left"))


def _run(buffer: bytes) -> tuple[list[bytes], int]:
    """PUBACKs for the usual messages at the front, of 128 bytes to 16 kB, and where they end: the peer is to be as cheap as can be."""
    acks, place, last = [], 0, len(buffer) - 5
    while place < last and buffer[place] == 0x32 and buffer[place + 1] & 128 and not buffer[place + 2] & 128:
        end = place + 3 + (buffer[place + 1] & 127 | buffer[place + 2] << 7)
        if end > len(buffer):
            break
        packet_id = place + 5 + (buffer[place + 3] << 8 | buffer[place + 4])
        acks.append(b"\x40\x02" + buffer[packet_id : packet_id + 2])
        place = end
    return acks, place


def _packet_at(buffer: bytes, place: int) -> tuple[int, int, int] | None:
    """Header, start of the body, end; None when the packet is not whole yet."""
    length, shift, at = 0, 0, place + 1
    while at < len(buffer):
        length |= (buffer[at] & 127) << shift
        at += 1
        if not buffer[at - 1] & 128:
            return (buffer[place], at, at + length) if at + length <= len(buffer) else None
        shift += 7
    return None


async def count(port: int, expected: int) -> None:
    """Until `expected` messages have come; prints the seconds from the first to the last, and the CPU of each."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[float] = loop.create_future()
    await loop.create_connection(lambda: Counter(expected, done), "127.0.0.1", port)
    used, seconds = time.process_time(), await done
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu_us": 1e6 * (time.process_time() - used) / expected}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(count(int(sys.argv[1]), int(sys.argv[2])))
