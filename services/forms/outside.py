"""What an answer may name that lies outside of the form: files uploaded for it, and places of the city. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

from foundation.errors import FieldError
from services.forms import model
from services.forms.model import FILE, PLACE, Json, Schema

PLACE_KEYS = frozenset({"place", "name", "lon", "lat"})
DEGREES_DECIMALS = 6  # A tenth of a metre.


@dataclass(frozen=True, slots=True)
class FileFact:
    """A file that lies there: for which question, and of which kind."""

    pointer: str
    kind: str


@dataclass(frozen=True, slots=True)
class Place:
    """One of the city's places, as its list says."""

    id: str
    kind: str
    zh: str
    en: str
    lon: float
    lat: float


class Places(Protocol):
    def find(self, place: str) -> Place | None: ...

    def holds(self, lon: float, lat: float) -> bool:
        """Whether the point lies in the city."""


@dataclass(frozen=True, slots=True)
class Outside:
    files: Mapping[str, FileFact]  # Of this case, by id.
    places: Places


def files_named(schema: Schema, form: Json) -> set[str]:
    """The ids of all files that the form names."""
    return {str(one) for field in model.fields_of(schema) if FILE in field.schema for one in _ids(form, field.pointer)}


def _ids(form: Json, pointer: str) -> list[Any]:
    found = model.value_at(form, pointer)
    return found if isinstance(found, list) else []


def judge_files(schema: Schema, form: Json, files: Mapping[str, FileFact]) -> list[FieldError]:
    """Only files of this case, uploaded for this question, each once. What is somebody else's is told as what never was."""
    errors: list[FieldError] = []
    for field in model.fields_of(schema):
        seen: set[str] = set()
        for place, one in enumerate(_ids(form, field.pointer) if FILE in field.schema else ()):
            fact = files.get(one) if isinstance(one, str) else None
            if fact is None or fact.pointer != field.pointer or fact.kind not in field.schema[FILE]["types"]:
                errors.append(FieldError(f"{field.pointer}/{place}", "unknown_file", "there is no such file here; upload it first"))
            elif one in seen:
                errors.append(FieldError(f"{field.pointer}/{place}", "twice", "this file is named already"))
            seen.add(str(one))
    return errors


def settle_places(schema: Schema, before: Json, form: Json, places: Places) -> tuple[Json, list[FieldError]]:
    """The form with each newly chosen place as the city's list has it, whatever the reply said of it; what stood there already stands,
    though the list has changed since."""
    errors: list[FieldError] = []
    for field in model.fields_of(schema):
        was, now = model.value_at(before, field.pointer), model.value_at(form, field.pointer)
        if PLACE not in field.schema or now is None or now == was:
            continue
        settled = _settled(field.schema[PLACE], was if isinstance(was, dict) else {}, now, places)
        if isinstance(settled, dict):
            form = model.with_value(form, field.pointer, settled)
        else:
            errors.append(FieldError(field.pointer, *settled))
    return form, errors


def _settled(rule: Mapping[str, Any], was: Json, now: Json, places: Places) -> Json | tuple[str, str]:
    """The value, or what is wrong with it."""
    if not isinstance(now, dict) or not now.keys() <= PLACE_KEYS:
        return "place", 'a place is {"place": its id}, a point {"lon": …, "lat": …}'
    if "place" in now:
        if now["place"] == was.get("place"):
            return "place", "to change a place say another id; for a point say null for its id and its name, and lon and lat"
        found = places.find(now["place"]) if isinstance(now["place"], str) else None
        if found is None or found.kind not in rule.get("kinds", (found.kind,)):
            return "unknown_place", "choose one of the places that the city knows"
        return {"place": found.id, "name": {"zh": found.zh, "en": found.en}, "lon": found.lon, "lat": found.lat}
    if not rule.get("point"):
        return "unknown_place", "choose one of the places that the city knows"
    lon, lat = now.get("lon"), now.get("lat")
    if "name" in now or not _is_degree(lon) or not _is_degree(lat):
        return "place", "a point is lon and lat, in degrees, and nothing else"
    if not places.holds(lon, lat):
        return "outside_city", "this lies outside of the city"
    return {"lon": round(float(lon), DEGREES_DECIMALS), "lat": round(float(lat), DEGREES_DECIMALS)}


def _is_degree(value: Json) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
