import json
from collections import Counter

import pytest

from batchapp.domain.corrections.structure import convert_to_utf8, put_one_per_line
from tests.domain.request_lines import codes, make_line, make_request

NAMES = [f"é文😀{number}" for number in range(40)]
TEXT = "".join(
    json.dumps(make_request(custom_id=name), ensure_ascii=False) + "\n" for name in NAMES
)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
@pytest.mark.parametrize("size", [1, 3, 4096])
def test_utf16_and_utf32_are_converted_with_and_without_a_mark(encoding, size):
    changed: Counter = Counter()
    text = TEXT.encode(encoding)

    assert b"".join(convert_to_utf8(cut(text, size), changed)) == TEXT.encode()
    assert sum(changed.values()) == 1


def test_another_file_stays_as_it_is():
    changed: Counter = Counter()

    assert (
        b"".join(convert_to_utf8([TEXT.encode(), b"\xff\0"], changed)) == TEXT.encode() + b"\xff\0"
    )
    assert b"".join(convert_to_utf8([], changed)) == b""
    assert not changed


def test_bytes_that_are_no_text_are_found_by_the_next_check():
    data = TEXT.encode("utf-16-le").replace("文".encode("utf-16-le"), b"\x00\xd8")

    new = b"".join(convert_to_utf8([data[:-1]], Counter()))

    assert codes(new)["invalid_json"] == 40


@pytest.mark.parametrize("ending", [b"\r", b"\r\r", b" \r "])
@pytest.mark.parametrize("size", [1, 2, 7, 10**6])
def test_a_carriage_return_between_requests_ends_the_line(ending, size):
    rows = [make_line(custom_id=str(number)) for number in range(5)]
    changed: Counter = Counter()

    new = b"".join(put_one_per_line(cut(ending.join(rows) + b"\r", size), 10**6, changed))

    assert [json.loads(line) for line in new.split(b"\n")] == [json.loads(row) for row in rows]
    assert sum(changed.values()) == 4


def test_a_carriage_return_within_a_request_or_before_a_line_end_stays():
    data = make_line().replace(b", ", b",\r") + b"\r\n" + make_line(custom_id="b")

    assert b"".join(put_one_per_line(cut(data, 5), 10**6, Counter())) == data
