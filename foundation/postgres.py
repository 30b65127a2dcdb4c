"""The one door to PostgreSQL: a pool, and transactions that append what they told just before they commit."""

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, cast

import asyncpg
import prometheus_client as prometheus
import structlog

from foundation import events, sql
from foundation.bell import Bell
from foundation.sql import Query

log = structlog.get_logger()
queries = sql.load("foundation")

Answer = TypeVar("Answer")


class Record(Protocol):
    """A row: columns by name or by place."""

    def __getitem__(self, column: str | int) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...


APP_ROLE = "onelot_app"  # What the application may do: everything but DDL and writing a balance.
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)  # Before everything that was ever recorded.
RETRIES_MAX = 8
CLOSE_SECONDS_MAX = 2.0  # All who work are gone when a pool is closed; who still waits then waits for nobody.
RETRIED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
IDLE_SECONDS_MAX = 5.0  # A transaction that appended and then idles holds up whoever wants to append: it is ended.
CONNECT_SECONDS_MAX = 5.0
COMMAND_SECONDS_MAX = 60.0
WAIT_SECONDS_MAX = 10.0  # For a free connection: then too much is asked at once, and somebody is told so.
# The server's troubles and never the fault of what was asked: to be waited for and tried again.
AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # What asyncpg says when the farewell of a killed connection and our next query cross.
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,  # A full disk, too many connections, no memory.
    asyncpg.PostgresSystemError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InsufficientPrivilegeError,  # A forgotten grant: somebody will give it, and no fact is to blame.
)
FACTS = prometheus.Counter("onelot_facts_total", "Facts that became true here, by kind", ["kind"])
CONNECTIONS = prometheus.Gauge("onelot_postgres_connections", "Connections to PostgreSQL of this process", ["state"])
ExclusionViolation = asyncpg.ExclusionViolationError
UniqueViolation = asyncpg.UniqueViolationError
CheckViolation = asyncpg.CheckViolationError
Refused = asyncpg.PostgresError
LockNotAvailable = asyncpg.LockNotAvailableError


class Transaction:
    """An open transaction: named queries in, told facts out with their positions as its last act."""

    def __init__(self, connection: "asyncpg.Connection") -> None:
        self.connection = connection
        self._told: list[events.Told] = []
        self.kinds: Counter[str] = Counter()
        self.rings: set[str] = set()
        self.after_commit: list[Callable[[], None]] = []

    async def fetch(self, query: Query, *values: object) -> list[Record]:
        return cast(list[Record], await self.connection.fetch(query.text, *values))

    async def row(self, query: Query, *values: object) -> Record | None:
        return cast(Record | None, await self.connection.fetchrow(query.text, *values))

    async def value(self, query: Query, *values: object) -> Any:  # whatever the query's one column holds
        return await self.connection.fetchval(query.text, *values)

    async def execute(self, query: Query, *values: object) -> str:
        return cast(str, await self.connection.execute(query.text, *values))

    async def execute_many(self, query: Query, rows: Sequence[Sequence[object]]) -> None:
        await self.connection.executemany(query.text, rows)

    async def copy_in(self, schema: str, table: str, content: bytes) -> None:
        """Rows in PostgreSQL's binary COPY format (`foundation/copying.py`)."""
        await self.connection.copy_to_table(table, schema_name=schema, source=_once(content), format="binary")

    def tell(self, *facts: events.Fact, at: datetime) -> None:
        """Facts that become true when this transaction commits; `at` is city time."""
        self._told += [events.told(fact, at) for fact in facts]

    @contextlib.asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """What fails inside is undone, its facts too; what was before stays."""
        told, acts = len(self._told), len(self.after_commit)
        try:
            async with self.connection.transaction():
                yield
        except BaseException:
            del self._told[told:], self.after_commit[acts:]
            raise

    async def flush(self) -> None:
        """Append what was told. The lock on positions is taken here, as late as can be."""
        if self._told:
            told, self._told = self._told, []
            self.kinds.update(one.kind for one in told)
            columns = ([one.at for one in told], [one.kind for one in told], [one.key for one in told], [one.body for one in told])
            await self.execute(queries.append_facts, *columns)
            self.rings.add("fact")


