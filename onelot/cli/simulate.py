"""Simulated traffic in a running city, or in one of its own: brought in by the verbs of the command line, told by strangers."""

import asyncio
import contextlib
import importlib.resources
import json
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from rich.console import Console

from foundation.tasks import settle_memory
from gateway_mqtt.add_devices import Wish, add_devices
from onelot import child_process
from onelot.cli import connect
from onelot.cli.connect import Doors, Reached
from onelot.cli.errors import Failed
from onelot.config import Settings
from onelot.data_directory import write_private
from onelot.embedded import free_port
from parking.tariffs.publish_tariff import publish_tariff
from services.identity.grant_role import grant_role
from simulators.one_car import Driver
from simulators.traffic import places, prices
from simulators.traffic.ask_places import ask_places
from simulators.traffic.drivers import Codes, everything
from simulators.traffic.faults import NONE, Knobs
from simulators.traffic.run import Simulation, Wanted, simulating

BAYS = 354_100  # Of the reference city. Not asked of whoever draws it: that would load all that drawing needs.
PLACE, CARDS, RUN, TOKEN, USED = "simulated", "cards.jsonl", "run.json", "official", "used"
OFFICIAL = "+8613800000900"  # Who may see everything, for the comparison.
RESUMED_SECONDS_MAX = 6 * 3600  # Of the city: an older run is not told again, a new one begins.
READY_SECONDS = 90.0
LINE_SECONDS = (1.0, 30.0)  # How often a terminal and a log hear how it goes.


@dataclass(frozen=True, slots=True)
class Scenario:
    """A city to simulate: its file (none: the reference city, with so many bays), the texts of its tariffs, and how."""

    file: Path | None
    tariffs: Sequence[str]
    bays: int = BAYS
    seed: int = 1
    minutes: float | None = None
    knobs: Knobs = NONE
    accounts: int = 0
    report: Path | None = None


class _Run(msgspec.Struct, frozen=True):
    """What a second start must know to go on with the same run. It goes when the run is over; after a kill it is still there."""

    seed: int
    city: str  # Of which places.
    minutes: float | None
    knobs: str
    began_at: int = 0
    before: list[str] = []  # Sessions that are none of this run.


def tariffs_of(folder: Path | None) -> list[str]:
    """The texts of a folder, or those of the reference city. Raises Failed."""
    home = folder or Path(str(importlib.resources.files("simulators.city"))) / "tariffs"
    found = [one.read_text("utf-8") for one in sorted(home.glob("*.yaml"))]
    if not found:
        raise Failed(f"there is no tariff (*.yaml) in {home}")
    return found


