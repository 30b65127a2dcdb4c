"""Chance that is the same for the same seed: one small integer of state, so that each site may have dice of its own."""

import hashlib
import math
from collections.abc import Sequence
from typing import TypeVar

_MASK = (1 << 64) - 1
Thing = TypeVar("Thing")


class Dice:
    """SplitMix64 (Steele, Lea, Flood 2014)."""

    __slots__ = ("_state",)

    def __init__(self, *names: object) -> None:
        text = "\x1f".join(str(name) for name in names)
        self._state = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")

    def bits(self) -> int:
        """64 of them."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = ((self._state ^ (self._state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def unit(self) -> float:
        """In [0, 1)."""
        return (self.bits() >> 11) * (1.0 / (1 << 53))

    def below(self, number: int) -> int:
        return self.bits() % number

    def between(self, low: int, high: int) -> int:
        """Both may come."""
        return low + self.bits() % (high - low + 1)

    def chance(self, share: float) -> bool:
        return share > 0 and self.unit() < share

    def wait(self, mean: float) -> float:
        """Exponential."""
        return -mean * math.log(1.0 - self.unit())

    def one_of(self, things: Sequence[Thing]) -> Thing:
        return things[self.bits() % len(things)]

    def poisson(self, mean: float) -> int:
        """Counted by waits: for the small means of one site's half hour."""
        number, passed = 0, self.wait(1.0)
        while passed < mean:
            number += 1
            passed += self.wait(1.0)
        return number