class Database:
    """A pool of connections, and the bell that is rung after a commit that appended."""

    def __init__(self, pool: "asyncpg.Pool", bell: Bell) -> None:
        self.pool, self.bell = pool, bell

    def _free(self) -> AbstractAsyncContextManager["asyncpg.Connection"]:
        return cast(AbstractAsyncContextManager["asyncpg.Connection"], self.pool.acquire(timeout=WAIT_SECONDS_MAX))

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._free() as connection:
            async with connection.transaction():
                tx = Transaction(connection)
                yield tx
                await tx.flush()
            for kind, number in tx.kinds.items():
                FACTS.labels(kind).inc(number)
            for journal in tx.rings:
                self.bell.ring(journal)
            for act in tx.after_commit:
                act()

    @contextlib.asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Transaction]:
        """Read-only, all of one instant."""
        async with self._free() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            tx = Transaction(connection)
            yield tx
            assert not tx._told, "a snapshot cannot tell anything"

    async def run(self, work: Callable[[Transaction], Awaitable[Answer]]) -> Answer:
        """`work` in a transaction of its own, tried again when PostgreSQL chose it as the victim of a deadlock."""
        for attempt in range(RETRIES_MAX):
            try:
                async with self.transaction() as tx:
                    return await work(tx)
            except RETRIED as error:
                if attempt == RETRIES_MAX - 1:
                    raise
                log.info("transaction_retried", error=type(error).__name__, attempt=attempt)
                await asyncio.sleep(random.uniform(0, 0.01) * 2**attempt)
        raise AssertionError("unreachable: the last attempt raises")

    async def fetch(self, query: Query, *values: object) -> list[Record]:
        async with self._free() as connection:
            return cast(list[Record], await connection.fetch(query.text, *values))

    async def row(self, query: Query, *values: object) -> Record | None:
        async with self._free() as connection:
            return cast(Record | None, await connection.fetchrow(query.text, *values))

    async def value(self, query: Query, *values: object) -> Any:  # whatever the query's one column holds
        async with self._free() as connection:
            return await connection.fetchval(query.text, *values)


async def _set_up(connection: "asyncpg.Connection") -> None:
    await connection.set_type_codec("json", encoder=str, decoder=str, schema="pg_catalog")
    await connection.set_type_codec("jsonb", encoder=str, decoder=json.loads, schema="pg_catalog")


async def _give_back(connection: "asyncpg.Connection") -> None:
    """Nothing here outlives its transaction, so a connection is clean unless it was given back in the middle of one."""
    if connection.is_in_transaction():
        await connection.reset()


async def _once(content: bytes) -> AsyncIterator[bytes]:
    """A file would be read in a thread; this is handed over as it is."""
    yield content


@contextlib.asynccontextmanager
async def connect(
    url: str, *, bell: Bell | None = None, size: int = 10, role: str | None = APP_ROLE, idle_seconds_max: float = IDLE_SECONDS_MAX
) -> AsyncIterator[Database]:
    """A database for as long as the block runs; closing is bounded, since a lost waiter must not hold a shutdown."""
    settings = {
        "application_name": "onelot",
        "idle_in_transaction_session_timeout": str(round(idle_seconds_max * 1000)),
        "timezone": "UTC",
    } | ({"role": role} if role else {})
    pool = await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size,
        init=_set_up,
        reset=_give_back,
        server_settings=settings,
        command_timeout=COMMAND_SECONDS_MAX,
        timeout=CONNECT_SECONDS_MAX,
    )
    CONNECTIONS.labels("open").set_function(pool.get_size)
    CONNECTIONS.labels("idle").set_function(pool.get_idle_size)
    try:
        yield Database(pool, bell or Bell())
    finally:
        try:
            async with asyncio.timeout(CLOSE_SECONDS_MAX):
                await pool.close()
        except TimeoutError:
            log.warning("connections_cut", seconds=CLOSE_SECONDS_MAX)
            pool.terminate()


async def connection(url: str) -> "asyncpg.Connection":
    """A single connection as the owner: for migrations and maintenance."""
    return await asyncpg.connect(url, server_settings={"application_name": "onelot-owner", "timezone": "UTC"})