async def simulate(settings: Settings, scenario: Scenario, console: Console) -> dict[str, Any] | None:
    """Until the minutes are over or somebody ends it; answers the report where one was asked for. Raises Failed."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        try:
            doors = connect.load_doors(settings)
        except Failed:
            settings = await stack.enter_async_context(_own_city(settings, console))
            doors = connect.load_doors(settings)
        preparing = asyncio.create_task(_prepared(settings, doors, scenario, console), name="prepare")
        wanted = await _unless(stop, preparing)
        if wanted is None:
            return None
        return await _run(settings, doors, scenario, wanted, stop, console)


async def _unless(stop: asyncio.Event, work: "asyncio.Task[Wanted]") -> Wanted | None:
    """What the work comes to; None when somebody ends us before."""
    asked = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait((work, asked), return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        asked.cancel()
        work.cancel()
        await asyncio.gather(asked, work, return_exceptions=True)


@contextlib.asynccontextmanager
async def _own_city(settings: Settings, console: Console) -> AsyncIterator[Settings]:
    """A platform for this run alone, in a folder that goes with it."""
    with tempfile.TemporaryDirectory(prefix="onelot-simulated-") as folder:
        own = replace(settings, data_dir=Path(folder) / "data", http_port=free_port(), mqtt_port=free_port())
        console.print(f"  no city runs at {settings.data_dir}: starting one for this run", style="dim")
        process = await start_platform(own)
        try:
            await _ready(own, process)
            yield own
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


async def start_platform(settings: Settings) -> asyncio.subprocess.Process:
    words = ["up", "--city", settings.city, "--speed", f"{settings.speed:g}"]
    words += ["--data", str(settings.data_dir), "--http-port", str(settings.http_port), "--mqtt-port", str(settings.mqtt_port)]
    settings.data_dir.parent.mkdir(parents=True, exist_ok=True)
    with (settings.data_dir.parent / "up.log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *launching(*words), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def launching(*words: str) -> list[str]:
    """`onelot WORDS` as a child that is ended with us."""
    return child_process.launching([sys.executable, "-m", "onelot", *words], child_process.Identity.OURSELVES, signal.SIGTERM)


async def _ready(settings: Settings, process: asyncio.subprocess.Process) -> None:
    end = time.monotonic() + READY_SECONDS
    async with aiohttp.ClientSession() as http:
        while time.monotonic() < end and process.returncode is None:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with http.get(f"http://{settings.http_host}:{settings.http_port}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)
    raise Failed(f"the city did not start: {(settings.data_dir.parent / 'up.log').read_text(errors='replace')[-600:]}")


# Before


async def _prepared(settings: Settings, doors: Doors, scenario: Scenario, console: Console) -> Wanted:
    """The city is brought in and has its devices, whether or not it had them before."""
    home = settings.data_dir / PLACE
    home.mkdir(mode=0o700, exist_ok=True)
    file = scenario.file or await _reference_city(settings, scenario, console)
    async with connect.reach(settings) as city:
        for text in scenario.tariffs:
            await publish_tariff(city.database, text, now=city.clock.city())
    with _timed(console, "import"):
        await _import(settings, file, console)
    found = places.read_places(file.read_bytes()) if _is_ours(file) else await ask_places(doors.http_url)
    if not found:
        raise Failed(f"{file} has no site with a known capacity: there is nothing to simulate")
    if scenario.report is not None:
        _refuse_unpriced(found, scenario.tariffs)
    async with connect.reach(settings) as city:
        if not _fits(home / CARDS, found, doors):
            with _timed(console, "devices"):
                await _add_devices(city, doors, found, home / CARDS)
        if scenario.report is not None:
            await grant_role(city.database, city.keys, phone=OFFICIAL, role="admin", scope="", now=city.clock.wall())
        run, resumed = _resumed(home / RUN, scenario, found, int(city.clock.city().timestamp()))
    if not resumed and scenario.report is not None and (home / USED).exists():
        run = msgspec.structs.replace(run, before=await _sessions(settings, doors, found))
    write_private(home / RUN, msgspec.json.encode(run))
    (home / USED).touch()
    if resumed:
        console.print("  going on with the run that was there", style="dim")
    around = [(place.lonlat[0], place.lonlat[1]) for place in found]
    cards = places.read_cards(home / CARDS)
    settle_memory()
    return Wanted(
        found, cards, doors.http_url, scenario.seed, scenario.minutes, scenario.knobs, scenario.accounts, run.began_at, around,
        frozenset(run.before),
    )  # fmt: skip


async def _reference_city(settings: Settings, scenario: Scenario, console: Console) -> Path:
    """Drawn once and kept."""
    file = reference_city(settings, scenario.seed, scenario.bays)
    if not file.exists():
        with _timed(console, f"the city is drawn, {scenario.bays} bays"):
            await draw_city(scenario.seed, scenario.bays, file)
    return file


def reference_city(settings: Settings, seed: int, bays: int) -> Path:
    """Where it is kept."""
    return settings.data_dir / PLACE / f"city-{seed}-{bays}.geojson"


async def draw_city(seed: int, bays: int, file: Path) -> None:
    """In a process of its own, whose memory goes with it. Raises Failed."""
    await _child("drawing the city", sys.executable, "-m", "simulators.city.draw", str(seed), str(bays), str(file))


async def _import(settings: Settings, file: Path, console: Console) -> None:
    """By the word that people type, and in a process of its own for the same reason."""
    words = ["import", str(file), "--anywhere", "--json", "--data", str(settings.data_dir)]
    said = json.loads(await _child("the import", sys.executable, "-m", "onelot", *words))
    if said["refused"] and not (said["created"] or said["changed"] or said["same"]):
        one = said["refused"][0]
        raise Failed(f"nothing of {file} was taken, e.g. row {one['row']} {one['id']}: {one['detail']}")
    refused = f", {len(said['refused'])} refused" if said["refused"] else ""
    console.print(f"  {said['created']} places new, {said['changed']} changed, {said['same']} known{refused}", style="dim")


async def _child(what: str, *words: str) -> str:
    """What it printed. Raises Failed with its last words."""
    program = child_process.launching(words, child_process.Identity.OURSELVES, signal.SIGTERM)
    process = await asyncio.create_subprocess_exec(
        *program, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us; we end it.
    )  # fmt: skip
    try:
        out, error = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        raise Failed(f"{what} failed: {(error or out).decode(errors='replace').strip()[-400:]}")
    return out.decode()


def _is_ours(file: Path) -> bool:
    """Whether it is GeoJSON in the form of contract 3; the first features tell."""
    with file.open("rb") as opened:
        return b'"kind"' in opened.read(4096)


def _refuse_unpriced(found: Sequence[places.Place], texts: Sequence[str]) -> None:
    """Every site needs a tariff whose price the simulator can work out by itself, or it could judge nothing."""
    try:
        known = {tariff.code for tariff in map(prices.read_tariff, texts)}
    except prices.CannotPrice as error:
        raise Failed(f"{error}; it cannot be simulated") from None
    missing = {place.tariff for place in found} - known
    if missing:
        raise Failed(f"sites have the tariff {sorted(missing)[0] or '(none)'}, whose text was not given; say --tariffs FOLDER")


async def _add_devices(city: Reached, doors: Doors, found: Sequence[places.Place], cards: Path) -> None:
    wishes = [msgspec.convert(wish, Wish) for wish in places.wishes_of(found)]
    added = await add_devices(
        city.database, wishes, city=doors.city, host=doors.mqtt_host, port=doors.mqtt_port, now=city.clock.city()
    )  # fmt: skip
    write_private(cards, b"".join(msgspec.json.encode(card) + b"\n" for card in added))


def _fits(cards: Path, found: Sequence[places.Place], doors: Doors) -> bool:
    """Whether the cards of an earlier start are those of this city at these doors."""
    try:
        held = places.read_cards(cards)
    except (OSError, msgspec.MsgspecError):
        return False
    wanted = {wish["device"] for wish in places.wishes_of(found)}
    return {card.device for card in held} == wanted and all((card.host, card.port) == (doors.mqtt_host, doors.mqtt_port) for card in held)


def _resumed(file: Path, scenario: Scenario, found: Sequence[places.Place], now: int) -> tuple[_Run, bool]:
    """The run, and whether it was there before: then it goes on, and says again whatever it had said."""
    city = f"{len(found)} sites, {sum(place.room for place in found)} bays"
    fresh = _Run(scenario.seed, city, scenario.minutes, repr(scenario.knobs), now)
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        held = msgspec.json.decode(file.read_bytes(), type=_Run)
        same = msgspec.structs.replace(fresh, began_at=held.began_at, before=held.before) == held
        if same and 0 <= now - held.began_at <= RESUMED_SECONDS_MAX:
            return held, True
    return fresh, False


@contextlib.contextmanager
def _timed(console: Console, name: str) -> Any:
    began = time.monotonic()
    yield
    console.print(f"  {name}: {time.monotonic() - began:.1f} s", style="dim")


# Meanwhile, and after


async def _run(
    settings: Settings, doors: Doors, scenario: Scenario, wanted: Wanted, stop: asyncio.Event, console: Console
) -> dict[str, Any] | None:
    async with aiohttp.ClientSession() as http:
        say = _say(console)
        async with simulating(wanted, _codes(doors, http), progress=say) as simulation:
            line = asyncio.create_task(_live_line(simulation, console), name="line")
            try:
                await simulation.live(stop)
            finally:
                line.cancel()
                await asyncio.gather(line, return_exceptions=True)
            if scenario.report is not None and not stop.is_set():
                official = await _official(settings, doors, http)
                return await _judged(simulation, official, scenario, settings.data_dir / PLACE / RUN, say)
        if scenario.minutes is not None:
            (settings.data_dir / PLACE / RUN).unlink(missing_ok=True)
        return None


def _codes(doors: Doors, http: aiohttp.ClientSession) -> Codes:
    async def code(phone: str) -> str | None:
        headers = {"X-Api-Key": doors.phones_key}
        async with http.get(doors.phones_url + "/outbox", params={"phone": phone}, headers=headers) as answer:
            sent = [one["code"] for one in (await answer.json())["items"] if one.get("code")]
            return str(sent[-1]) if sent else None

    return code


async def _judged(
    simulation: Simulation, official: Driver, scenario: Scenario, run: Path, say: Callable[[str], None]
) -> dict[str, Any]:  # fmt: skip
    tariffs = {tariff.code: tariff for tariff in map(prices.read_tariff, scenario.tariffs)}
    await simulation.come_to_rest()
    idle = asyncio.create_task(simulation.idle(), name="idle")
    try:
        say("the traffic has stopped; waiting until the last departures are believed")
        await simulation.settle()
        found = await simulation.report(official, tariffs, say)
    finally:
        idle.cancel()
        await asyncio.gather(idle, return_exceptions=True)
    assert scenario.report is not None, "asked for"
    scenario.report.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
    run.unlink(missing_ok=True)
    return found


async def _official(settings: Settings, doors: Doors, http: aiohttp.ClientSession) -> Driver:
    """By the log-in of an earlier run where it still holds: a phone may ask for a code once a minute only."""
    official, token = Driver(http, doors.http_url, OFFICIAL), settings.data_dir / PLACE / TOKEN
    if token.exists():
        official.token = token.read_text()
        if (await official.ask("GET", "/api/v1/me"))[0] == 200:
            return official
        official.token = ""
    await official.log_in(lambda: _codes(doors, http)(official.phone))
    write_private(token, official.token.encode())
    return official


async def _sessions(settings: Settings, doors: Doors, found: Sequence[places.Place]) -> list[str]:
    """What stands in the city from runs before this one."""
    async with aiohttp.ClientSession() as http:
        official = await _official(settings, doors, http)
        pages = [await everything(official, "/api/v1/operator/sessions", site=place.id) for place in found]
    return [one["id"] for page in pages for one in page]


def _say(console: Console) -> Callable[[str], None]:
    return lambda text: console.print(f"  {text}", style="dim")


async def _live_line(simulation: Simulation, console: Console) -> None:
    """What a terminal shows while the city lives: one line that changes; a log gets one now and then."""
    seconds = LINE_SECONDS[0] if console.is_terminal else LINE_SECONDS[1]
    with console.status("") if console.is_terminal else contextlib.nullcontext() as status:
        while True:
            await asyncio.sleep(seconds)
            if status is not None:
                status.update(line_of(simulation))
            else:
                console.print(f"  {line_of(simulation)}", style="dim")


def line_of(simulation: Simulation) -> str:
    account, now = simulation.street.account, time.strftime("%H:%M:%S", time.gmtime(simulation.clock() + 8 * 3600))
    return (
        f"{now}  {simulation.parked} cars parked, {simulation.happened} came or went; "
        f"{account.readings} readings and {account.repeats} repeats acknowledged, {len(simulation.street.waiting())} messages wait; "
        f"{simulation.street.connected()} devices, {len(simulation.drivers.known)} drivers with an account"
    )


def summary(found: dict[str, Any]) -> list[str]:
    """The report for people."""
    bays, sites, stays, bills, messages = (found[name] for name in ("bays", "sites", "stays", "bills", "messages"))
    drivers = found["drivers"]
    lines = [
        f"{found['verdict']}",
        f"bays      {bays['compared']} compared, {bays['wrong']} wrong; {sites['compared']} gated sites compared, {sites['wrong']} wrong",
        f"stays     {stays['simulated']} simulated, {stays['finished']} over, {stays['billed']} billed, {stays['doubtful']} doubtful",
        f"bills     {bills['above_zero']} above zero, {bills['wrong']} wrong: {bills['too_high']} too high by {bills['too_high_fen']} fen,"
        f" {bills['too_low']} too low by {bills['too_low_fen']} fen",
        f"drivers   {drivers['with_account']} with an account; {drivers['charged_more_than_the_truth']} charged more than the truth",
        f"messages  {messages['acknowledged']} acknowledged, {messages['unacknowledged']} not, {messages['lost']} readings lost, "
        f"{messages['doubled']} doubled",
    ]
    for kind, one in found["faults"].items():
        ended = ", ".join(f"{number} {end.replace('_', ' ')}" for end, number in one["ended"].items())
        lines.append(f"{kind:<13} {one['injected']} injected: {ended}")
    lines.append(f"differences {found['differences']['all']}, without a fault that explains them {found['differences']['unexplained']}")
    return lines
