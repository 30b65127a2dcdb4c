"""A city small enough for a test: streets with cameras and lots with gates around the middle of Zhengzhou, two tariffs."""

import json
from pathlib import Path
from typing import Any

STREET = """
code: street
version: 1
effective: {from: "2020-01-01T00:00+08:00", to: null}
free: {minutes: 20, mode: threshold}
windows:
  - {name: day, from: "07:00", to: "21:00", count: window, cap: 3500,
     steps: [{until: 60, per: 60, price: 400}, {until: 180, per: 60, price: 200}, {per: 60, price: 400}]}
  - {name: night, from: "21:00", to: "07:00", count: window, steps: [{per: 60, price: 100}]}
"""
LOT = """
code: lot
version: 1
effective: {from: "2020-01-01T00:00+08:00", to: null}
free: {minutes: 20, mode: threshold}
windows:
  - {name: day, from: "07:00", to: "21:00", count: window, cap: 2600,
     steps: [{until: 60, per: 60, price: 400}, {until: 180, per: 60, price: 100}, {per: 60, price: 300}]}
  - {name: night, from: "21:00", to: "07:00", steps: [{per: 0, price: 500, once: stay}]}
"""
KINDS = ("mixed", "mall", "hub", "hospital", "stadium", "residential")


def little_city(sites: int = 10, bays: int = 30) -> dict[str, Any]:
    """Every other site is gated."""
    features: list[dict[str, Any]] = []
    for number in range(sites):
        gated, site = number % 2 == 1, f"site-{number:03d}"
        lon, lat = 113.60 + 0.004 * (number % 40), 34.74 + 0.004 * (number // 40)
        given = {
            "kind": "site", "name": {"zh": f"{number}号停车场", "en": f"Lot {number}"}, "type": "underground" if gated else "on_street",
            "operator": "op-demo", "counted_by": "gates" if gated else "spots", "tariff": "lot" if gated else "street", "capacity": bays,
            "area_class": 1 + number % 3, "demand": KINDS[number % len(KINDS)], "weight": 3.0,
        }  # fmt: skip
        features.append({"type": "Feature", "id": site, "geometry": {"type": "Point", "coordinates": [lon, lat]}, "properties": given})
        if not gated:
            features += [_spot(site, place, lon + 0.00003 * place, lat) for place in range(bays)]
    return {"type": "FeatureCollection", "features": features}


def _spot(site: str, place: int, lon: float, lat: float) -> dict[str, Any]:
    properties = {"kind": "spot", "site": site, "class": "standard"}
    point = {"type": "Point", "coordinates": [lon, lat]}
    return {"type": "Feature", "id": f"{site}-{place:03d}", "geometry": point, "properties": properties}


def written(place: Path, sites: int = 10, bays: int = 30) -> tuple[Path, Path]:
    """The city's file and the folder of its tariffs."""
    tariffs = place / "tariffs"
    tariffs.mkdir()
    (tariffs / "street.yaml").write_text(STREET)
    (tariffs / "lot.yaml").write_text(LOT)
    (place / "city.geojson").write_text(json.dumps(little_city(sites, bays)))
    return place / "city.geojson", tariffs
