import gzip
import tracemalloc
import zlib

import pytest

from batchapp.domain.request_files.check_file import Limits, check, read_requests
from tests.domain.request_lines import LIMITS, check_bytes, make_body, make_file, make_line

FILE = make_file(
    *(make_line(custom_id=f"{number}", body=make_body(seed=number)) for number in range(200))
)
PACKED = gzip.compress(FILE, mtime=0)


@pytest.mark.parametrize("size", [1, 7, 1000, len(PACKED)])
def test_an_archive_is_unpacked_whatever_the_size_of_its_chunks(size):
    chunks = [PACKED[at : at + size] for at in range(0, len(PACKED), size)]

    report = check(chunks, LIMITS)

    assert report.findings == []
    assert (report.requests, report.bytes, report.is_gzip) == (200, len(FILE), True)
    assert len(list(read_requests(chunks))) == 200


def test_several_members_and_padding_are_one_file_as_for_gzip_itself():
    half = FILE.index(b"\n", 5_000) - 40
    packed = gzip.compress(FILE[:half]) + gzip.compress(FILE[half:]) + b"\0" * 512

    report = check_bytes(packed)

    assert report.findings == []
    assert report.bytes == len(FILE)


def test_findings_within_an_archive_have_their_lines():
    packed = gzip.compress(make_file(make_line(), b"{", make_line(custom_id="b", method="PUT")))

    report = check_bytes(packed)

    assert [(finding.line, finding.code) for finding in report.findings] == [
        (2, "invalid_json"),
        (3, "method_not_post"),
    ]


@pytest.mark.parametrize("size", [2, 10, 100, len(PACKED) // 2, len(PACKED) - 1])
def test_an_archive_that_ends_too_early_is_one_error_and_its_last_line_is_not_checked(size):
    report = check_bytes(PACKED[:size])

    assert report.finding_totals == {"gzip_truncated": 1}
    assert not report.is_valid
    assert report.findings[0].line == 0


@pytest.mark.parametrize(
    "packed",
    [
        PACKED[:200] + bytes(50) + PACKED[250:],
        PACKED[:-8] + bytes(8),
        PACKED + b"something else",
        b"\x1f\x8b" + b"not a header",
    ],
)
def test_a_damaged_archive_is_an_error(packed):
    assert check_bytes(packed).finding_totals.get("gzip_damaged") == 1


def test_an_archive_may_not_unpack_to_more_than_the_connection_accepts():
    enough = Limits(max_bytes=10**6, max_upload_bytes=len(FILE))
    too_little = Limits(max_bytes=10**6, max_upload_bytes=len(FILE) - 1)

    assert check_bytes(PACKED, enough).findings == []
    assert check_bytes(PACKED, too_little).finding_totals == {"gzip_too_large": 1}


def test_a_bomb_is_refused_early_and_never_kept_in_memory():
    compressor = zlib.compressobj(9, wbits=31)
    bomb = compressor.compress(make_line() + b"\n")
    bomb += b"".join(compressor.compress(b" " * 1024 * 1024) for _ in range(64))
    bomb += compressor.flush()

    tracemalloc.start()
    report = check([bomb], Limits(max_bytes=10**12))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert report.finding_totals == {"gzip_bomb": 1}
    assert report.bytes < len(bomb) * 1100
    assert peak < 32 * 1024 * 1024
    assert check([bomb], Limits(max_bytes=10**12, max_gzip_ratio=2000)).is_valid


def test_requests_of_a_broken_archive_are_a_value_error():
    with pytest.raises(ValueError, match="ends too early"):
        list(read_requests([PACKED[:-4]]))
