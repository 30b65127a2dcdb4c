"""Questions whose answers lie in memory, answered as their bytes arrive: no task, request and response are made for each.

That is for a GET of somebody unknown which is here whole and in a form that one pattern knows, on a connection that waits for
nothing else. All others, and whatever goes wrong, go the strict way through aiohttp, which answers or refuses as it always does.
"""

import re
import time
import zlib
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any, Final

from aiohttp import web
from aiohttp.http import SERVER_SOFTWARE

Answer = Callable[[Mapping[str, str]], bytes]  # The body for a query. Raises whatever it likes.

HEAD_BYTES_MAX: Final = 4096
PACKED_FROM_BYTES: Final = 2048  # What a phone's network takes longer for than the packing.
PACKED: Final = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
_PACKED: Final = "".join(f"{name}: {value}\r\n" for name, value in PACKED.items()).encode()
_QUESTION: Final = re.compile(rb"GET (/[A-Za-z0-9/_-]*)\?([A-Za-z0-9=&._-]*) HTTP/1\.1\r\n((?:[A-Za-z0-9-]+:[\t -~]*\r\n)+)\r\n")
_STRICT: Final = (b"cookie:", b"authorization:", b"content-", b"transfer-", b"upgrade", b"expect", b"close", b"\r\nif-", b"\r\nrange:")
_BODIES: Final = (b"content-length", b"transfer-encoding")


class Questions:
    """What is answered so, by path."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        said = {**headers, "Server": SERVER_SOFTWARE}
        self._head = b"HTTP/1.1 200 OK\r\n" + "".join(f"{name}: {value}\r\n" for name, value in said.items()).encode()
        self._answers: dict[bytes, Answer] = {}
        self._dated, self._date = 0, b""

    def add(self, path: str, answer: Answer) -> None:
        self._answers[path.encode()] = answer

    def answer(self, data: bytes) -> bytes | None:
        """The whole response, or None for what must go the strict way."""
        found = _QUESTION.fullmatch(data) if len(data) <= HEAD_BYTES_MAX else None
        if found is None:
            return None
        path, query, headers = found.groups()
        answer, said = self._answers.get(path), headers.lower()
        if answer is None:
            return None
        for word in _STRICT:
            if word in said:
                return None
        try:
            body = answer(_query(query.decode()))
        except Exception:
            return None  # It is asked again the strict way, which says and counts what is wrong.
        packing = b""
        if b"gzip" in said and len(body) >= PACKED_FROM_BYTES:
            packing, body = _PACKED, pack(body)
        return b"%b%bContent-Length: %d\r\nDate: %b\r\n\r\n%b" % (self._head, packing, len(body), self._now(), body)

    def _now(self) -> bytes:
        now = int(time.time())
        if now != self._dated:
            self._dated, self._date = now, formatdate(now, usegmt=True).encode()
        return self._date


def pack(body: bytes) -> bytes:
    """By gzip. For what is public alone: from the length of a packed answer its secrets could be guessed."""
    return zlib.compress(body, 1, wbits=31)


def _query(text: str) -> dict[str, str]:
    """Nothing in it is escaped; of a name that comes twice the first counts, as everywhere."""
    said: dict[str, str] = {}
    for part in text.split("&"):
        name, _, value = part.partition("=")
        if part:
            said.setdefault(name, value)
    return said


class _Connection(web.RequestHandler):
    """aiohttp's own, asked after ours."""

    __slots__ = ("_questions", "_whole")

    def __init__(self, questions: Questions, manager: web.Server, **more: Any) -> None:
        super().__init__(manager, **more)
        self._questions = questions
        self._whole = True  # What came so far were whole GETs: no half of one waits in the parser.

    def data_received(self, data: bytes) -> None:
        answer = self._questions.answer(data) if self._whole and self._waits() else None
        if answer is None or self.transport is None:
            self._whole = self._whole and _is_whole(data)
            super().data_received(data)
            return
        self.transport.write(answer)
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout

    def _waits(self) -> bool:
        """Whether it waits for a request and its client has taken all that was written: answers leave in order, and no queue grows."""
        waiter, transport = self._waiter, self.transport
        idle = waiter is not None and not waiter.done() and not self._messages and not self._close and not self._force_close
        return idle and transport is not None and not transport.get_write_buffer_size()


def _is_whole(data: bytes) -> bool:
    head = data.lower()
    one = head.startswith(b"get ") and head.endswith(b"\r\n\r\n") and head.count(b"\r\n\r\n") == 1
    return one and not any(word in head for word in _BODIES)


class _Server(web.Server):
    def __init__(self, questions: Questions, made: web.Server) -> None:
        super().__init__(made.request_handler, request_factory=made.request_factory, loop=made._loop, **made._kwargs)
        self._questions = questions

    def __call__(self) -> web.RequestHandler:
        return _Connection(self._questions, self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application whose questions are asked first."""

    def __init__(self, app: web.Application, questions: Questions, **more: Any) -> None:
        super().__init__(app, **more)
        self._questions = questions

    async def _make_server(self) -> web.Server:
        return _Server(self._questions, await super()._make_server())
