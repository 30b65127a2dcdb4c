"""A bank for demos and tests: takes orders, pays them unasked, calls back signed, and misbehaves exactly as it is told to."""

import asyncio
import base64
import contextlib
import enum
import json
import re
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PAY_AFTER_MS = 1500
REPEAT_MS = (1_000, 5_000, 15_000, 30_000, 180_000, 600_000, 3_600_000)  # Waits after a callback that was not answered with 2xx.
WINDOW_SECONDS = 300
CALLBACK_TIMEOUT_SECONDS = 5
TOGETHER_MAX = 50  # Callbacks under way at a time.

_YUAN = re.compile(r"(0|[1-9][0-9]{0,9})\.[0-9]{2}")
_NUMBER = re.compile(r"[A-Za-z0-9_-]{6,32}")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
  merchant TEXT NOT NULL, number TEXT NOT NULL, amount TEXT NOT NULL, notify_url TEXT NOT NULL, bank_ref TEXT NOT NULL,
  state TEXT NOT NULL, faults TEXT NOT NULL, settle_at INTEGER, heard INTEGER NOT NULL DEFAULT 1, charges INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (merchant, number));
CREATE TABLE IF NOT EXISTS callbacks (
  id INTEGER PRIMARY KEY, merchant TEXT NOT NULL, number TEXT NOT NULL, notify_id TEXT NOT NULL, state TEXT NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0, due_at INTEGER, answer INTEGER);
CREATE INDEX IF NOT EXISTS orders_settle ON orders (settle_at) WHERE settle_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS callbacks_due ON callbacks (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS callbacks_number ON callbacks (number);
CREATE TABLE IF NOT EXISTS faults (id INTEGER PRIMARY KEY, fault TEXT NOT NULL, left_over INTEGER NOT NULL, ms INTEGER NOT NULL);
"""


class Fault(enum.StrEnum):
    """What the bank can be told to do wrong. All but the first two belong to one order, the next that is made."""

    AWAY = "away"  # 503 to the next requests of any kind; nothing is done.
    LOST_REQUEST = "lost_request"  # The connection ends before anything is done.
    LOST_ANSWER = "lost_answer"  # The order is made, the connection ends without an answer.
    ERROR_AFTER_EFFECT = "error_after_effect"  # The order is made, the answer is 500.
    SLOW_ANSWER = "slow_answer"  # The order is made, the answer comes `ms` later.
    FORGED_ANSWER = "forged_answer"  # The answer to the order is signed wrongly.
    DECLINE = "decline"  # The order ends in FAIL.
    NO_NOTIFY = "no_notify"
    DUPLICATE_NOTIFY = "duplicate_notify"  # The same callback twice.
    FAIL_THEN_SUCCESS = "fail_then_success"  # An attempt fails, the next is paid.
    SUCCESS_THEN_FAIL = "success_then_fail"  # The callback about the failed attempt comes after that of the success.
    WRONG_SIGNATURE = "wrong_signature"
    UNKNOWN_KEY = "unknown_key"  # Signed by a key that nobody was told about.
    WRONG_AMOUNT = "wrong_amount"
    WRONG_MERCHANT = "wrong_merchant"


_OF_ANY_REQUEST = (Fault.AWAY, Fault.LOST_REQUEST)


@dataclass(slots=True)
class Bank:
    """The bank's state, in one SQLite file that survives a restart; times are milliseconds since 1970."""

    file: sqlite3.Connection
    key: Ed25519PrivateKey
    key_id: str
    merchants: Mapping[str, Ed25519PublicKey]
    pay_after_ms: int
    repeat_ms: Sequence[int]
    work: asyncio.Event = field(default_factory=asyncio.Event)

    def rows(self, text: str, *values: object) -> list[sqlite3.Row]:
        with self.file:
            return self.file.execute(text, values).fetchall()

    def order(self, merchant: str, number: str) -> sqlite3.Row | None:
        return next(iter(self.rows("SELECT * FROM orders WHERE merchant = ? AND number = ?", merchant, number)), None)

    def take_fault(self, *kinds: Fault) -> sqlite3.Row | None:
        """Use up one of the faults that were asked for, the oldest first."""
        marks = ", ".join("?" * len(kinds))
        found = self.rows(f"SELECT * FROM faults WHERE left_over > 0 AND fault IN ({marks}) ORDER BY id LIMIT 1", *kinds)  # noqa: S608
        if not found:
            return None
        self.rows("UPDATE faults SET left_over = left_over - 1 WHERE id = ?", found[0]["id"])
        return found[0]


_BANK = web.AppKey("bank", Bank)


def application(
    state: Path,
    *,
    key: Ed25519PrivateKey,
    merchants: Mapping[str, Ed25519PublicKey],
    key_id: str = "bank-1",
    pay_after_ms: int = PAY_AFTER_MS,
    repeat_ms: Sequence[int] = REPEAT_MS,
) -> web.Application:
    """The bank as an aiohttp application. `merchants` are the public keys of those who may order, by merchant number."""
    file = sqlite3.connect(state, check_same_thread=False)
    file.row_factory = sqlite3.Row
    file.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _SCHEMA)
    app = web.Application(client_max_size=64 * 1024)
    app[_BANK] = Bank(file, key, key_id, dict(merchants), pay_after_ms, tuple(repeat_ms))
    app.add_routes(
        [
            web.post("/v1/orders", create_order),
            web.get("/v1/orders/{number}", query_order),
            web.get("/control/faults", list_faults),
            web.post("/control/faults", add_fault),
            web.delete("/control/faults", clear_faults),
            web.get("/control/orders", list_orders),
            web.post("/control/orders/{number}/callbacks", call_back_again),
        ]
    )
    app.cleanup_ctx.append(_working)
    return app


