"""Devices: let in, listed, and what was not taken of what they said."""

from pathlib import Path

import click
import msgspec

from foundation.clock import rfc3339
from gateway_mqtt import store as gateway
from gateway_mqtt.add_device import add_device
from gateway_mqtt.add_devices import add_devices, read_wishes
from gateway_mqtt.http import refused_view
from onelot.cli import connect
from onelot.cli.connect import Reached
from onelot.cli.options import as_json, common, debugged, say, settings_of
from onelot.config import Misused, Settings
from onelot.data_directory import write_private


@click.group()
def devices() -> None:
    """Cameras, gates and counters."""


@devices.command("add")
@click.argument("site", required=False)
@click.option("--kind", type=click.Choice(["camera", "gate", "counter"]))
@click.option("--lane", "lanes", multiple=True, help="A lane of a gate; may be repeated (1).")
@click.option("--spot", "spots", multiple=True, help="A spot it owns; may be repeated (all of its site that nobody owns).")
@click.option("--name", help="The device's name (chosen).")
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Many at once: a JSON object a line.")
@click.option("--cards", type=click.Path(dir_okay=False, path_type=Path), help="With --file: where their cards go, readable by you only.")
@common
@as_json
@debugged
def devices_add(
    site: str | None, kind: str | None, lanes: tuple[str, ...], spots: tuple[str, ...], name: str | None, file: Path | None,
    cards: Path | None, as_json: bool, **flags: object,
) -> None:  # fmt: skip
    """Give a device its name and password; the password is shown this once."""
    settings = settings_of(**flags)
    if file is not None:
        add_many(settings, file, cards, as_json=as_json)
        return
    if site is None or kind is None:
        raise Misused("say SITE and --kind, or --file FILE for many at once")
    doors = connect.load_doors(settings)

    async def work(city: Reached) -> object:
        return await add_device(
            city.database, site, kind, city=doors.city, host=doors.mqtt_host, port=doors.mqtt_port, now=city.clock.city(),
            lanes=lanes, spots=spots or None, name=name,
        )  # fmt: skip

    card = connect.run(settings, work)
    say(card, [f"{name}: {value}" for name, value in msgspec.to_builtins(card).items()], as_json=as_json)


def add_many(settings: Settings, file: Path, cards: Path | None, *, as_json: bool) -> None:
    """All devices of a file in one transaction; secrets go into a file of their own, never to the terminal."""
    if cards is None:
        raise Misused("say --cards FILE: that is where the passwords go")
    doors, wishes = connect.load_doors(settings), read_wishes(file.read_bytes())

    async def work(city: Reached) -> int:
        now = city.clock.city()
        found = await add_devices(city.database, wishes, city=doors.city, host=doors.mqtt_host, port=doors.mqtt_port, now=now)
        write_private(cards, b"".join(msgspec.json.encode(card) + b"\n" for card in found))
        return len(found)

    added = connect.run(settings, work)
    say({"added": added, "cards": str(cards)}, [f"{added} devices added; their cards are in {cards}"], as_json=as_json)


@devices.command("unknown")
@common
@as_json
@debugged
def devices_unknown(as_json: bool, **flags: object) -> None:
    """Who knocked and was not let in; `devices add SITE --name NAME` adopts one."""

    async def work(city: Reached) -> list[dict[str, object]]:
        rows = await city.database.fetch(gateway.queries.list_unknown, 500)
        return [
            {"device": row["username"], "address": row["address"], "reason": row["reason"], "first_at": rfc3339(row["first_at"]),
             "last_at": rfc3339(row["last_at"]), "tries": row["tries"]}
            for row in rows
        ]  # fmt: skip

    found = connect.run(settings_of(**flags), work)
    say(
        {"items": found},
        [f"{one['device']} from {one['address']}: {one['reason']}, {one['tries']} times" for one in found],
        as_json=as_json,
    )


@click.command()
@click.option("--limit", type=click.IntRange(1, 10_000), default=500)
@common
@as_json
@debugged
def refused(limit: int, as_json: bool, **flags: object) -> None:
    """Messages and readings that were acknowledged and not taken, newest first."""

    async def work(city: Reached) -> list[object]:
        return [refused_view(row) for row in await gateway.list_refused(city.database, None, None, limit)]

    found = [msgspec.to_builtins(one) for one in connect.run(settings_of(**flags), work)]
    say({"items": found}, [f"{one['at']} {one['device']} {one['reason']}: {one['detail']}" for one in found], as_json=as_json)
