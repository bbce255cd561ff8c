"""Send the content of a file: whole, from a line on, or a range of bytes."""

import re
from collections.abc import Iterator
from http import HTTPStatus

from django.http import HttpRequest, StreamingHttpResponse

from batchapp.api.errors import ApiError
from batchapp.domain.results.plain_error_lines import plain_error_lines
from batchapp.storage.pieces import Piece, byte_range, read, total_bytes

JSONL = "application/x-ndjson"
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z", re.ASCII)


def content_response(
    request: HttpRequest,
    pieces: list[Piece],
    *,
    is_incomplete: bool = False,
    last_line: int | None = None,
) -> StreamingHttpResponse:
    """Stream ``pieces``, of which the sender may ask one range of bytes.

    The length is sent before, so that a client notices when the content breaks off.

    Raises:
        ApiError: the range begins behind the end.
    """
    size = total_bytes(pieces)
    wanted = _range_of(request.headers.get("Range", ""), size)
    if wanted:
        pieces = byte_range(pieces, *wanted)
    response = _stream(read(pieces), is_incomplete=is_incomplete, last_line=last_line)
    response["Content-Length"] = str(total_bytes(pieces))
    response["Accept-Ranges"] = "bytes"
    if wanted:
        response.status_code = HTTPStatus.PARTIAL_CONTENT
        response["Content-Range"] = f"bytes {wanted[0]}-{wanted[1] - 1}/{size}"
    return response


def errors_response(
    pieces: list[Piece], *, is_incomplete: bool, last_line: int
) -> StreamingHttpResponse:
    """Stream lines of errors in OpenAI's form.

    Their length is not known before, so that no range of bytes can be asked for. A client notices
    that the content breaks off, since it comes in chunks.
    """
    lines = plain_error_lines(read(pieces))
    return _stream(lines, is_incomplete=is_incomplete, last_line=last_line)


def _stream(
    content: Iterator[bytes], *, is_incomplete: bool, last_line: int | None
) -> StreamingHttpResponse:
    response = StreamingHttpResponse(content, content_type=JSONL)
    response["Cache-Control"] = "private, no-store"
    response["X-Incomplete"] = "true" if is_incomplete else "false"
    if last_line is not None:
        response["X-Last-Line"] = str(last_line)
    return response


def _range_of(header: str, size: int) -> tuple[int, int] | None:
    """Return the bytes from the first up to before the second; None for the whole content.

    A header of another form, or with several ranges, is left aside, as the standard allows.
    Source: https://www.rfc-editor.org/rfc/rfc9110#section-14.2
    """
    match = RANGE.match(header)
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        first, end = max(size - int(match[2]), 0), size
    else:
        first, end = int(match[1]), min(int(match[2]) + 1 if match[2] else size, size)
        if match[2] and int(match[2]) < first:
            return None
    if first >= size or first >= end:
        raise ApiError(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            "range_not_satisfiable",
            f"The content has {size:,} bytes, and the range begins behind them.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return first, end
