"""A database of one's own on a server that is measured, gone afterwards."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from foundation import postgres

TRIES_MAX, TRY_SECONDS = 40, 0.5


@contextlib.asynccontextmanager
async def own_database(url: str, what: str) -> AsyncIterator[str]:
    """Its URL. `url` is of an owner who may create databases."""
    name = f"bench_{what}_{uuid.uuid4().hex[:8]}"
    owner = await postgres.connection(url)
    try:
        await owner.execute(f"CREATE DATABASE {name}")
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        await _drop(owner, name)
        await owner.close()


async def _drop(owner: asyncpg.Connection, name: str) -> None:
    """By force, but the server's own vacuum may be at work in it, which is not ours to end: then it is waited for."""
    for attempt in range(TRIES_MAX):
        try:
            await owner.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            return
        except (asyncpg.InsufficientPrivilegeError, asyncpg.ObjectInUseError):
            if attempt == TRIES_MAX - 1:
                raise
            await asyncio.sleep(TRY_SECONDS)
