"""One door for personal data: a keyed token to compare by, and a sealed copy that a month's or a person's key opens until it is dropped."""

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

TOKEN_BYTES = 16
IDENTITY_BYTES = 10  # Beside an instant of six (`gateway_mqtt.decode`): they differ among what one device said in one millisecond.
KEY_BYTES = 32
NONCE_BYTES = 12
KID_BYTES = 6
_BY_MONTH = b"\x01"
_LASTING = b"\x02"
_PERSONAL = b"\x03"
_WRAPPED = b"\x04"


class SealBroken(Exception):
    """The sealed value was changed, or its key was dropped."""


class KeysUnreadable(Exception):
    """The key file is damaged. Nothing was written: put it back from a backup, for without it no plate opens again."""


class SigningKey(TypedDict):
    """A private key (P-256, PKCS#8 in PEM) by its name, and from when on it signs; until when, says the next one."""

    kid: str
    private: str
    since: str


class Held(TypedDict):
    """The key file: keys in hex, those that sign in PEM, the oldest first."""

    token: str
    lasting: str
    months: dict[str, str]
    signing: list[SigningKey]


class Keys:
    """The key file beside the database and never in it: a key for tokens, one for what lives as long as its owner, one a month.

    Any number of processes may hold it; they agree, since a key is only made under the file's lock. Raises KeysUnreadable.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._months: dict[str, AESGCM] = {}
        self._take(self._read())

    def token(self, *parts: str) -> bytes:
        """Sixteen bytes that are equal exactly when the parts are; without the key nobody can try them all."""
        return hmac.digest(self._token, framed(part.encode() for part in parts), "sha256")[:TOKEN_BYTES]

    def identities(self, whose: bytes) -> Callable[[bytes], bytes]:
        """Names content of somebody for ever in ten bytes: keyed like a token, and cheap enough for every reading (keyed blake2b)."""
        mine = self._blake.copy()
        mine.update(len(whose).to_bytes(4) + whose)

        def identity(content: bytes) -> bytes:
            named = mine.copy()
            named.update(content)
            return named.digest()

        return identity

    def seal(self, text: str, at: datetime) -> bytes:
        """Under the key of the month of `at`, and readable until that is dropped."""
        month = at.astimezone(UTC).strftime("%Y%m")
        if month not in self._months:
            self._take(self._read(month))
        return _encrypt(self._months[month], _BY_MONTH + month.encode(), text.encode())

    def seal_lasting(self, text: str) -> bytes:
        """Under a key that no retention drops."""
        return _encrypt(self._lasting, _LASTING, text.encode())

    def unseal(self, sealed: bytes) -> str:
        """Raises SealBroken."""
        if sealed[:1] == _LASTING:
            return _decrypt(self._lasting, sealed, len(_LASTING)).decode()
        if sealed[:1] != _BY_MONTH:
            raise SealBroken("unknown seal")
        month = sealed[1:7].decode("ascii", "replace")
        if month not in self._months:
            self._take(self._read())
        if month not in self._months:
            raise SealBroken("its month's key was dropped")
        return _decrypt(self._months[month], sealed, 7).decode()

    def new_personal(self, owner: str) -> bytes:
        """A fresh key of one person, wrapped by the lasting key: what the database keeps of it. Erasing the person is dropping it."""
        return _encrypt(self._lasting, _WRAPPED + _digest_of(owner), os.urandom(KEY_BYTES).hex().encode())

    def personal(self, owner: str, wrapped: bytes) -> "Personal":
        """A person's own key, unwrapped. Raises SealBroken for a changed one, or another person's."""
        head = _WRAPPED + _digest_of(owner)
        if wrapped[: len(head)] != head:
            raise SealBroken("this is another person's key")
        return Personal(bytes.fromhex(_decrypt(self._lasting, wrapped, len(head)).decode()), owner)

    def signing_keys(self) -> list[SigningKey]:
        """All that ever signed, the oldest first, as the file says now."""
        with self._locked():
            return self._load()["signing"]

    def add_signing_key(self, since: datetime, *, after: str | None) -> list[SigningKey]:
        """A new key that signs from `since` on, unless the newest is no longer `after`: another process was first. Answers all keys."""
        with self._locked():
            held = self._load()
            newest = held["signing"][-1]["kid"] if held["signing"] else None
            if newest == after:
                held["signing"].append(_new_signing_key(since))
                self._write(held)
        return held["signing"]

    def drop_months_before(self, at: datetime) -> list[str]:
        """Forget what was sealed before the month of `at`. A process that holds the keys already forgets at its next start."""
        first = at.astimezone(UTC).strftime("%Y%m")
        with self._locked():
            held = self._load()
            dropped = sorted(month for month in held["months"] if month < first)
            held["months"] = {month: key for month, key in held["months"].items() if month >= first}
            self._write(held)
        self._take(held)
        return dropped

    def _take(self, held: Held) -> None:
        self._token, self._lasting = bytes.fromhex(held["token"]), AESGCM(bytes.fromhex(held["lasting"]))
        self._blake = hashlib.blake2b(key=self._token, person=b"identity", digest_size=IDENTITY_BYTES)
        self._months = {name: AESGCM(bytes.fromhex(key)) for name, key in held["months"].items()}

    def _read(self, month: str | None = None) -> Held:
        """The file's keys, those made that are missing."""
        with self._locked():
            held = self._load()
            before = json.dumps(held)
            for name in ("token", "lasting"):
                held[name] = held[name] or os.urandom(KEY_BYTES).hex()
            if month is not None:
                held["months"].setdefault(month, os.urandom(KEY_BYTES).hex())
            if json.dumps(held) != before:
                self._write(held)
        return held

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """The lock has a file of its own, since the key file is replaced and never written in place: half a file opens nothing."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _load(self) -> Held:
        try:
            held = json.loads(self._path.read_bytes()) if self._path.exists() else {}
        except ValueError:
            raise KeysUnreadable(f"{self._path} is damaged; put it back from a backup") from None
        return Held(
            token=held.get("token", ""), lasting=held.get("lasting", ""), months=held.get("months", {}), signing=held.get("signing", [])
        )

    def _write(self, held: Held) -> None:
        new = self._path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(held, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class Personal:
    """One person's key. Each sealed value is bound to its owner and its place, so that none can be moved to another column or person."""

    def __init__(self, key: bytes, owner: str) -> None:
        self._key, self._owner = AESGCM(key), owner

    def seal(self, text: str, place: str) -> bytes:
        """`place` names where it is kept: table and column, or table and row."""
        return self.seal_bytes(text.encode(), place)

    def unseal(self, sealed: bytes, place: str) -> str:
        """Raises SealBroken."""
        return self.unseal_bytes(sealed, place).decode()

    def seal_bytes(self, content: bytes, place: str) -> bytes:
        """The same for what is no text."""
        return _encrypt(self._key, _PERSONAL, content, self._bound(place))

    def unseal_bytes(self, sealed: bytes, place: str) -> bytes:
        """Raises SealBroken."""
        if sealed[:1] != _PERSONAL:
            raise SealBroken("unknown seal")
        return _decrypt(self._key, sealed, len(_PERSONAL), self._bound(place))

    def _bound(self, place: str) -> bytes:
        return framed((self._owner.encode(), place.encode()))


