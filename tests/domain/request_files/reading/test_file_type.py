import gzip
import io
import json
import zipfile

import pytest

from tests.domain.request_lines import check_bytes, codes, make_file, make_line, make_request


def workbook() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    return file.getvalue()


def zip_archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("requests.jsonl", make_line())
    return file.getvalue()


MANY = [make_request(custom_id=f"{number}") for number in range(50)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (json.dumps(MANY).encode(), "json_array"),
        (json.dumps(MANY, indent=2).encode(), "json_array"),
        (b"\xef\xbb\xbf[\r\n" + make_file(*[make_line() + b","] * 9) + b"]", "json_array"),
        (b"\n".join(json.dumps(row, indent=2).encode() for row in MANY), "pretty_printed_json"),
        (json.dumps(MANY[0], indent=4).replace("\n", "\r\n").encode(), "pretty_printed_json"),
        (b'{"custom_id": "a",\n "method": "POST"}', "pretty_printed_json"),
        (b'{"requests": [\n{"custom_id": "a"}\n]}', "requests_object"),
        (json.dumps({"requests": MANY}).encode(), "requests_object"),
        (
            json.dumps({"model": "m", "n": 1, "requests": MANY}, indent=1).encode(),
            "requests_object",
        ),
        (b"custom_id,prompt\n1,hello\n2,bye\n" * 99, "csv"),
        (b"\xef\xbb\xbfid;text\r\n1;x\r\n", "csv"),
        (b"id\tprompt\n1\thello", "csv"),
        (b"Hello\nWorld\n" * 99, "plain_text"),
        (b"<!DOCTYPE html>\n<html>\n<title>Sign in</title>", "markup"),
        (gzip.compress(gzip.compress(make_line()), mtime=0), "compressed"),
        (zip_archive(), "compressed"),
        (workbook(), "spreadsheet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "spreadsheet"),
        (b"PAR1" + bytes(100), "binary"),
        (b"\x80\x04\x95abc\0\x01\x02\x03", "binary"),
        (make_file(make_line()).decode().encode("utf-16"), "utf16"),
        (make_file(make_line()).decode().encode("utf-16-le"), "utf16"),
        (make_file(make_line()).decode().encode("utf-16-be"), "utf16"),
        (make_file(make_line()).decode().encode("utf-32"), "utf16"),
    ],
)
def test_a_file_of_another_type_gets_one_helpful_finding(data, code):
    report = check_bytes(data)

    assert report.finding_totals == {code: 1}
    assert not report.is_valid
    assert report.bytes == len(data) or report.is_gzip
    assert report.requests == 0


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (make_file(b"oops, this is not JSON", make_line()), {"invalid_json": 1}),
        (make_file(b"[]", make_line()), {"not_an_object": 1}),
        (make_file(b"[1, 2]", make_line()), {"not_an_object": 1}),
        (make_file(make_line() + b",", make_line(custom_id="b")), {"trailing_comma": 1}),
        (make_file(make_line()[:-1], make_line(custom_id="b")), {"invalid_json": 1}),
        (make_file(make_line(), b"", b"{", b'"custom_id": "b"', b"}"), {"invalid_json": 3}),
        (b'"custom_id": "a", "method": "POST"}', {"invalid_json": 1}),
        (make_file(b"", b"  ", make_line()), {}),
        (make_file(b"# mine, all", b"# second", make_line()), {"comment_line": 2}),
        (make_file(b"Hello", b"World", b"", make_line()), {"invalid_json": 2}),
        (make_file(make_line().partition(b'{"role')[0], make_line()), {"invalid_json": 1}),
        (make_file(make_line().partition(b' "method')[0], make_line()), {"invalid_json": 1}),
    ],
)
def test_a_request_file_with_a_broken_line_is_checked_line_by_line(data, expected):
    totals = codes(data)

    assert {code: totals[code] for code in expected} == expected
    assert set(totals) <= {*expected, "invalid_json", "not_an_object"}


@pytest.mark.parametrize("data", [b"id,text\n1,x\n", workbook(), b"\xd0\xcf\x11\xe0" + bytes(600)])
def test_the_finding_on_a_table_names_the_page_that_creates_requests_from_it(data):
    (finding,) = check_bytes(data).findings

    assert "Upload it as a table, under “New batch”" in finding.message
