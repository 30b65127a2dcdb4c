"""The commands of `onelot` and what they share."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from citymap import import_sites
from citymap.model import Bounds
from foundation import journal, logs
from foundation.clock import CITY_ZONE, rfc3339
from gateway_mqtt import store as gateway
from gateway_mqtt.add_device import add_device
from gateway_mqtt.http import refused_view
from onelot import config
from onelot.cli import backup, bench, connect, demo, doctor, up
from onelot.cli.connect import Reached
from onelot.cli.errors import Failed
from onelot.config import Misused, Settings
from parking.tariffs import price_stay, publish_tariff
from parking.tariffs.calendar import official
from parking.tariffs.errors import TariffFaults
from parking.tariffs.model import Stay, Tariff
from services.identity.grant_role import grant_role
from simulators import population

CITY_BOUNDS = {"zhengzhou": Bounds(112.70, 34.26, 114.24, 34.99)}
EVERYWHERE = Bounds(-180.0, -85.0, 180.0, 85.0)
FLAGS: list[Callable[[Any], Any]] = [
    click.option("--http-port", type=int, help="Port of the web door (8080)."),
    click.option("--http-host", help="Host of the web door (127.0.0.1)."),
    click.option("--mqtt-port", type=int, help="Port of the devices' door (1883)."),
    click.option("--mqtt-host", help="Host of the devices' door (127.0.0.1)."),
    click.option("--data", "data_dir", help="Data directory (.onelot)."),
    click.option("--city", help="The city's short name (zhengzhou)."),
    click.option("--speed", type=float, help="City time against the wall, chosen at the first start (1)."),
    click.option("--public-url", help="How people reach the city, e.g. https://parking.example.cn."),
    click.option("--insecure", is_flag=True, default=None, help="Allow another host than loopback without TLS."),
    click.option("--debug", is_flag=True, default=None, help="Tracebacks and debug logs."),
]


def settings_of(**flags: object) -> Settings:
    return config.read(os.environ, **flags)


def with_flags(command: Any) -> Any:  # click's decorators are untyped
    for flag in reversed(FLAGS):
        command = flag(command)
    return command


common = click.option("--data", "data_dir", help="Data directory of the running city (.onelot).")
as_json = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
debugged = click.option("--debug", is_flag=True, default=None, help="Tracebacks.")


def say(answer: object, lines: list[str], *, as_json: bool) -> None:
    """The answer as JSON, or as lines for people."""
    click.echo(msgspec.json.encode(answer).decode() if as_json else "\n".join(lines))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option("0.1.0", prog_name="onelot")
def onelot() -> None:
    """A whole city as one parking lot, and one login for every city service."""


@onelot.command("up")
@with_flags
def up_command(**flags: object) -> None:
    """Run the platform alone, until Ctrl-C."""
    settings = settings_of(**flags)
    logs.set_up(debug=settings.debug)
    sys.exit(up.run(settings))


@onelot.command("demo")
@with_flags
def demo_command(**flags: object) -> None:
    """Run the platform and let one car live through it."""
    settings = settings_of(**flags)
    logs.set_up(debug=settings.debug, quiet=not settings.debug)
    sys.exit(up.run(settings, story=demo.tell))


@onelot.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--anywhere", is_flag=True, help="Take sites outside of the city's bounds, too.")
@common
@as_json
@debugged
def import_command(file: Path, anywhere: bool, as_json: bool, **flags: object) -> None:
    """Bring in sites and spots from a GeoJSON file; what is refused is listed by row."""
    text = file.read_bytes()

    async def work(city: Reached) -> import_sites.Report:
        bounds = EVERYWHERE if anywhere else CITY_BOUNDS.get(await city_name(city), EVERYWHERE)
        return await import_sites.import_sites(city.database, text, bounds=bounds, now=city.clock.city())

    report = connect.run(settings_of(**flags), work)
    lines = [f"{report.created} created, {report.changed} changed, {report.same} same, {len(report.refused)} refused"]
    say(report, lines + [f"  row {one.row} {one.id}: {one.code}: {one.detail}" for one in report.refused], as_json=as_json)


async def city_name(city: Reached) -> str:
    row = await city.database.row(connect.load_city)
    return str(row["name"]) if row else ""


@onelot.group()
def devices() -> None:
    """Cameras, gates and counters."""


@devices.command("add")
@click.argument("site")
@click.option("--kind", type=click.Choice(["camera", "gate", "counter"]), required=True)
@click.option("--lane", "lanes", multiple=True, help="A lane of a gate; may be repeated (1).")
@click.option("--spot", "spots", multiple=True, help="A spot it owns; may be repeated (all of its site that nobody owns).")
@click.option("--name", help="The device's name (chosen).")
@common
@as_json
@debugged
def devices_add(
    site: str, kind: str, lanes: tuple[str, ...], spots: tuple[str, ...], name: str | None, as_json: bool, **flags: object
) -> None:
    """Give a device its name and password; the password is shown this once."""
    settings = settings_of(**flags)
    doors = connect.load_doors(settings)

    async def work(city: Reached) -> object:
        return await add_device(
            city.database, site, kind, city=doors.city, host=doors.mqtt_host, port=doors.mqtt_port, now=city.clock.city(),
            lanes=lanes, spots=spots or None, name=name,
        )  # fmt: skip

    card = connect.run(settings, work)
    say(card, [f"{name}: {value}" for name, value in msgspec.to_builtins(card).items()], as_json=as_json)


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


@onelot.command()
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


@onelot.group()
def tariff() -> None:
    """Tariffs: check, publish, price."""


def read_text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        raise Failed(f"{file} is not UTF-8 text") from None


def faults_of(file: Path, faults: TariffFaults) -> Failed:
    for fault in faults.faults:
        click.echo(f"{file}:{fault.line}: {fault.pointer or '/'}: {fault.message}", err=True)
    return Failed(f"{file} has {len(faults.faults)} fault{'s' if len(faults.faults) > 1 else ''}; nothing was published")


@tariff.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@debugged
def tariff_check(file: Path, **_: object) -> None:
    """Prove a tariff: unknown words, hours that nothing covers, windows out of reach, examples that fail."""
    try:
        found = publish_tariff.checked(read_text(file))
    except TariffFaults as faults:
        raise faults_of(file, faults) from None
    click.echo(f"{file}: {found.code} version {found.version} holds; {len(found.examples)} examples of its own agree")


@tariff.command("publish")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@common
@debugged
def tariff_publish(file: Path, **flags: object) -> None:
    """Publish a version; from then on it does not change."""
    text = read_text(file)

    async def work(city: Reached) -> tuple[Tariff, bool]:
        return await publish_tariff.publish_tariff(city.database, text, now=city.clock.city())

    try:
        found, fresh = connect.run(settings_of(**flags), work)
    except TariffFaults as faults:
        raise faults_of(file, faults) from None
    click.echo(f"{found.code} version {found.version} is {'published' if fresh else 'published already'}")


@tariff.command("price")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from", "entry", required=True, help="Entry, e.g. 2026-03-02T09:00 (city time) or with an offset.")
@click.option("--to", "exit", required=True, help="Exit.")
@click.option("--colour", default="blue", help="Plate colour (blue).")
@click.option("--vehicle", default="small", help="Vehicle type (small).")
@as_json
@debugged
def tariff_price(file: Path, entry: str, exit: str, colour: str, vehicle: str, as_json: bool, **_: object) -> None:
    """What a stay would cost, line by line."""
    try:
        rule = publish_tariff.checked(read_text(file))
    except TariffFaults as faults:
        raise faults_of(file, faults) from None
    try:
        stay = Stay(instant(entry), instant(exit), plate_colour=colour, vehicle_type=vehicle)
    except ValueError as error:
        raise Misused(str(error)) from None
    price = price_stay.price_stay(rule, stay, official())
    lines = [
        f"{line.start:%m-%d %H:%M:%S} - {line.end:%m-%d %H:%M:%S}  {line.amount / 100:>9.2f}  {line.what_en}  {line.what_zh}"
        for line in price.lines
    ]
    say(price, [*lines, f"total {price.total / 100:.2f} yuan"], as_json=as_json)


def instant(text: str) -> Any:  # a datetime
    """City time unless an offset is said. Raises Misused."""
    from_text = click.DateTime(["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"])
    try:
        found = from_text.convert(text, None, None)
    except click.BadParameter:
        raise Misused(f"{text} is no time; write 2026-03-02T09:00") from None
    return found if found.tzinfo else found.replace(tzinfo=CITY_ZONE)


@onelot.group()
def people() -> None:
    """People and their roles."""


@people.command("grant")
@click.argument("phone")
@click.argument("role", type=click.Choice(["operator", "staff", "admin"]))
@click.option("--operator", help="The operator, for the role operator.")
@click.option("--agency", help="The agency, for the role staff.")
@common
@debugged
def people_grant(phone: str, role: str, operator: str | None, agency: str | None, **flags: object) -> None:
    """Give a person a role, for everything or for one operator or agency."""
    scope = {"operator": operator, "staff": agency, "admin": ""}[role]
    if scope is None:
        raise Misused(f"the role {role} needs {'--operator OP' if role == 'operator' else '--agency AG'}")

    async def work(city: Reached) -> object:
        return await grant_role(city.database, city.keys, phone=phone, role=role, scope=scope, now=city.clock.wall())

    connect.run(settings_of(**flags), work)
    click.echo(f"granted: {role}{' of ' + scope if scope else ''}")


@onelot.group(invoke_without_command=True)
@common
@as_json
@debugged
@click.pass_context
def stuck(context: click.Context, /, as_json: bool, **flags: object) -> None:
    """What a follower could not apply, and what waits behind it. `stuck drop` and `stuck retry` end it."""
    if context.invoked_subcommand:
        if flags["data_dir"] is not None:  # It would be forgotten, and another city be asked.
            raise Misused(f"say --data behind the word: `onelot stuck {context.invoked_subcommand} … --data {flags['data_dir']}`")
        return

    async def work(city: Reached) -> list[dict[str, object]]:
        rows = await journal.stuck(city.database)
        names = ("follower", "position", "key", "kind", "error")
        return [{name: row[name] for name in names} | {"since": rfc3339(row["since"])} for row in rows]

    found = connect.run(settings_of(**flags), work)
    lines = [f"{one['follower']} #{one['position']} {one['kind']} {one['key']}: {one['error'] or 'waits'}" for one in found] or [
        "nothing is stuck"
    ]
    say({"items": found}, lines, as_json=as_json)


@stuck.command("drop")
@click.argument("follower")
@click.argument("position", type=int)
@common
@debugged
def stuck_drop(follower: str, position: int, **flags: object) -> None:
    """Give an entry up; then `stuck retry` what waited behind it."""

    async def work(city: Reached) -> bool:
        return await journal.drop_stuck(city.database, follower, position)

    if not connect.run(settings_of(**flags), work):
        raise Failed(f"{follower} has nothing stuck at {position}; `onelot stuck` lists what there is")
    click.echo("dropped")


@stuck.command("retry")
@click.argument("follower")
@click.argument("key")
@common
@debugged
def stuck_retry(follower: str, key: str, **flags: object) -> None:
    """Apply what waits for a key again, in order, all or nothing."""

    async def work(city: Reached) -> int:
        followers = {one.name: one for one in up.followers(city.keys, city.clock)}
        if follower not in followers:
            raise Misused(f"there is no follower {follower}; there are {', '.join(sorted(followers))}")
        return await journal.retry_stuck(city.database, followers[follower], key)

    click.echo(f"{connect.run(settings_of(**flags), work)} entries applied")


@onelot.command("doctor")
@common
@as_json
@debugged
def doctor_command(as_json: bool, **flags: object) -> None:
    """Say what is wrong and what to do. Exit status 1 when something is."""
    found = asyncio.run(doctor.examine(settings_of(**flags)))
    if as_json:
        click.echo(json.dumps({"items": [msgspec.to_builtins(one) for one in found]}, ensure_ascii=False))
    else:
        table = Table("", "what", "finding", "what to do", box=None)
        for one in found:
            table.add_row("ok" if one.good else "!!", one.what, one.finding, "" if one.good else one.advice)
        Console().print(table)
    sys.exit(0 if all(one.good for one in found) else 1)


@onelot.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@common
@debugged
def backup_command(file: Path, **flags: object) -> None:
    """Database and keys of the running city into one file, readable by its owner only."""
    size = asyncio.run(backup.backup(settings_of(**flags), file))
    click.echo(f"{file}: {size / 1e6:.1f} MB. It holds the keys: keep it as you keep them.")


@onelot.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@common
@debugged
def restore_command(file: Path, **flags: object) -> None:
    """Bring a backup into a new data directory; then start the city there."""
    settings = settings_of(**flags)
    asyncio.run(backup.restore(settings, file))
    click.echo(f"restored into {settings.data_dir}; start it with `onelot up --data {settings.data_dir}`")


@onelot.command("bench")
@click.option("--only", default="", help="Rows whose name begins so.")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write the rows there, too.")
@debugged
def bench_command(only: str, file: Path | None, **_: object) -> None:
    """Measure against peers in the same run, and print the table."""
    asyncio.run(bench.run(only, file))


@onelot.command("outbox")
@click.option("--phone", required=True)
@common
@as_json
@debugged
def outbox(phone: str, as_json: bool, **flags: object) -> None:
    """Messages that the simulated phone provider holds for a number."""
    doors = connect.load_doors(settings_of(**flags))
    found = connect.ask(doors.phones_url, doors.phones_key, "GET", "/outbox", query={"phone": phone})
    say(found, [json.dumps(one, ensure_ascii=False) for one in found["items"]], as_json=as_json)


@onelot.command("registry")
@click.option("--plate")
@click.option("--phone")
@as_json
@debugged
def registry(plate: str | None, phone: str | None, as_json: bool, **_: object) -> None:
    """What the simulated registers know of a plate or of a number: a made-up population, the same for the same number."""
    if (plate is None) == (phone is None):
        raise Misused("say either --plate P or --phone N")
    answer = population.card_of_plate(plate) if plate is not None else population.card_of_phone(phone or "")
    say(answer, [f"{name}: {value}" for name, value in answer.items()], as_json=as_json)


@onelot.command("department")
@click.argument("name", type=click.Choice(["vehicles"]))
@click.argument("state", type=click.Choice(["up", "down", "slow", "wrong"]))
@common
@debugged
def department(name: str, state: str, **flags: object) -> None:
    """Turn a simulated department's fault knob."""
    doors = connect.load_doors(settings_of(**flags))
    connect.ask(doors.departments_url, doors.departments_key, "PUT", f"/control/{name}", body={"state": state})
    click.echo(f"{name} is {state}")
