"""Choose the sites: stretches of kerb and lots on blocks where people want to be, until the bays are exactly as many as asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from shapely.geometry import Polygon

from simulators.city.bays import Bays, Ints, Kerbs, chances, free_of, ground_of, kerb_bays
from simulators.city.demand import Pull, use_of
from simulators.city.skeleton import Floats, Road, Skeleton
from simulators.city.streets import Block, Street

BAYS_A_SITE: Final = 295.0
SHARES: Final = {"on_street": 0.45, "surface": 0.24, "structure": 0.08, "underground": 0.23}  # Of the sites.
KERB_SHARE_MAX: Final = 0.4  # Of the bays.
KERB_ROOM: Final = (44, 230)  # Least and most bays of a kerbside site.
M2_A_BAY: Final = 34.0  # With aisles and the block's edge: what a guess of a block's room goes by.
SPACING_M: Final = 120.0  # Between the middles of lots.
MORE_BLOCKS: Final = (1.0, 1.4, 2.0, 3.0)  # Where blocks are small, as in the old town, it takes more of them.
ROOM_FACTOR: Final = 2.5  # Lots may grow beyond their wish until the sum is right.
PULL_SHARE_MAX: Final = 9  # Lots that one place may draw.


@dataclass(frozen=True, slots=True)
class Wish:
    """How large lots of a kind want to be, in bays."""

    median: float
    spread: float
    least: int
    most: int


WISHES: Final = {
    "surface": Wish(200, 0.5, 40, 700),
    "structure": Wish(420, 0.3, 180, 1000),
    "underground": Wish(560, 0.5, 140, 2200),
}
LIKED: Final = {  # How likely lots of each kind are, by what the place is used for.
    "mall": {"underground": 0.65, "structure": 0.20, "surface": 0.15},
    "hospital": {"underground": 0.45, "structure": 0.35, "surface": 0.20},
    "hub": {"underground": 0.40, "structure": 0.35, "surface": 0.25},
    "stadium": {"underground": 0.30, "structure": 0.05, "surface": 0.65},
    "scenic": {"underground": 0.12, "structure": 0.03, "surface": 0.85},
    "school": {"underground": 0.20, "structure": 0.05, "surface": 0.75},
    "office": {"underground": 0.62, "structure": 0.16, "surface": 0.22},
    "residential": {"underground": 0.40, "structure": 0.08, "surface": 0.52},
    "mixed": {"underground": 0.30, "structure": 0.12, "surface": 0.58},
}


@dataclass(frozen=True, slots=True)
class Lot:
    """A site along a stretch or on a block, before it has a name."""

    kind: str
    bays: Bays
    use: str
    place: int  # The place of note that it serves, -1 for none.
    zone: int
    street: Street | Road | None = None
    block: Polygon | None = None

    @property
    def middle(self) -> Floats:
        return np.array([self.bays.x.mean(), self.bays.y.mean()])


@dataclass(frozen=True, slots=True)
class Choice:
    """What to choose from."""

    bones: Skeleton
    blocks: Sequence[Block]
    block_pull: Pull
    kerbs: Kerbs
    kerb_zone: Ints
    kerb_pull: Pull
    seed: int


def choose_sites(choice: Choice, bays: int) -> list[Lot]:
    """Sites with exactly so many bays in all. Raises ValueError when there is not that much room."""
    sites = max(8, round(bays / BAYS_A_SITE))
    streets = list(_streets(choice, round(SHARES["on_street"] * sites), int(KERB_SHARE_MAX * bays)))
    left = bays - sum(len(lot.bays) for lot in streets)
    for more in MORE_BLOCKS:
        quota = {kind: max(1, round(SHARES[kind] * sites * more)) for kind in WISHES}
        picked = list(_blocks(choice, quota))
        dice = chances(choice.seed, 7, 3 * len(picked)).reshape(-1, 3)
        wishes = np.array([_wish(choice, kind, block, row) for (block, kind, _), row in zip(picked, dice, strict=True)])
        grounds = [ground_of(choice.blocks[block].shape, int(wish * ROOM_FACTOR)) for (block, *_), wish in zip(picked, wishes, strict=True)]
        if sum(len(ground.bays) for ground in grounds) >= left:
            break
    counts = _exact(wishes, np.array([len(ground.bays) for ground in grounds]), left)
    lots = [
        _lot(choice, block, kind, use, ground.nearest(count, ground.corner(chance)))
        for (block, kind, use), ground, count, chance in zip(picked, grounds, counts.tolist(), dice[:, 2].tolist(), strict=True)
        if count
    ]
    return [*streets, *lots]


def _lot(choice: Choice, block: int, kind: str, use: str, bays: Bays) -> Lot:
    return Lot(kind, bays, use, int(choice.block_pull.place[block]), choice.blocks[block].zone, None, choice.blocks[block].shape)


def _streets(choice: Choice, sites: int, bays_max: int) -> Iterator[Lot]:
    kerbs, pull = choice.kerbs, choice.kerb_pull
    chance = chances(choice.seed, 1, len(kerbs.room))
    order = np.argsort(-(chance ** (1.0 / (pull.strength * kerbs.room))), kind="stable")  # A long street is likelier to be one.
    order = order[kerbs.room[order] >= KERB_ROOM[0]][: sites + sites // 8 + 2]
    bays, stretch = kerb_bays(kerbs, order)
    fine = free_of(choice.bones, bays)
    bays, stretch = bays[fine], stretch[fine]
    for one in order.tolist():
        here = bays[stretch == one][: min(KERB_ROOM[1], bays_max)]
        if sites and len(here) >= KERB_ROOM[0] - 4 and len(here) <= bays_max:
            sites, bays_max = sites - 1, bays_max - len(here)
            zone, place = int(choice.kerb_zone[one]), int(pull.place[one])
            use = use_of(choice.bones, place, choice.bones.zones[zone].kind, float(chance[one]) * 7919 % 1)
            yield Lot("on_street", here, use, place, zone, kerbs.streets[one])


def _blocks(choice: Choice, quota: dict[str, int]) -> Iterator[tuple[int, str, str]]:
    """Blocks with the kind of lot that suits them and what it is used for, until each kind has enough."""
    pull, areas = choice.block_pull, shapely.area([block.shape for block in choice.blocks])
    middles = shapely.get_coordinates(shapely.centroid([block.shape for block in choice.blocks]))
    chance = chances(choice.seed, 2, 3 * len(areas)).reshape(-1, 3)
    order = np.argsort(-(chance[:, 0] ** (1.0 / (pull.strength * np.sqrt(areas / 20_000.0)))), kind="stable")
    near, left, drawn = _Spacing(), dict(quota), dict.fromkeys(range(len(choice.bones.places)), 0)
    for block in order.tolist():
        place, zone = int(pull.place[block]), choice.blocks[block].zone
        if (place >= 0 and drawn[place] >= PULL_SHARE_MAX) or not near.free(middles[block]):
            continue
        use = use_of(choice.bones, place, choice.bones.zones[zone].kind, float(chance[block, 2]))
        kind = _kind(use, float(chance[block, 1]), areas[block], left)
        if kind is None:
            continue
        left[kind] -= 1
        near.take(middles[block])
        if place >= 0:
            drawn[place] += 1
        yield block, kind, use
        if not any(left.values()):
            return


def _kind(use: str, chance: float, area: float, left: dict[str, int]) -> str | None:
    fits = {kind: share for kind, share in LIKED[use].items() if left[kind] and area >= 1.3 * M2_A_BAY * WISHES[kind].least}
    aim = chance * sum(fits.values())
    for kind, share in fits.items():
        aim -= share
        if aim < 0:
            return kind
    return None


class _Spacing:
    """Middles that are taken, by cells as wide as the spacing."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], list[tuple[float, float]]] = {}

    def free(self, at: Floats) -> bool:
        x, y = at.tolist()
        column, row = int(x // SPACING_M), int(y // SPACING_M)
        near = (one for c in (-1, 0, 1) for r in (-1, 0, 1) for one in self._cells.get((column + c, row + r), ()))
        return all((x - a) ** 2 + (y - b) ** 2 >= SPACING_M**2 for a, b in near)

    def take(self, at: Floats) -> None:
        x, y = at.tolist()
        self._cells.setdefault((int(x // SPACING_M), int(y // SPACING_M)), []).append((x, y))


def _wish(choice: Choice, kind: str, block: int, dice: Floats) -> float:
    wish, place = WISHES[kind], int(choice.block_pull.place[block])
    spread = wish.spread * (dice[0] + dice[1] - 1.0) * 2.4
    large = 1.0 + min(0.9, choice.bones.places[place].weight / 2600.0) if place >= 0 else 1.0
    return float(np.clip(wish.median * np.exp(spread) * large, wish.least, wish.most))


def _exact(wishes: Floats, rooms: Ints, bays: int) -> Ints:
    """Whole numbers near the wishes, within the rooms, that add up to `bays`. Raises ValueError when the rooms are too small."""
    if rooms.sum() < bays:
        raise ValueError(f"there is room for {rooms.sum()} of {bays} bays beside the kerbs")
    low, high = 0.0, 1.0
    while np.minimum(wishes * high, rooms).sum() < bays + len(wishes) and high < 1e6:
        high *= 2
    for _ in range(60):
        factor = (low + high) / 2
        low, high = (factor, high) if np.minimum(np.floor(wishes * factor), rooms).sum() < bays else (low, factor)
    counts = np.minimum(np.floor(wishes * high), rooms).astype(np.int64)
    over = int(counts.sum()) - bays
    counts[np.argsort(-counts, kind="stable")[: abs(over)]] -= np.sign(over)
    return counts
