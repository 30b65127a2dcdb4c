"""The vehicle register of a police that does not exist: it answers over HTTP as a real one would, and can be broken on purpose."""

import asyncio
import hmac
from typing import Literal

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from foundation import plates
from simulators import population
from simulators.desk import answer, body_of, keyed

SLOW_SECONDS = 8.0  # Longer than anybody who is in their right mind waits.
Fault = Literal["up", "down", "slow", "wrong"]


class Check(msgspec.Struct, frozen=True):
    """What the platform wants to know: is this the vehicle's licence?"""

    plate: str
    colour: str
    vin_last6: str


class Verdict(msgspec.Struct, frozen=True):
    """The register's answer; it names the vehicle it speaks of, so that an answer about another one is seen."""

    plate: str
    colour: str
    match: bool
    registered_at: str | None


class Knob(msgspec.Struct):
    """How the department is today."""

    state: Fault = "up"


_KNOB = web.AppKey("knob", Knob)


def application(api_key: str, *, slow_seconds: float = SLOW_SECONDS) -> web.Application:
    """`POST /vehicles/check`, and `GET|PUT /control/vehicles {"state": "up|down|slow|wrong"}`; both want the key."""
    app = web.Application(middlewares=[keyed(api_key), _broken_on_purpose(slow_seconds)])
    app[_KNOB] = Knob()
    app.router.add_post("/vehicles/check", check_vehicle)
    app.router.add_get("/control/vehicles", show_knob)
    app.router.add_put("/control/vehicles", turn_knob)
    return app


async def check_vehicle(request: web.Request) -> web.Response:
    asked = await body_of(request, Check)
    wrong = request.app[_KNOB].state == "wrong"
    return answer(_about_another() if wrong else verdict_of(asked))


def verdict_of(asked: Check) -> Verdict:
    """Match exactly when plate, colour and the end of the VIN are those of one vehicle; else nothing is told of it."""
    car = population.vehicle_of(asked.plate)
    known = plates.plate_fault(asked.plate, asked.colour) is None and car.colour == asked.colour
    match = known and hmac.compare_digest(car.vin_last6.encode(), asked.vin_last6.encode())
    return Verdict(asked.plate, asked.colour, match, car.registered_at.isoformat() if match else None)


def _about_another() -> Verdict:
    """The worst fault of a source: a confident answer about somebody else."""
    another = population.person_of("+8613800009999").plates[0]
    return Verdict(another.plate, another.colour, True, another.registered_at.isoformat())


async def show_knob(request: web.Request) -> web.Response:
    return answer(request.app[_KNOB])


async def turn_knob(request: web.Request) -> web.Response:
    request.app[_KNOB].state = (await body_of(request, Knob)).state
    return answer(request.app[_KNOB])


def _broken_on_purpose(slow_seconds: float) -> Middleware:
    @web.middleware
    async def break_down(request: web.Request, handler: Handler) -> web.StreamResponse:
        state = request.app[_KNOB].state
        if not request.path.startswith("/control/"):
            if state == "down":
                raise web.HTTPServiceUnavailable
            if state == "slow":
                await asyncio.sleep(slow_seconds)
        return await handler(request)

    return break_down
