from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.request_files.fast.first_lines import SLOTS, FirstLines

HASHES = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(HASHES | st.integers(-3, 3).map(lambda number: number * SLOTS)))
def test_it_answers_as_a_dictionary_does(keys):
    firsts, known = FirstLines(), dict[int, int]()

    for line, key in enumerate(keys, 1):
        assert firsts.first(key, line) == known.setdefault(key, line)


def test_it_keeps_all_while_it_grows():
    firsts = FirstLines()
    keys = [hash(f"r-{number}") for number in range(10 * SLOTS)]

    assert [firsts.first(key, line) for line, key in enumerate(keys)] == [*range(len(keys))]
    assert [firsts.first(key, 99_999) for key in keys] == [*range(len(keys))]
