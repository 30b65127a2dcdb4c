"""Messages to phones leave after the commit that caused them, from a bounded queue, so that no person waits for a provider."""

import asyncio
from collections.abc import Callable

import structlog
from prometheus_client import Counter

from services.identity.errors import SmsAway
from services.identity.model import Message, Sms

log = structlog.get_logger()

WAITING_MAX = 1000  # Codes live five minutes: a longer queue would send what is worth nothing any more.
AT_ONCE = 4
LOOK_SECONDS = 1.0
SENT = Counter("onelot_messages_total", "Messages to phones", ["template", "outcome"])


class Sender:
    """Takes messages at once and sends them in the background; what the provider never took is counted and logged.

    A message that is lost with the process, or given up, costs its person one more request after a minute.
    """

    def __init__(self, sms: Sms, waiting_max: int = WAITING_MAX) -> None:
        self._sms = sms
        self._waiting: asyncio.Queue[Message] = asyncio.Queue(maxsize=waiting_max)

    @property
    def full(self) -> bool:
        return self._waiting.full()

    def post(self, message: Message) -> None:
        """Never waits. Codes are not even made while the queue is full, so only a notice can be given up here."""
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            self._gave_up(message, "queue_full")

    async def send_messages(self, done: Callable[[], None]) -> None:
        """For ever, a few at once: one slow answer does not hold up the others."""
        async with asyncio.TaskGroup() as group:
            for number in range(AT_ONCE):
                group.create_task(self._send_some(done), name=f"send_messages_{number}")

    async def _send_some(self, done: Callable[[], None]) -> None:
        while True:
            done()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    message = await self._waiting.get()
            except TimeoutError:
                continue
            await self._send(message)

    async def _send(self, message: Message) -> None:
        try:
            await self._sms.send(message)
        except SmsAway:
            self._gave_up(message, "provider_away")
        else:
            SENT.labels(message.template, "sent").inc()

    def _gave_up(self, message: Message, why: str) -> None:
        SENT.labels(message.template, why).inc()
        log.error("message_given_up", message=str(message.id), template=message.template, why=why)
