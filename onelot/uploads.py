"""How many files may be on their way into memory at once: in all, and of one person, so that nobody fills it."""

import contextlib
import uuid
from collections import Counter
from collections.abc import Iterator

from foundation.errors import TooMany

AT_ONCE_MAX, OF_ONE_PERSON_MAX = 16, 3
RETRY_SECONDS = 5


class Uploads:
    """Who comes when all places are taken is told to come again."""

    def __init__(self) -> None:
        self._held: Counter[uuid.UUID] = Counter()

    @contextlib.contextmanager
    def place(self, person: uuid.UUID) -> Iterator[None]:
        """Raises TooMany."""
        if self._held[person] >= OF_ONE_PERSON_MAX or self._held.total() >= AT_ONCE_MAX:
            raise TooMany("too many files are being sent at once; try again in a moment", retry_after_s=RETRY_SECONDS)
        self._held[person] += 1
        try:
            yield
        finally:
            self._held[person] -= 1
            self._held += Counter()  # Whoever has none left is not kept.
