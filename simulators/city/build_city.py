"""Build the reference city from its bones: always the same for the same seed and number of bays."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import LineString, Point, Polygon

from simulators.city import names, skeleton
from simulators.city.bays import Bays, Kerbs, chances, kerbs_of
from simulators.city.choose_sites import Choice, Lot, choose_sites
from simulators.city.demand import class_of, district_of, pull_at
from simulators.city.skeleton import Floats, Name, Skeleton
from simulators.city.streets import Fabric, weave

BAYS: Final = 354_100
SEED: Final = 1
RADIUS_M: Final = 26_000.0  # The whole city is woven from here on; smaller ones lie around the centre.
CLASSES: Final = ("standard", "electric", "accessible", "family", "loading", "motorcycle")
CLASS_SHARES: Final = {  # Of electric, accessible, family, loading, motorcycle.
    "on_street": (0.03, 0.012, 0.0, 0.02, 0.004),
    "surface": (0.09, 0.02, 0.008, 0.006, 0.01),
    "structure": (0.12, 0.02, 0.02, 0.004, 0.0),
    "underground": (0.15, 0.02, 0.02, 0.006, 0.0),
}
OPERATORS: Final = {
    "op-chengtou": ("城投静态停车", "City Static Parking"),
    "op-centre": ("中心城区停车", "Central District Parking"),
    "op-jinshui": ("金水公共服务", "Jinshui Public Services"),
    "op-zhongyuan": ("中原社区停车", "Zhongyuan Community Parking"),
    "op-zhengdong": ("郑东智慧停车", "Zhengdong Smart Parking"),
    "op-hub": ("枢纽停车", "Hub Parking"),
    "op-commerce": ("商业联合停车", "United Commerce Parking"),
    "op-county": ("县市停车", "County Parking"),
}
HOURS: Final = {"mall": "Mo-Su 08:00-23:30", "scenic": "Mo-Su 07:00-22:00"}  # The rest is open day and night.
TARIFF_OF: Final = {"on_street": "street", "surface": "surface", "structure": "underground", "underground": "underground"}
GRID_M: Final = 2_000.0  # A parking zone is a square of this side within a district.


@dataclass(frozen=True, slots=True)
class Site:
    id: str
    name: Name
    kind: str  # The contract's `type`.
    operator: str
    counted_by: str
    zone: str
    tariff: str
    area_class: int
    demand: str
    weight: float
    x: float
    y: float
    entrances: tuple[tuple[float, float], ...]
    max_height_cm: int | None
    opening_hours: str
    spots: slice  # Its bays among those of the city.
    ground: Polygon | None  # Its outline, where it lies on a block.


@dataclass(frozen=True, slots=True)
class City:
    bones: Skeleton
    fabric: Fabric
    sites: tuple[Site, ...]
    bays: Bays  # In order of site.
    spot_class: npt.NDArray[np.uint8]

    def degrees(self) -> Floats:
        """Longitude and latitude of each bay."""
        return self.bones.frame.degrees(np.column_stack([self.bays.x, self.bays.y]))

    def spot_id(self, site: Site, number: int) -> str:
        """`number` counts from 0 within the site."""
        return f"{site.id}-{number + 1:04}"


def build_city(seed: int = SEED, bays: int = BAYS) -> City:
    """The whole city, or its middle with fewer bays. Streets do not depend on the seed, so they are those of the basemap."""
    bones = skeleton.load()
    within = None if bays >= BAYS else Point(0, 0).buffer(max(1_500.0, RADIUS_M * math.sqrt(bays / BAYS)))
    fabric = weave(bones, within)
    kerbs = kerbs_of(bones, fabric)
    lots = choose_sites(_choice(bones, fabric, kerbs, seed), bays)
    lots.sort(key=lambda lot: (float(np.hypot(*lot.middle)), lot.kind))
    sites = _sites(bones, lots, seed)
    whole = Bays(*(np.concatenate([getattr(lot.bays, axis) for lot in lots]) for axis in ("x", "y", "angle")))
    classes = np.concatenate([_classes(lot, site, seed, number) for number, (lot, site) in enumerate(zip(lots, sites, strict=True))])
    return City(bones, fabric, tuple(sites), whole, classes)


def _choice(bones: Skeleton, fabric: Fabric, kerbs: Kerbs, seed: int) -> Choice:
    middles = shapely.get_coordinates(shapely.centroid([block.shape for block in fabric.blocks]))
    block_zone = np.array([block.zone for block in fabric.blocks])
    kerb_zone = block_zone[shapely.STRtree(shapely.points(middles)).nearest(shapely.points(kerbs.middle))]
    kinds = [zone.kind for zone in bones.zones]
    block_pull = pull_at(bones, middles, [kinds[zone] for zone in block_zone])
    kerb_pull = pull_at(bones, kerbs.middle, [kinds[zone] for zone in kerb_zone])
    return Choice(bones, fabric.blocks, block_pull, kerbs, kerb_zone, kerb_pull, seed)


def _sites(bones: Skeleton, lots: Sequence[Lot], seed: int) -> list[Site]:
    middles = np.array([lot.middle for lot in lots])
    districts = district_of(bones, middles)
    zones = _zones(bones, middles, districts)
    dice = chances(seed, 11, 6 * len(lots)).reshape(-1, 6)
    named = _names(bones, lots, dice)
    sites, start = [], 0
    for number, lot in enumerate(lots):
        spots = slice(start, start + len(lot.bays))
        district = bones.districts[districts[number]].code
        sites.append(_site(bones, lot, f"zz-{number + 1:04}", named[number], zones[number], district, dice[number], spots))
        start = spots.stop
    return sites


def _site(bones: Skeleton, lot: Lot, number: str, name: Name, zone: str, district: str, dice: Floats, spots: slice) -> Site:
    x, y = lot.middle.tolist()
    kind = bones.zones[lot.zone].kind
    area_class = class_of(x, y, kind)
    counted_by = "spots" if lot.kind in ("on_street", "surface") else "gates" if dice[0] < 0.6 else "counter"
    covered = lot.kind in ("structure", "underground")
    ground, entrances = _ground(lot)
    at = (x, y) if lot.block is not None else tuple(map(float, _middle_bay(lot)))
    pull = bones.places[lot.place].weight / 2600.0 if lot.place >= 0 else 0.0
    return Site(
        id=number, name=name, kind=lot.kind, operator=_operator(lot, district, kind, float(dice[1])), counted_by=counted_by, zone=zone,
        tariff=f"zz-{area_class}-{TARIFF_OF[lot.kind]}", area_class=area_class, demand=lot.use,
        weight=round(0.55 + 0.5 * float(dice[2]) + 0.7 * min(pull, 1.0) + 0.15 * (3 - area_class), 2),
        x=at[0], y=at[1], entrances=entrances, max_height_cm=(200, 210, 220, 220, 230, 240)[int(dice[3] * 6)] if covered else None,
        opening_hours=HOURS.get(lot.use, "24/7") if covered or (lot.use == "scenic" and lot.kind == "surface") else "24/7",
        spots=spots, ground=ground,
    )  # fmt: skip


def _middle_bay(lot: Lot) -> tuple[float, float]:
    """A point on the kerb itself: the mean of both sides of a street, or of a bend, may lie on neither."""
    nearest = int(np.argmin(np.hypot(lot.bays.x - lot.middle[0], lot.bays.y - lot.middle[1])))
    return float(lot.bays.x[nearest]), float(lot.bays.y[nearest])


def _ground(lot: Lot) -> tuple[Polygon | None, tuple[tuple[float, float], ...]]:
    """The outline of a lot on a block, and its ways in: where the block's kerb comes closest to it."""
    if lot.block is None:
        return None, ()
    outline = shapely.minimum_rotated_rectangle(shapely.multipoints(lot.bays.corners().reshape(-1, 2)))
    outline = shapely.intersection(shapely.buffer(outline, 2.5, join_style="mitre"), shapely.buffer(lot.block, -2.0))
    parts = shapely.get_parts(outline)
    outline = parts[np.argmax(shapely.area(parts))] if len(parts) else None
    kerb = LineString(lot.block.exterior)
    first = kerb.project(Point(*lot.middle))
    reaches = [first] if len(lot.bays) < 500 else [first, (first + kerb.length * 0.42) % kerb.length]
    return outline, tuple((point.x, point.y) for point in map(kerb.interpolate, reaches))