async def create_order(request: web.Request) -> web.StreamResponse:
    """The same number again is the same order; with another amount it is refused."""
    bank, raw = request.app[_BANK], await request.read()
    merchant = _merchant(bank, request, raw)
    _stumble(bank, request)
    body = _object(raw)
    number, amount, notify_url = (str(body.get(name, "")) for name in ("number", "amount", "notify_url"))
    if body.get("merchant") != merchant or not _NUMBER.fullmatch(number) or not _YUAN.fullmatch(amount) or amount == "0.00":
        return _answer(bank, request, {"code": "PARAM_ERROR", "number": number}, 400)
    order = bank.order(merchant, number)
    if order is not None:
        bank.rows("UPDATE orders SET heard = heard + 1 WHERE merchant = ? AND number = ?", merchant, number)
        if order["amount"] != amount:
            return _answer(bank, request, {"code": "AMOUNT_DIFFERS", "number": number}, 409)
        return _answer(bank, request, _told(order))
    fault = bank.take_fault(*(fault for fault in Fault if fault not in _OF_ANY_REQUEST))
    _make(bank, merchant, number, amount, notify_url, fault)
    return await _answer_order(bank, request, merchant, number, fault)


async def query_order(request: web.Request) -> web.Response:
    bank = request.app[_BANK]
    merchant = _merchant(bank, request, b"")
    _stumble(bank, request)
    number = request.match_info["number"]
    order = bank.order(merchant, number)
    if order is None or request.query.get("merchant") != merchant:
        return _answer(bank, request, {"code": "ORDER_NOT_FOUND", "number": number}, 404)
    return _answer(bank, request, _told(order))


async def add_fault(request: web.Request) -> web.Response:
    """`{"fault": "lost_answer", "times": 1, "ms": 0}`."""
    body = {"times": 1, "ms": 0} | _object(await request.read())
    values = (body.get("fault"), body["times"], body["ms"])
    if values[0] not in set(Fault) or not all(type(number) is int and number >= 0 for number in values[1:]):
        return web.json_response({"code": "PARAM_ERROR", "faults": [*Fault]}, status=422)
    request.app[_BANK].rows("INSERT INTO faults (fault, left_over, ms) VALUES (?, ?, ?)", *values)
    return await list_faults(request)


async def list_faults(request: web.Request) -> web.Response:
    rows = request.app[_BANK].rows("SELECT fault, left_over AS times, ms FROM faults WHERE left_over > 0 ORDER BY id")
    return web.json_response({"items": [dict(row) for row in rows]})


async def clear_faults(request: web.Request) -> web.Response:
    request.app[_BANK].rows("DELETE FROM faults")
    return web.Response(status=204)


async def list_orders(request: web.Request) -> web.Response:
    """What the bank holds: how often each order was heard, how often money was taken, and the callbacks it made."""
    bank = request.app[_BANK]
    orders = [dict(row) for row in bank.rows("SELECT number, amount, state, heard, charges FROM orders ORDER BY rowid DESC LIMIT 500")]
    for order in orders:
        sent = bank.rows("SELECT notify_id, state, tries, due_at, answer FROM callbacks WHERE number = ? ORDER BY id", order["number"])
        order["callbacks"] = [dict(row) for row in sent]
    return web.json_response({"items": orders})


