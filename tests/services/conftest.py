"""A little city for the services: a fresh database, the simulated provider and registry, and a door, all over HTTP on loopback."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from foundation import http, journal, postgres
from foundation.clock import Clock
from foundation.errors import NotAllowed, NotLoggedIn, Problem
from foundation.seal import Keys
from services.exchange import catalogue
from services.exchange import http as exchange_http
from services.identity import door, who_is
from services.identity.http import routes
from services.identity.model import Limit, Limits
from services.identity.providers.counter import HttpCounter
from services.identity.providers.police import HttpPoliceRegister
from services.identity.providers.sms import HttpSms
from services.identity.providers.vehicle_registry import HttpVehicleRegistry
from services.identity.send_messages import Sender
from services.licences import http as licences_http
from services.licences.keyring import Keyring
from services.licences.verify_licence import Throttle
from simulators import departments, phones, population

ROOMY = Limits(address=(Limit(1000, 600),), wrong=(Limit(1000, 600),))  # Tests all come from one address.
KEY = "test-key"
ISSUER = "https://city.example"


@pytest.fixture
async def opened_database(postgres_url: str) -> AsyncIterator[postgres.Database]:
    async with postgres.connect(postgres_url) as database:
        await journal.prepare(database)
        yield database


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "keys.json")


class Hands(Clock):
    """A clock whose hands a test may move."""

    moved = timedelta(0)

    def wall(self) -> datetime:
        return super().wall() + self.moved

    def city(self) -> datetime:
        return self.wall()

    def move(self, **by: float) -> None:
        object.__setattr__(self, "moved", self.moved + timedelta(**by))


class Owed(dict[bytes, int]):
    async def due_of(self, plate_tokens: Sequence[bytes]) -> dict[bytes, int]:
        return {token: self[token] for token in plate_tokens if token in self}


@contextlib.asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def little_door(house: "House") -> web.Application:
    """What the city's door does, in short: who asks, may she, what does she say."""
    app = web.Application()
    for route in house.routes():
        app.router.add_route(route.method, route.path, opened(house, route))
    return app


def opened(house: "House", route: http.Route) -> Any:
    async def handle(request: web.Request) -> web.Response:
        house.urls.append(str(request.url))
        try:
            reply = await route.handle(await call_of(house, route, request))
        except Problem as problem:
            headers = {"Retry-After": str(problem.retry_after_s)} if problem.retry_after_s is not None else {}
            return web.Response(
                body=msgspec.json.encode(problem.body()), status=problem.status, headers=headers, content_type="application/problem+json"
            )
        assert isinstance(reply, http.Reply)
        body = b"" if reply.body is None else msgspec.json.encode(reply.body)
        return web.Response(body=body, status=reply.status, headers=reply.headers, content_type="application/json")

    return handle


async def call_of(house: "House", route: http.Route, request: web.Request) -> http.Call:
    credential = door.credential_of(request.headers, secure=house.secure)
    caller = await house.known.who_is(credential.token, fresh=request.method != "GET") if credential else None
    if route.who is not http.Who.ANYBODY and caller is None:
        raise NotLoggedIn
    if caller is not None and caller.unsure and not route.unsure:
        raise NotAllowed(needs="L2")
    if not door.may_write(request.method, request.headers, credential):
        raise NotAllowed
    raw = await request.read()
    return http.Call(
        path=request.match_info,
        query=http.decode_query(request.query, route.query) if route.query else None,
        body=http.decode_body(raw, route.body) if route.body else None,
        caller=caller,
        headers=request.headers,
        raw=raw,
        address=request.remote or "",
        route=f"{request.method} {request.path}",
    )


