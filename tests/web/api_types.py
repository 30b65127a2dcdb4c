"""The page's types from the doors' own: `python -m tests.web.api_types` writes `web/src/api/types.ts`, and a test compares."""

import re
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

from onelot import openapi, own_pages, wiring

FILE = Path(__file__).resolve().parents[2] / "web" / "src" / "api" / "types.ts"
HEAD = "// Written by `python -m tests.web.api_types` from the doors' own types: never edited.\n"
PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def written() -> str:
    """All types of all answers and bodies. No handler is called, so nobody stands behind the routes."""
    city: Any = MagicMock()
    routes = [*wiring._routes(city, MagicMock(), MagicMock()), *own_pages.routes(MagicMock(), MagicMock(), MagicMock())]
    schemas = openapi.document(routes, "")["components"]["schemas"]
    names = {name: _name(name) for name in schemas}
    types = [f"export {_declared(names[name], schema, names)}" for name, schema in sorted(schemas.items())]
    return HEAD + "\n" + "\n\n".join(types) + "\n\nexport type Problem = ProblemView;\n"


def _name(name: str) -> str:
    """`Page_SiteView_` is PageSiteView."""
    return "".join(part[0].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name) if part)


def _declared(name: str, schema: dict[str, Any], names: dict[str, str]) -> str:
    if schema.get("type") == "object" and "properties" in schema:
        required = schema.get("required", [])
        lines = [
            f"  {key if key.isidentifier() else repr(key)}{'' if key in required or 'default' in kind else '?'}: {_type(kind, names)};"
            for key, kind in schema["properties"].items()
        ]
        return f"interface {name} {{\n" + "\n".join(lines) + "\n}"
    return f"type {name} = {_type(schema, names)};"


def _type(schema: dict[str, Any], names: dict[str, str]) -> str:
    if "$ref" in schema:
        return names[schema["$ref"].rpartition("/")[2]]
    if "enum" in schema:
        return " | ".join(f"'{value}'" if isinstance(value, str) else str(value) for value in schema["enum"])
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " | ".join(dict.fromkeys(_type(one, names) for one in schema[word]))
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return "[" + ", ".join(_type(one, names) for one in schema["prefixItems"]) + "]"
        inner = _type(schema["items"], names) if isinstance(schema.get("items"), dict) else "unknown"
        return f"({inner})[]" if "|" in inner else f"{inner}[]"
    if schema.get("type") == "object":
        inside = schema.get("additionalProperties")
        return f"Record<string, {_type(inside, names) if isinstance(inside, dict) else 'unknown'}>"
    return PLAIN.get(schema.get("type", ""), "unknown")


if __name__ == "__main__":
    FILE.write_text(written())
