"""A socket that somebody opened while logged in ends with that log-in, wherever the log-in was ended."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from foundation import postgres
from foundation.websocket import Outgoing
from services.identity import door
from services.identity.who_is import Known

log = structlog.get_logger()

LOOK_SECONDS: Final = 0.3  # Together with what the journal takes to tell: within a second.
LOGGED_OUT: Final = 1008  # RFC 6455: against a policy. A page logs in again, or opens the socket as nobody.


class Sockets:
    """The open sockets of people. Those of nobody are not held: a map may be watched without a log-in."""

    def __init__(self, known: Known, *, secure: bool) -> None:
        self._known, self._secure = known, secure
        self._held: dict[asyncio.WriteTransport, str] = {}

    def bound(self, handler: Handler) -> Handler:
        """`handler`, whose socket is held for as long as it is open."""

        async def handle(request: web.Request) -> web.StreamResponse:
            credential, transport = door.credential_of(request.headers, secure=self._secure), request.transport
            if transport is None or credential is None or await self._known.who_is(credential.token) is None:
                return await handler(request)
            with self._holding(transport, credential.token):
                return await handler(request)

        return handle

    @contextlib.contextmanager
    def _holding(self, transport: asyncio.WriteTransport, token: str) -> Iterator[None]:
        self._held[transport] = token
        try:
            yield
        finally:
            del self._held[transport]

    async def end_those_logged_out(self, done: Callable[[], None]) -> None:
        """For ever. An open socket is nobody's hand on a screen: it keeps no log-in from growing idle."""
        while True:
            try:
                for transport, token in list(self._held.items()):
                    if await self._known.who_is(token, see=False) is None:
                        Outgoing(transport).end(LOGGED_OUT)
            except postgres.AWAY as error:
                log.warning("sockets_not_judged", error=type(error).__name__)
            done()
            await asyncio.sleep(LOOK_SECONDS)
