"""A migrated database, the bank and our own routes on loopback, all of this test alone."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from foundation import http, ids, journal, postgres
from foundation.caller import Caller
from foundation.clock import Clock
from foundation.errors import Problem
from foundation.http import Call, Reply, Route
from foundation.postgres import Database, Transaction
from foundation.seal import Keys
from foundation.sql import Query
from onelot.embedded import free_port
from parking.ledger import settle
from parking.payments import store
from parking.payments.http import routes
from parking.payments.poll_topups import poll_once
from parking.payments.providers import sim_bank
from simulators import bank

MERCHANT = "onelot-test"


@pytest.fixture
async def connected(postgres_url: str) -> AsyncIterator[Database]:
    async with postgres.connect(postgres_url) as database:
        await journal.prepare(database)
        yield database


class MovedClock(Clock):
    """A clock that a test moves on instead of sleeping."""

    __slots__ = ("ahead",)

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "ahead", timedelta(0))

    def pass_by(self, **units: float) -> None:
        object.__setattr__(self, "ahead", self.ahead + timedelta(**units))

    def wall(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def city(self) -> datetime:
        return self.wall()


@dataclass
class Town:
    """Our side and the bank, talking HTTP; the poller moves only when it is told to."""

    database: Database
    clock: MovedClock
    provider: sim_bank.SimBank
    client: aiohttp.ClientSession
    url: str
    bank_url: str
    bank_key: Ed25519PrivateKey
    start_bank: Callable[..., Awaitable[None]]
    stop_bank: Callable[[], Awaitable[None]]
    person: uuid.UUID = field(default_factory=ids.new_id)
    run: uuid.UUID = field(default_factory=ids.new_id)
    heard: asyncio.Queue[int] = field(default_factory=asyncio.Queue)  # Statuses that callbacks were answered with.
    bills: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)  # By session.
    deaf: bool = False  # Our door answers callbacks with 503.

    async def ask(self, method: str, path: str, body: object = None, *, key: str | None = None) -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body) if body is not None else None
        headers = {"Person": str(self.person)} | ({"Idempotency-Key": key} if key else {})
        async with self.client.request(method, self.url + path, data=raw, headers=headers) as response:
            return response.status, await response.json(content_type=None)

    async def top_up(self, amount: int = 10_000) -> uuid.UUID:
        status, answer = await self.ask("POST", "/api/v1/me/wallet/topups", {"amount": amount, "currency": "CNY"})
        assert (status, answer["state"]) == (201, "pending")
        return uuid.UUID(answer["id"])

    async def fault(self, fault: bank.Fault, **more: int) -> None:
        async with self.client.post(self.bank_url + "/control/faults", json={"fault": fault} | more) as response:
            assert response.status == 200

    async def bank_order(self) -> dict[str, Any]:
        async with self.client.get(self.bank_url + "/control/orders") as response:
            [order] = (await response.json())["items"]
            return dict(order)

    async def poll(self) -> int:
        return await poll_once(self.database, self.provider, self.clock, self.run)

    async def poll_until(self, topup: uuid.UUID, state: str) -> None:
        """Look again and again, an hour later each time, and let what is under way go on meanwhile."""
        for _ in range(200):
            if await self.state(topup) == state:
                return
            self.clock.pass_by(hours=1)
            await self.poll()
        raise AssertionError(f"still {await self.state(topup)}")

    async def answered(self) -> int:
        """The status that the next callback was answered with."""
        return await asyncio.wait_for(self.heard.get(), 5)

    async def state(self, topup: uuid.UUID) -> str:
        return str(await self.database.value(Query("state", "SELECT state FROM parking.topup WHERE id = $1"), topup))

    async def steps(self, topup: uuid.UUID) -> list[str]:
        return [state for _, state, _ in await store.list_steps(self.database, topup)]

    async def wallet(self) -> tuple[int, list[int]]:
        """Balance and movements, as the person sees them."""
        _, answer = await self.ask("GET", "/api/v1/me/wallet")
        return answer["balance"]["amount"], [entry["amount"]["amount"] for entry in answer["entries"]]

    async def told(self) -> int:
        """How often it was told that a top-up was paid."""
        return int(await self.database.value(Query("told", "SELECT count(*) FROM journal.fact WHERE kind = 'topup_paid'")))

    async def call_back(self, number: str, state: str, amount: str, *, notify_id: str = "", **more: Any) -> int:
        """A callback made by hand, signed by the bank's key unless another is given."""
        return await self.sent(*self.signed(number, state, amount, notify_id=notify_id, **more))

    def signed(self, number: str, state: str, amount: str, *, notify_id: str = "", **more: Any) -> tuple[dict[str, str], bytes]:
        key, key_id, at = more.pop("key", self.bank_key), more.pop("key_id", "bank-1"), more.pop("at", None)
        order = {"merchant": MERCHANT, "number": number, "amount": amount, "currency": "CNY", "state": state} | more
        return bank.signed_callback(key, key_id, {"notify_id": notify_id or uuid.uuid4().hex, "order": order}, at=at)

    async def sent(self, headers: dict[str, str], raw: bytes) -> int:
        async with self.client.post(self.url + "/api/v1/providers/sim-bank/notify", data=raw, headers=headers) as response:
            return response.status


