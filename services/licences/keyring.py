"""The keys that sign what is shown: the newest in force signs, each verifies what is of its time, a new one is published ahead."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc.jwk import ECKey

from foundation.seal import Keys, SigningKey
from services.licences.model import PUBLISHED_AHEAD, ROTATED_EVERY

ALGORITHM = "ES256"


@dataclass(frozen=True, slots=True)
class RingKey:
    """Signs over `[since, until)`; `until` is None while no other follows."""

    kid: str
    key: ECKey
    since: datetime
    until: datetime | None

    def signs_at(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


class Keyring:
    """Any number of processes may hold one; they agree, since keys are made under the key file's lock. Times are wall time."""

    def __init__(self, keys: Keys, now: datetime) -> None:
        """Makes the first key where there is none yet."""
        self._keys = keys
        self._looked_at = now
        self._ring = _ring(keys.signing_keys() or keys.add_signing_key(now, after=None))

    def signer(self, now: datetime) -> RingKey:
        newest = self._ring[-1]
        if now >= newest.since + ROTATED_EVERY:
            self.rotate(now + PUBLISHED_AHEAD)
        signing = [one for one in self._ring if one.signs_at(now)]
        return signing[0] if signing else self._ring[0]  # A clock set back to before the first key: then that one.

    def rotate(self, since: datetime) -> None:
        """Another key takes over at `since`; what the one before has signed until then goes on to hold."""
        self._ring = _ring(self._keys.add_signing_key(since, after=self._ring[-1].kid))

    def verifier(self, kid: str, now: datetime) -> RingKey | None:
        """The key of this name. One that is not known is looked up in the file, once a second at most: another process may have made it."""
        found = self._by_name(kid)
        if found is None and (now - self._looked_at).total_seconds() >= 1:
            self._looked_at = now
            self._ring = _ring(self._keys.signing_keys())
            found = self._by_name(kid)
        return found

    def public(self) -> list[dict[str, Any]]:
        """All keys as a JWK Set's `keys`, old ones too, each with its time (`nbf`, `exp`): a licence outlives the key that showed it."""
        return [_public(one) for one in self._ring]

    def _by_name(self, kid: str) -> RingKey | None:
        return next((one for one in self._ring if one.kid == kid), None)


def _ring(held: Sequence[SigningKey]) -> list[RingKey]:
    since = [datetime.fromisoformat(one["since"]) for one in held]
    return [
        RingKey(one["kid"], ECKey.import_key(one["private"]), since[place], since[place + 1] if place + 1 < len(held) else None)
        for place, one in enumerate(held)
    ]


def _public(one: RingKey) -> dict[str, Any]:
    ended = {} if one.until is None else {"exp": int(one.until.timestamp())}
    return {**one.key.as_dict(private=False), "kid": one.kid, "use": "sig", "alg": ALGORITHM, "nbf": int(one.since.timestamp()), **ended}
