"""A file made of parts of stored files, by bytes and by lines."""

from pathlib import Path

import pytest
from django.core.files.storage import FileSystemStorage
from django.db.models.fields.files import FieldFile

from batchapp.models import Upload
from batchapp.storage.pieces import Piece, byte_range, end_of_lines, read, total_bytes


@pytest.fixture
def pieces(tmp_path: Path) -> list[Piece]:
    """Two files with "one", "two" and the longer "three", of which the last ends no line."""
    field = Upload._meta.get_field("blob")
    parts = []
    for name, content in (("a", b"one\ntwo\n"), ("b", b"three")):
        (tmp_path / name).write_bytes(content)
        blob = FieldFile(Upload(), field, name)
        blob.storage = FileSystemStorage(tmp_path)
        parts.append(Piece(blob, 0, len(content)))
    return parts


def test_a_range_of_bytes_may_lie_in_several_files(pieces: list[Piece]) -> None:
    whole = b"one\ntwo\nthree"

    assert total_bytes(pieces) == len(whole)
    for first in range(len(whole) + 1):
        for end in range(first, len(whole) + 2):
            assert b"".join(read(byte_range(pieces, first, end))) == whole[first:end]


def test_lines_are_counted_up_to_their_end(pieces: list[Piece]) -> None:
    ends = [end_of_lines(pieces, lines) for lines in range(5)]

    assert ends == [(0, 0), (4, 1), (8, 2), (13, 3), (13, 3)]


def test_a_file_that_became_shorter_is_an_error_and_no_short_answer(pieces: list[Piece]) -> None:
    longer = Piece(pieces[0].blob, 0, 9)

    with pytest.raises(OSError, match="ends 1 bytes before"):
        list(longer.read())
