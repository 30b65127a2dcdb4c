"""The registers of a police, a housing administration and a vehicle office that do not exist, and a service counter: each answers over
HTTP as a real one would, says so in an OpenAPI document of its own, and can be broken on purpose."""

import asyncio
import hmac
import importlib.resources
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
import yaml
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from foundation import plates
from simulators import population
from simulators.desk import answer, body_of, keyed
from simulators.population import Person

NAMES = ("police", "housing", "vehicles", "counter")
STATES = ("up", "down", "slow", "wrong", "stale", "broken", "refusing")
SLOW_SECONDS = 8.0  # Longer than anybody who is in their right mind waits.
STALE_BY = timedelta(days=400)
CODE_LIVES = timedelta(minutes=30)
CODES_MAX = 10_000  # Visits that wait for their code to be used; the oldest are forgotten first.
ANOTHER = "+8613800009999"  # Whom a source speaks of that mistakes the person.


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


class NameCheck(msgspec.Struct, frozen=True):
    name: str
    id_no: str


class Query(msgspec.Struct, frozen=True):
    id_no: str


class Visit(msgspec.Struct, frozen=True):
    phone: str


class CodeCheck(msgspec.Struct, frozen=True):
    phone: str
    code: str


class Knob(msgspec.Struct):
    """How a department is today: `wrong` answers about somebody else, `stale` with old data, `broken` with half, `refusing` by 422."""

    state: Literal["up", "down", "slow", "wrong", "stale", "broken", "refusing"] = "up"


_KNOBS = web.AppKey("knobs", dict[str, Knob])
_CODES = web.AppKey("codes", dict[str, tuple[str, datetime]])
Tell = Callable[[Person], Mapping[str, object] | None]


def application(api_key: str, *, slow_seconds: float = SLOW_SECONDS) -> web.Application:
    """`/{name}/…` as `/{name}/openapi.json` says, and `GET|PUT /control/{name} {"state": "…"}`; all want the key."""
    app = web.Application(middlewares=[keyed(api_key), _broken_on_purpose(slow_seconds)])
    app[_KNOBS], app[_CODES] = {name: Knob() for name in NAMES}, {}
    app.router.add_post("/vehicles/check", check_vehicle)
    app.router.add_post("/police/v1/persons/check", check_person)
    app.router.add_post("/police/v1/persons/query", _register("police", lambda person: {"name": person.name}))
    app.router.add_post("/police/v1/cars/query", _register("police", cars_of))
    app.router.add_post("/housing/v1/residence/query", _register("housing", home_of))
    app.router.add_post("/vehicles/v1/owned/query", _register("vehicles", vehicles_of))
    app.router.add_post("/counter/v1/visits", see_person)
    app.router.add_post("/counter/v1/codes/check", check_code)
    for name in NAMES:
        app.router.add_get(f"/{name}/openapi.json", _document(name))
    app.router.add_get("/control/{name}", show_knob)
    app.router.add_put("/control/{name}", turn_knob)
    return app


def document(name: str) -> dict[str, Any]:
    """A department's own OpenAPI document."""
    text = importlib.resources.files("simulators").joinpath(f"openapi/{name}.yaml").read_text("utf-8")
    return dict(yaml.safe_load(text))


def _document(name: str) -> Handler:
    said = document(name)

    async def show(_: web.Request) -> web.Response:
        return answer(said)

    return show


# What the registers tell of a person; None: the register knows that it has nothing.


def cars_of(person: Person) -> Mapping[str, object] | None:
    return {"cars": [{"plate": car.plate, "colour": car.colour} for car in person.plates]} if person.plates else None


def home_of(person: Person) -> Mapping[str, object] | None:
    home = person.home
    return {"address": home.address, "zone": home.zone, "since": home.since.isoformat()} if home else None


def vehicles_of(person: Person) -> Mapping[str, object] | None:
    cars = [{"plate": car.plate, "colour": car.colour, "registered_on": car.registered_at.date().isoformat()} for car in person.plates]
    return {"vehicles": cars} if cars else None


def _register(name: str, tell: Tell) -> Handler:
    async def query(request: web.Request) -> web.Response:
        asked, state = await body_of(request, Query), request.app[_KNOBS][name].state
        if state == "wrong":
            another = population.person_of(ANOTHER)
            return answer({"id_no": another.id_no, "as_of": _now(state), **(tell(another) or {})})
        if state == "broken":
            return answer({"id_no": asked.id_no, "as_of": _now(state)})
        person = population.person_of_number(asked.id_no)
        found = tell(person) if person else None
        if found is None:
            return answer({"id_no": asked.id_no, "as_of": _now(state), "code": "no_record"}, status=404)
        return answer({"id_no": asked.id_no, "as_of": _now(state), **found})

    return query


