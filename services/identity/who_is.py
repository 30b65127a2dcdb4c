"""Who holds this token: asked by the door at every request, remembered as long as the journal would tell of a revocation."""

import collections
import dataclasses
import uuid
from collections.abc import Callable
from datetime import datetime

import structlog

from foundation import journal, postgres
from foundation.caller import Caller
from foundation.clock import Clock
from foundation.events import LevelChanged, LogInEnded, PersonErased, RoleGranted, RoleRevoked
from foundation.postgres import Database
from services.identity import model, store
from services.identity.model import KnownSession

log = structlog.get_logger()

REMEMBER_SECONDS = 0.5  # Without news from the journal: a log-in that is ended elsewhere is refused here within a second all the same.
FOLLOWED_SECONDS = 60.0  # With them; what no fact tells (time, a hand in the database) is seen by then.
HEARD_SECONDS_MAX = 1.0  # How old the last look at the journal may be to trust what it did not say.
LOOK_SECONDS = 0.4  # Between two looks when the bell is deaf.
REMEMBERED_MAX = 20_000  # Log-ins; beyond it the one that was asked for longest ago is asked anew.
TOKEN_LENGTH_MAX = 200
NEWS = (LogInEnded, LevelChanged, RoleGranted, RoleRevoked, PersonErased)
KINDS = frozenset(event.kind for event in NEWS)


class Known:
    """The log-ins that were looked up a moment ago. `follow` hears what ended and what changed, in this process and every other."""

    def __init__(self, database: Database, clock: Clock, *, remember_seconds: float = REMEMBER_SECONDS) -> None:
        self._database, self._clock, self._seconds = database, clock, remember_seconds
        self._held: collections.OrderedDict[bytes, tuple[float, KnownSession]] = collections.OrderedDict()
        self._epoch = 0  # Counts what was forgotten: an answer that was under way meanwhile is not kept.
        self._heard_at = float("-inf")
        self.position, self._recorded_at = 0, postgres.BEGINNING

    async def who_is(self, token: str, *, fresh: bool = False, see: bool = True) -> Caller | None:
        """Nobody for what is no token of ours, or of a session that ended.

        `fresh` looks again: rights are judged at the act, so the door asks so for everything that writes. Without `see` it does not
        count as being here: an open socket is nobody's hand on a screen.
        """
        if not token or len(token) > TOKEN_LENGTH_MAX:
            return None
        hashed, now = model.token_hash(token), self._clock.wall()
        session = (None if fresh else self._remembered(hashed)) or await self._look_up(hashed)
        caller = session.caller(now) if session else None
        if see and caller is not None and session is not None and now - session.seen_at >= model.SEEN_EVERY:
            await self._see(hashed, session, now)
        return caller

    def forget(self, person: uuid.UUID) -> None:
        """What was remembered of a person's log-ins; called when they ended or her rights changed."""
        self._epoch += 1
        for hashed in [hashed for hashed, (_, session) in self._held.items() if session.person == person]:
            del self._held[hashed]

    async def load(self) -> None:
        """Begin to hear from now on: nothing is remembered yet."""
        async with self._database.snapshot() as tx:
            self.position, self._recorded_at = await journal.newest(tx, "fact")

    async def follow(self, done: Callable[[], None]) -> None:
        await journal.hear_facts(self._database, "log_ins", self.catch_up, done, LOOK_SECONDS)

    async def catch_up(self) -> None:
        """Forget whom the newest facts are about."""
        while True:
            began = self._clock.monotonic()
            async with self._database.transaction() as tx:
                entries = await journal.read(tx, "fact", self.position, self._recorded_at)
            for entry in entries:
                # Most facts are not about log-ins: none of them is opened for nothing.
                if entry.kind in KINDS and isinstance(event := entry.event, NEWS):
                    self.forget(event.person)
            if not entries:
                self._heard_at = began
                return
            self.position, self._recorded_at = entries[-1].position, entries[-1].recorded_at

    def _remembered(self, hashed: bytes) -> KnownSession | None:
        looked_at, session = self._held.get(hashed, (float("-inf"), None))
        now = self._clock.monotonic()
        hears = now - self._heard_at < HEARD_SECONDS_MAX
        return session if now - looked_at < (FOLLOWED_SECONDS if hears else self._seconds) else None

    async def _look_up(self, hashed: bytes) -> KnownSession | None:
        looked_at, epoch = self._clock.monotonic(), self._epoch  # From before the look: an answer is as old as its question.
        session = await store.known_session(self._database, hashed)
        if session is None or session.ended:
            self._held.pop(hashed, None)
            return None
        if epoch == self._epoch:
            self._hold(hashed, looked_at, session)
        return session

    def _hold(self, hashed: bytes, looked_at: float, session: KnownSession) -> None:
        self._held[hashed] = (looked_at, session)
        self._held.move_to_end(hashed)
        while len(self._held) > REMEMBERED_MAX:
            self._held.popitem(last=False)

    async def _see(self, hashed: bytes, session: KnownSession, now: datetime) -> None:
        await store.see_session(self._database, session.id, now)
        if hashed in self._held:
            self._held[hashed] = (self._held[hashed][0], dataclasses.replace(session, seen_at=now))
