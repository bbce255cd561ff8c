"""Find where the strings of a line are written in which the lines of a template may differ.

It exists for ``line_templates``, whose gain is named there.
"""

import re
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from batchapp.domain.request_files.reading.strict_json import VISIBLE_ID
from batchapp.domain.tokens.plain_texts import PlainText

TEXT = re.compile(rb'"(?:content|prompt|input)"\s*:\s*("[^"\\]*+(?:\\.[^"\\]*+)*+")')

ByteRange = tuple[int, int]  # start and end of some bytes of a line

_decode_text = msgspec.json.Decoder(str).decode


class Layout(NamedTuple):
    """The byte ranges of custom_id and texts, without their quotes, and of the body."""

    strings: list[ByteRange]
    body: ByteRange


def find_layout(data: bytes, written_body: bytes, places: Sequence[PlainText]) -> Layout | None:
    """Find where custom_id and texts are probably written in ``data``."""
    visible_id = VISIBLE_ID.search(data)
    start = data.find(written_body)
    end = start + len(written_body)
    if not visible_id or visible_id.end() > start:
        return None
    strings = [visible_id.span(1)]
    texts = deque(place.text for place in places)
    for written in TEXT.finditer(data, start, end):
        if texts and _decode_text(written[1]) == texts[0]:
            strings.append((written.start(1) + 1, written.end(1) - 1))
            texts.popleft()
    return None if texts else Layout(strings, (start, end))


def replace_strings(data: bytes, strings: Sequence[ByteRange], others: Sequence[str]) -> bytes:
    """Write ``others`` over the byte ranges ``strings`` of ``data``."""
    pieces, last = [], 0
    for (start, end), other in zip(strings, others, strict=True):
        pieces += [data[last:start], other.encode()]
        last = end
    return b"".join([*pieces, data[last:]])
