"""Commands to devices that another process holds: asked and answered over Redis, kept nowhere, and lost with it."""

import asyncio
import base64
import contextlib
import secrets
from collections.abc import Callable
from typing import Literal

import msgspec
import redis.asyncio
import structlog
from redis.exceptions import RedisError

from foundation.errors import Away
from gateway_mqtt.downlink import CommandFailed, DeviceAway, DeviceBusy, DeviceRefused, DeviceSilent
from gateway_mqtt.http import Commands

log = structlog.get_logger()

LOOK_SECONDS = 1.0
AT_ONCE_MAX = 64  # Commands that one gateway has under way for others; beyond: `busy`.
GRACE_SECONDS = 1.0  # For the way there and back.
Outcome = Literal["done", "away", "busy", "refused", "silent"]
_ERRORS: dict[str, type[CommandFailed]] = {"busy": DeviceBusy, "refused": DeviceRefused, "silent": DeviceSilent}


class Asked(msgspec.Struct, frozen=True):
    answer_to: str
    device: str
    payload: str  # Base64.
    timeout_s: float


class Answered(msgspec.Struct, frozen=True):
    outcome: Outcome
    payload: str = ""
    detail: str = ""


class Relay:
    """The way from a web part to the gateway that holds a device."""

    def __init__(self, client: "redis.asyncio.Redis", city: str) -> None:
        self._client, self._asking, self._answers = client, f"onelot:{{{city}}}:commands", f"onelot:{{{city}}}:answers"

    async def command(self, device: str, payload: bytes, *, timeout_s: float) -> bytes:
        """The device's answer. Raises CommandFailed, or Away when no gateway can be asked."""
        answers = f"{self._answers}:{secrets.token_hex(8)}"
        said = Asked(answers, device, base64.b64encode(payload).decode(), timeout_s)
        try:
            async with self._client.pubsub() as heard:
                await heard.subscribe(answers)
                asked = int(await self._client.publish(self._asking, msgspec.json.encode(said)))
                async with asyncio.timeout(timeout_s + GRACE_SECONDS):
                    return await self._answer(heard, device, asked)
        except TimeoutError:
            raise DeviceSilent(f"{device} did not answer within {timeout_s} s") from None
        except (RedisError, OSError):
            raise Away("the gateways cannot be asked for a moment", retry_after_s=5) from None

    async def _answer(self, heard: "redis.asyncio.client.PubSub", device: str, asked: int) -> bytes:
        """From the gateway that holds the device; the others say that they do not."""
        for _ in range(asked):
            answered = msgspec.json.decode(await _next(heard), type=Answered)
            if answered.outcome == "done":
                return base64.b64decode(answered.payload)
            if answered.outcome != "away":
                raise _ERRORS[answered.outcome](answered.detail)
        raise DeviceAway(f"{device} is not connected")

    async def obey(self, here: Commands, done: Callable[[], None]) -> None:
        """Do what other processes ask of the devices that are connected here, for ever."""
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                done()
                try:
                    await self._obey_some(here, under_way, done)
                except (TimeoutError, RedisError, OSError) as error:
                    log.warning("commands_not_heard", error=type(error).__name__)
                    await asyncio.sleep(LOOK_SECONDS)
        finally:
            for task in under_way:
                task.cancel()

    async def _obey_some(self, here: Commands, under_way: set[asyncio.Task[None]], done: Callable[[], None]) -> None:
        async with self._client.pubsub() as heard:
            await heard.subscribe(self._asking)
            while True:
                done()
                message = await heard.get_message(ignore_subscribe_messages=True, timeout=LOOK_SECONDS)
                if message is not None:
                    task = asyncio.ensure_future(self._obey_one(here, message["data"], busy=len(under_way) >= AT_ONCE_MAX))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)

    async def _obey_one(self, here: Commands, raw: bytes, *, busy: bool) -> None:
        try:
            asked = msgspec.json.decode(raw, type=Asked)
        except msgspec.MsgspecError:
            log.warning("command_not_read")
            return
        answer = Answered("busy", detail="the gateway has too many commands under way") if busy else await _outcome(here, asked)
        with contextlib.suppress(RedisError, OSError):  # Then who asked hears nothing, and says so.
            await self._client.publish(asked.answer_to, msgspec.json.encode(answer))


async def _next(heard: "redis.asyncio.client.PubSub") -> bytes:
    while True:
        message = await heard.get_message(ignore_subscribe_messages=True, timeout=LOOK_SECONDS)
        if message is not None:
            return bytes(message["data"])


async def _outcome(here: Commands, asked: Asked) -> Answered:
    try:
        answer = await here.command(asked.device, base64.b64decode(asked.payload), timeout_s=asked.timeout_s)
    except DeviceAway:
        return Answered("away")
    except DeviceBusy as error:
        return Answered("busy", detail=str(error))
    except DeviceRefused as error:
        return Answered("refused", detail=str(error))
    except DeviceSilent as error:
        return Answered("silent", detail=str(error))
    return Answered("done", base64.b64encode(answer).decode())
