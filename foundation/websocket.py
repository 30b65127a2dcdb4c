"""What one client of a socket has yet to hear: bounded, and the newest word on a thing replaces the one before."""

import asyncio
import struct
from collections.abc import Mapping
from typing import Final

BUFFERED_BYTES_MAX: Final = 64 * 1024  # Written and not yet taken by the client's network: above, it is slow.
WAITING_MAX: Final = 5_000  # Things a slow client is behind by; beyond, it is told everything anew instead.


TEXT: Final = 0x81
BINARY: Final = 0x82


def frame(payload: bytes, kind: int = TEXT) -> bytes:
    """One unmasked message of a server (RFC 6455, 5.2), built once for as many clients as hear the same."""
    size = len(payload)
    if size < 126:
        return bytes((kind, size)) + payload
    return (struct.pack("!BBH", kind, 126, size) if size < 65_536 else struct.pack("!BBQ", kind, 127, size)) + payload


class Outgoing:
    """The way out to one client. Whoever writes asks `clear` first, and lets things wait here while it is not.

    At the bound all that waits is dropped and `overrun` says so: the client is then due a whole new picture.
    """

    def __init__(self, transport: asyncio.WriteTransport, *, waiting_max: int = WAITING_MAX) -> None:
        self._transport, self._waiting_max = transport, waiting_max
        self.waiting: dict[str, bytes] = {}
        self.overrun = False

    @property
    def gone(self) -> bool:
        return self._transport.is_closing()

    def clear(self) -> bool:
        """Whether the client takes what it is given."""
        return self._transport.get_write_buffer_size() <= BUFFERED_BYTES_MAX

    def send(self, payload: bytes, kind: int = TEXT) -> None:
        """Straight to the transport: the framework's own way costs a coroutine for each client and message."""
        if not self.gone:
            self._transport.write(frame(payload, kind))

    def end(self, code: int = 1001) -> None:
        """Say goodbye (1001: going away) and close as soon as that is out."""
        if not self.gone:
            self._transport.write(b"\x88\x02" + code.to_bytes(2, "big"))
            self._transport.close()

    def wait(self, things: Mapping[str, bytes]) -> None:
        """Keep the newest word on each thing until the client is clear."""
        if self.overrun:
            return
        self.waiting.update(things)
        if len(self.waiting) > self._waiting_max:
            self.forget()
            self.overrun = True

    def take(self) -> dict[str, bytes]:
        taken, self.waiting = self.waiting, {}
        return taken

    def forget(self) -> None:
        """What waits is about to be said anew, whole."""
        self.waiting, self.overrun = {}, False
