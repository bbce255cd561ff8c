"""A file is split into as few spans as its order allows."""

from collections import Counter
from itertools import chain

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchapp.domain.request_files.check_file import Limits, read_requests
from batchapp.domain.request_files.limits import MAX_PROVIDER_BATCHES
from batchapp.domain.request_files.splitting import Span, split_by_model, split_file
from tests.domain.request_lines import check_bytes, make_body, make_file, make_line

LINES = st.lists(st.integers(0, 40), min_size=1, max_size=30)


def row(number: int, length: int = 0) -> bytes:
    body = make_body(messages=[{"role": "user", "content": f"{number} " + "x" * length}])
    return make_line(custom_id=f"row-{number}", body=body)


def make_spans(data: bytes, limits: Limits, chunk: int = 100) -> list[Span]:
    chunks = (data[at : at + chunk] for at in range(0, len(data), chunk))
    return list(split_file(chunks, limits))


@given(LINES, st.integers(1, 5), st.integers(300, 900), st.sampled_from([b"\n", b"\n\n \r\n"]))
@example([40], 1, 300, b"")
def test_every_request_is_in_exactly_one_span_and_no_span_exceeds_the_limits(
    lengths: list[int], max_requests: int, max_bytes: int, ending: bytes
) -> None:
    data = b"\n".join(row(number, length) for number, length in enumerate(lengths)) + ending
    limits = Limits(max_bytes=max_bytes, max_requests=max_requests)

    spans = make_spans(data, limits)

    files = [data[span.start : span.start + span.size] for span in spans]
    end = spans[-1].start + spans[-1].size
    assert b"".join(files) == data[:end]
    assert not data[end:].strip()
    assert all(0 < span.requests <= max_requests for span in spans)
    assert [len(file) for file in files] == [span.size for span in spans]
    assert all(span.size <= max_bytes for span in spans)
    ids = [[request.custom_id for request in read_requests([file])] for file in files]
    assert [len(file_ids) for file_ids in ids] == [span.requests for span in spans]
    assert list(chain(*ids)) == [request.custom_id for request in read_requests([data])]


@given(LINES, st.integers(1, 5), st.integers(300, 900), st.integers(1, 500))
def test_the_check_reports_as_many_provider_batches_as_there_are_spans(
    lengths: list[int], max_requests: int, max_bytes: int, chunk: int
) -> None:
    data = make_file(*(row(number, length) for number, length in enumerate(lengths)))
    limits = Limits(max_bytes=max_bytes, max_requests=max_requests)

    spans = make_spans(data, limits, chunk)

    assert spans == make_spans(data, limits, 7)
    assert check_bytes(data, limits).provider_batches == len(spans)


def test_blank_lines_around_a_span_are_left_out() -> None:
    first, second = row(1), row(2)
    data = b"\n\n" + first + b"\n\n\n" + second + b"\n\n"

    spans = make_spans(data, Limits(max_bytes=10_000, max_requests=1))

    assert spans == [Span(2, len(first) + 1, 1), Span(2 + len(first) + 3, len(second) + 1, 1)]


def test_a_file_within_the_limits_is_sent_as_it_is() -> None:
    data = make_file(row(1), row(2))[:-1]

    assert check_bytes(data, Limits(max_bytes=len(data), max_requests=2)).provider_batches == 1


def test_a_larger_file_is_no_error_and_the_report_has_its_number_of_provider_batches() -> None:
    data = make_file(row(1), row(2), row(3))

    report = check_bytes(data, Limits(max_bytes=10_000, max_requests=2, provider="Doubleword"))

    assert report.is_valid
    assert report.finding_totals == {"several_provider_batches": 1}
    assert report.findings[0].message == (
        "It is sent as 2 provider batches, since Doubleword takes 2 requests a file. "
        "They stay one batch here."
    )
    limits = Limits(max_bytes=len(data) - 1)
    assert f"takes {len(data) - 1:,} bytes a file" in check_bytes(data, limits).findings[0].message


def test_too_many_provider_batches_or_a_line_larger_than_a_file_are_errors() -> None:
    data = make_file(*(row(number) for number in range(MAX_PROVIDER_BATCHES + 1)))

    assert check_bytes(data, Limits(max_bytes=10**6, max_requests=1)).finding_totals == {
        "too_many_provider_batches": 1
    }
    small = Limits(max_bytes=50, max_requests=1)
    assert "too_many_bytes" in check_bytes(make_file(row(1)), small).finding_totals


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 40)), min_size=1),
    st.integers(1, 5),
    st.integers(41, 120),
)
def test_each_request_is_in_one_span_of_its_model_and_no_span_exceeds_the_limits(
    lines: list[tuple[str, int]], most: int, max_bytes: int
) -> None:
    starts = [sum(length + 1 for _, length in lines[:number]) for number in range(len(lines))]
    requests = [(model, start, size) for (model, size), start in zip(lines, starts, strict=True)]

    spans = list(split_by_model(requests, Limits(max_requests=most, max_bytes=max_bytes)))

    for model, start, size in requests:
        owners = [
            span
            for span in spans
            if span.model == model and span.start <= start < span.start + span.size
        ]
        assert len(owners) == 1
        assert start + size <= owners[0].start + owners[0].size
    for span in spans:
        own = [
            size
            for model, start, size in requests
            if model == span.model and span.start <= start < span.start + span.size
        ]
        assert len(own) == span.requests <= most
        assert sum(size + 1 for size in own) <= max_bytes


@pytest.mark.parametrize(
    "limits",
    [
        Limits(max_bytes=10_000, max_requests=3),
        Limits(max_bytes=10_000, max_requests=1),
        Limits(max_bytes=500),
        Limits(max_bytes=10_000_000),
    ],
)
def test_the_report_has_the_provider_batches_of_each_model_as_they_are_split_later(
    limits: Limits,
) -> None:
    models = ["m-1", "m-2", "m-1", "m-1", "m-3", "m-1", "m-2"]
    data = make_file(
        *(
            make_line(custom_id=f"row-{number}", body=make_body(model=model))
            for number, model in enumerate(models)
        )
    )

    report = check_bytes(data, limits)

    lines = ((line.model, line.offset, line.length) for line in read_requests([data]))
    spans = Counter(span.model for span in split_by_model(lines, limits))
    assert {model: facts.provider_batches for model, facts in report.models.items()} == spans
