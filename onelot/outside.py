"""The outside parties that a city without contracts of its own begins with: simulators on loopback that speak the real protocols."""

import contextlib
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from onelot.data_directory import DataDirectory
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
    bank_key: Ed25519PrivateKey
    merchant_key: Ed25519PrivateKey


def signing_key(secret: str) -> Ed25519PrivateKey:
    """A signing key from a kept secret: the same at each start."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(secret.encode()).digest())


@contextlib.asynccontextmanager
async def simulated(place: DataDirectory) -> AsyncIterator[Outside]:
    """Phones, the departments and a bank, each on a port of its own, for as long as the block runs."""
    phones_key, departments_key = place.secret("phones"), place.secret("departments")
    bank_key, merchant_key = signing_key(place.secret("bank")), signing_key(place.secret("merchant"))
    async with contextlib.AsyncExitStack() as stack:
        apps: list[web.Application] = [
            phones.application(phones_key),
            departments.application(departments_key),
            bank.application(_bank_file(place.path), key=bank_key, merchants={MERCHANT: merchant_key.public_key()}, key_id=BANK_KEY_ID),
        ]
        urls = [f"http://127.0.0.1:{await stack.enter_async_context(serve(app, '127.0.0.1', 0))}" for app in apps]
        yield Outside(urls[0], phones_key, urls[1], departments_key, urls[2], bank_key, merchant_key)


def _bank_file(data: Path) -> Path:
    """A bank remembers across our crashes; its books lie beside ours and are none of ours."""
    place = data / "simulated-bank.sqlite"
    place.parent.mkdir(parents=True, exist_ok=True)
    return place
