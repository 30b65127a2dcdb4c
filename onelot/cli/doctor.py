"""Say what is wrong with a city and what to do about it."""

import shutil
import time
from pathlib import Path

import aiohttp
import msgspec

from citymap import store as citymap
from foundation import journal, migrate
from onelot.cli import connect
from onelot.cli.connect import Reached
from onelot.cli.errors import Failed
from onelot.config import Settings
from parking.ledger import settle as ledger


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at."""

    what: str
    good: bool
    finding: str
    advice: str = ""


async def examine(settings: Settings) -> list[Finding]:
    """All findings, those of a city that does not run included."""
    found = [_disk(settings), _private(settings)]
    try:
        async with connect.reach(settings) as city:
            found += [
                await _schema(city),
                await _stuck(city),
                await _books(city),
                await _refused(city),
                await _silence(city),
                await _sources(city),
            ]
    except (Failed, OSError) as error:
        found.append(Finding("city", False, str(error), "run `onelot up` with the same --data"))
        return found
    return [*found, await _ready(settings)]


def _disk(settings: Settings) -> Finding:
    place = settings.data_dir if settings.data_dir.exists() else settings.data_dir.absolute().parent
    free = shutil.disk_usage(place).free
    return Finding("disk", free > 2e9, f"{free / 1e9:.1f} GB free at {place}", "make room: a full disk stops PostgreSQL, and devices wait")


def _private(settings: Settings) -> Finding:
    keys = settings.data_dir / "keys.json"
    if not keys.exists():
        return Finding("keys", True, "none yet")
    open_to_others = keys.stat().st_mode & 0o077
    return Finding("keys", not open_to_others, f"{keys} mode {keys.stat().st_mode & 0o777:o}", f"chmod 600 {keys}: they open every plate")


async def _schema(city: Reached) -> Finding:
    known = {(step.package, step.number) for step in migrate.migrations()}
    rows = await city.database.fetch(migrate.APPLIED)
    there = {(row["package"], row["number"]) for row in rows}
    good = known == there
    return Finding(
        "schema", good, f"{len(there)} steps applied, {len(known)} known", "restart with the version that belongs to the database"
    )


async def _stuck(city: Reached) -> Finding:
    rows = await journal.stuck(city.database)
    first = f"; first: {rows[0]['follower']} {rows[0]['key']}: {str(rows[0]['error'])[:80]}" if rows else ""
    return Finding(
        "followers", not rows, f"{len(rows)} entries stuck{first}", "`onelot stuck` lists them; mend the cause, then `onelot stuck retry`"
    )


async def _books(city: Reached) -> Finding:
    async with city.database.transaction() as tx:
        wrong = await ledger.proof(tx)
    return Finding(
        "ledger", not wrong, f"{len(wrong)} balances differ from their postings", "stop settling and restore: this must never be"
    )


async def _refused(city: Reached) -> Finding:
    number = await city.database.value(connect.count_refused, city.clock.city())
    return Finding("refused", number < 1000, f"{number} messages refused in the last hour", "`onelot refused` says by whom and why")


async def _silence(city: Reached) -> Finding:
    row = await city.database.row(connect.sum_devices, city.clock.city())
    assert row is not None
    total, online = row["total"], row["online"]
    return Finding(
        "devices",
        total == online,
        f"{online} of {total} online",
        "see /api/v1/operator/devices for who is silent, `onelot devices unknown` for who knocks",
    )


async def _sources(city: Reached) -> Finding:
    rows = await citymap.sources_that_list_less(city.database)
    less = "; ".join(f"{row['name']} listed {row['listed']} of its {row['known']} sites" for row in rows)
    return Finding("sources", not rows, less or "each lists what it ever listed", "ask the source; the sites stay as they are meanwhile")


async def _ready(settings: Settings) -> Finding:
    doors = connect.load_doors(settings)
    began = time.monotonic()
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
            session.get(doors.http_url + "/readyz") as answer,
        ):
            said = await answer.json()
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        alive = Path(f"/proc/{doors.pid}").exists()
        return Finding(
            "web",
            False,
            f"{doors.http_url} does not answer ({type(error).__name__})",
            "restart it" if alive else "start it: its process is gone",
        )
    late = ", ".join(said["late"])
    return Finding(
        "loops",
        answer.status == 200,
        late or f"all loops turn; answered in {1000 * (time.monotonic() - began):.0f} ms",
        "see the log for the loop that is named",
    )
