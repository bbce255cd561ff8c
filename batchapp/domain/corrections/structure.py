"""Corrections of a file as text: its encoding, and what ends its lines."""

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from batchapp.domain.corrections.correction_rules import CorrectionKind
from batchapp.domain.corrections.json_values import iter_values
from batchapp.domain.request_files.reading import file_type, lines

JSON_SPREAD_OUT = frozenset({"json_array", "pretty_printed_json", "requests_object"})
WHITE_SPACE = b" \t\r"
MAX_WHITE_SPACE = 4096  # between two requests; more of it ends the search for the second
CARRIAGE_RETURN = re.compile(rb"\}[ \t]*\r[ \t\r]*(?=\{)")


def convert_to_utf8(chunks: Iterable[bytes], changed: Counter[CorrectionKind]) -> Iterator[bytes]:
    """Decode UTF-16 or UTF-32; other files stay as they are.

    Bytes that are no text become an escape that JSON does not know, so that the next check finds
    their line.
    """
    head, stream = lines.peek(chunks, file_type.HEAD_BYTES)
    encoding = file_type.find_wide_encoding(head)
    if not encoding:
        yield from stream
        return
    changed[CorrectionKind.CONVERT_TO_UTF8] += 1
    decoder = codecs.getincrementaldecoder(encoding)("backslashreplace")
    for chunk in stream:
        yield decoder.decode(chunk).encode("utf-8", "backslashreplace")
    yield decoder.decode(b"", final=True).encode("utf-8", "backslashreplace")


def put_one_per_line(
    chunks: Iterable[bytes], max_length: int, changed: Counter[CorrectionKind]
) -> Iterator[bytes]:
    """Put each request on a line of its own, where brackets, commas or CR stand between them."""
    head, stream = lines.peek(chunks, file_type.HEAD_BYTES)
    wrong_type = file_type.find_wrong_type(head)
    if wrong_type and wrong_type.code in JSON_SPREAD_OUT:
        for piece in iter_values(stream, max_length):
            changed[CorrectionKind.ONE_PER_LINE] += piece.endswith(b"\n")
            yield piece
    else:
        yield from _split_at_carriage_returns(stream, changed)


def _split_at_carriage_returns(
    chunks: Iterable[bytes], changed: Counter[CorrectionKind]
) -> Iterator[bytes]:
    """End the line where a carriage return stands between two requests."""
    held = b""
    for chunk in chunks:
        data = held + chunk
        end = len(data.rstrip(WHITE_SPACE))
        is_open = data[end - 1 : end] == b"}" and len(data) - end < MAX_WHITE_SPACE
        held = data[end - 1 :] if is_open else b""
        data, count = CARRIAGE_RETURN.subn(b"}\n", data[: end - 1] if is_open else data)
        changed[CorrectionKind.ONE_PER_LINE] += count
        if data:
            yield data
    if held:
        yield held
