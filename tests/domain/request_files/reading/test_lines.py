"""Lines keep their order, numbers and positions, however the bytes arrive."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.request_files.reading import lines


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def split_by_python(data: bytes) -> list[bytes]:
    rows = data.split(b"\n")
    return rows if rows[-1] else rows[:-1]  # no line is after the last line ending


@given(st.binary(max_size=300), st.integers(1, 50), st.integers(1, 80), st.integers(1, 60))
def test_blocks_hold_all_lines(data, chunk, size, longest):
    data = data.replace(b"a", b"\n")

    blocks = lines.iter_blocks(cut(data, chunk), size, longest)

    rows = [(row[:longest], length) for block in blocks for row, length in block.lines()]
    assert rows == [(row[:longest], len(row)) for row in split_by_python(data)]


@given(st.binary(max_size=300), st.integers(1, 50), st.integers(1, 60))
def test_split_lines_have_their_numbers_and_positions(data, chunk, longest):
    data = data.replace(b"a", b"\n")

    rows = list(lines.split(cut(data, chunk), longest))

    assert [row.number for row in rows] == [*range(1, len(rows) + 1)]
    whole = [data[row.offset : row.offset + row.length] for row in rows]
    assert whole == split_by_python(data)
    assert [row.data for row in rows] == [row[:longest] for row in whole]
