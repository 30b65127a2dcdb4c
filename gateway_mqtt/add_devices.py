"""Give a whole city's devices their names and secrets at once: all of them in one transaction, or none."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from foundation import ids
from foundation.errors import NotFound, invalid
from foundation.events import DeviceAdded
from foundation.postgres import Database, Transaction
from gateway_mqtt import store
from gateway_mqtt.add_device import KINDS, DeviceCard, hear_of, name_fault

WISHES_MAX = 20_000


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One device that is wanted: a line of the file. Without `spots` a camera owns what it speaks of first."""

    device: str
    site: str
    kind: str
    lanes: tuple[str, ...] = ()
    spots: tuple[str, ...] | None = None


class FullCard(DeviceCard, frozen=True, omit_defaults=True):
    """A card with what the device watches, for whoever sets many of them up."""

    kind: str = ""
    lanes: tuple[str, ...] = ()
    spots: tuple[str, ...] | None = None


def read_wishes(text: bytes) -> list[Wish]:
    """One JSON object a line. Raises Invalid, naming the line."""
    wishes: list[Wish] = []
    names: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            wish = msgspec.json.decode(line, type=Wish)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise invalid(f"/{number}", "wish", f"line {number}: {error}") from None
        _check(wish, number, names)
        wishes.append(wish)
    if len(wishes) > WISHES_MAX:
        raise invalid("/", "too_many", f"at most {WISHES_MAX} devices at once")
    return wishes


def _check(wish: Wish, number: int, names: set[str]) -> None:
    if wish.kind not in KINDS:
        raise invalid(f"/{number}/kind", "kind", f"line {number}: a device is one of {', '.join(KINDS)}")
    if fault := name_fault(wish.device):
        raise invalid(f"/{number}/device", "name", f"line {number}: {fault}")
    if wish.device in names:
        raise invalid(f"/{number}/device", "twice", f"line {number}: {wish.device} stands in this file already")
    names.add(wish.device)


async def add_devices(
    database: Database, wishes: Sequence[Wish], *, city: str, host: str, port: int, now: datetime
) -> list[FullCard]:  # fmt: skip
    """Add them all; a known one gets a new secret. Raises NotFound and Invalid, and then nothing was added."""
    secrets = [ids.secret(128) for _ in wishes]
    sites = sorted({wish.site for wish in wishes})
    for site in sites:
        await hear_of(database, site)

    async def work(tx: Transaction) -> None:
        known = {row["id"] for row in await tx.fetch(store.queries.lock_sites, sites)}
        if strange := [site for site in sites if site not in known]:
            raise NotFound(f"there is no site {strange[0]}; `onelot import` brings sites in")
        await _refuse_foreign_spots(tx, wishes, sites)
        await tx.execute(store.queries.add_devices, *_columns(wishes, secrets), now)
        await tx.execute(store.queries.forget_unknowns, [wish.device for wish in wishes])
        tx.tell(*(DeviceAdded(device=wish.device, site=wish.site, device_kind=wish.kind) for wish in wishes), at=now)

    if wishes:
        await database.run(work)
    return [_card(wish, secret, city, host, port) for wish, secret in zip(wishes, secrets, strict=True)]


async def _refuse_foreign_spots(tx: Transaction, wishes: Sequence[Wish], sites: Sequence[str]) -> None:
    site_of = {row["id"]: row["site"] for row in await tx.fetch(store.queries.spots_of_sites, sites)}
    for number, wish in enumerate(wishes, 1):
        for spot in wish.spots or ():
            if site_of.get(spot) != wish.site:
                raise invalid(f"/{number}/spots", "unknown_spot", f"{wish.device}: {wish.site} has no spot {spot}")


def _columns(wishes: Sequence[Wish], secrets: Sequence[str]) -> Iterator[list[object]]:
    yield [wish.device for wish in wishes]
    yield [wish.site for wish in wishes]
    yield [wish.kind for wish in wishes]
    yield [_json(_lanes(wish)) for wish in wishes]
    yield [None if wish.spots is None else _json(wish.spots) for wish in wishes]
    yield [hashlib.sha256(secret.encode()).digest() for secret in secrets]


def _lanes(wish: Wish) -> tuple[str, ...]:
    return wish.lanes or (("1",) if wish.kind == "gate" else ())


def _json(words: Sequence[str]) -> str:
    return msgspec.json.encode(words).decode()


def _card(wish: Wish, secret: str, city: str, host: str, port: int) -> FullCard:
    topic = f"onelot/1/{city}/{wish.site}/{wish.device}"
    return FullCard(wish.device, secret, topic, host, port, wish.kind, _lanes(wish), wish.spots)
