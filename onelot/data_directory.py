"""The directory a city keeps its things in: ours or refused, one city at a time, its ports and secrets remembered."""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

MARKER = "onelot.json"
LOCK = "lock"
SECRETS = "secrets.json"
STATE_FORMAT = 1
SHARE_TRIES = 20  # In a second.


class EmbeddedRefused(Exception):
    """The embedded servers cannot run as asked; `sentence` tells a person why and what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class State(msgspec.Struct, frozen=True):
    """What was chosen at the first start and must stay: data belong to the identity that wrote them, clients know the ports."""

    format: int = STATE_FORMAT
    identity: str | None = None
    postgres_port: int | None = None
    redis_port: int | None = None


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """A claimed directory; the claim ends with `release` or with our process, however that dies."""

    path: Path
    lock: int

    def state(self) -> State:
        return read_state(self.path)

    def remember(self, state: State) -> None:
        write_private(self.path / MARKER, msgspec.json.encode(state))

    def secret(self, name: str) -> str:
        """The secret of that name, made up at the first asking (192 bits, safe in a URL)."""
        known = read_secrets(self.path)
        if name not in known:
            known[name] = secrets.token_urlsafe(24)
            write_private(self.path / SECRETS, msgspec.json.format(msgspec.json.encode(known)))
        return known[name]

    def knows_secret(self, name: str) -> bool:
        return name in read_secrets(self.path)

    def release(self) -> None:
        os.close(self.lock)


def claim(path: Path) -> DataDirectory:
    """Take the directory for this process, made if missing. Raises EmbeddedRefused when it is foreign, in use or not ours to write."""
    path = path.absolute()
    with _refusing(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_foreign(path)
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        refuse_second(path, lock)
        place = DataDirectory(path, lock)
        place.remember(place.state() if (path / MARKER).exists() else State())
    except BaseException:
        os.close(lock)
        raise
    return place


def share(path: Path) -> DataDirectory:
    """The directory for one of several processes that run a part each: any number of them, and no whole city beside them."""
    path = path.absolute()
    with _refusing(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_foreign(path)
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with contextlib.suppress(BlockingIOError):  # Else another part has marked it.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not (path / MARKER).exists():
                write_private(path / MARKER, msgspec.json.encode(State()))
        _share_lock(path, lock)
    except BaseException:
        os.close(lock)
        raise
    return DataDirectory(path, lock)


def _share_lock(path: Path, lock: int) -> None:
    """Another part may be marking the directory at this moment; a city that holds it goes on holding it."""
    for _ in range(SHARE_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return
        time.sleep(0.05)
    holder = os.pread(lock, 20, 0).decode().strip() or "not yet known"
    raise EmbeddedRefused(f"A whole city already runs on {path} (process {holder}): stop it first, or give another --data.")


def refuse_foreign(path: Path) -> None:
    """Never write among somebody else's files: a directory is ours when it is empty or carries our marker."""
    names = {entry.name for entry in path.iterdir()}
    if MARKER not in names and names - {LOCK}:  # The lock alone: another first start is a moment ahead of us.
        raise EmbeddedRefused(f"{path} is not empty and was not made by OneLot: give an empty directory with --data.")
    if MARKER in names and (path / MARKER).stat().st_uid != os.geteuid():
        raise EmbeddedRefused(
            f"{path} belongs to the user who first started the city there: start it as that user, or give another --data."
        )


def refuse_second(path: Path, lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 20, 0).decode().strip() or "not yet known"
        sentence = f"A city already runs on {path} (process {holder}): stop it first, or give another --data."
        raise EmbeddedRefused(sentence) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def is_claimed(path: Path) -> bool:
    """Whether a living process has claimed the directory."""
    try:
        lock = os.open(path / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(lock)


def read_state(path: Path) -> State:
    try:
        state = msgspec.json.decode((path / MARKER).read_bytes(), type=State)
    except msgspec.DecodeError:
        raise EmbeddedRefused(f"{path / MARKER} cannot be read as OneLot's state: put it back from a backup.") from None
    if state.format != STATE_FORMAT:
        raise EmbeddedRefused(f"{path} was written by another OneLot (format {state.format}): use that version, or give another --data.")
    return state


def read_secrets(path: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode((path / SECRETS).read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError:
        raise EmbeddedRefused(f"{path / SECRETS} cannot be read: put it back from a backup.") from None


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step, readable by us alone, on disk before we go on: a lost password locks the data away."""
    fresh = path.with_name(path.name + ".new")
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.fchmod(file, 0o600)
        os.write(file, content)
        os.fsync(file)
    finally:
        os.close(file)
    fresh.replace(path)


@contextlib.contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError):
        raise EmbeddedRefused(f"{path} is not a directory: give another --data.") from None
    except OSError as error:
        raise EmbeddedRefused(f"{path} cannot be used as the data directory ({error.strerror}): give another --data.") from error
