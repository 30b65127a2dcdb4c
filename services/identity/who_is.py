"""Who holds this token: asked by the door at every request, remembered for half a second, never longer than a revocation may take."""

import collections
import dataclasses
import uuid
from datetime import datetime

from foundation.caller import Caller
from foundation.clock import Clock
from foundation.postgres import Database
from services.identity import model, store
from services.identity.model import KnownSession

REMEMBER_SECONDS = 0.5  # A log-in that is ended elsewhere is refused here within a second.
REMEMBERED_MAX = 20_000  # Log-ins; beyond it the one that was asked for longest ago is asked anew.
TOKEN_LENGTH_MAX = 200


class Known:
    """The log-ins that were looked up a moment ago."""

    def __init__(self, database: Database, clock: Clock, *, remember_seconds: float = REMEMBER_SECONDS) -> None:
        self._database, self._clock, self._seconds = database, clock, remember_seconds
        self._held: collections.OrderedDict[bytes, tuple[float, KnownSession]] = collections.OrderedDict()

    async def who_is(self, token: str, *, fresh: bool = False) -> Caller | None:
        """Nobody for what is no token of ours, or of a session that ended.

        `fresh` looks again: rights are judged at the act, so the door asks so for everything that writes.
        """
        if not token or len(token) > TOKEN_LENGTH_MAX:
            return None
        hashed, now = model.token_hash(token), self._clock.wall()
        session = (None if fresh else self._remembered(hashed)) or await self._look_up(hashed)
        caller = session.caller(now) if session else None
        if caller is not None and session is not None and now - session.seen_at >= model.SEEN_EVERY:
            await self._see(hashed, session, now)
        return caller

    def forget(self, person: uuid.UUID) -> None:
        """What was remembered of a person's log-ins; called when they ended or her rights changed."""
        for hashed in [hashed for hashed, (_, session) in self._held.items() if session.person == person]:
            del self._held[hashed]

    def _remembered(self, hashed: bytes) -> KnownSession | None:
        until, session = self._held.get(hashed, (0.0, None))
        return session if until > self._clock.monotonic() else None

    async def _look_up(self, hashed: bytes) -> KnownSession | None:
        until = self._clock.monotonic() + self._seconds  # From before the look: an answer is as old as its question.
        session = await store.known_session(self._database, hashed)
        if session is None or session.ended:
            self._held.pop(hashed, None)
            return None
        self._hold(hashed, until, session)
        return session

    def _hold(self, hashed: bytes, until: float, session: KnownSession) -> None:
        self._held[hashed] = (until, session)
        self._held.move_to_end(hashed)
        while len(self._held) > REMEMBERED_MAX:
            self._held.popitem(last=False)

    async def _see(self, hashed: bytes, session: KnownSession, now: datetime) -> None:
        await store.see_session(self._database, session.id, now)
        if hashed in self._held:
            self._held[hashed] = (self._held[hashed][0], dataclasses.replace(session, seen_at=now))
