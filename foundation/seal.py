"""One door for personal data: a keyed token to compare by, and a sealed copy that a month's key opens until it is dropped."""

import fcntl
import hashlib
import hmac
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TOKEN_BYTES = 16
LASTING = datetime(9999, 12, 1, tzinfo=UTC)  # The "month" of what lives as long as its owner: no retention drops its key.
_VERSION = b"\x01"


class SealBroken(Exception):
    """The sealed value was changed, or its key was dropped."""


class Keys:
    """The key file beside the database and never in it: one key for tokens, one per month for seals."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._months: dict[str, AESGCM] = {}
        self._token = b""
        self._read(month=None)

    def _read(self, month: str | None) -> None:
        """Read the file, making it or a month's key when missing; a lock keeps two processes from making two."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            held = json.loads(file.read() or "{}")
            missing = "token" not in held or (month is not None and month not in held["months"])
            held.setdefault("token", os.urandom(32).hex())
            held.setdefault("months", {})
            if month is not None:
                held["months"].setdefault(month, os.urandom(32).hex())
            if missing:
                file.seek(0)
                file.write(json.dumps(held))
                file.truncate()
                file.flush()
                os.fsync(file.fileno())
        self._token = bytes.fromhex(held["token"])
        self._months = {name: AESGCM(bytes.fromhex(key)) for name, key in held["months"].items()}

    def token(self, *parts: str) -> bytes:
        """Sixteen bytes that are equal exactly when the parts are; without the key nobody can try them all."""
        return hmac.digest(self._token, "\x1f".join(parts).encode(), "sha256")[:TOKEN_BYTES]

    def seal(self, text: str, at: datetime) -> bytes:
        month = at.strftime("%Y%m")
        if month not in self._months:
            self._read(month)
        nonce = os.urandom(12)
        head = _VERSION + month.encode()
        return head + nonce + self._months[month].encrypt(nonce, text.encode(), head)

    def unseal(self, sealed: bytes) -> str:
        """Raises SealBroken."""
        head, nonce, rest = sealed[:7], sealed[7:19], sealed[19:]
        month = head[1:].decode("ascii", "replace")
        if head[:1] != _VERSION:
            raise SealBroken("unknown seal")
        if month not in self._months:
            self._read(None)
        if month not in self._months:
            raise SealBroken(f"the key of {month} was dropped")
        try:
            return self._months[month].decrypt(nonce, rest, head).decode()
        except InvalidTag:
            raise SealBroken("the sealed value was changed") from None


def digest(*parts: bytes) -> bytes:
    """A 128-bit identity of content (blake2b), for once-only keys."""
    return hashlib.blake2b(b"\x1f".join(parts), digest_size=16).digest()
