"""Join lines that a line break within a text has split."""

import re
from collections.abc import Iterable, Iterator

import msgspec

from batchapp.domain.request_files.reading import lines, meant_json

END_OF_TEXT = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


class TextLine(msgspec.Struct, frozen=True):
    """A piece of a file, see ``lines.Piece``.

    ``is_joined`` if it was several lines; ``is_text`` if it stands within a text, although it
    could not be joined, so that nothing in it is a comment.
    """

    piece: lines.Piece
    is_joined: bool = False
    is_text: bool = False


def join_broken_texts(
    pieces: Iterable[lines.Piece], max_length: int, *, is_joining: bool
) -> Iterator[TextLine]:
    """Yield the lines of a file, those with a broken text joined if that gives a JSON object.

    Without ``is_joining`` the lines stay as they are, and are only marked.
    """
    kept = bytearray()  # the lines from one that breaks off in a text
    for piece in pieces:
        data = piece.data
        is_whole = piece.is_start and piece.is_end
        is_new = not is_whole or lines.begins_request(data)
        if kept and (is_new or len(kept) + len(data) > max_length):
            yield from _give_up(kept, max_length)
            kept.clear()
        if kept:
            kept += data
            if not _is_still_in_text(data):
                yield from _join(kept, max_length, is_joining=is_joining)
                kept.clear()
        elif is_whole and meant_json.ends_in_text(lines.trim(data.removesuffix(b"\n"))):
            kept += data
        else:
            yield TextLine(piece)
    if kept:
        yield from _give_up(kept, max_length)


def _is_still_in_text(line: bytes) -> bool:
    """Return True if a line that begins within a text ends within one."""
    end = END_OF_TEXT.match(line)
    return end is None or meant_json.has_open_text(line, end.end())


def _join(kept: bytearray, max_length: int, *, is_joining: bool) -> Iterator[TextLine]:
    data = bytes(kept)
    ending = data[len(data.rstrip(b"\r\n")) :]
    joined = meant_json.escape_controls(lines.trim(data.removesuffix(ending)))
    if not joined or len(joined) > max_length:
        yield from _give_up(kept, max_length)
    elif is_joining:
        yield TextLine(lines.Piece(joined + ending, is_start=True, is_end=True), is_joined=True)
    else:
        yield from _give_up(kept, max_length, is_text=True)


def _give_up(kept: bytearray, max_length: int, *, is_text: bool = False) -> Iterator[TextLine]:
    for piece in lines.iter_pieces([bytes(kept)], max_length):
        yield TextLine(piece, is_text=is_text)
