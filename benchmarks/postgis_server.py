"""A PostgreSQL of the system's own that has PostGIS, for as long as it is raced against; the embedded one has none."""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg

from onelot import child_process
from onelot.child_process import Identity
from onelot.embedded import free_port

EXTENSIONS, PROGRAMS = Path("/usr/share/postgresql"), Path("/usr/lib/postgresql")
TRIES, TRY_SECONDS = 100, 0.1


class NoPostgis(Exception):
    """There is none on this machine."""


@contextlib.asynccontextmanager
async def postgis_server() -> AsyncIterator[str]:
    """The URL of a fresh database with the extension. Raises NoPostgis."""
    programs = _programs()
    identity = Identity.NOBODY if os.geteuid() == 0 else Identity.OURSELVES
    folder = Path(tempfile.mkdtemp(prefix="onelot-postgis-"))
    try:
        if identity is Identity.NOBODY:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        data, port = folder / "data", free_port()
        await _run(identity, programs / "initdb", "--pgdata", data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
        where = ("-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}")
        server = child_process.spawn(
            "postgis", [str(programs / "postgres"), "-D", str(data), *where], log=folder / "log", identity=identity
        )
        try:
            url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
            await _answers(url)
            yield url
        finally:
            await child_process.end(server, first=signal.SIGINT, last=signal.SIGQUIT, seconds=5)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    for control in sorted(EXTENSIONS.glob("*/extension/postgis.control"), reverse=True):
        programs = PROGRAMS / control.parts[-3] / "bin"
        if (programs / "initdb").exists():
            return programs
    raise NoPostgis("PostGIS is not installed (Debian: postgresql-15-postgis-3)")


async def _run(identity: Identity, *words: object) -> None:
    program = child_process.launching([str(word) for word in words], identity, signal.SIGKILL)
    process = await asyncio.create_subprocess_exec(
        *program, cwd="/", env=child_process.ENVIRONMENT, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    if process.returncode:
        raise NoPostgis(f"{words[0]} failed: {said.decode(errors='replace')[-200:]}")


async def _answers(url: str) -> None:
    for attempt in range(TRIES):
        try:
            connection = await asyncpg.connect(url)
        except (OSError, asyncpg.PostgresError):
            if attempt == TRIES - 1:
                raise
            await asyncio.sleep(TRY_SECONDS)
        else:
            await connection.close()
            return
