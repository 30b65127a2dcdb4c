"""The documents for machines say what the running city does: no more, no less, and its answers keep to them."""

import json
import re
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from onelot import page
from tests.onelot.test_walk import BODIES, QUERIES, name_of
from tests.onelot.town import NATURAL, Answer, Town
from tests.shared import shared_path

UNDOCUMENTED = {
    "/api/v1/live",
    "/metrics",
    "/openapi.json",
    "/asyncapi.json",
    "/docs",
    "/docs/style.css",
    "/basemap/city.pmtiles",
    "/basemap/places.json",
}  # A socket, and documents.


@pytest.fixture
async def document(running_city: Town) -> dict[str, Any]:
    return dict((await running_city.ask("GET", "/openapi.json")).body)


async def test_document_is_openapi(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()


async def test_document_names_every_route_and_nothing_else(running_city: Town, document: dict[str, Any]) -> None:
    said = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    there = {(route.method, route.path) for route in running_city.routes}

    assert said == there
    assert running_city.served() - {path for _, path in said} == UNDOCUMENTED | set(page.paths())


async def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]

    assert len(set(names)) == len(names)


def schema_of(document: dict[str, Any], method: str, path: str, answer: Answer) -> dict[str, Any]:
    responses = document["paths"][path][method.lower()]["responses"]
    said = responses.get(str(answer.status), responses["default"])
    return dict(said["content"][answer.kind]["schema"])


def check(document: dict[str, Any], schema: dict[str, Any], body: Any) -> None:
    registry = Registry().with_resource("urn:city", Resource.from_contents(document, default_specification=DRAFT202012))
    whole = json.loads(json.dumps(schema).replace('"#/components', '"urn:city#/components'))
    jsonschema.Draft202012Validator(whole, registry=registry).validate(body)


async def test_answers_keep_to_their_schema(running_city: Town, document: dict[str, Any]) -> None:
    for route in running_city.routes:
        if route.method != "GET" or route.binary:
            continue
        answer = await running_city.ask("GET", running_city.path_of(route), who=NATURAL[route.who], query=QUERIES.get(name_of(route)))
        assert answer.status == 200, name_of(route)
        check(document, schema_of(document, "GET", route.path, answer), answer.body)


async def test_what_was_made_keeps_to_its_schema(running_city: Town, document: dict[str, Any]) -> None:
    for name in ("POST /api/v1/me/plates", "POST /api/v1/me/wallet/topups"):
        method, path = name.split()
        answer = await running_city.ask(method, path, who="anna", body=BODIES[name][0])
        assert answer.status == 201
        check(document, schema_of(document, method, path, answer), answer.body)


async def test_problems_keep_to_their_schema(running_city: Town, document: dict[str, Any]) -> None:
    for route in running_city.routes:
        answer = await running_city.ask(route.method, re.sub(r"{\w+}", "nothing", route.path), query={"limit": "0"}, raw=b"[")
        if answer.kind == "application/problem+json":
            check(document, schema_of(document, route.method, route.path, answer), answer.body)


async def test_bodies_that_the_city_takes_keep_to_their_schema(document: dict[str, Any]) -> None:
    for name, (body, _) in BODIES.items():
        method, path = name.split()
        said = document["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]["schema"]
        check(document, said, body)
        with pytest.raises(jsonschema.ValidationError):
            check(document, said, body | {"nonsense": 1})


async def test_reference_for_people_shows_every_route(running_city: Town) -> None:
    page = await running_city.ask("GET", "/docs")
    style = await running_city.ask("GET", "/docs/style.css")

    assert (page.status, page.kind, style.status, style.kind) == (200, "text/html", 200, "text/css")
    assert [route.path for route in running_city.routes if f"<code>{route.path}</code>" not in page.text] == []
    assert "<script" not in page.text


async def test_device_document_is_asyncapi(running_city: Town) -> None:
    schema = json.loads(shared_path("standards/asyncapi/asyncapi-3.0.0.json").read_text())
    document = (await running_city.ask("GET", "/asyncapi.json")).body

    jsonschema.validators.validator_for(schema)(schema).validate(document)
    assert {"spots", "passage", "count", "status", "command", "answer"} == set(document["channels"])
    assert document["servers"]["city"]["host"].endswith(str(running_city.run.city.listener.port))


async def test_device_document_takes_the_messages_of_the_contract(running_city: Town) -> None:
    document = (await running_city.ask("GET", "/asyncapi.json")).body
    said = {
        "spots": {
            "seq": 1841, "sent": "2026-03-02T09:00:04.120+08:00",
            "spots": [{"spot": "lot-7-001", "at": "2026-03-02T09:00:03+08:00", "state": "occupied", "plate": "豫A12345",
                       "plate_colour": "blue", "plate_confidence": 0.97, "vehicle_type": "small", "evidence": "sha256:ab"}],
        },
        "passage": {"seq": 77, "at": "2026-03-02T09:00:03+08:00", "lane": "1", "direction": "in", "plate": "豫A12345",
                    "plate_colour": "blue", "plate_confidence": 0.99},
        "count": {"seq": 5, "at": "2026-03-02T09:00:03+08:00", "occupied": 212, "capacity": 300},
        "status": {"at": "2026-03-02T09:00:03+08:00", "online": True, "firmware": "2.1"},
        "command": {"command": "open_barrier", "lane": "1", "until": "2026-03-02T09:00:03+08:00"},
        "answer": {"ok": True},
    }  # fmt: skip

    for kind, body in said.items():
        check(document, document["components"]["messages"][kind]["payload"], body)
