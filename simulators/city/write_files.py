"""Write the city down as what `onelot import` takes, one feature a line; its tariffs lie beside this file."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from simulators.city.build_city import BAYS, CLASSES, City, Site, build_city
from simulators.city.skeleton import HERE

TARIFFS: Final = tuple(sorted((HERE / "tariffs").glob("*.yaml")))


def write_city(city: City, path: Path) -> None:
    """A site's `area_class`, `demand` and `weight` are for simulators: the city itself neither keeps nor tells them."""
    with path.open("w") as file:
        file.write('{"type":"FeatureCollection","features":[\n')
        file.write(",\n".join(_features(city)))
        file.write("\n]}\n")


def _features(city: City) -> Iterator[str]:
    places = city.degrees()
    for site in city.sites:
        yield json.dumps(_site(city, site), ensure_ascii=False, separators=(",", ":"))
        here = zip(places[site.spots].tolist(), city.spot_class[site.spots].tolist(), strict=True)
        for number, ((lon, lat), spot_class) in enumerate(here):
            yield (
                f'{{"type":"Feature","id":"{city.spot_id(site, number)}","geometry":{{"type":"Point","coordinates":[{lon:.7f},{lat:.7f}]}},'
                f'"properties":{{"kind":"spot","site":"{site.id}","class":"{CLASSES[spot_class]}"}}}}'
            )


def _site(city: City, site: Site) -> dict[str, object]:
    at, *entrances = [[round(lon, 7), round(lat, 7)] for lon, lat in city.bones.frame.lonlat([(site.x, site.y), *site.entrances])]
    height = {"max_height_cm": site.max_height_cm} if site.max_height_cm is not None else {}
    properties = {
        "kind": "site", "name": {"zh": site.name[0], "en": site.name[1]}, "type": site.kind, "operator": site.operator,
        "counted_by": site.counted_by, "zone": site.zone, "tariff": site.tariff, "capacity": site.spots.stop - site.spots.start,
        **height, "opening_hours": site.opening_hours, "entrances": entrances,
        "area_class": site.area_class, "demand": site.demand, "weight": site.weight,
    }  # fmt: skip
    return {"type": "Feature", "id": site.id, "geometry": {"type": "Point", "coordinates": at}, "properties": properties}


if __name__ == "__main__":
    write_city(build_city(bays=int(sys.argv[2]) if len(sys.argv) > 2 else BAYS), Path(sys.argv[1]))
