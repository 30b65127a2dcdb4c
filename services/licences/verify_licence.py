"""Whoever is shown a licence asks whether it holds: now, not when it was issued, and nothing more than that."""

import collections
from datetime import datetime

from foundation.errors import TooMany
from foundation.postgres import Database
from services.identity.model import network_of
from services.licences import model, store, token
from services.licences.keyring import Keyring
from services.licences.model import Verdict


async def verify(database: Database, keyring: Keyring, text: str, *, issuer: str, wall: datetime, city: datetime) -> Verdict:
    """Never raises for what the text holds. The signature is judged first: made-up tokens do not reach the database."""
    try:
        shown = token.read(text, keyring, issuer, wall)
    except token.Unreadable:
        return Verdict(None, "unreadable")
    except token.Forged:
        return Verdict(None, "forged")
    found = None if wall >= shown.expires_at else await store.licence_shown(database, shown.number)
    return model.judge(found, shown_until=shown.expires_at, wall=wall, city=city)


class Throttle:
    """So many questions at once from one network, and so many a second after these; whom it forgets has asked nothing for long."""

    def __init__(self, *, burst: int = 60, per_second: float = 5.0, networks_max: int = 10_000) -> None:
        self._burst, self._per_second, self._networks_max = burst, per_second, networks_max
        self._full_at: collections.OrderedDict[str, float] = collections.OrderedDict()  # When each has all its questions again.

    def spend(self, address: str, now: datetime) -> None:
        """Raises TooMany."""
        network, at = network_of(address), now.timestamp()
        full_at = max(self._full_at.pop(network, at), at) + 1 / self._per_second
        over = full_at - at - self._burst / self._per_second
        if over > 0:
            self._keep(network, full_at - 1 / self._per_second)
            raise TooMany("too many questions from one place; try again in a moment", retry_after_s=max(1, round(over)))
        self._keep(network, full_at)

    def _keep(self, network: str, full_at: float) -> None:
        self._full_at[network] = full_at
        if len(self._full_at) > self._networks_max:
            self._full_at.popitem(last=False)
