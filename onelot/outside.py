"""The outside parties that a city without contracts of its own begins with: simulators on loopback that speak the real protocols."""

import base64
import contextlib
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from onelot.config import Misused
from onelot.data_directory import DataDirectory, write_private
from onelot.http import serve
from simulators import bank, departments, phones

MERCHANT = "onelot"
BANK_KEY_ID = "bank-1"


@dataclass(frozen=True, slots=True)
class Outside:
    """Where the parties are, and the keys we show there."""

    phones_url: str
    phones_key: str
    departments_url: str
    departments_key: str
    bank_url: str
    bank_key: Ed25519PublicKey
    merchant_key: Ed25519PrivateKey


FILE = "outside.json"


def save(data: Path, outside: Outside) -> None:
    """Where the parties are, for the parts that run as processes of their own; a city with contracts writes the file by hand."""
    write_private(
        data / FILE, msgspec.json.format(msgspec.json.encode({one.name: _plain(getattr(outside, one.name)) for one in fields(Outside)}))
    )


def load(data: Path) -> Outside:
    """Raises Misused, saying how to get the file."""
    file = data / FILE
    try:
        held = msgspec.json.decode(file.read_bytes())
        return Outside(**{one.name: _key(held[one.name]) for one in fields(Outside)})
    except FileNotFoundError:
        raise Misused(f"{file} is not there: it says where phones, departments and bank are; `onelot run outside` simulates them") from None
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        why = f"{type(error).__name__}: {str(error)[:80]}"
        raise Misused(f"{file} cannot be read ({why}); docs/operations.md says what stands in it") from None


def nobody() -> Outside:
    """For a part that speaks to none of them."""
    key = Ed25519PrivateKey.generate()
    return Outside("", "", "", "", "", key.public_key(), key)


def _plain(value: object) -> object:
    if isinstance(value, Ed25519PublicKey):
        return {"public": base64.b64encode(value.public_bytes_raw()).decode()}
    if isinstance(value, Ed25519PrivateKey):
        return {"private": base64.b64encode(value.private_bytes_raw()).decode()}
    return value


def _key(held: Any) -> Any:  # a text, or a key in base64
    if not isinstance(held, dict):
        return held
    if "public" in held:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(held["public"]))
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(held["private"]))


def signing_key(secret: str) -> Ed25519PrivateKey:
    """A signing key from a kept secret: the same at each start."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(secret.encode()).digest())


@contextlib.asynccontextmanager
async def simulated(place: DataDirectory, *, host: str = "127.0.0.1", name: str = "127.0.0.1") -> AsyncIterator[Outside]:
    """Phones, the departments and a bank, each on a port of its own, for as long as the block runs; `name` is how others reach `host`."""
    phones_key, departments_key = place.secret("phones"), place.secret("departments")
    bank_key, merchant_key = signing_key(place.secret("bank")), signing_key(place.secret("merchant"))
    async with contextlib.AsyncExitStack() as stack:
        apps: list[web.Application] = [
            phones.application(phones_key),
            departments.application(departments_key),
            bank.application(_bank_file(place.path), key=bank_key, merchants={MERCHANT: merchant_key.public_key()}, key_id=BANK_KEY_ID),
        ]
        urls = [f"http://{name}:{await stack.enter_async_context(serve(app, host, 0))}" for app in apps]
        yield Outside(urls[0], phones_key, urls[1], departments_key, urls[2], bank_key.public_key(), merchant_key)


def _bank_file(data: Path) -> Path:
    """A bank remembers across our crashes; its books lie beside ours and are none of ours."""
    place = data / "simulated-bank.sqlite"
    place.parent.mkdir(parents=True, exist_ok=True)
    return place
