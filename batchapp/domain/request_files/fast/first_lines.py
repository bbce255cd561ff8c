"""A compact map from hashes to the line where each was first seen.

Gain: an entry takes 24 to 32 bytes, a quarter of a dictionary's memory; the check of a 2 GB file
needs 181 MiB more than that of one line, 60 MiB of which are the vocabulary.
"""

from array import array
from collections.abc import Iterable

INITIAL_SLOTS = 1024  # must be a power of two, and stays one

# A table of fewer slots grows by a factor of four, because filling the slots again takes time; a
# larger one by two, because of its memory. At least half of the slots stay free. Gain of both: an
# entry takes 0.55 µs; with factors of two and a third of the slots free it takes 0.9 µs.
SMALL = 1 << 20


class FirstLines:
    """A hash table with open addressing, from 8-byte hashes to line numbers.

    Python keys the hash of a text per process, so no file can be made to provoke collisions. Two
    of a million different lines share a hash with a probability of one in thirty million.
    """

    def __init__(self) -> None:
        self._hashes, self._lines = array("q"), array("Q")
        # A slot holds an index into both arrays, counted from 1; 0 means that it is free.
        self._slots = array("I", bytes(4 * INITIAL_SLOTS))

    def find(self, key: int) -> int | None:
        """Return the line that ``key`` was first added with; None if it was never added."""
        mask = len(self._slots) - 1
        slot = key & mask
        while index := self._slots[slot]:
            if self._hashes[index - 1] == key:
                return self._lines[index - 1]
            slot = (slot + 1) & mask
        return None

    def setdefault(self, key: int, line: int) -> int:
        """Return the line that ``key`` was first added with; that is ``line`` if it is new."""
        slots, hashes = self._slots, self._hashes
        mask = len(slots) - 1
        slot = key & mask
        while index := slots[slot]:
            if hashes[index - 1] == key:
                return self._lines[index - 1]
            slot = (slot + 1) & mask
        hashes.append(key)
        self._lines.append(line)
        slots[slot] = len(hashes)
        if len(hashes) * 2 > mask:
            self._grow()
        return line

    def add_new(self, keys: Iterable[int], line: int) -> bool:
        """Add the keys of consecutive lines from ``line`` on, up to a key of an earlier line.

        Return True if there was no such key. Adding the same lines again changes nothing.
        """
        # Not by ``setdefault``. Gain: 0.2 µs for each key of each line.
        slots, hashes, lines = self._slots, self._hashes, self._lines
        mask = len(slots) - 1
        for number, key in enumerate(keys, line):
            slot = key & mask
            while (index := slots[slot]) and hashes[index - 1] != key:
                slot = (slot + 1) & mask
            if index:
                if lines[index - 1] != number:
                    return False
                continue
            hashes.append(key)
            lines.append(number)
            slots[slot] = len(hashes)
            if len(hashes) * 2 > mask:
                self._grow()
                slots = self._slots
                mask = len(slots) - 1
        return True

    def _grow(self) -> None:
        factor = 4 if len(self._slots) < SMALL else 2
        mask = len(self._slots) * factor - 1
        slots = self._slots = array("I", bytes(4 * (mask + 1)))
        for index, key in enumerate(self._hashes, 1):
            slot = key & mask
            while slots[slot]:
                slot = (slot + 1) & mask
            slots[slot] = index