async def call_back_again(request: web.Request) -> web.Response:
    """`{"state": "FAIL"}`: one more callback about an order, under a new notify id."""
    bank, number = request.app[_BANK], request.match_info["number"]
    state = _object(await request.read()).get("state")
    orders = bank.rows("SELECT merchant FROM orders WHERE number = ?", number)
    if not orders or state not in ("SUCCESS", "FAIL"):
        return web.json_response({"code": "PARAM_ERROR"}, status=422)
    _plan_callback(bank, orders[0]["merchant"], number, state, _now())
    return web.Response(status=202)


def signed_callback(
    bank_key: Ed25519PrivateKey, key_id: str, body: Mapping[str, object], *, at: float | None = None
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a callback; `at` in seconds since 1970."""
    raw = json.dumps(body, ensure_ascii=False).encode()
    return _signature(bank_key, key_id, "notify\n", raw, at), raw


def _make(bank: Bank, merchant: str, number: str, amount: str, notify_url: str, fault: sqlite3.Row | None) -> None:
    settle_at, reference = _now() + bank.pay_after_ms, "B" + uuid.uuid4().hex[:20]
    bank.rows(
        "INSERT INTO orders (merchant, number, amount, notify_url, bank_ref, state, faults, settle_at)"
        " VALUES (?, ?, ?, ?, ?, 'ACCEPTED', ?, ?)",
        *(merchant, number, amount, notify_url, reference, fault["fault"] if fault else "", settle_at),
    )
    bank.work.set()


async def _answer_order(bank: Bank, request: web.Request, merchant: str, number: str, fault: sqlite3.Row | None) -> web.StreamResponse:
    kind = fault["fault"] if fault else ""
    if kind == Fault.LOST_ANSWER:
        _hang_up(request)
    if kind == Fault.ERROR_AFTER_EFFECT:
        raise web.HTTPInternalServerError
    if fault is not None and kind == Fault.SLOW_ANSWER:
        await asyncio.sleep(fault["ms"] / 1000)
    order = bank.order(merchant, number)
    assert order is not None
    return _answer(bank, request, _told(order), key=Ed25519PrivateKey.generate() if kind == Fault.FORGED_ANSWER else bank.key)


def _stumble(bank: Bank, request: web.Request) -> None:
    """The faults that hit a request before anything is done."""
    fault = bank.take_fault(*_OF_ANY_REQUEST)
    if fault is not None and fault["fault"] == Fault.LOST_REQUEST:
        _hang_up(request)
    if fault is not None:
        raise web.HTTPServiceUnavailable


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
    raise web.HTTPServiceUnavailable  # Nobody hears it.


def _merchant(bank: Bank, request: web.Request, raw: bytes) -> str:
    """The merchant who signed the request."""
    headers = request.headers
    merchant, at, signature = (headers.get(f"Merchant-{name}", "") for name in ("Id", "Timestamp", "Signature"))
    signed = f"request\n{request.method}\n{request.raw_path}\n{at}\n{_nonce(request)}\n".encode() + raw + b"\n"
    try:
        if abs(time.time() - int(at)) > WINDOW_SECONDS:
            raise web.HTTPUnauthorized
        bank.merchants[merchant].verify(base64.b64decode(signature, validate=True), signed)
    except (InvalidSignature, KeyError, ValueError):
        raise web.HTTPUnauthorized from None
    return merchant


def _nonce(request: web.Request) -> str:
    return request.headers.get("Merchant-Nonce", "")


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError:
        raise web.HTTPBadRequest from None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest
    return body


def _told(order: sqlite3.Row) -> dict[str, object]:
    return {name: order[name] for name in ("merchant", "number", "amount", "state", "bank_ref")} | {"currency": "CNY"}


def _answer(
    bank: Bank, request: web.Request, body: Mapping[str, object], status: int = 200, *, key: Ed25519PrivateKey | None = None
) -> web.Response:
    raw = json.dumps(body).encode()
    headers = _signature(key or bank.key, bank.key_id, f"answer\n{_nonce(request)}\n", raw, None)
    return web.Response(body=raw, status=status, headers=headers, content_type="application/json")


def _signature(key: Ed25519PrivateKey, key_id: str, about: str, raw: bytes, at: float | None) -> dict[str, str]:
    stamp, nonce = int(time.time() if at is None else at), uuid.uuid4().hex
    signature = key.sign(f"{about}{stamp}\n{nonce}\n".encode() + raw + b"\n")
    return {
        "Bank-Key-Id": key_id,
        "Bank-Timestamp": str(stamp),
        "Bank-Nonce": nonce,
        "Bank-Signature": base64.b64encode(signature).decode(),
    }


async def _working(app: web.Application) -> AsyncIterator[None]:
    """The bank's own hands: settle what is due and call back, for as long as the application runs."""
    bank = app[_BANK]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(CALLBACK_TIMEOUT_SECONDS)) as client:
        task = asyncio.create_task(_work(bank, client), name="bank")
        yield
        while not task.done():  # Once more, should a library have swallowed it.
            task.cancel()
            await asyncio.wait({task}, timeout=1.0)
    bank.file.close()


