"""The demo: the reference city alive, its platform in this process and its strangers in another."""

import asyncio
import contextlib
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from onelot.cli.connect import Doors
from onelot.cli.errors import Failed
from onelot.cli.simulate import OFFICIAL, draw_city, launching, reference_city
from onelot.config import Settings
from onelot.wiring import City
from services.identity.grant_role import grant_role
from simulators.traffic import cars

FAREWELL_SECONDS = 6.0
PEOPLE = (  # Phone, role, for what, and who that is.
    (OFFICIAL, "admin", "", "the city: every page"),
    ("+8613800000901", "operator", "op-chengtou", "an operator: City Static Parking"),
    ("+8613800000902", "staff", "police", "an agency: its inbox"),
)


class Drawing:
    """The reference city, drawn while the platform starts: into a folder of its own, since the data directory is not ours yet."""

    def __init__(self, settings: Settings, seed: int, bays: int) -> None:
        self._place, self._seed, self._bays = reference_city(settings, seed, bays), seed, bays
        self._drawn: asyncio.Task[Path] | None = None

    @contextlib.asynccontextmanager
    async def going(self) -> AsyncIterator[None]:
        if self._place.exists():
            yield
            return
        with tempfile.TemporaryDirectory(prefix="onelot-city-") as folder:
            self._drawn = asyncio.create_task(self._draw(Path(folder) / self._place.name), name="draw")
            try:
                yield
            finally:
                self._drawn.cancel()
                await asyncio.gather(self._drawn, return_exceptions=True)

    async def _draw(self, file: Path) -> Path:
        await draw_city(self._seed, self._bays, file)
        return file

    async def kept(self) -> None:
        """Where the traffic looks for it. What could not be drawn here is drawn there, or says there why not."""
        if self._drawn is None:
            return
        with contextlib.suppress(Failed):
            file = await asyncio.shield(self._drawn)
            self._place.parent.mkdir(mode=0o700, exist_ok=True)
            new = self._place.with_suffix(".new")
            await asyncio.to_thread(shutil.copyfile, file, new)
            new.replace(self._place)


async def live(city: City, doors: Doors, console: Console, *, words: Sequence[str], drawing: Drawing | None) -> None:
    """Say who may log in, start the traffic, and stay with it. A traffic that ends is said; the city goes on."""
    for phone, role, scope, _ in PEOPLE:
        await grant_role(city.database, city.keys, phone=phone, role=role, scope=scope, now=city.clock.wall(), city=city.clock.city())
    console.print(_headline(doors, data=str(city.settings.data_dir)))
    if drawing is not None:
        await drawing.kept()
    process = await asyncio.create_subprocess_exec(
        *launching("simulate", "--data", str(city.settings.data_dir), *words), stdin=asyncio.subprocess.DEVNULL
    )
    try:
        status = await process.wait()
        if status:
            console.print(f"[red]The traffic has ended[/red] (exit status {status}); the city goes on until Ctrl-C.")
    finally:
        await _ended(process)


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await process.wait()
                return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _headline(doors: Doors, *, data: str) -> Table:
    table = Table(box=None, padding=(0, 2), show_header=False)
    table.add_row("[bold]the city[/bold]", f"{doors.http_url}  (API: {doors.http_url}/docs)", "everybody")
    for phone, _, _, who in PEOPLE:
        table.add_row(who.partition(":")[0], f"log in as {phone}", who.partition(": ")[2])
    car = cars.car_of_account(0)
    table.add_row("a driver", f"log in as {cars.phone_of(0)}", f"{car.plate}, proved, with a wallet")
    where = "" if data == ".onelot" else f" --data {data}"
    table.add_row("the codes", f"onelot outbox{where} --phone NUMBER", "after the page has asked for one")
    return table
