"""Who knocked and was not let in, taken in with one click; and how each operator's devices keep what was promised."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from foundation.clock import Clock, rfc3339
from foundation.errors import NotAllowed, NotFound
from foundation.http import Call, Instant, Page, Paged, Reply, Route, Text, Who, page_of, place_of
from foundation.postgres import Database, Record
from gateway_mqtt import store
from gateway_mqtt.add_device import DeviceCard, add_device
from gateway_mqtt.http import operators_of

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern="^[^\x00]*$")]


class UnknownView(msgspec.Struct, frozen=True):
    """`reason` is `unknown`, or `wrong_password` of a device that there is."""

    device: str
    address: str
    reason: str
    first_at: str
    last_at: str
    tries: int


class Adoption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A device to take in; one that there is gets a new password."""

    site: Name
    kind: Literal["camera", "gate", "counter"]
    name: Name
    lanes: Annotated[list[Name], msgspec.Meta(max_length=64)] = []


class ServiceLevel(msgspec.Struct, frozen=True, kw_only=True):
    """Of one operator's devices: how many are online, were heard within a minute and have a right clock, and the share of plates read."""

    operator: str
    devices: int
    online: int
    heard: int
    clocks: int
    plate_read_rate: float | None


class ServiceLevels(msgspec.Struct, frozen=True):
    as_of: str
    items: list[ServiceLevel]


class Address(msgspec.Struct, frozen=True):
    """Where devices connect to."""

    host: str
    port: int


def routes(database: Database, clock: Clock, city: str, address: Callable[[], Address]) -> list[Route]:
    async def list_unknown(call: Call) -> Page[UnknownView]:
        place = place_of(call.query.cursor, Instant, Text, Text) or (None, None, None)
        rows = await database.fetch(store.queries.list_unknown_of, operators_of(call), *place, call.query.limit + 1)
        page = page_of(rows, call.query.limit, lambda row: (row["last_at"].isoformat(), row["username"], row["address"]))
        return Page([_unknown(row) for row in page.items], page.next_cursor)

    async def adopt(call: Call) -> Reply:
        """The card goes to whoever asked and is kept nowhere, so that asking again makes a new password."""
        body: Adoption = call.body
        await _own_site(database, call, body.site)
        await _own_device(database, call, body.name)
        where = address()
        card: DeviceCard = await add_device(
            database, body.site, body.kind, city=city, host=where.host, port=where.port, now=clock.city(), lanes=body.lanes, name=body.name
        )
        return Reply(card, 201)

    async def get_levels(call: Call) -> ServiceLevels:
        now = clock.city()
        return ServiceLevels(rfc3339(now), await _levels(database, now, None))

    async def get_own_levels(call: Call) -> ServiceLevels:
        now = clock.city()
        return ServiceLevels(rfc3339(now), await _levels(database, now, operators_of(call)))

    return [
        Route(
            *("GET", "/api/v1/operator/unknown", list_unknown, "Who knocked in the name of one's own sites and was not let in"),
            who=Who.OPERATOR, query=Paged, answer=Page[UnknownView],
        ),
        Route(
            *("POST", "/api/v1/operator/devices", adopt, "Take a device in, or give it a new password"),
            who=Who.OPERATOR, body=Adoption, answer=DeviceCard, status=201,
        ),
        Route("GET", "/api/v1/operator/levels", get_own_levels, "How one's own devices keep it", who=Who.OPERATOR, answer=ServiceLevels),
        Route("GET", "/api/v1/city/devices", get_levels, "How devices keep what was promised", who=Who.CITY, answer=ServiceLevels),
    ]  # fmt: skip


async def _own_site(database: Database, call: Call, site: str) -> None:
    """Raises NotFound for a site that is not there or not one's own: nobody learns which."""
    row = await database.row(store.queries.operator_of_site, site)
    operators = operators_of(call)
    if operators is not None and (row is None or row["operator"] not in operators):
        raise NotFound(f"there is no site {site} of yours")


async def _own_device(database: Database, call: Call, device: str) -> None:
    """Nobody takes over another's device by its name. Raises NotAllowed."""
    row = await database.row(store.queries.operator_of_device, device)
    operators = operators_of(call)
    if row is not None and operators is not None and row["operator"] not in operators:
        raise NotAllowed("another operator has a device of this name; choose another name")


def _unknown(row: Record) -> UnknownView:
    return UnknownView(row["username"], row["address"], row["reason"], rfc3339(row["first_at"]), rfc3339(row["last_at"]), row["tries"])


async def _levels(database: Database, now: datetime, operators: Sequence[str] | None) -> list[ServiceLevel]:
    rows = await database.fetch(store.queries.sum_devices_by_operator, now, operators)
    return [
        ServiceLevel(
            **{name: row[name] for name in ("operator", "devices", "online", "heard", "clocks")},
            plate_read_rate=round(row["plates_read"] / row["plates_due"], 4) if row["plates_due"] else None,
        )
        for row in rows
    ]
