"""Lines that are added together give the report of the same lines, added one by one."""

from collections.abc import Iterator
from random import Random

import pytest

from batchapp.domain.request_files.check_file import check
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.splitting import ModelSplitter, Splitter
from tests.domain.request_lines import make_body, make_file, make_line

QWEN = "Qwen/Qwen3-14B-FP8"
LIMITS = (
    Limits(max_bytes=10**6),
    Limits(max_bytes=10**6, max_requests=7),
    Limits(max_bytes=2_000),
    Limits(max_bytes=2_000, max_requests=12),
)


def make_rows(chance: Random) -> Iterator[bytes]:
    """Make lines of a few programs, most of them alike, with duplicates and other findings."""
    for number in range(60):
        model = chance.choice([QWEN] * 9 + ["unknown", "openai/gpt-oss-20b"])
        system = "Be brief." if chance.random() < 0.7 else f"Be brief in case {number}."
        text = f"Question {number}" if chance.random() < 0.95 else "Question"
        messages = [
            {"role": "system", "content": system},
            {"role": "user", "content": text},
        ]
        custom_id = f"r-{number}" if chance.random() < 0.95 else "r-1"
        limit = chance.choice([*[200] * 20, ..., 5])
        body = make_body(model=model, max_tokens=limit, messages=messages)
        line = make_line(custom_id=custom_id, body=body)
        yield line
        if chance.random() < 0.1:
            yield chance.choice([line, b"", b"\xef\xbb\xbf" + line, b"nonsense", line[:-40]])
        if chance.random() < 0.03:
            yield line.replace(b'"custom_id": "r', b'"custom_id": "s')


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("seed", range(12))
def test_lines_of_one_block_have_the_report_of_lines_in_blocks_of_their_own(seed, limits):
    data = make_file(*make_rows(Random(seed)))

    together = check([data], limits)

    assert together == check(data.splitlines(keepends=True), limits)
    assert together.requests > 50


def test_a_request_among_others_alike_is_found_to_repeat_an_earlier_line():
    def line(custom_id: str, text: str) -> bytes:
        messages = [{"role": "user", "content": text}]
        return make_line(custom_id=custom_id, body=make_body(model=QWEN, messages=messages))

    rows = [line(f"r-{number}", f"Question {number}") for number in range(9)]
    rows[6], rows[7] = line("r-4", "Another question"), line("r-7", "Question 5")

    report = check([make_file(*rows)], LIMITS[0])

    found = {finding.code: (finding.line, finding.other_line) for finding in report.findings}
    assert found == {"duplicate_custom_id": (7, 5), "identical_body": (8, 6)}
    assert report.models[QWEN].requests == 8
    assert report.repeated[QWEN].requests == 1


@pytest.mark.parametrize("limits", LIMITS)
def test_lines_that_are_added_together_fill_the_spans_of_lines_added_one_by_one(limits):
    chance = Random(3)
    lengths = [[chance.randrange(9, 400) for _ in range(chance.randrange(1, 9))] for _ in "a" * 40]
    together, single = Splitter(limits, sent_first=3), Splitter(limits, sent_first=3)
    by_model, single_by_model = ModelSplitter(limits), ModelSplitter(limits)
    start = 0
    for group in lengths:
        together.add_all(start, group)
        by_model.add_all("m", start, group)
        for length in group:
            single.add(start, length)
            single_by_model.add("m", start, length)
            start += length + 1

        assert together.span_count == single.span_count
        assert together.current_span() == single.current_span()
        assert by_model.span_counts == single_by_model.span_counts
        assert [*by_model.current_spans()] == [*single_by_model.current_spans()]
