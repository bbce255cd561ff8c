"""A check with a second process gives the same report, whatever happens to that process."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchapp.domain.request_files import check_file
from batchapp.domain.request_files.check_lines import check_block
from batchapp.domain.request_files.fast import second_process
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.reading import lines
from tests.domain.request_lines import LIMITS, make_body, make_file, make_line

LINES = st.sampled_from(
    [
        make_line(),
        make_line(custom_id="b"),
        make_line(custom_id="c", body=make_body(model="Qwen/Qwen3-14B", max_tokens=...)),
        make_line(custom_id="d", url="/v1/embeddings", body={"model": "e", "input": "?"}),
        make_line(custom_id="\ud800"),
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


@pytest.fixture(autouse=True)
def is_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a second process possible with one processor, and beside the threads of the tests."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    usual = threading.active_count()
    real = threading.active_count
    monkeypatch.setattr(threading, "active_count", lambda: 1 + real() - usual)


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def make_lines(number: int = 400) -> bytes:
    """Make some blocks of lines, a few of them with findings."""
    good = [make_line(custom_id=f"r-{n % 390}", body=make_body(seed=n)) for n in range(number)]
    return make_file(*good[:50], b"nonsense", *good[50:], good[3])


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1_000)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(LINES, max_size=60),
    st.sampled_from([b"", b"\n"]),
    st.integers(20, 5_000),
    st.integers(100, 2_000),
    st.sampled_from([LIMITS, SMALL]),
)
def test_whatever_the_chunks_the_report_is_that_of_one_process(rows, ending, chunk, block, limits):
    data = b"\n".join(rows) + ending
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", block)
        patch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})

        alone = check_file.check([data], limits)
        shared = check_file.check(cut(data, chunk), limits, with_second_process=True)

    assert shared == alone


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


@pytest.mark.usefixtures("small_blocks")
def test_the_second_process_does_a_share_of_the_work(monkeypatch):
    checked_here = []

    def check(block, limits):
        checked_here.append(block)
        return check_block(block, limits)

    monkeypatch.setattr(second_process, "check_block", check)  # the fork has a list of its own

    report = check_file.check([make_lines()], LIMITS, with_second_process=True)

    assert report.requests == 402
    blocks = list(lines.iter_blocks([make_lines()], 1_000, LIMITS.max_line_bytes))
    assert len(checked_here) < len(blocks) - 1


def record_processes(monkeypatch):
    """Return a list that receives each second process that is started."""
    processes = []

    class Recorded(second_process.SecondProcess):
        def __enter__(self):
            processes.append(self)
            return super().__enter__()

    monkeypatch.setattr(second_process, "SecondProcess", Recorded)
    return processes


@pytest.mark.usefixtures("small_blocks")
def test_a_second_process_that_is_killed_leaves_no_gap(monkeypatch):
    alone = check_file.check([make_lines()], LIMITS)
    processes = record_processes(monkeypatch)

    def chunks():
        for number, chunk in enumerate(cut(make_lines(), 5_000)):
            if number == 4:
                os.kill(processes[0]._pid, signal.SIGKILL)
            yield chunk

    assert check_file.check(chunks(), LIMITS, with_second_process=True) == alone
    assert processes


@pytest.mark.usefixtures("small_blocks")
def test_blocks_and_reports_that_do_not_fit_a_slot_are_checked_here(monkeypatch):
    alone = check_file.check([make_lines()], LIMITS)
    monkeypatch.setattr(second_process, "SLOT_BYTES", 1_100)  # less than some reports

    assert check_file.check([make_lines()], LIMITS, with_second_process=True) == alone


@pytest.mark.usefixtures("small_blocks")
def test_a_check_that_is_interrupted_leaves_no_process_behind(monkeypatch):
    processes = record_processes(monkeypatch)

    class LostLease(Exception):
        pass

    def progress(_lines: int) -> None:
        raise LostLease

    data = make_lines(1_200)
    for _ in range(3):
        with pytest.raises(LostLease):
            check_file.check([data], LIMITS, progress=progress, with_second_process=True)

    assert len(processes) == 3
    for process in processes:
        with pytest.raises(ChildProcessError):
            os.waitpid(process._pid, os.WNOHANG)


def test_progress_is_the_same_with_a_second_process():
    data, numbers = make_lines(2_500), list[int]()

    check_file.check([data], LIMITS, progress=numbers.append, with_second_process=True)

    assert numbers == [1_000, 2_000, 2_502]


def test_beside_threads_no_process_is_forked():
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert not second_process.is_possible()
    finally:
        done.set()
        thread.join()
    assert second_process.is_possible()