@dataclass
class House:
    """Identity as the city wires it, with everything a test may turn."""

    database: postgres.Database
    keys: Keys
    clock: Hands
    known: who_is.Known
    sender: Sender
    registry: HttpVehicleRegistry
    client: aiohttp.ClientSession
    sms_url: str
    registry_url: str
    url: str = ""
    secure: bool = False
    limits: Limits = ROOMY
    presences: dict[str, Any] = field(default_factory=dict)
    exchange: bool = False
    keyring: Keyring | None = None
    throttle: Throttle | None = None
    dues: Owed = field(default_factory=Owed)
    urls: list[str] = field(default_factory=list)  # All that were asked for at the door.

    def routes(self) -> list[http.Route]:
        more = exchange_http.routes(self.database, catalogue.official()) if self.exchange else []
        if self.keyring is not None:
            more += licences_http.routes(self.database, self.keys, self.clock, self.keyring, ISSUER, throttle=self.throttle)
        return more + routes(
            self.database,
            self.keys,
            self.clock,
            known=self.known,
            sender=self.sender,
            registry=self.registry,
            police=HttpPoliceRegister(self.client, self.registry_url, KEY, answer_seconds_max=0.3),
            presences=self.presences or {"counter": HttpCounter(self.client, self.registry_url, KEY, answer_seconds_max=0.3)},
            dues=self.dues,
            secure=self.secure,
            limits=self.limits,
        )

    @contextlib.asynccontextmanager
    async def opened(self, **otherwise: Any) -> AsyncIterator["House"]:
        """The same city behind another door: another process, or with other settings."""
        known = otherwise.pop("known", None) or who_is.Known(self.database, self.clock)
        other = dataclasses.replace(self, known=known, **otherwise)
        async with served(little_door(other)) as other.url:
            yield other

    def nobody(self) -> "Caller":
        return Caller(self)

    async def outbox(self, phone: str) -> list[dict[str, Any]]:
        async with self.client.get(f"{self.sms_url}/outbox", params={"phone": phone}, headers={"X-Api-Key": KEY}) as response:
            return list((await response.json())["items"])

    async def turn(self, url: str, state: str) -> None:
        async with self.client.put(url, json={"state": state}, headers={"X-Api-Key": KEY}) as response:
            assert response.status == 200

    async def code_of(self, phone: str, nth: int = 1) -> str:
        """The code of the nth message to a phone, once it is there."""
        for _ in range(200):
            sent = [row["code"] for row in await self.outbox(phone) if "code" in row]
            if len(sent) >= nth:
                return str(sent[nth - 1])
            await asyncio.sleep(0.01)
        raise AssertionError("no code came")

    async def log_in(self, phone: str) -> "Caller":
        """A person with a bearer token; the clock moves on so that she may be asked for again."""
        web = self.nobody()
        before = len(await self.outbox(phone))
        status, body = await web("POST", "/api/v1/auth/codes", {"phone": phone})
        assert status == 202, body
        status, body = await web("POST", "/api/v1/auth/sessions", {"phone": phone, "code": await self.code_of(phone, before + 1)})
        assert status == 201, body
        self.clock.move(seconds=61)
        return Caller(self, body["token"], body["id"], body["person"]["id"])

    async def facts(self) -> list[Any]:
        async with self.database.snapshot() as tx:
            entries = await journal.read(tx, "fact", 0, datetime(1, 1, 1, tzinfo=UTC))
        return [entry.event for entry in entries]


@dataclass
class Caller:
    """Somebody who speaks HTTP: status and answer; the headers of the last answer are kept."""

    house: House
    token: str = ""
    session: str = ""
    person: str = ""
    headers: Any = None

    async def __call__(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            said["Authorization"] = f"Bearer {self.token}"
        async with self.house.client.request(method, self.house.url + path, json=body, headers=said) as response:
            self.headers = response.headers
            text = await response.text()
            return response.status, msgspec.json.decode(text) if text else None

    async def bind(self, plate: str, colour: str | None = None, *, prove: bool = True) -> str:
        status, body = await self("POST", "/api/v1/me/plates", {"plate": plate, "colour": colour})
        assert status == 201, body
        if prove:
            proof = {"way": "vehicle_licence", "vin_last6": population.vehicle_of(body["plate"]).vin_last6}
            status, proved = await self("POST", f"/api/v1/me/plates/{body['id']}/proof", proof)
            assert status == 200 and proved["proved"], proved
        return str(body["id"])


@pytest.fixture
async def house(opened_database: postgres.Database, keys: Keys) -> AsyncIterator[House]:
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        sms_url = await stack.enter_async_context(served(phones.application(KEY, slow_seconds=1.0)))
        registry_url = await stack.enter_async_context(served(departments.application(KEY, slow_seconds=1.0)))
        clock = Hands()
        sender = Sender(HttpSms(client, sms_url, KEY, answer_seconds_max=0.3))
        known = who_is.Known(opened_database, clock)
        registry = HttpVehicleRegistry(client, registry_url, KEY, answer_seconds_max=0.3)
        house = House(opened_database, keys, clock, known, sender, registry, client, sms_url, registry_url)
        sending = asyncio.create_task(sender.send_messages(lambda: None))
        house.url = await stack.enter_async_context(served(little_door(house)))
        try:
            yield house
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
