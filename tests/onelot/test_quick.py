"""Questions that are answered as their bytes arrive get what the strict way answers, in order, and nothing that is not quite plain does."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import cast

import msgspec
import pytest

from foundation.clock import Clock
from foundation.http import Call, Route
from foundation.postgres import Database
from onelot import http
from services.identity.who_is import Known


class Query(msgspec.Struct):
    number: int
    word: str = ""


@dataclass
class Door:
    """One question that may be asked quickly, one that waits for the test, and how often each way was gone."""

    port: int = 0
    quickly: int = 0
    strictly: int = 0
    go: asyncio.Event = field(default_factory=asyncio.Event)

    def quick(self, query: Query) -> bytes:
        self.quickly += 1
        return self.told(query)

    def told(self, query: Query) -> bytes:
        return b'{"double":%d}' % (2 * query.number) if query.word != "long" else b'{"long":"%b"}' % (b"word " * 1000)

    async def strict(self, call: Call) -> msgspec.Raw:
        self.strictly += 1
        return msgspec.Raw(self.told(call.query))

    async def wait(self, _: Call) -> dict[str, bool]:
        await self.go.wait()
        return {"waited": True}


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    made, app = Door(), http.application()
    routes = [
        Route("GET", "/double", made.strict, "", query=Query, quick=made.quick),
        Route("GET", "/wait", made.wait, ""),
        Route("POST", "/post", made.wait, ""),
    ]
    http.mount(app, routes, Known(cast(Database, None), Clock()), secure=False)
    async with http.serve(app, "127.0.0.1", 0) as made.port:
        yield made


class Client:
    """Bytes to and fro on one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        self.writer.write(request)
        return await self.answer()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(10):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
            headers = dict(line.split(": ", 1) for line in head[1:])
            body = await self.reader.readexactly(int(headers["Content-Length"]))
        return int(head[0].split()[1]), headers, body


Dial = Callable[[], Awaitable[Client]]


@pytest.fixture
async def dial(door: Door) -> AsyncIterator[Dial]:
    """Connections that were asked once and wait for the next question; closed afterwards."""
    made: list[Client] = []

    async def dialled() -> Client:
        made.append(Client(*await asyncio.open_connection("127.0.0.1", door.port)))
        assert (await made[-1].ask(b"GET /double?number=0 HTTP/1.1\r\nHost: a\r\nCookie: x=y\r\n\r\n"))[0] == 200
        return made[-1]

    yield dialled
    for client in made:
        client.writer.close()


async def test_both_ways_answer_the_same(door: Door, dial: Dial) -> None:
    client = await dial()
    status, headers, body = await client.ask(b"GET /double?number=21 HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
    strict = await client.ask(b"GET /double?number=21 HTTP/1.1\r\nHost: a\r\nCookie: x=y\r\n\r\n")

    assert (door.quickly, door.strictly) == (1, 2)
    assert (status, {**headers, "Date": ""}, body) == (200, {**strict[1], "Date": ""}, b'{"double":42}')


async def test_both_ways_pack_what_is_long_for_who_unpacks_it(door: Door, dial: Dial) -> None:
    client, line = await dial(), b"GET /double?number=1&word=long HTTP/1.1\r\nHost: a\r\n"
    plain = await client.ask(line + b"\r\n")
    quick, strict = [await client.ask(line + b"Accept-Encoding: gzip, br\r\n" + more + b"\r\n") for more in (b"", b"Cookie: x=y\r\n")]

    assert (door.quickly, door.strictly) == (2, 2)
    assert quick[2] == strict[2] and gzip.decompress(quick[2]) == plain[2] and len(quick[2]) < 200
    assert "Content-Encoding" not in plain[1]
    assert all(one[1]["Content-Encoding"] == "gzip" and one[1]["Vary"] == "Accept-Encoding" for one in (quick, strict))


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("/double?number=2", "Authorization: Basic x"),
        ("/double?number=2", "Accept: a\r\n folded"),
        ("/double?number=2&word=%E5%81%9C", "A: b"),
        ("/double?number=2&word=a+b", "A: b"),
        ("/double?number=x", "A: b"),
        ("/double", "A: b"),
        ("/double?number=2", "A: \xe5"),
    ],
)
async def test_what_is_not_quite_plain_goes_the_strict_way(door: Door, dial: Dial, line: str, header: str) -> None:
    client = await dial()
    status, _, _ = await client.ask(f"GET {line} HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n".encode("latin-1"))

    assert door.quickly == 0
    assert status == (200 if "number=2" in line and "folded" not in header else status)
    assert status in (200, 400, 422)


async def test_a_wrong_query_is_refused_as_everywhere(door: Door, dial: Dial) -> None:
    client = await dial()
    status, headers, body = await client.ask(b"GET /double?number=seven HTTP/1.1\r\nHost: a\r\n\r\n")

    assert status == 422 and headers["Content-Type"] == "application/problem+json"
    assert b'"pointer":"?number"' in body


async def test_answers_leave_in_the_order_of_questions(door: Door, dial: Dial) -> None:
    client = await dial()
    client.writer.write(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.sleep(0.05)
    client.writer.write(b"GET /double?number=1 HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.sleep(0.05)
    door.go.set()

    assert [(await client.answer())[2] for _ in range(2)] == [b'{"waited":true}', b'{"double":2}']


async def test_two_in_one_packet_are_both_answered(door: Door, dial: Dial) -> None:
    client, one = await dial(), b"GET /double?number=%d HTTP/1.1\r\nHost: a\r\n\r\n"
    client.writer.write(one % 1 + one % 2)

    assert [(await client.answer())[2] for _ in range(2)] == [b'{"double":2}', b'{"double":4}']


async def test_what_looks_like_a_question_inside_of_another_message_is_none(door: Door, dial: Dial) -> None:
    """A header that ends in the next packet, and a body: what they hold is never answered."""
    client, question = await dial(), b"GET /double?number=9 HTTP/1.1\r\nHost: a\r\n\r\n"
    client.writer.write(b"GET /double?number=1 HTTP/1.1\r\nX: ")
    await asyncio.sleep(0.05)
    assert (await client.ask(question))[2] == b'{"double":2}'

    client = await dial()
    client.writer.write(b"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(question))
    await asyncio.sleep(0.05)
    client.writer.write(question)
    door.go.set()
    assert (await client.answer())[2] == b'{"waited":true}'
    assert door.quickly == 0


async def test_who_reads_nothing_is_not_answered_without_end(door: Door, dial: Dial) -> None:
    client, question = await dial(), b"GET /double?number=9 HTTP/1.1\r\nHost: a\r\n\r\n"
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a reader that has gone to sleep
    for _ in range(3000):
        client.writer.write(question)
        await asyncio.sleep(0)
    client.writer.transport.resume_reading()  # type: ignore[attr-defined]

    answers = [(await client.answer())[0] for _ in range(3000)]
    assert answers == [200] * 3000
