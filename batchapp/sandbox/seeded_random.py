"""Pseudo-random numbers that are the same on every machine and in every release."""

import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")


class SeededRandom:
    """A generator whose numbers depend on ``seed`` only."""

    def __init__(self, seed: str) -> None:
        digest = hashlib.blake2b(seed.encode(errors="replace"), digest_size=8).digest()
        self._state = int.from_bytes(digest, "big")

    def randbelow(self, end: int) -> int:
        """Return a whole number from 0 to ``end`` - 1."""
        # Knuth's linear congruential generator; its low bits are poor, so the high ones count.
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self._state >> 33) % end

    def choice(self, items: Sequence[Item]) -> Item:
        return items[self.randbelow(len(items))]

    def shuffle(self, items: list[Any]) -> None:
        for last in range(len(items) - 1, 0, -1):
            other = self.randbelow(last + 1)
            items[last], items[other] = items[other], items[last]
