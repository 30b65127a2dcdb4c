"""Read the catalogue of interfaces and elements, and refuse one that does not hold together."""

import functools
import importlib.resources
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import yaml

from services.exchange.errors import BadCatalogue
from services.exchange.model import CLASSES, MASKS, Catalogue, Element, Interface, Name


@functools.cache
def official() -> Catalogue:
    """The catalogue that came with the program. Raises BadCatalogue."""
    return read(_text("catalogue.yaml"))


@functools.cache
def contract_of(source: str) -> Mapping[str, Any]:
    """A department's OpenAPI document as it gave it to us."""
    return dict(yaml.safe_load(_text(f"interfaces/{source}.yaml")))


def _text(name: str) -> str:
    return importlib.resources.files("services.exchange").joinpath(name).read_text("utf-8")


def read(text: str) -> Catalogue:
    """Raises BadCatalogue."""
    said = yaml.safe_load(text)
    found = Catalogue(
        agencies={code: Name(**name) for code, name in said["agencies"].items()},
        interfaces={code: _interface(code, one) for code, one in said["interfaces"].items()},
        elements={code: _element(code, one) for code, one in said["elements"].items()},
    )
    for interface in found.interfaces.values():
        _prove(found, interface)
    return found


def _interface(code: str, said: Mapping[str, Any]) -> Interface:
    return Interface(
        id=code,
        source=said["source"],
        purposes=frozenset(said["purposes"]),
        freshness=timedelta(seconds=said["freshness_s"]),
        deadline_seconds=said["deadline_ms"] / 1000,
        quota_per_minute=said["quota_per_minute"],
        elements=dict(said["elements"]),
    )


def _element(code: str, said: Mapping[str, Any]) -> Element:
    if said["class"] not in CLASSES or said["mask"] not in MASKS:
        raise BadCatalogue(f"{code}: classes are {', '.join(CLASSES)}, masks are {', '.join(MASKS)}")
    if said["class"] == "sensitive" and said["mask"] == "none":
        raise BadCatalogue(f"{code} is sensitive and has no mask")
    return Element(code, said["class"], said["mask"], Name(**said["name"]))


def _prove(found: Catalogue, interface: Interface) -> None:
    """Every element is classed, and the department's contract has the question and promises what we look for in its answer."""
    if interface.source not in found.agencies:
        raise BadCatalogue(f"{interface.id}: nobody is {interface.source}")
    required = answer_schema(interface).get("required", [])
    for element, pointer in interface.elements.items():
        if element not in found.elements:
            raise BadCatalogue(f"{interface.id}: {element} is not classed")
        if pointer.strip("/").split("/")[0] not in required:
            raise BadCatalogue(f"{interface.id}: {interface.source} does not promise {pointer}")


def answer_schema(interface: Interface, status: str = "200") -> dict[str, Any]:
    """The schema of a department's answer, with the components that it refers to. Raises BadCatalogue."""
    contract = contract_of(interface.source)
    try:
        answer = contract["paths"][f"/{interface.id}/query"]["post"]["responses"][status]
    except KeyError:
        raise BadCatalogue(f"{interface.source} has no interface {interface.id}") from None
    answer = _followed(contract, answer)
    schema = _followed(contract, answer["content"]["application/json"]["schema"])
    return {**schema, "components": contract["components"]}


def _followed(contract: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference points at, or the thing itself."""
    found: Any = part
    if "$ref" in part:
        found = contract
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
    return dict(found)