def _new_signing_key(since: datetime) -> SigningKey:
    private = ec.generate_private_key(ec.SECP256R1())
    text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return SigningKey(kid=os.urandom(KID_BYTES).hex(), private=text, since=since.astimezone(UTC).isoformat(timespec="seconds"))


def _digest_of(owner: str) -> bytes:
    return hashlib.blake2b(owner.encode(), digest_size=8).digest()


def _encrypt(key: AESGCM, head: bytes, content: bytes, bound: bytes = b"") -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return head + nonce + key.encrypt(nonce, content, head + bound)


def _decrypt(key: AESGCM, sealed: bytes, head: int, bound: bytes = b"") -> bytes:
    nonce, rest = sealed[head : head + NONCE_BYTES], sealed[head + NONCE_BYTES :]
    try:
        return key.decrypt(nonce, rest, sealed[:head] + bound)
    except (InvalidTag, ValueError):  # ValueError: cut off inside the nonce.
        raise SealBroken("the sealed value was changed") from None


def framed(parts: Iterable[bytes]) -> bytes:
    """Parts as one, each with its length before it: no two lists of parts give the same bytes, whatever they hold."""
    return b"".join(len(part).to_bytes(4) + part for part in parts)


def digest(*parts: bytes) -> bytes:
    """A 128-bit identity of content (blake2b), for once-only keys."""
    return hashlib.blake2b(framed(parts), digest_size=16).digest()
