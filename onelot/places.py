"""The city's places as forms ask for them: the same list that people search in, as far as it lies in this city."""

import functools
from dataclasses import dataclass

import msgspec

from citymap.cities import bounds_of_city
from citymap.model import Bounds
from onelot import basemap
from services.forms.outside import Place


class _Listed(msgspec.Struct):
    items: list[Place]


@functools.cache
def _listed() -> dict[str, Place]:
    found = msgspec.json.decode(basemap.PLACES.read_bytes(), type=_Listed)
    return {place.id: place for place in found.items}


@dataclass(frozen=True, slots=True)
class CityPlaces:
    bounds: Bounds

    def find(self, place: str) -> Place | None:
        found = _listed().get(place)
        return found if found is not None and self.holds(found.lon, found.lat) else None

    def holds(self, lon: float, lat: float) -> bool:
        return self.bounds.w <= lon <= self.bounds.e and self.bounds.s <= lat <= self.bounds.n


def places_of(city: str) -> CityPlaces:
    return CityPlaces(bounds_of_city(city))
