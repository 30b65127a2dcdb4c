"""What `near` answers, as bytes: only what changed since it was told last is encoded anew."""

import functools
from typing import Final

import msgspec

from citymap import near, views
from citymap.board import Board
from citymap.datum import Datum
from citymap.model import FRESHNESS, NEVER, Name
from citymap.near import Found, State, Terms
from citymap.views import Freshness, Location
from foundation.money import Money

_ITEM: Final = b'%b"distance_m":%d,"walk_s":%d,%b,'
_SITE: Final = b'%b%d,"free":%d,"unknown":%d,"as_of":%b,"freshness":"%b","max_height_cm":%b},'
_ZONE: Final = len("+08:00")
_FRESH: Final = tuple(name.encode() for name in FRESHNESS)
_encode = msgspec.json.Encoder().encode


class NearSite(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: Name
    type: str
    location: Location
    entrance: Location
    capacity: int
    free: int
    unknown: int
    as_of: str | None
    freshness: Freshness
    max_height_cm: int | None


class NearItem(msgspec.Struct, frozen=True, kw_only=True):
    """`free` and `unknown` are of the class asked for; `p_free` is null while nothing forecasts."""

    site: NearSite
    distance_m: int
    walk_s: int
    price: Money | None
    p_free: float | None
    why: tuple[str, ...]
    crs: Datum | msgspec.UnsetType = msgspec.UNSET


# An item's bytes before and after its distance, behind what they were made of: revision, door, terms. A plain tuple: it is unpacked most.
_Held = tuple[int, int, Terms, bytes, bytes]
_NOT_HELD: Final = (-1, -1, None, b"", b"")


class NearBytes:
    """A `Page[NearItem]` for each search. Most sites are told many times before they change."""

    def __init__(self) -> None:
        self._board: Board | None = None
        self._held: dict[tuple[int | None, Datum | None], dict[int, _Held]] = {}
        self._fixed: dict[tuple[int, Datum | None], tuple[bytes, bytes]] = {}

    def page(self, board: Board, found: Found, spot_class: int | None, crs: Datum | None) -> bytes:
        if self._board is not board:  # Sites are numbered anew, and revisions too.
            self._board, self._held, self._fixed = board, {}, {}
        kept, terms, parts = self._held.setdefault((spot_class, crs), {}), found.terms, list[bytes | int]()
        for site, door, metres, seconds, revision in zip(*found[1:], strict=True):
            of_revision, of_door, of_terms, told, end = kept.get(site, _NOT_HELD)
            if of_revision != revision or of_door != door or of_terms is not terms:
                state = near.state_of(board, site, spot_class)
                if of_revision != revision or of_door != door:
                    told = self._site(board, site, door, state, crs)
                price = terms.price(site)
                end = _end(near.why(state, price, sure=terms.sure(site)), price, crs)
                kept[site] = revision, door, terms, told, end
            parts += (told, metres, seconds, end)
        return b'{"items":[%b],"next_cursor":null}' % ((_ITEM * len(found.sites))[:-1] % tuple(parts))

    def _site(self, board: Board, site: int, door: int, state: State, crs: Datum | None) -> bytes:
        fixed = self._fixed.get((door, crs))
        if fixed is None:
            fixed = self._fixed[door, crs] = _begin(board, site, door, crs), _encode(board.places.sites[site].max_height_cm)
        begin, height = fixed
        capacity, free, unknown, as_of, freshness = state
        return _SITE % (begin, capacity, free, unknown, _as_of(as_of), _FRESH[freshness], height)


def _as_of(at: int) -> bytes:
    """As `views.as_of` says it; what many sites say in the same second is put into words once."""
    if at == NEVER:
        return b"null"
    second, micros = divmod(at, 1_000_000)
    begin, zone = _second(second)
    return b'"%b.%03d%b"' % (begin, micros // 1000, zone) if micros else b'"%b%b"' % (begin, zone)


@functools.lru_cache(4096)
def _second(second: int) -> tuple[bytes, bytes]:
    said = (views.as_of(second * 1_000_000) or "").encode()
    return said[:-_ZONE], said[-_ZONE:]


def _begin(board: Board, site: int, door: int, crs: Datum | None) -> bytes:
    """What stands still of a site, up to its capacity: encoded as the documented shape and cut there."""
    held, doors = board.places.sites[site], board.places.doors
    where = views.location(held.lon, held.lat, crs), views.location(float(doors.lon[door]), float(doors.lat[door]), crs)
    whole = _encode({"id": held.id, "name": held.name, "type": held.type, "location": where[0], "entrance": where[1], "capacity": 0})
    return b'{"site":%b' % whole[: -len(b"0}")]


@functools.lru_cache(8192)
def _end(why: tuple[str, ...], price: int | None, crs: Datum | None) -> bytes:
    fen = b"null" if price is None else _encode(Money(price))
    ending = b"" if crs is None else b',"crs":"%b"' % crs.encode()
    return b'"price":%b,"p_free":null,"why":%b%b}' % (fen, _encode(why), ending)
