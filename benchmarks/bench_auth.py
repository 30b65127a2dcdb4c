"""What it costs to know who holds a token at each request, and how long after its end the last process lets a log-in in."""

import asyncio
import random
import secrets
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from joserfc import jwt
from joserfc.jwk import ECKey

from benchmarks.databases import own_database
from benchmarks.rows import Row, compared, measured
from foundation import ids, journal, migrate, postgres, seal
from foundation.clock import Clock
from foundation.postgres import Database, Transaction
from services.identity import model, people, store
from services.identity.end_session import end_session
from services.identity.who_is import Known

NAMES: Final = ("auth.token_check_us", "auth.revocation_ms")
PEOPLE: Final = 500
CHECKS: Final = 50_000
PEERS_CHECKS: Final = 1_000
REVOCATIONS: Final = 30
FASTER: Final = 20.0
REVOKED_MS: Final = 1_000.0
TokenOf = dict[str, tuple[uuid.UUID, uuid.UUID]]  # Token -> person, session.


async def measure(postgres_url: str, place: Path) -> list[Row]:
    """Makes a database of its own on the server and drops it again; `place` holds the keys for as long."""
    keys, clock = seal.Keys(place / f"bench-{secrets.token_hex(4)}.json"), Clock()
    async with own_database(postgres_url, "auth") as url:
        await migrate.migrate(url)
        async with postgres.connect(url) as here, postgres.connect(url) as elsewhere:  # Two bells that do not hear each other.
            await journal.prepare(here)
            tokens = await here.run(lambda tx: _logged_in(tx, keys, clock))
            known, other = Known(here, clock), Known(elsewhere, clock)
            async with asyncio.TaskGroup() as group:
                loops = [group.create_task(one.follow(lambda: None)) for one in (known, other)]
                await asyncio.sleep(1.0)
                check_us = await _checks(known, list(tokens))
                waits = await _revocations(here, known, other, clock, tokens)
                for loop in loops:
                    loop.cancel()
    note = f"{PEOPLE} log-ins in turn at random, remembered and followed; peer: a signed token verified (ES256, joserfc), no revocation"
    worst = f"{REVOCATIONS} log-ins ended while used 200 times a second elsewhere, bell deaf; median {statistics.median(waits):.0f} ms"
    return [
        compared_cost("auth.token_check_us", check_us, _peer_us(), note),
        measured("auth.revocation_ms", max(waits), "ms", f"the slowest of {worst}", goal=REVOKED_MS),
    ]


def compared_cost(name: str, ours: float, peer: float, note: str) -> Row:
    """Less is better: the ratio says how many of ours fit into one of the peer's."""
    row = compared(name, peer, ours, "µs", note, goal=FASTER)
    return Row(**{**row, "value": ours, "baseline": peer})


async def _logged_in(tx: Transaction, keys: seal.Keys, clock: Clock) -> TokenOf:
    now, found = clock.wall(), {}
    for number in range(PEOPLE):
        token, session = model.new_token(), ids.new_id()
        person = await people.find_or_make(tx, keys, f"+86138{number:08d}", now)
        await store.open_session(
            tx, session, person, token_hash=model.token_hash(token), at=now, expires_at=now + timedelta(days=1), unsure=False, what="",
            address="",
        )  # fmt: skip
        found[token] = (person, session)
    return found


async def _checks(known: Known, tokens: list[str]) -> float:
    """Microseconds each; the first round, which looks everybody up, is not counted."""
    for token in tokens:
        assert await known.who_is(token) is not None
    asked = random.Random(1).choices(tokens, k=CHECKS)
    began = time.perf_counter()
    for token in asked:
        await known.who_is(token)
    return 1e6 * (time.perf_counter() - began) / CHECKS


async def _revocations(here: Database, known: Known, other: Known, clock: Clock, tokens: TokenOf) -> list[float]:
    """Milliseconds from asking for the end until the other process lets nobody in with it."""
    waits = []
    for token, (person, session) in list(tokens.items())[:REVOCATIONS]:
        assert await other.who_is(token) is not None
        began = time.perf_counter()
        await end_session(here, known, person=person, session=session, now=clock.wall(), city=clock.city())
        await _until_nobody(lambda token=token: other.who_is(token))  # type: ignore[misc]  # bound at once
        waits.append(1e3 * (time.perf_counter() - began))
    return waits


async def _until_nobody(asked: Callable[[], Awaitable[object]]) -> None:
    while await asked() is not None:
        await asyncio.sleep(0.005)


def _peer_us() -> float:
    key = ECKey.generate_key("P-256")
    token = jwt.encode({"alg": "ES256"}, {"sub": "someone", "sid": "some log-in"}, key)
    began = time.perf_counter()
    for _ in range(PEERS_CHECKS):
        jwt.decode(token, key, algorithms=["ES256"])
    return 1e6 * (time.perf_counter() - began) / PEERS_CHECKS
