"""The embedded servers: kept, refused, recovered and ended as a city needs it."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import msgspec
import pytest
import redis.asyncio

from onelot import child_process, data_directory, embedded, postgres_server

REPOSITORY = Path(__file__).resolve().parents[2]
CITY = """
import asyncio, sys, asyncpg
from pathlib import Path
from onelot import embedded

async def main():
    servers = await embedded.start(Path(sys.argv[1]))
    print(servers.postgres.process.pid, servers.redis.process.pid, flush=True)
    connection = await asyncpg.connect(servers.owner_url)
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
    for n in range(100_000):
        await connection.execute("INSERT INTO kept VALUES ($1)", n)
        print(n, flush=True)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
async def made() -> AsyncIterator[Path]:
    """A data directory after its first start, with a row in it; tests that share it leave it whole."""
    with fresh_folder() as folder:
        async with city(folder) as servers, connected(servers.owner_url) as connection:
            await connection.execute("CREATE TABLE row AS SELECT 'kept' AS word")
        yield folder


@contextlib.contextmanager
def fresh_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="onelot-embedded-") as folder:
        Path(folder).chmod(0o711)  # Else root's data lie under a closed parent, which one test below is about.
        yield Path(folder) / "data"


@contextlib.asynccontextmanager
async def city(data: Path) -> AsyncIterator[embedded.Servers]:
    servers = await embedded.start(data)
    try:
        yield servers
    finally:
        await embedded.stop(servers)


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@contextlib.contextmanager
def city_of_another_process(data: Path) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """The process, and the ids of its PostgreSQL and its Valkey."""
    command = [sys.executable, "-c", CITY, str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}) as process:
        try:
            assert process.stdout
            postgres, valkey = process.stdout.readline().split()
            yield process, int(postgres), int(valkey)
        finally:
            process.kill()


async def gone(process: int) -> bool:
    for _ in range(100):
        if not lives(process):
            return True
        await asyncio.sleep(0.1)
    return False


def lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def refusal(data: Path) -> str:
    with pytest.raises(embedded.EmbeddedRefused) as refused:
        await embedded.stop(await embedded.start(data))
    assert "\n" not in refused.value.sentence
    return refused.value.sentence


async def test_second_start_finds_the_data_at_the_same_addresses(made: Path) -> None:
    async with city(made) as first:
        before = (first.postgres_url, first.owner_url, first.redis_url)

    async with city(made) as second, connected(second.owner_url) as connection:
        assert (second.postgres_url, second.owner_url, second.redis_url) == before
        assert await connection.fetchval("SELECT word FROM row") == "kept"


