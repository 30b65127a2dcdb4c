"""What stands still: sites and spots as columns, built when geometry changes and swapped whole."""

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from citymap.bays import BayTiles
from citymap.doors import Doors
from citymap.grid import Grid, Ints
from citymap.model import CLASSES, COUNTED_NUMBER, Bounds, Site

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

CLASS_COUNT: Final = len(CLASSES)


class Places:
    """Sites in order of id; spots in order of (site, id), so that the spots of a site are a slice."""

    def __init__(self, sites: Sequence[Site], spot_ids: list[str], spot_site: Numbers, spot_class: Bytes, lon: Floats, lat: Floats) -> None:
        self.sites = tuple(sites)
        self.site_number = {site.id: number for number, site in enumerate(self.sites)}
        self.spot_ids, self.spot_site, self.spot_class, self.spot_lon, self.spot_lat = spot_ids, spot_site, spot_class, lon, lat
        self.spot_number = dict(zip(spot_ids, range(len(spot_ids)), strict=True))
        self.site_lon = np.array([site.lon for site in self.sites], np.float64)
        self.site_lat = np.array([site.lat for site in self.sites], np.float64)
        self.counted_by = np.array([COUNTED_NUMBER[site.counted_by] for site in self.sites], np.uint8)
        self.registered = np.array([site.capacity for site in self.sites], np.int32)
        self.class_spots = self._class_spots()
        self.spots = self.class_spots.sum(axis=1).astype(np.int32)
        self.spot_start: Ints = np.zeros(len(self.sites) + 1, np.int64)
        np.cumsum(self.spots, out=self.spot_start[1:])

    def _class_spots(self) -> Numbers:
        flat = self.spot_site.astype(np.int64) * CLASS_COUNT + self.spot_class
        return np.bincount(flat, minlength=len(self.sites) * CLASS_COUNT).reshape(-1, CLASS_COUNT).astype(np.int32)

    @cached_property
    def site_grid(self) -> Grid:
        return Grid(self.site_lon, self.site_lat)

    @cached_property
    def spot_grid(self) -> Grid:
        return Grid(self.spot_lon, self.spot_lat)

    @cached_property
    def doors(self) -> Doors:
        """The entrances, or the site itself when none is known."""
        return Doors([(number, *door) for number, site in enumerate(self.sites) for door in (site.entrances or ((site.lon, site.lat),))])

    @cached_property
    def bay_tiles(self) -> BayTiles:
        return BayTiles(self)

    @cached_property
    def opening_hours(self) -> tuple[tuple[str, ...], Ints]:
        """The different texts, and which of them each site has: a search reads each text once."""
        texts = sorted({site.opening_hours for site in self.sites})
        number = {text: place for place, text in enumerate(texts)}
        return tuple(texts), np.array([number[site.opening_hours] for site in self.sites], np.int64)

    @cached_property
    def max_stay_s(self) -> Ints:
        return np.array([site.max_stay_s or 1 << 40 for site in self.sites], np.int64)

    def sites_in(self, box: Bounds) -> Ints:
        return self.site_grid.box(box.w, box.s, box.e, box.n)

    def spots_in(self, box: Bounds) -> Ints:
        return self.spot_grid.box(box.w, box.s, box.e, box.n)

    def spots_of(self, site: int) -> slice:
        return slice(int(self.spot_start[site]), int(self.spot_start[site + 1]))


def empty() -> Places:
    return Places((), [], np.empty(0, np.int32), np.empty(0, np.uint8), np.empty(0, np.float64), np.empty(0, np.float64))


def of_spots(sites: Sequence[Site], spots: Sequence[tuple[str, str, int, float, float]]) -> Places:
    """Places from rows (spot id, site id, class, lon, lat) in any order; spots of unknown sites are left out."""
    ordered = sorted(sites, key=lambda site: site.id)
    number = {site.id: place for place, site in enumerate(ordered)}
    rows = sorted((number[spot[1]], spot[0], *spot[2:]) for spot in spots if spot[1] in number)
    return Places(
        ordered,
        [row[1] for row in rows],
        np.array([row[0] for row in rows], np.int32),
        np.array([row[2] for row in rows], np.uint8),
        np.array([row[3] for row in rows], np.float64),
        np.array([row[4] for row in rows], np.float64),
    )
