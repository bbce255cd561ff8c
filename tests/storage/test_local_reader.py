"""Pieces of a local file are the bytes that are there."""

import tempfile

from hypothesis import given
from hypothesis import strategies as st

from batchapp.storage.local_reader import WINDOW_BYTES, LocalReader

CONTENT = bytes(range(251)) * (2 * WINDOW_BYTES // 251)
NEAR_A_WINDOW = st.integers(WINDOW_BYTES - 9, WINDOW_BYTES + 9)
PLACES = st.tuples(
    st.one_of(st.integers(0, len(CONTENT) + 9), NEAR_A_WINDOW),
    st.one_of(st.integers(0, 99), NEAR_A_WINDOW),
)


@given(st.lists(PLACES, max_size=9))
def test_every_piece_is_a_slice_of_the_content(places: list[tuple[int, int]]) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(CONTENT)
        file.flush()
        reader = LocalReader(file)

        for start, length in places:
            assert reader.read(start, length) == CONTENT[start : start + length]