def _now(state: str) -> str:
    now = datetime.now(UTC).replace(microsecond=0)
    return (now - STALE_BY if state == "stale" else now).isoformat()


async def check_person(request: web.Request) -> web.Response:
    """Whether this name and number are one person's; which of the two is wrong is nobody's business."""
    asked, state = await body_of(request, NameCheck), request.app[_KNOBS]["police"].state
    if state == "wrong":
        return answer({"id_no": population.person_of(ANOTHER).id_no, "match": True, "as_of": _now(state)})
    person = population.person_of_number(asked.id_no)
    match = person is not None and hmac.compare_digest(person.name.encode(), asked.name.encode())
    return answer({"id_no": asked.id_no, "match": match, "as_of": _now(state)})


async def check_vehicle(request: web.Request) -> web.Response:
    asked = await body_of(request, Check)
    wrong = request.app[_KNOBS]["vehicles"].state == "wrong"
    return answer(_about_another() if wrong else verdict_of(asked))


def verdict_of(asked: Check) -> Verdict:
    """Match exactly when plate, colour and the end of the VIN are those of one vehicle; else nothing is told of it."""
    car = population.vehicle_of(asked.plate)
    known = plates.plate_fault(asked.plate, asked.colour) is None and car.colour == asked.colour
    match = known and hmac.compare_digest(car.vin_last6.encode(), asked.vin_last6.encode())
    return Verdict(asked.plate, asked.colour, match, car.registered_at.isoformat() if match else None)


def _about_another() -> Verdict:
    """The worst fault of a source: a confident answer about somebody else."""
    another = population.person_of(ANOTHER).plates[0]
    return Verdict(another.plate, another.colour, True, another.registered_at.isoformat())


async def see_person(request: web.Request) -> web.Response:
    """A clerk compares face and card of whoever holds this phone, and hands her a code of her own: a new one ends the one before."""
    visit, codes = await body_of(request, Visit), request.app[_CODES]
    codes.pop(visit.phone, None)
    while len(codes) >= CODES_MAX:
        del codes[next(iter(codes))]
    codes[visit.phone] = (str(10_000_000 + secrets.randbelow(90_000_000)), datetime.now(UTC))
    return answer({"code": codes[visit.phone][0]})


async def check_code(request: web.Request) -> web.Response:
    """Once, and within half an hour: a code that was told is used up."""
    asked, codes = await body_of(request, CodeCheck), request.app[_CODES]
    code, seen_at = codes.get(asked.phone, ("", datetime.min.replace(tzinfo=UTC)))
    match = hmac.compare_digest(code.encode(), asked.code.encode()) and datetime.now(UTC) < seen_at + CODE_LIVES
    if not match:
        return answer({"phone": asked.phone, "match": False})
    del codes[asked.phone]
    wrong = request.app[_KNOBS]["counter"].state == "wrong"
    person = population.person_of(ANOTHER if wrong else asked.phone)
    said = {"match": True, "name": person.name, "id_no": person.id_no, "seen_at": seen_at.isoformat()}
    return answer({"phone": ANOTHER if wrong else asked.phone, **said})


async def show_knob(request: web.Request) -> web.Response:
    return answer(_knob(request))


async def turn_knob(request: web.Request) -> web.Response:
    _knob(request).state = (await body_of(request, Knob)).state
    return answer(_knob(request))


def _knob(request: web.Request) -> Knob:
    try:
        return request.app[_KNOBS][request.match_info["name"]]
    except KeyError:
        raise web.HTTPNotFound from None


def _broken_on_purpose(slow_seconds: float) -> Middleware:
    @web.middleware
    async def break_down(request: web.Request, handler: Handler) -> web.StreamResponse:
        knob = request.app[_KNOBS].get(request.path.split("/")[1])
        if knob is None or request.method == "GET":
            return await handler(request)
        if knob.state == "down":
            raise web.HTTPServiceUnavailable
        if knob.state == "refusing":
            raise web.HTTPUnprocessableEntity
        if knob.state == "slow":
            await asyncio.sleep(slow_seconds)
        return await handler(request)

    return break_down