def _operator(lot: Lot, district: str, kind: str, chance: float) -> str:
    if lot.use == "hub":
        return "op-hub"
    if lot.use == "mall" and lot.kind != "on_street":
        return "op-commerce"
    if kind == "town" or district not in ("zhongyuan", "erqi", "guancheng", "jinshui", "huiji"):
        return "op-county"
    if kind in ("newtown", "cbd"):
        return "op-zhengdong" if chance < 0.8 else "op-commerce"
    if lot.kind == "on_street" or chance < 0.35:
        return "op-chengtou"
    return {"jinshui": "op-jinshui", "zhongyuan": "op-zhongyuan", "huiji": "op-jinshui"}.get(district, "op-centre")


def _zones(bones: Skeleton, middles: Floats, districts: npt.NDArray[np.int64]) -> list[str]:
    """Codes such as jinshui-07: squares numbered within their district, from the centre outwards as the sites are."""
    numbers: defaultdict[str, dict[tuple[int, int], int]] = defaultdict(dict)
    codes = []
    for (x, y), district in zip(middles.tolist(), districts.tolist(), strict=True):
        cells = numbers[code := bones.districts[district].code]
        number = cells.setdefault((int(x // GRID_M), int(y // GRID_M)), len(cells) + 1)
        codes.append(f"{code}-{number:02}")
    return codes


def _names(bones: Skeleton, lots: Sequence[Lot], dice: Floats) -> list[Name]:
    bases = [_base(bones, lot, float(row[4])) for lot, row in zip(lots, dice, strict=True)]
    keys = [(base, lot.kind) for base, lot in zip(bases, lots, strict=True)]
    many, seen = Counter(keys), Counter[tuple[Name, str]]()
    named = []
    for base, kind in keys:
        seen[base, kind] += 1
        named.append(names.site_name(base, kind, seen[base, kind] if many[base, kind] > 1 else 0))
    return named


def _base(bones: Skeleton, lot: Lot, chance: float) -> Name:
    """What a site is called after: its street, the place it serves, or an estate nobody has heard of."""
    if lot.street is not None:
        return lot.street.name
    if lot.place >= 0:
        return bones.places[lot.place].zh, bones.places[lot.place].en
    return names.estate_name(chance, lot.use)


def _classes(lot: Lot, site: Site, seed: int, number: int) -> npt.NDArray[np.uint8]:
    """Chargers in a row, accessible bays closest to the way in, the others anywhere."""
    count, shares = len(lot.bays), CLASS_SHARES[lot.kind]
    electric, accessible, *others = (int(count * share + 0.5) for share in shares)
    classes = np.zeros(count, np.uint8)
    chance = chances(seed, 1000 + number, count + 1)
    start = int(chance[0] * max(1, count - electric))
    classes[start : start + electric] = 1
    way_in = site.entrances[0] if site.entrances else (site.x, site.y)
    closest = np.argsort(np.hypot(lot.bays.x - way_in[0], lot.bays.y - way_in[1]), kind="stable")
    classes[closest[classes[closest] == 0][:accessible]] = 2
    left = np.flatnonzero(classes == 0)
    left = left[np.argsort(chance[1:][left], kind="stable")]
    for place, some in enumerate(others):
        classes[left[:some]], left = 3 + place, left[some:]
    return classes
