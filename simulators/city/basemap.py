"""Make the basemap of the reference city, one file of vector tiles, and the list of places that a search goes through."""

import gzip
import hashlib
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import mapbox_vector_tile as mvt
import numpy as np
import numpy.typing as npt
import shapely
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer
from shapely.geometry.base import BaseGeometry

from simulators.city.build_city import City, build_city
from simulators.city.buildings import buildings_of
from simulators.city.places import places_of
from simulators.city.skeleton import HERE, SKELETON, STATIONS, Skeleton

ZOOMS: Final = range(8, 15)
EARTH_M: Final = 6_378_137.0
WORLD_M: Final = 2 * math.pi * EARTH_M
TILES, PLACES = "city.pmtiles", "places.json"
STREET_NAME_M: Final = 260.0  # Shorter streets have no label: there would be room for none.
SOURCES: Final = (
    "basemap", "bays", "build_city", "buildings", "choose_sites", "demand", "names", "places", "skeleton", "streets",
)  # fmt: skip

Shapes = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Layer:
    """Features of one kind, with the zoom from which each is shown."""

    name: str
    shapes: Shapes  # In metres of the web's Mercator.
    properties: Sequence[Mapping[str, Any]]
    from_zoom: npt.NDArray[np.int64]


def source_hash() -> str:
    """Of everything that the basemap is made from; it stands in the file, so that a test can see when it is old."""
    digest = hashlib.sha256()
    for path in (SKELETON, STATIONS, *(HERE / f"{name}.py" for name in SOURCES)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def make(folder: Path) -> None:
    """Write both files into a folder."""
    city = build_city()
    layers = list(layers_of(city))
    west, south, east, north = (float(edge) for edge in shapely.total_bounds([zone.shape for zone in city.bones.districts]))
    corners = city.bones.frame.degrees(np.array([[west, south], [east, north]]))
    with (folder / TILES).open("wb") as file:
        writer = Writer(file)  # type: ignore[no-untyped-call]
        for tile, body in tiles_of(layers):
            writer.write_tile(tile, body)  # type: ignore[no-untyped-call]
        writer.finalize(_header(corners), _metadata(city.bones, layers))  # type: ignore[no-untyped-call]
    (folder / PLACES).write_text(json.dumps(places_of(city.bones), ensure_ascii=False, separators=(",", ":")) + "\n")


def _header(corners: npt.NDArray[np.float64]) -> dict[str, Any]:
    (w, s), (e, n) = (np.rint(corners * 1e7).astype(int)).tolist()
    zooms = {"min_zoom": ZOOMS[0], "max_zoom": ZOOMS[-1], "center_zoom": 11}
    box = {"min_lon_e7": w, "min_lat_e7": s, "max_lon_e7": e, "max_lat_e7": n, "center_lon_e7": 1_136_600_000, "center_lat_e7": 347_522_000}
    return {"tile_type": TileType.MVT, "tile_compression": Compression.GZIP, **zooms, **box}


def _metadata(bones: Skeleton, layers: Sequence[Layer]) -> dict[str, Any]:
    known = [{"id": layer.name, "fields": {key: "String" for row in layer.properties[:1] for key in row}} for layer in layers]
    zh, en = bones.about
    return {
        "name": "OneLot reference city", "description": en, "attribution": f"{zh} / {en}", "attribution_zh": zh, "attribution_en": en,
        "source_sha256": source_hash(), "vector_layers": known,
    }  # fmt: skip


def layers_of(city: City) -> Iterator[Layer]:
    """Bottom to top, as they are drawn."""
    bones, fabric = city.bones, city.fabric
    layer = _Layers(bones)
    yield layer("zones", [(zone.shape, {"kind": zone.kind, "zh": zone.zh, "en": zone.en}, 8) for zone in bones.zones])
    yield layer(
        "grounds",
        [
            (one.shape, {"kind": kind, "zh": one.zh, "en": one.en}, 10)
            for kind, some in (("airfield", bones.grounds), ("yard", bones.yards))
            for one in some
        ],
    )
    yield layer("blocks", [(block.shape, {"kind": bones.zones[block.zone].kind}, 13) for block in fabric.blocks])
    yield layer("parks", [(park.shape, {"zh": park.zh, "en": park.en}, 10) for park in bones.parks])
    rivers = [(shapely.buffer(river.line, river.width / 2, quad_segs=3), {"kind": "river"}, 11) for river in bones.rivers]
    yield layer("water", [*((lake.shape, {"kind": "lake"}, 8) for lake in bones.waters), *rivers])
    yield layer(
        "waterways", [(river.line, {"kind": river.kind, "zh": river.zh, "en": river.en, "width": river.width}, 9) for river in bones.rivers]
    )
    yield layer("buildings", [(shape, {}, 14) for shape in buildings_of(city)])
    yield layer("lots", [(site.ground, {"kind": site.kind, "site": site.id}, 14) for site in city.sites if site.ground is not None])
    yield layer("rails", [(rail.line, {"kind": rail.kind, "zh": rail.zh, "en": rail.en}, 9) for rail in bones.rails])
    yield layer("roads", [*_main_roads(bones), *_streets(city)])
    yield layer(
        "districts", [(one.shape, {"adcode": int(one.kind), "code": one.code, "zh": one.zh, "en": one.en}, 8) for one in bones.districts]
    )
    yield layer("places", list(_place_points(bones)))
    yield layer("stations", [(shapely.Point(x, y), {"zh": zh, "en": en, "lines": lines}, 12) for zh, en, lines, x, y in bones.stations])


Feature = tuple[BaseGeometry, Mapping[str, Any], int]


def _main_roads(bones: Skeleton) -> Iterator[Feature]:
    zoom = {"motorway": 8, "ring": 9, "primary": 10, "secondary": 12}
    for road in bones.roads:
        yield road.line, {"kind": road.kind, "zh": road.zh, "en": road.en, "width": road.width}, zoom[road.kind]


def _streets(city: City) -> Iterator[Feature]:
    for street in city.fabric.streets:
        name = (
            dict(zip(("zh", "en"), street.name, strict=True)) if street.line.length >= STREET_NAME_M or street.kind == "secondary" else {}
        )
        yield street.line, {"kind": street.kind, "width": street.width, **name}, 12 if street.kind == "secondary" else 13


def _place_points(bones: Skeleton) -> Iterator[Feature]:
    for district in bones.districts:
        yield district.shape.representative_point(), {"kind": "district", "zh": district.zh, "en": district.en, "rank": 1}, 8
    for zone in bones.zones:
        if zone.kind != "town":
            yield zone.shape.representative_point(), {"kind": "zone", "zh": zone.zh, "en": zone.en, "rank": 2}, 10
    for place in bones.places:
        rank = 3 if place.weight >= 1500 else 4 if place.weight >= 700 else 5
        yield shapely.Point(place.x, place.y), {"kind": place.demand, "zh": place.zh, "en": place.en, "rank": rank}, 8 + rank
    for kind, some in (("park", bones.parks), ("lake", bones.waters)):
        for one in some:
            yield one.shape.representative_point(), {"kind": kind, "zh": one.zh, "en": one.en, "rank": 5}, 12


@dataclass(frozen=True, slots=True)
class _Layers:
    """Layers from features in the city's own metres."""

    bones: Skeleton

    def __call__(self, name: str, features: Sequence[Feature]) -> Layer:
        shapes = shapely.transform(np.array([shape for shape, *_ in features], object), self._to_mercator)
        return Layer(name, shapes, [properties for _, properties, _ in features], np.array([zoom for *_, zoom in features]))

    def _to_mercator(self, metres: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        lon, lat = np.radians(self.bones.frame.degrees(metres)).T
        return EARTH_M * np.column_stack([lon, np.log(np.tan(math.pi / 4 + lat / 2))])


def tiles_of(layers: Sequence[Layer]) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each tile that holds something, in the order of their numbers."""
    trees = [shapely.STRtree(layer.shapes) for layer in layers]
    box = shapely.total_bounds(np.concatenate([layer.shapes for layer in layers]))
    for zoom in ZOOMS:
        side = WORLD_M / (1 << zoom)
        columns = range(int((box[0] + WORLD_M / 2) // side), int((box[2] + WORLD_M / 2) // side) + 1)
        rows = range(int((WORLD_M / 2 - box[3]) // side), int((WORLD_M / 2 - box[1]) // side) + 1)
        for tile, x, y in sorted((zxy_to_tileid(zoom, x, y), x, y) for x in columns for y in rows):
            west, north = x * side - WORLD_M / 2, WORLD_M / 2 - y * side
            body = _tile(layers, trees, zoom, (west, north - side, west + side, north))
            if body:
                yield tile, body


def _tile(layers: Sequence[Layer], trees: Sequence[shapely.STRtree], zoom: int, bounds: tuple[float, float, float, float]) -> bytes:
    side = bounds[2] - bounds[0]
    margin = side / 64
    window = (bounds[0] - margin, bounds[1] - margin, bounds[2] + margin, bounds[3] + margin)
    held = []
    for layer, tree in zip(layers, trees, strict=True):
        found = np.sort(tree.query(shapely.box(*window)))
        found = found[layer.from_zoom[found] <= zoom]
        shapes = shapely.simplify(shapely.clip_by_rect(layer.shapes[found], *window), side / 4096)
        features = [
            {"geometry": shape, "properties": layer.properties[number]}
            for shape, number in zip(shapes, found.tolist(), strict=True)
            if not shape.is_empty
        ]
        if features:
            held.append({"name": layer.name, "features": features})
    if not held:
        return b""
    raw: bytes = mvt.encode(held, default_options={"quantize_bounds": bounds, "extents": 4096})
    return gzip.compress(raw, mtime=0)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