@pytest.fixture
async def town(connected: Database, tmp_path: Path) -> AsyncIterator[Town]:
    merchant_key, bank_key = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    ports = free_port(), free_port()  # Not of those that the kernel lends to connections meanwhile.
    url, bank_url = (f"http://127.0.0.1:{port}" for port in ports)
    running: list[TestServer] = []

    async def start_bank(**settings: Any) -> None:
        settings = {"pay_after_ms": 0, "repeat_ms": [20] * 50} | settings
        merchants = {MERCHANT: merchant_key.public_key()}
        running.append(TestServer(bank.application(tmp_path / "bank.sqlite", key=bank_key, merchants=merchants, **settings), port=ports[1]))
        await running[-1].start_server()

    async def stop_bank() -> None:
        await running.pop().close()

    clock = MovedClock()
    async with aiohttp.ClientSession() as client, contextlib.AsyncExitStack() as stack:
        settings = sim_bank.Settings(
            bank_url, f"{url}/api/v1/providers/sim-bank/notify", MERCHANT, merchant_key, {"bank-1": bank_key.public_key()}
        )
        provider = sim_bank.SimBank(settings, client, Clock())  # The bank and the callbacks live in real time, only the poller is moved on.
        town = Town(connected, clock, provider, client, url, bank_url, bank_key, start_bank, stop_bank)

        async def bill_of(tx: Transaction, sessions: Collection[uuid.UUID]) -> Mapping[uuid.UUID, uuid.UUID]:
            return {session: town.bills[session] for session in sessions if session in town.bills}

        ours = TestServer(_mount(routes(connected, Keys(tmp_path / "keys.json"), Clock(), provider, bill_of), town), port=ports[0])
        await ours.start_server()
        stack.push_async_callback(ours.close)
        await start_bank()
        yield town
        while running:
            await stop_bank()
        async with connected.transaction() as tx:
            assert await settle.proof(tx) == []


def _mount(ours: list[Route], town: Town) -> web.Application:
    """As little of the city's HTTP as these routes need."""
    app = web.Application()
    for route in ours:
        app.router.add_route(route.method, route.path, _handler(route, town))
    return app


def _handler(route: Route, town: Town) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        raw = await request.read()
        person = request.headers.get("Person")
        try:
            if route.raw_body and town.deaf:
                raise web.HTTPServiceUnavailable
            call = Call(
                path=request.match_info,
                query=http.decode_query(request.query, route.query) if route.query else None,
                body=http.decode_body(raw, route.body) if route.body else None,
                caller=Caller(uuid.UUID(person), ids.new_id()) if person else None,
                headers=request.headers,
                raw=raw,
                address="127.0.0.1",
                route=f"{route.method} {request.path}",
            )
            answer = await route.handle(call)
            reply = answer if isinstance(answer, Reply) else Reply(answer, route.status)
        except Problem as problem:
            reply = Reply(problem.body(), problem.status)
        except web.HTTPServiceUnavailable:
            reply = Reply({}, 503)
        if route.raw_body:
            town.heard.put_nowait(reply.status)
        return web.Response(body=msgspec.json.encode(reply.body), status=reply.status)

    return handle
