"""What an operator sees of its devices and of what was refused, and the barrier it can open."""

import base64
from collections.abc import Sequence
from typing import Annotated, Literal, Protocol

import msgspec

from foundation.clock import Clock, rfc3339
from foundation.errors import Away, Conflict, NotFound, TooMany, invalid
from foundation.http import Call, Instant, Page, Paged, Position, Route, Text, Who, page_of, place_of
from foundation.postgres import Database, Record
from gateway_mqtt import store
from gateway_mqtt.downlink import DeviceAway, DeviceBusy, DeviceRefused, DeviceSilent


class DeviceView(msgspec.Struct, frozen=True):
    device: str
    site: str
    kind: str
    lanes: list[str]
    online: bool
    heard_at: str | None
    clock_offset_s: int | None
    firmware: str
    readings: int
    plate_read_rate: float | None
    refused: int
    seq_gaps: int
    no_clock: int


class DevicesQuery(Paged, kw_only=True):
    """`troubled` leaves those that are away, have a wrong clock or read too few plates."""

    site: Text | None = None
    troubled: bool = False


class RefusedView(msgspec.Struct, frozen=True):
    id: int
    at: str
    device: str
    site: str
    topic: str
    reason: str
    detail: str
    payload: str  # The first 4 kB as text, or base64 with `base64:` before it.


class BarrierCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    command: Literal["open_barrier"]
    lane: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    until: Instant | None = None


class CommandAnswer(msgspec.Struct, frozen=True):
    ok: bool


class Commands(Protocol):
    """The way down to a device that this process holds. Raises `downlink.CommandFailed`."""

    async def command(self, device: str, payload: bytes, *, timeout_s: float) -> bytes: ...


def operators_of(call: Call) -> Sequence[str] | None:
    """The operators whose sites the caller may see; None is all of them, for the city's admin."""
    return None if call.me.has("admin") else sorted(call.me.scopes("operator"))


def device_view(row: Record) -> DeviceView:
    read_rate = round(row["plates_read"] / row["plates_due"], 4) if row["plates_due"] else None
    counts = {name: row[name] or 0 for name in ("readings", "refused", "seq_gaps", "no_clock")}
    return DeviceView(
        device=row["id"],
        site=row["site"],
        kind=row["kind"],
        lanes=row["lanes"],
        online=bool(row["connected"]),
        heard_at=row["heard_at"] and rfc3339(row["heard_at"]),
        clock_offset_s=row["offset_s"],
        firmware=row["firmware"] or "",
        plate_read_rate=read_rate,
        **counts,
    )


def refused_view(row: Record) -> RefusedView:
    try:
        payload = row["payload"].decode()
    except UnicodeDecodeError:
        payload = "base64:" + base64.b64encode(row["payload"]).decode()
    return RefusedView(
        row["id"], rfc3339(row["received_at"]), row["device"], row["site"], row["topic"], row["reason"], row["detail"], payload
    )


def routes(database: Database, commands: Commands | None, clock: Clock) -> list[Route]:
    async def list_devices(call: Call) -> Page[DeviceView]:
        place = place_of(call.query.cursor, Text)
        wanted = {"site": call.query.site, "troubled": call.query.troubled, "now": clock.city()}
        rows = await store.list_devices(database, operators_of(call), place[0] if place else None, call.query.limit + 1, **wanted)
        return page_of([device_view(row) for row in rows], call.query.limit, lambda view: (view.device,))

    async def list_refused(call: Call) -> Page[RefusedView]:
        place = place_of(call.query.cursor, Position)
        rows = await store.list_refused(database, operators_of(call), place[0] if place else None, call.query.limit + 1)
        return page_of([refused_view(row) for row in rows], call.query.limit, lambda view: (view.id,))

    async def command_device(call: Call) -> CommandAnswer:
        device = call.path["device"]
        row = await database.row(store.queries.operator_of_device, device)
        operators = operators_of(call)
        if row is None or (operators is not None and row["operator"] not in operators):
            raise NotFound
        if call.body.lane not in row["lanes"]:
            raise invalid("/lane", "unknown_lane", f"{device} has no lane {call.body.lane}")
        if commands is None:
            raise Away("the gateway runs in another process; send the command there", retry_after_s=5)
        return await _sent(commands, device, call.body)

    return [
        Route(
            "GET", "/api/v1/operator/devices", list_devices, "Devices of one's own sites",
            Who.OPERATOR, DevicesQuery, answer=Page[DeviceView],
        ),
        Route("GET", "/api/v1/operator/refused", list_refused, "Refused, newest first", Who.OPERATOR, Paged, answer=Page[RefusedView]),
        Route(
            "POST", "/api/v1/operator/devices/{device}/commands", command_device, "Open a barrier",
            Who.OPERATOR, body=BarrierCommand, answer=CommandAnswer,
        ),
    ]  # fmt: skip


async def _sent(commands: Commands, device: str, body: BarrierCommand) -> CommandAnswer:
    said = {"command": body.command, "lane": body.lane} | ({"until": rfc3339(body.until)} if body.until else {})
    try:
        answer = msgspec.json.decode(await commands.command(device, msgspec.json.encode(said), timeout_s=5.0), type=CommandAnswer)
    except DeviceAway:
        raise Conflict(f"{device} is not connected, or does not listen to commands") from None
    except DeviceRefused as error:
        raise Conflict(f"{device} did not take the command: {error}") from None
    except DeviceBusy:
        raise TooMany(f"{device} has commands under way that it has not answered", retry_after_s=5) from None
    except DeviceSilent:
        raise Away(f"{device} did not answer; whether it obeyed is not known", retry_after_s=5) from None
    except msgspec.MsgspecError:
        raise Away(f"{device} gave an answer that is none", retry_after_s=5) from None
    return answer
