"""Where each of a great many things was first seen, in some twenty bytes each."""

from array import array

SLOTS = 1024
"""To begin with; a power of two, and always a power of two."""


class FirstLines:
    """Like ``dict.setdefault`` of hashes and line numbers, in a fifth of a dictionary's memory.

    Python keys the hash of a text per process, so that no file can be made to meet its 8 bytes.
    That any two of a million unlike lines share one is as likely as one in thirty million.
    """

    def __init__(self) -> None:
        self._hashes, self._lines = array("q"), array("Q")
        self._slots = array("I", bytes(4 * SLOTS))  # the place of a hash, from 1; 0 is free

    def first(self, key: int, line: int) -> int:
        """The line that ``key`` was first given with, which is ``line`` if it is new."""
        slots, hashes = self._slots, self._hashes
        last = len(slots) - 1
        slot = key & last
        while place := slots[slot]:
            if hashes[place - 1] == key:
                return self._lines[place - 1]
            slot = (slot + 1) & last
        hashes.append(key)
        self._lines.append(line)
        slots[slot] = len(hashes)
        if len(hashes) * 3 > len(slots) * 2:
            self._grow()
        return line

    def _grow(self) -> None:
        last = len(self._slots) * 2 - 1
        slots = self._slots = array("I", bytes(4 * (last + 1)))
        for place, key in enumerate(self._hashes, 1):
            slot = key & last
            while slots[slot]:
                slot = (slot + 1) & last
            slots[slot] = place
