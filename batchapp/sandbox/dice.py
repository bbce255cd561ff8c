"""Chance that falls the same way every time."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


class Dice:
    """Throws that depend on nothing but ``seed``, on every machine and in every release."""

    def __init__(self, seed: str) -> None:
        digest = hashlib.blake2b(seed.encode(errors="replace"), digest_size=8).digest()
        self._state = int.from_bytes(digest, "big")

    def below(self, end: int) -> int:
        """A whole number from 0 to ``end`` - 1."""
        # Knuth's linear congruential generator; its low bits are poor, so the high ones count.
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self._state >> 33) % end

    def one_of(self, items: Sequence[Item]) -> Item:
        return items[self.below(len(items))]