async def _work(bank: Bank, client: aiohttp.ClientSession) -> None:
    while True:
        bank.work.clear()
        for order in bank.rows("SELECT * FROM orders WHERE settle_at <= ? ORDER BY settle_at", _now()):
            _settle(bank, order)
        due = bank.rows("SELECT * FROM callbacks WHERE due_at <= ? ORDER BY due_at, id LIMIT ?", _now(), TOGETHER_MAX)
        by_order: dict[tuple[str, str], list[sqlite3.Row]] = {}
        for callback in due:
            by_order.setdefault((callback["merchant"], callback["number"]), []).append(callback)
        await asyncio.gather(*(_call_back_in_turn(bank, client, callbacks) for callbacks in by_order.values()))
        with contextlib.suppress(TimeoutError):  # Not by `wait_for`: before Python 3.12 it loses a cancellation that meets the event.
            async with asyncio.timeout(_until_next(bank)):
                await bank.work.wait()


def _until_next(bank: Bank) -> float | None:
    [row] = bank.rows("SELECT min(at) AS at FROM (SELECT min(settle_at) AS at FROM orders UNION ALL SELECT min(due_at) FROM callbacks)")
    return None if row["at"] is None else max(0.0, (row["at"] - _now()) / 1000)


def _settle(bank: Bank, order: sqlite3.Row) -> None:
    """Money is taken here, once: only an order that still waits is settled."""
    fault, state = order["faults"], "FAIL" if order["faults"] == Fault.DECLINE else "SUCCESS"
    key = (order["merchant"], order["number"])
    charged = int(state == "SUCCESS")
    bank.rows(
        "UPDATE orders SET state = ?, charges = charges + ?, settle_at = NULL WHERE merchant = ? AND number = ?", state, charged, *key
    )
    told = {Fault.NO_NOTIFY: [], Fault.FAIL_THEN_SUCCESS: ["FAIL", "SUCCESS"], Fault.SUCCESS_THEN_FAIL: ["SUCCESS", "FAIL"]}
    for one in told.get(fault, [state]):
        _plan_callback(bank, *key, one, _now(), twice=fault == Fault.DUPLICATE_NOTIFY)


def _plan_callback(bank: Bank, merchant: str, number: str, state: str, due_at: int, *, twice: bool = False) -> None:
    notify_id = "N" + uuid.uuid4().hex
    for _ in range(2 if twice else 1):
        text = "INSERT INTO callbacks (merchant, number, notify_id, state, due_at) VALUES (?, ?, ?, ?, ?)"
        bank.rows(text, merchant, number, notify_id, state, due_at)
    bank.work.set()


async def _call_back_in_turn(bank: Bank, client: aiohttp.ClientSession, callbacks: Sequence[sqlite3.Row]) -> None:
    for callback in callbacks:
        answer = await _call_back(bank, client, callback)
        tries = callback["tries"] + 1
        again = None if 200 <= answer < 300 or tries > len(bank.repeat_ms) else _now() + bank.repeat_ms[tries - 1]
        bank.rows("UPDATE callbacks SET tries = ?, answer = ?, due_at = ? WHERE id = ?", tries, answer, again, callback["id"])


async def _call_back(bank: Bank, client: aiohttp.ClientSession, callback: sqlite3.Row) -> int:
    """The status of the answer; 0 when there was none."""
    order = bank.order(callback["merchant"], callback["number"])
    assert order is not None
    body, key, key_id = _callback_body(order, callback), bank.key, bank.key_id
    if order["faults"] in (Fault.WRONG_SIGNATURE, Fault.UNKNOWN_KEY):
        key = Ed25519PrivateKey.generate()
        key_id = "bank-2099" if order["faults"] == Fault.UNKNOWN_KEY else key_id
    headers, raw = signed_callback(key, key_id, body)
    try:
        async with client.post(order["notify_url"], data=raw, headers=headers | {"Content-Type": "application/json"}) as response:
            return response.status
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return 0


def _callback_body(order: sqlite3.Row, callback: sqlite3.Row) -> dict[str, object]:
    told = _told(order) | {"state": callback["state"]}
    if order["faults"] == Fault.WRONG_AMOUNT:
        told["amount"] = "1" + str(told["amount"])
    if order["faults"] == Fault.WRONG_MERCHANT:
        told["merchant"] = "somebody-else"
    return {"notify_id": callback["notify_id"], "order": told}


def _now() -> int:
    return int(time.time() * 1000)
