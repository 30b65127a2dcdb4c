"""The HTTP contract for machines, generated from the routes' own types: OpenAPI 3.1, and a page that people can read."""

import html
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from foundation.errors import FieldError, Problem
from foundation.http import Route, Who

VERSION = "0.1.0"
_NAME = re.compile(r"{(\w+)}")


class ProblemView(msgspec.Struct):
    """RFC 9457: what is wrong, and where."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []


def document(routes: Sequence[Route], url: str) -> dict[str, Any]:
    """The whole document as plain values."""
    types = list(dict.fromkeys([ProblemView, *(kind for route in routes for kind in (route.body, route.answer) if kind is not None)]))
    found, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schemas = dict(zip(types, found, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "OneLot", "version": VERSION, "description": "A whole city as one parking lot, one login for every service."},
        "servers": [{"url": url}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, schemas: dict[Any, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": route.summary}
    if route.answer is not None:
        answer["content"] = {"application/json": {"schema": schemas[route.answer]}}
    if route.binary:
        answer["content"] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    said: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "parameters": list(_parameters(route)),
        "responses": {str(route.status): answer, "default": _problem(schemas)},
    }
    if route.who is not Who.ANYBODY:
        said["security"] = [{"bearer": []}]
        said["x-who"] = str(route.who)
    if route.body is not None:
        said["requestBody"] = {"required": True, "content": {"application/json": {"schema": schemas[route.body]}}}
    if route.takes:
        said["requestBody"] = {
            "required": True,
            "content": {kind: {"schema": {}} for kind in route.takes},
        }  # OpenAPI 3.1: bytes as they are.
    return said


def _problem(schemas: dict[Any, Any]) -> dict[str, Any]:
    return {"description": "A problem (RFC 9457)", "content": {"application/problem+json": {"schema": schemas[ProblemView]}}}


def _operation_id(route: Route) -> str:
    path = route.path.removeprefix("/api/v1/").replace("{", "").replace("}", "")
    return f"{route.method.lower()}_{re.sub('[^a-z0-9]+', '_', path.lower()).strip('_')}"


def _parameters(route: Route) -> Iterator[dict[str, Any]]:
    for name in _NAME.findall(route.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    if route.query is not None:
        schema = msgspec.json.schema(route.query)
        found = schema["$defs"][schema["$ref"].rpartition("/")[2]]
        for name, kind in found["properties"].items():
            yield {"name": name, "in": "query", "required": name in found.get("required", ()), "schema": kind}
    if route.idempotent:
        yield {"name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string", "maxLength": 200}}
    if route.takes:  # The file's name is personal, so it stands in no address (RFC 6266: filename*).
        yield {"name": "Content-Disposition", "in": "header", "required": False, "schema": {"type": "string"}}


def problems() -> dict[str, type[Problem]]:
    """All problem types by their slug, for /problems/{slug}."""
    found: dict[str, type[Problem]] = {}
    todo: list[type[Problem]] = [Problem]
    while todo:
        one = todo.pop()
        if "slug" in vars(one):  # What only narrows a problem is told as that problem.
            found[one.slug] = one
        todo += one.__subclasses__()
    return found


def page(routes: Sequence[Route]) -> str:
    """The reference for people, without a script."""
    rows = "".join(
        f"<tr><td><code>{route.method}</code></td><td><code>{html.escape(route.path)}</code></td><td>{html.escape(route.summary)}</td>"
        f"<td>{route.who}</td><td>{', '.join(html.escape(one['name']) for one in _parameters(route))}</td></tr>"
        for route in sorted(routes, key=lambda route: (route.path, route.method))
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>OneLot API</title>'
        '<link rel="stylesheet" href="/docs/style.css"><main><h1>OneLot API</h1>'
        '<p>Machine-readable: <a href="/openapi.json">OpenAPI 3.1</a>, <a href="/asyncapi.json">AsyncAPI 3</a> for devices. '
        "Errors are <a href='https://www.rfc-editor.org/rfc/rfc9457'>RFC 9457</a> problems.</p>"
        f"<table><thead><tr><th>Method</th><th>Path</th><th>What</th><th>Who</th><th>Parameters</th></tr></thead><tbody>{rows}</tbody></table></main></html>"
    )


STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
body { font: 16px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; margin: 0; }
main { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid var(--line); }
code { font: 14px/1.4 ui-monospace, monospace; }
"""
