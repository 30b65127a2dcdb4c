"""An SMS provider that sends nothing: it keeps what it was given, once for each id, so that a message can be read by whoever may."""

import asyncio
import collections
import hmac
from datetime import UTC, datetime
from typing import Literal

import msgspec
from aiohttp import web

from simulators.desk import answer, body_of, keyed

HELD_MAX = 20_000  # Messages; the oldest are forgotten first, as phones do.
SLOW_SECONDS = 8.0
TEXTS = {
    "login_code": "【OneLot】验证码 {code}，5 分钟内有效，请勿告诉他人。{code} is your code, valid for 5 minutes.",
    "plate_taken": "【OneLot】车牌 {plate} 已由其车主证实，不再属于您的账户；此前的账单不变。"
    " Plate {plate} was proved by its holder and left your account; earlier bills stay yours.",
    "identity_taken": "【OneLot】您的实名信息已在窗口核验到另一手机号的账户，本账户不再具有实名等级。如非本人办理，请到窗口申诉。"
    " Your proved name moved to another account after a check at a counter. If that was not you, ask at a counter.",
    "identity_wanted": "【OneLot】有人试图用您的姓名和证件号在另一账户实名，未通过。如是您本人换号，请携证件到窗口办理。"
    " Somebody tried to use your name and number for another account, and was refused. If you changed phones, go to a counter.",
}


class Message(msgspec.Struct, frozen=True):
    """Providers take a template and its values, never free text."""

    id: str
    phone: str
    template: str
    values: dict[str, str] = {}


class Sent(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str
    phone: str
    at: str
    text: str
    code: str | None = None


class Knob(msgspec.Struct):
    state: Literal["up", "down", "slow", "lost_answer"] = "up"


class Outbox:
    """Messages in the order in which they came, each id once however often it is sent."""

    def __init__(self, held_max: int = HELD_MAX) -> None:
        self._held: collections.OrderedDict[str, Sent] = collections.OrderedDict()
        self._max = held_max

    def put(self, message: Message, at: datetime) -> Sent:
        if message.id not in self._held:
            text = TEXTS[message.template].format_map(message.values)
            self._held[message.id] = Sent(message.id, message.phone, at.isoformat(timespec="seconds"), text, message.values.get("code"))
            while len(self._held) > self._max:
                self._held.popitem(last=False)
        return self._held[message.id]

    def of(self, phone: str) -> list[Sent]:
        return [sent for sent in self._held.values() if hmac.compare_digest(sent.phone.encode(), phone.encode())]


_OUTBOX = web.AppKey("outbox", Outbox)
_KNOB = web.AppKey("knob", Knob)
_SLOW = web.AppKey("slow", float)


def application(api_key: str, *, slow_seconds: float = SLOW_SECONDS) -> web.Application:
    """`POST /messages`, `GET /outbox?phone=`, `PUT /control {"state": "up|down|slow|lost_answer"}`; all want the key."""
    app = web.Application(middlewares=[keyed(api_key)])
    app[_OUTBOX], app[_KNOB], app[_SLOW] = Outbox(), Knob(), slow_seconds
    app.router.add_post("/messages", take_message)
    app.router.add_get("/outbox", show_outbox)
    app.router.add_put("/control", turn_knob)
    return app


async def take_message(request: web.Request) -> web.Response:
    state = request.app[_KNOB].state
    if state == "down":
        raise web.HTTPServiceUnavailable
    message = await body_of(request, Message)
    try:
        sent = request.app[_OUTBOX].put(message, datetime.now(UTC))
    except KeyError:
        raise web.HTTPBadRequest(text="no such template, or not all of its values") from None
    if state == "slow":
        await asyncio.sleep(request.app[_SLOW])
    if state == "lost_answer":  # Sent, but who asked does not learn it.
        raise web.HTTPBadGateway
    return answer({"id": sent.id, "state": "sent"})


async def show_outbox(request: web.Request) -> web.Response:
    return answer({"items": request.app[_OUTBOX].of(request.query.get("phone", "").replace(" ", "+"))})


async def turn_knob(request: web.Request) -> web.Response:
    request.app[_KNOB].state = (await body_of(request, Knob)).state
    return answer(request.app[_KNOB])
