"""A check whose tokens are counted by threads gives the report of a check line by line."""

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchapp.domain.request_files import check_file
from batchapp.domain.request_files.fast import counted_blocks
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.line_report import count_tokens
from batchapp.domain.request_files.reading import lines
from batchapp.domain.tokens.vocabularies import Vocabulary
from tests.domain.request_lines import LIMITS, make_body, make_file, make_line

SECRET = "AKIA" + "Z7" * 8
LINES = st.sampled_from(
    [
        make_line(),
        make_line(custom_id="b"),
        make_line(custom_id="c", body=make_body(model="Qwen/Qwen3-14B", max_tokens=...)),
        make_line(custom_id="d", url="/v1/embeddings", body={"model": "e", "input": "?"}),
        make_line(custom_id="\ud800"),
        make_line(custom_id="h", body=make_body(model="openai/gpt-oss-20b")),
        make_line(custom_id="i", body=make_body(user=SECRET)),
        make_line(method="GET", body=make_body(stream=True)),
        b"\xef\xbb\xbf" + make_line(custom_id="f"),
        make_line(custom_id="g").replace(b", ", b",\r", 1),
        b"nonsense",
        b"\xff",
        b"",
        b" \t",
        b"x" * 3_000,
    ]
)
SMALL = Limits(max_bytes=1_000_000, max_body_bytes=200)


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def make_lines(number: int = 400) -> bytes:
    """Make some blocks of lines, a few of them with findings."""
    good = [make_line(custom_id=f"r-{n % 390}", body=make_body(seed=n)) for n in range(number)]
    return make_file(*good[:50], b"nonsense", *good[50:], good[3])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(LINES, max_size=60),
    st.sampled_from([b"", b"\n"]),
    st.integers(20, 5_000),
    st.integers(100, 2_000),
    st.sampled_from([LIMITS, SMALL]),
    st.sampled_from([1, 1_000, 10**9]),
)
def test_the_report_is_the_same_whatever_the_chunks_and_blocks(
    rows, ending, chunk, block, limits, large
):
    data = b"\n".join(rows) + ending
    alone = check_file.check([data], limits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", block)
        patch.setattr(counted_blocks, "MIN_BLOCK_BYTES", large)
        patch.setattr(counted_blocks, "MAX_WAITING_BYTES", large)

        assert check_file.check(cut(data, chunk), limits) == alone


def test_a_secret_that_the_search_of_a_block_finds_is_reported_at_its_line(monkeypatch):
    def line(number: int) -> bytes:
        text = f"Key {SECRET}" if number in {7, 30} else f"Question {number}"
        return make_line(
            custom_id=f"r-{number}", body=make_body(messages=[{"role": "user", "content": text}])
        )

    monkeypatch.setattr(counted_blocks, "MIN_BLOCK_BYTES", 1)

    report = check_file.check([make_file(*map(line, range(40)))], LIMITS)

    assert [finding.line for finding in report.findings if finding.code == "secret"] == [8, 31]


def test_blocks_are_counted_beside_the_check_and_stay_in_order(monkeypatch):
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1_000)
    counting = set()

    def count(line_reports):
        counting.add(threading.current_thread())
        count_tokens(line_reports)

    monkeypatch.setattr(counted_blocks, "count_tokens", count)
    blocks = list(lines.iter_blocks([make_lines()], 1_000, LIMITS.max_line_bytes))

    checked = list(counted_blocks.check_blocks(blocks, LIMITS))

    assert [block for block, _ in checked] == blocks
    assert all(not report.texts for _, reports in checked for report in reports)
    assert threading.current_thread() not in counting
    assert not any(thread.is_alive() for thread in counting)


def test_a_check_that_is_interrupted_leaves_no_thread_behind(monkeypatch):
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1_000)

    class LostLease(Exception):
        pass

    def progress(_lines: int) -> None:
        raise LostLease

    before = threading.active_count()
    with pytest.raises(LostLease):
        check_file.check([make_lines(1_200)], LIMITS, progress=progress)

    assert threading.active_count() == before


def test_an_error_while_counting_ends_the_check(monkeypatch):
    def fail(_self, _texts):
        raise MemoryError

    monkeypatch.setattr(Vocabulary, "count_sums", fail)
    line = make_line(body=make_body(model="Qwen/Qwen3-14B"))

    with pytest.raises(MemoryError):
        check_file.check([make_file(line)], LIMITS)


def test_progress_is_told_after_each_block_of_a_thousand_lines_and_at_the_end(monkeypatch):
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1_000)
    numbers = list[int]()

    check_file.check([make_lines(2_500)], LIMITS, progress=numbers.append)

    first, second, last = numbers
    assert 1_000 <= first < 1_010
    assert 1_000 <= second - first < 1_010
    assert last == 2_502
