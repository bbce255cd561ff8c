import httpx
import pytest

from batchapp.providers.errors import ProviderRejected, ProviderUnavailable, Reason

LINE = b'{"id":"batch_req_1","custom_id":"a"}'


def read(client, **options) -> list[bytes]:
    with client.open_content("out", **options) as content:
        return list(content.lines())


@pytest.mark.parametrize(
    "chunks",
    [
        [b'{"a":1}\n{"b":2}\n'],
        [b'{"a":1}\r\n{"b":2}\r\n'],
        [b'{"a":1}\n\n  \r\n{"b":2}\n\n'],
        [b'{"a"', b":1}", b'\n{"b":2', b"}", b"\n"],
        [b'{"a":1}\n{"b":2}'],
        [bytes([byte]) for byte in b'{"a":1}\r\n{"b":2}'],
        [b'\xef\xbb\xbf{"a":1}\n{"b":2}\n'],
        [b"\xef", b"\xbb\xbf", b'{"a":1}\n{"b":2}\n'],
    ],
    ids=[
        *("plain", "crlf", "blank lines", "in pieces", "no last newline", "byte by byte"),
        *("byte order mark", "byte order mark in pieces"),
    ],
)
def test_lines_are_complete_however_the_transfer_cuts_them(client_of, chunks):
    assert read(client_of(200, content=iter(chunks))) == [b'{"a":1}', b'{"b":2}']


def test_only_a_newline_ends_a_line(client_of):
    line = '{"a":"one\u2028two\x85\x0bthree\rfour"}'.encode()

    assert read(client_of(200, content=line + b"\n")) == [line]


def test_a_running_batch_with_nothing_done_is_empty_and_incomplete(client_of):
    client = client_of(200, headers={"X-Incomplete": "true", "X-Last-Line": "0"}, content=b"")

    with client.open_content("out") as content:
        assert (content.is_incomplete, content.last_line) == (True, 0)
        assert list(content.lines()) == []


@pytest.mark.parametrize(
    ("headers", "is_incomplete", "last_line"),
    [
        ({}, False, None),
        ({"X-Incomplete": "false", "X-Last-Line": "45"}, False, 45),
        ({"X-Incomplete": "TRUE", "X-Last-Line": "-1"}, True, None),
        ({"X-Last-Line": "9" * 20}, False, None),
    ],
)
def test_headers_tell_how_complete_the_content_is(client_of, headers, is_incomplete, last_line):
    with client_of(200, headers=headers, content=b"").open_content("out") as content:
        assert (content.is_incomplete, content.last_line) == (is_incomplete, last_line)


def test_reading_resumes_with_skip_and_never_with_offset(client_of):
    paths = []

    def handler(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path)
        return httpx.Response(200)

    read(client_of(handler))
    read(client_of(handler), skip=45)

    assert paths == [b"/v1/files/out/content", b"/v1/files/out/content?skip=45"]


def test_a_broken_transfer_gives_the_complete_lines_and_then_an_error(client_of):
    def broken():
        yield LINE + b"\n" + LINE
        raise httpx.ReadError("reset")

    lines = []
    with (
        client_of(200, content=broken()).open_content("out") as content,
        pytest.raises(ProviderUnavailable, match="reading the results"),
    ):
        lines.extend(content.lines())

    assert lines == [LINE]


def test_a_last_line_that_is_cut_is_never_a_line(client_of):
    with pytest.raises(ProviderUnavailable, match="within a line"):
        read(client_of(200, content=LINE + b"\n" + LINE[:-5]))


@pytest.mark.parametrize("size", [3, 7, 1000])
def test_a_line_that_is_too_long_may_be_cut_so_that_the_next_lines_are_read(
    client_of, monkeypatch, size
):
    monkeypatch.setattr("batchapp.providers.result_stream.MAX_LINE_BYTES", 10)
    body = b"1\n" + 25 * b"2" + b"\n" + 10 * b"3" + b"\n" + 11 * b"4"
    pieces = (body[start : start + size] for start in range(0, len(body), size))

    with client_of(200, content=pieces).open_content("file") as opened:
        lines = list(opened.lines(cut_long=True))

    assert lines == [b"1", 10 * b"2", 10 * b"3", 10 * b"4"]


def test_half_a_line_at_the_end_is_yielded_on_demand(client_of):
    with client_of(200, content=b'{"a": 1}\n{"b": ').open_content("file") as opened:
        assert list(opened.lines(keep_torn=True)) == [b'{"a": 1}', b'{"b":']


def test_a_line_without_end_is_abandoned(client_of, monkeypatch):
    monkeypatch.setattr("batchapp.providers.result_stream.MAX_LINE_BYTES", 1000)

    with pytest.raises(ProviderUnavailable, match="longer than 1000 bytes"):
        read(client_of(200, content=(b"x" * 400 for _ in range(1000))))


@pytest.mark.parametrize(
    "answer",
    [
        {"headers": {"Content-Type": "text/html"}, "content": b"<p>login"},
        {"content": iter([b"\n", b" <!DOCTYPE html><title>x"])},
        {"content": b"<h1>502 Bad Gateway</h1>\n"},
        {"content": (bytes([byte]) for byte in b"\n<center>nginx</center>\n")},
    ],
)
def test_a_web_page_is_no_content(client_of, answer):
    with pytest.raises(ProviderUnavailable, match="HTML page"):
        read(client_of(200, **answer))


def test_an_answer_that_holds_a_web_page_is_no_web_page(client_of):
    line = b'{"custom_id":"a","response":{"body":"<html><body>Mine</body></html>"}}'

    assert read(client_of(200, content=iter([line[:1], line[1:] + b"\n"]))) == [line]


def test_a_missing_file_is_refused_when_it_is_opened(client_of):
    with pytest.raises(ProviderRejected, match="File with ID x not found") as caught:
        read(client_of(404, text="File with ID x not found"))

    assert caught.value.reason is Reason.NOT_FOUND


def test_errors_of_the_caller_are_raised_unchanged(client_of):
    with pytest.raises(ZeroDivisionError), client_of(200, content=LINE).open_content("out"):
        1 / 0  # noqa: B018


def test_a_caller_may_stop_reading_early(client_of):
    chunks = []

    def many():
        for _ in range(1000):
            chunks.append(1)
            yield LINE + b"\n"

    with client_of(200, content=many()).open_content("out") as content:
        assert next(content.lines()) == LINE

    assert len(chunks) < 10