async def test_application_role_has_no_ddl_and_no_long_idle_transactions(made: Path) -> None:
    async with city(made) as servers, connected(servers.postgres_url) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE TABLE public.mine (n int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE SCHEMA mine")
        assert await connection.fetchval("SHOW idle_in_transaction_session_timeout") == "5s"


async def test_owner_role_is_no_superuser_and_may_use_the_extensions(made: Path) -> None:
    async with city(made) as servers, connected(servers.owner_url) as connection:
        await connection.execute("CREATE EXTENSION IF NOT EXISTS btree_gist; CREATE EXTENSION IF NOT EXISTS pg_trgm")

        assert await connection.fetchval("SELECT NOT rolsuper FROM pg_roles WHERE rolname = current_user")


async def test_server_keeps_what_it_commits_and_speaks_utc(made: Path) -> None:
    async with city(made) as servers, connected(servers.postgres_url) as connection:
        wanted = {"fsync": "on", "synchronous_commit": "on", "jit": "off", "TimeZone": "UTC", "listen_addresses": "127.0.0.1"}

        assert {name: await connection.fetchval("SELECT current_setting($1)", name) for name in wanted} == wanted
        assert connection.get_server_version().major == int(postgres_server.MAJOR)


async def test_neither_server_lets_anybody_in_without_the_password(made: Path) -> None:
    async with city(made) as servers:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(servers.owner_url, password="guess")
        client = redis.asyncio.from_url(servers.redis_url.replace(":" + servers.place.secret("redis") + "@", ""))
        with pytest.raises(redis.exceptions.AuthenticationError):
            await client.ping()
        await client.aclose()


def test_secrets_are_for_us_alone(made: Path) -> None:
    private = [made / "secrets.json", made / "onelot.json", made / "valkey" / "valkey.conf", made / "postgres.log"]

    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
    assert not (made / "postgres.password").exists()


async def test_passwords_are_in_no_argument_and_no_repr(made: Path) -> None:
    async with city(made) as servers:
        assert servers.postgres and servers.redis
        said = repr(servers) + "".join(
            Path(f"/proc/{child.process.pid}/cmdline").read_text() for child in (servers.postgres, servers.redis)
        )

        assert [name for name, secret in data_directory.read_secrets(made).items() if secret in said] == []


async def test_a_command_beside_the_city_finds_its_addresses(made: Path) -> None:
    async with city(made) as servers:
        found = embedded.running(made)
        assert found and (found.postgres_url, found.redis_url) == (servers.postgres_url, servers.redis_url)

    assert embedded.running(made) is None


async def test_given_addresses_are_passed_on_and_nothing_is_started() -> None:
    with fresh_folder() as data:
        servers = await embedded.start(data, postgres_url="postgresql://elsewhere/city", redis_url="redis://elsewhere")
        await embedded.stop(servers)

        assert (servers.postgres_url, servers.owner_url) == ("postgresql://elsewhere/city", "postgresql://elsewhere/city")
        assert {path.name for path in data.iterdir()} == {"lock", "onelot.json"}


async def test_foreign_directory_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")

    assert "was not made by OneLot" in await refusal(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


async def test_file_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")

    assert "is not a directory" in await refusal(tmp_path / "data")


async def test_data_of_another_major_version_are_refused(made: Path) -> None:
    version = made / "postgres" / "PG_VERSION"
    version.write_text("19\n")

    assert "was written by PostgreSQL 19" in await refusal(made)
    version.write_text(f"{postgres_server.MAJOR}\n")


async def test_second_city_on_the_directory_is_refused(made: Path) -> None:
    async with city(made):
        assert f"A city already runs on {made} (process {os.getpid()})" in await refusal(made)


async def test_data_without_their_passwords_are_refused(made: Path) -> None:
    secrets = (made / "secrets.json").rename(made / "secrets.aside")

    assert "put it back" in await refusal(made)
    secrets.rename(made / "secrets.json")


@pytest.mark.parametrize(("server", "field"), [("PostgreSQL", "postgres_port"), ("Valkey", "redis_port")])
async def test_port_in_use_is_one_clear_sentence(made: Path, server: str, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "PORT_SECONDS_MAX", 0)
    port = getattr(data_directory.read_state(made), field)

    with socket.create_server(("127.0.0.1", port)):
        assert f"Port {port} on 127.0.0.1, where {server} of this city listens, is taken" in await refusal(made)


async def test_refused_start_leaves_no_server_and_no_claim(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "PORT_SECONDS_MAX", 0)
    with socket.create_server(("127.0.0.1", data_directory.read_state(made).redis_port or 0)):
        await refusal(made)

    assert not data_directory.is_claimed(made)
    assert not postgres_server.serves(made / "postgres")


async def test_kill_of_everything_loses_no_acknowledged_row() -> None:
    with fresh_folder() as data:
        with city_of_another_process(data) as (process, postgres, valkey):
            assert process.stdout
            acknowledged = [int(process.stdout.readline()) for _ in range(300)]
            for victim in (process.pid, postgres, valkey):
                os.kill(victim, signal.SIGKILL)
            acknowledged += [int(line) for line in process.stdout]

        async with city(data) as servers, connected(servers.owner_url) as connection:
            kept = {n for (n,) in await connection.fetch("SELECT n FROM kept")}
    assert set(acknowledged) <= kept
    assert len(kept) <= len(acknowledged) + 1  # The one that was under way.


async def test_servers_die_with_their_parent_and_the_city_starts_again() -> None:
    with fresh_folder() as data:
        with city_of_another_process(data) as (process, postgres, valkey):
            assert process.stdout and process.stdout.readline()
            process.kill()

            assert await gone(postgres) and await gone(valkey)
        async with city(data) as servers, connected(servers.owner_url) as connection:
            assert await connection.fetchval("SELECT count(*) FROM kept") >= 1


async def test_pid_file_that_names_a_stranger_does_not_stop_a_start(made: Path) -> None:
    (made / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{made / 'postgres'}\n0\n0\n\n127.0.0.1\n\n")

    async with city(made) as servers, connected(servers.owner_url) as connection:
        assert await connection.fetchval("SELECT word FROM row") == "kept"


async def test_death_of_a_server_is_told(made: Path) -> None:
    async with city(made) as servers:
        assert servers.redis and not servers.died.done()
        servers.redis.process.kill()

        assert "Valkey ended by signal 9" in await asyncio.wait_for(servers.died, 5)


async def test_valkey_whose_files_are_broken_starts_empty(made: Path) -> None:
    async with city(made) as servers:
        client = redis.asyncio.from_url(servers.redis_url)
        await client.set("held", "1")
        await client.aclose()
    for file in (made / "valkey" / "appendonlydir").iterdir():
        file.write_bytes(b"rubbish\n")

    async with city(made) as servers:
        client = redis.asyncio.from_url(servers.redis_url)
        assert await client.get("held") is None
        await client.aclose()


async def test_cancelled_start_leaves_nothing_behind() -> None:
    with fresh_folder() as data:
        starting = asyncio.create_task(embedded.start(data))
        while not (data / "postgres.new").exists():
            await asyncio.sleep(0.01)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

        assert not data_directory.is_claimed(data)
        async with city(data) as servers:
            assert servers.postgres


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's home is closed to the user that PostgreSQL runs as")
async def test_root_with_a_closed_parent_directory_keeps_it_closed(made: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="onelot-closed-") as closed:
        async with city(Path(closed) / "data") as servers, connected(servers.postgres_url) as connection:
            assert await connection.fetchval("SELECT 1") == 1

        assert Path(closed).stat().st_mode & 0o777 == 0o700
        assert data_directory.read_state(Path(closed) / "data").identity == "namespace"
    assert msgspec.json.decode((made / "onelot.json").read_bytes())["identity"] == "nobody"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run PostgreSQL as somebody else")
async def test_root_whose_binaries_nobody_can_reach_and_without_namespaces_gets_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    installed, can = str(postgres_server.installed_programs()), child_process.can

    def can_less(identity: child_process.Identity, program: str, *words: str) -> bool:
        closed = identity is child_process.Identity.NAMESPACE or program.startswith(installed)
        return not closed and can(identity, program, *words)

    monkeypatch.setattr(child_process, "can", can_less)

    with fresh_folder() as data:
        async with city(data) as servers, connected(servers.postgres_url) as connection:
            assert servers.postgres and await connection.fetchval("SELECT 1") == 1
            assert Path(f"/proc/{servers.postgres.process.pid}/exe").readlink().is_relative_to(data)
