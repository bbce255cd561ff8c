"""A file that is made of parts of stored files, and its lines and ranges of bytes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from django.db.models.fields.files import FieldFile

READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """``length`` bytes of ``blob`` from byte ``start`` on."""

    blob: FieldFile
    start: int
    length: int

    def read(self) -> Iterator[bytes]:
        """Yield the bytes of the piece.

        Raises:
            OSError: the file is not there, cannot be read, or ends before the piece does.
        """
        left = self.length
        with self.blob.open("rb") as blob:
            blob.seek(self.start)
            while left:
                data = blob.read(min(READ_BYTES, left))
                if not data:
                    raise OSError(f"{self.blob.name} ends {left} bytes before its piece")
                left -= len(data)
                yield data


def total_bytes(pieces: Iterable[Piece]) -> int:
    return sum(piece.length for piece in pieces)


def read(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Yield the bytes of ``pieces`` in their order; see ``Piece.read`` for what it raises."""
    for piece in pieces:
        yield from piece.read()


def byte_range(pieces: Iterable[Piece], first: int, end: int) -> list[Piece]:
    """Return the pieces with the bytes from ``first`` up to before ``end``."""
    found, at = [], 0
    for piece in pieces:
        start, stop = max(first - at, 0), min(end - at, piece.length)
        if start < stop:
            found.append(replace(piece, start=piece.start + start, length=stop - start))
        at += piece.length
    return found


def end_of_lines(pieces: Iterable[Piece], lines: int) -> tuple[int, int]:
    """Return the byte where the first ``lines`` lines end, and how many there are up to it.

    The pieces are read up to that byte. A last line without a line end counts as well.
    """
    if not lines:
        return 0, 0
    counted = at = 0
    is_open = False
    for data in read(pieces):
        end = -1
        while counted < lines and (end := data.find(b"\n", end + 1)) >= 0:
            counted += 1
        if counted == lines:
            return at + end + 1, counted
        at += len(data)
        is_open = not data.endswith(b"\n")
    return at, counted + is_open
