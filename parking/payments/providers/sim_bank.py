"""The simulated bank's client: signed JSON over HTTP, amounts as yuan text, answers and callbacks believed only when signed."""

import base64
import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from foundation.clock import Clock
from parking.payments import model
from parking.payments.errors import NotifyRefused, ProviderAway, ProviderRefuses
from parking.payments.model import Cause, News, Notify, State

NAME = "sim-bank"
TIMEOUT_SECONDS = 5.0
WINDOW_SECONDS = 300  # How old a signature may be: a repetition is signed anew, so an older one is a replay.
BODY_BYTES_MAX = 64 * 1024
HEADERS = ("bank-key-id", "bank-timestamp", "bank-nonce", "bank-signature")

_STATES = {"ACCEPTED": State.ACCEPTED, "SUCCESS": State.PAID, "FAIL": State.FAILED}
_Shape = TypeVar("_Shape")
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the bank is, who we are there, and which keys it signs with (by id; old and new ones live side by side)."""

    url: str
    notify_url: str
    merchant: str
    key: Ed25519PrivateKey
    bank_keys: Mapping[str, Ed25519PublicKey]


class _Order(msgspec.Struct, frozen=True):
    """An order as the bank tells it; fields that we do not know are its own business."""

    merchant: _Text
    number: _Text
    amount: str  # Yuan text.
    currency: str
    state: Literal["ACCEPTED", "SUCCESS", "FAIL"]
    bank_ref: str = ""
    pay_url: str | None = None


class _Notify(msgspec.Struct, frozen=True):
    notify_id: _Text
    order: _Order


class _Refusal(msgspec.Struct, frozen=True):
    code: str
    number: str = ""


class SimBank:
    """A model.Provider, and the reader of the bank's callbacks."""

    name = NAME

    def __init__(self, settings: Settings, client: aiohttp.ClientSession, clock: Clock) -> None:
        self._settings, self._client, self._clock = settings, client, clock

    async def submit(self, number: str, amount: int) -> News:
        settings = self._settings
        order = {"merchant": settings.merchant, "number": number, "amount": model.yuan_text(amount), "currency": "CNY"}
        body = msgspec.json.encode(order | {"notify_url": settings.notify_url})
        status, answer = await self._call("POST", "/v1/orders", body)
        if status == 200:
            return self._news(_decode(answer, _Order), number, Cause.ANSWER)
        raise ProviderRefuses(f"order refused with {status} {_decode(answer, _Refusal).code}")

    async def query(self, number: str) -> News:
        path = f"/v1/orders/{quote(number, safe='')}?merchant={quote(self._settings.merchant, safe='')}"
        status, answer = await self._call("GET", path, b"")
        if status == 200:
            return self._news(_decode(answer, _Order), number, Cause.QUERY)
        refusal = _decode(answer, _Refusal)
        if refusal.code == "ORDER_NOT_FOUND" and refusal.number == number:  # Said and signed; a bare 404 is an outage.
            return News(provider=NAME, state=State.ABSENT, cause=Cause.QUERY)
        raise ProviderRefuses(f"query refused with {status} {refusal.code}")

    def read_notify(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> Notify:
        """The callback in `raw`, verified as it came before it is parsed; `now` is wall time. Raises NotifyRefused."""
        key_id, time, nonce, signature = _signed(headers)
        if abs(now.timestamp() - time) > WINDOW_SECONDS:
            raise NotifyRefused("time", "the callback's timestamp is more than five minutes off")
        key = self._settings.bank_keys.get(key_id)
        if key is None:
            raise NotifyRefused("key", f"no key {key_id[:64]!r} of the bank is installed here")
        if not _verified(key, signature, f"notify\n{time}\n{nonce}\n".encode() + raw + b"\n"):
            raise NotifyRefused("signature", "the signature is not the bank's")
        try:
            said = msgspec.json.decode(raw, type=_Notify)
            news = self._news(said.order, said.order.number, Cause.NOTIFY)
        except (ValueError, ProviderAway) as error:
            raise NotifyRefused("schema", f"the callback cannot be read: {error}") from None
        return Notify(id=said.notify_id, key_id=key_id, digest=hashlib.sha256(raw).digest(), number=said.order.number, news=news)

    def _news(self, order: _Order, number: str, cause: Cause) -> News:
        if order.number != number or order.currency != "CNY":
            raise ProviderAway(f"asked about {number}, told about {order.number} in {order.currency}")
        try:
            amount = model.fen_from_yuan_text(model.YuanText(order.amount))
        except ValueError as error:
            raise ProviderAway(str(error)) from None
        return News(
            provider=NAME,
            state=_STATES[order.state],
            cause=cause,
            amount=amount,
            ours=order.merchant == self._settings.merchant,
            provider_ref=order.bank_ref or None,
            pay_url=order.pay_url,
        )

    async def _call(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of an answer that the bank signed for this very question. Raises ProviderAway."""
        nonce, time = uuid.uuid4().hex, int(self._clock.wall().timestamp())
        signed = f"request\n{method}\n{path}\n{time}\n{nonce}\n".encode() + body + b"\n"
        headers = {
            "Content-Type": "application/json",
            "Merchant-Id": self._settings.merchant,
            "Merchant-Timestamp": str(time),
            "Merchant-Nonce": nonce,
            "Merchant-Signature": base64.b64encode(self._settings.key.sign(signed)).decode(),
        }
        try:
            async with self._client.request(
                method, self._settings.url + path, data=body or None, headers=headers, timeout=aiohttp.ClientTimeout(TIMEOUT_SECONDS)
            ) as response:
                answer = await _read(response.content)
                self._believe(response.headers, nonce, answer)
                return response.status, answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ProviderAway(f"{type(error).__name__}: {error}") from None

    def _believe(self, headers: Mapping[str, str], asked: str, answer: bytes) -> None:
        """The answer is bound to the question by its nonce, so that an old one proves nothing."""
        try:
            key_id, time, nonce, signature = _signed(headers)
        except NotifyRefused as error:
            raise ProviderAway(f"the answer is not signed: {error}") from None
        key = self._settings.bank_keys.get(key_id)
        if key is None or not _verified(key, signature, f"answer\n{asked}\n{time}\n{nonce}\n".encode() + answer + b"\n"):
            raise ProviderAway(f"the answer's signature by key {key_id[:64]!r} is not one of the bank's")


async def _read(content: aiohttp.StreamReader) -> bytes:
    answer = b""
    async for chunk in content.iter_any():
        answer += chunk
        if len(answer) > BODY_BYTES_MAX:
            raise ProviderAway("the answer has no end")
    return answer


def _decode(answer: bytes, kind: type[_Shape]) -> _Shape:
    try:
        return msgspec.json.decode(answer, type=kind)
    except ValueError as error:
        raise ProviderAway(f"the answer cannot be read: {error}") from None


def _signed(headers: Mapping[str, str]) -> tuple[str, int, str, bytes]:
    """Key id, timestamp, nonce and signature. Raises NotifyRefused."""
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        key_id, time, nonce, signature = (lower[name] for name in HEADERS)
        return key_id, int(time), nonce, base64.b64decode(signature, validate=True)
    except (KeyError, ValueError):
        raise NotifyRefused("headers", f"the headers {', '.join(HEADERS)} are needed") from None


def _verified(key: Ed25519PublicKey, signature: bytes, text: bytes) -> bool:
    try:
        key.verify(signature, text)
    except InvalidSignature:
        return False
    return True
