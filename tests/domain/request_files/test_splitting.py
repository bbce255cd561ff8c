"""One file, divided into as few of the provider's files as its order allows."""

from itertools import chain

from hypothesis import example, given
from hypothesis import strategies as st

from batchapp.domain.request_files.check_file import Limits, read_requests
from batchapp.domain.request_files.limits import MAX_PROVIDER_BATCHES
from batchapp.domain.request_files.splitting import Span, split_file
from tests.domain.request_lines import check_bytes, make_body, make_file, make_line

LINES = st.lists(st.integers(0, 40), min_size=1, max_size=30)


def line(number: int, length: int = 0) -> bytes:
    body = make_body(messages=[{"role": "user", "content": f"{number} " + "x" * length}])
    return make_line(custom_id=f"row-{number}", body=body)


def spans(data: bytes, limits: Limits, chunk: int = 100) -> list[Span]:
    chunks = (data[at : at + chunk] for at in range(0, len(data), chunk))
    return list(split_file(chunks, limits))


@given(LINES, st.integers(1, 5), st.integers(300, 900), st.sampled_from([b"\n", b"\n\n \r\n"]))
@example([40], 1, 300, b"")
def test_every_request_is_in_exactly_one_part_and_no_part_beyond_the_limits(
    lengths: list[int], most_requests: int, most_bytes: int, ending: bytes
) -> None:
    data = b"\n".join(line(number, length) for number, length in enumerate(lengths)) + ending
    limits = Limits(max_bytes=most_bytes, max_requests=most_requests)

    found = spans(data, limits)

    pieces = [data[span.start : span.start + span.size] for span in found]
    assert b"".join(pieces) == data[: found[-1].start + found[-1].size]
    assert not data[found[-1].start + found[-1].size :].strip()
    assert all(0 < span.requests <= most_requests for span in found)
    assert all(
        len(piece) == span.size <= most_bytes for piece, span in zip(pieces, found, strict=True)
    )
    ids = [[request.custom_id for request in read_requests([piece])] for piece in pieces]
    assert [len(each) for each in ids] == [span.requests for span in found]
    assert list(chain(*ids)) == [request.custom_id for request in read_requests([data])]


@given(LINES, st.integers(1, 5), st.integers(300, 900), st.integers(1, 500))
def test_the_check_tells_as_many_parts_as_are_made_however_the_file_is_cut(
    lengths: list[int], most_requests: int, most_bytes: int, chunk: int
) -> None:
    data = make_file(*(line(number, length) for number, length in enumerate(lengths)))
    limits = Limits(max_bytes=most_bytes, max_requests=most_requests)

    found = spans(data, limits, chunk)

    assert found == spans(data, limits, 7)
    assert check_bytes(data, limits).provider_batches == len(found)


def test_blank_lines_around_a_part_are_left_out() -> None:
    first, second = line(1), line(2)
    data = b"\n\n" + first + b"\n\n\n" + second + b"\n\n"

    found = spans(data, Limits(max_bytes=10_000, max_requests=1))

    assert found == [
        Span(2, len(first) + 1, 1),
        Span(2 + len(first) + 3, len(second) + 1, 1),
    ]


def test_a_file_within_the_limits_is_sent_as_it_is() -> None:
    data = make_file(line(1), line(2))[:-1]

    assert check_bytes(data, Limits(max_bytes=len(data), max_requests=2)).provider_batches == 1


def test_a_larger_file_is_no_error_and_the_report_says_in_how_many_parts_it_goes() -> None:
    data = make_file(line(1), line(2), line(3))

    report = check_bytes(data, Limits(max_bytes=10_000, max_requests=2, provider="Doubleword"))

    assert report.is_valid
    assert report.finding_totals == {"several_provider_batches": 1}
    assert report.findings[0].message == (
        "It is sent in 2 parts, since Doubleword takes 2 requests a file. "
        "They stay one batch here."
    )
    limits = Limits(max_bytes=len(data) - 1)
    assert f"takes {len(data) - 1:,} bytes a file" in check_bytes(data, limits).findings[0].message


def test_what_would_be_too_many_parts_or_no_file_at_all_is_an_error() -> None:
    data = make_file(*(line(number) for number in range(MAX_PROVIDER_BATCHES + 1)))

    assert check_bytes(data, Limits(max_bytes=10**6, max_requests=1)).finding_totals == {
        "too_many_provider_batches": 1
    }
    small = Limits(max_bytes=50, max_requests=1)
    assert "too_many_bytes" in check_bytes(make_file(line(1)), small).finding_totals
