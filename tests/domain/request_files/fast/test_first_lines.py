from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.request_files.fast.first_lines import INITIAL_SLOTS, FirstLines

HASHES = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(HASHES | st.integers(-3, 3).map(lambda number: number * INITIAL_SLOTS)))
def test_setdefault_returns_the_same_as_that_of_a_dictionary(keys):
    first_lines, expected = FirstLines(), dict[int, int]()

    for line, key in enumerate(keys, 1):
        assert first_lines.setdefault(key, line) == expected.setdefault(key, line)


def test_growing_keeps_all_entries():
    first_lines = FirstLines()
    keys = [hash(f"r-{number}") for number in range(10 * INITIAL_SLOTS)]
    numbers = [*range(len(keys))]

    assert [first_lines.setdefault(key, line) for line, key in enumerate(keys)] == numbers
    assert [first_lines.setdefault(key, 99_999) for key in keys] == numbers
