"""Make something costly of a value that never changes, once for as long as that very value is in use."""

import collections
from collections.abc import Callable
from typing import Generic, TypeVar

Source = TypeVar("Source")
Made = TypeVar("Made")


class Kept(Generic[Source, Made]):
    """Looked up by which object it is and not by what it holds: no schema is written out to find its validator. The source is held, so
    that no other object takes its place in memory."""

    def __init__(self, make: Callable[[Source], Made], most: int) -> None:
        """Beyond `most` the one that was asked for longest ago is made anew."""
        self._make, self._most = make, most
        self._held: collections.OrderedDict[int, tuple[Source, Made]] = collections.OrderedDict()

    def of(self, source: Source) -> Made:
        found = self._held.get(id(source))
        if found is None:
            found = self._held[id(source)] = (source, self._make(source))
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        else:
            self._held.move_to_end(id(source))
        return found[1]
