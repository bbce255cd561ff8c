"""Stream the lines of a result file."""

from codecs import BOM_UTF8
from collections.abc import Callable, Iterator

import httpx
import msgspec

from batchapp.providers import responses
from batchapp.providers.errors import TooMuchContent

START_BYTES = 512  # of the content, which show whether it is a web page
MAX_LINE_BYTES = 32 * 1024 * 1024  # three times the largest request that Doubleword accepts


class Content:
    """The content of an open file.

    Attributes:
        is_incomplete: True if more lines may follow later: the batch is unfinished, or the page
            is not the last. False if the provider does not tell.
        last_line: number of lines up to here, skipped lines included, by the provider's count;
            pass it as the next ``skip``. None if the provider does not tell; then the provider
            may have ignored ``skip`` and sent all lines: de-duplicate by ``id``.
    """

    def __init__(
        self, response: httpx.Response, action: str, on_progress: Callable[[int], None] | None
    ) -> None:
        self._response = response
        self._action = action
        self._on_progress = on_progress
        self.is_incomplete = response.headers.get("X-Incomplete", "").strip().lower() == "true"
        last_line = response.headers.get("X-Last-Line", "").strip()
        is_number = last_line.isascii() and last_line.isdigit() and len(last_line) < 16
        self.last_line = int(last_line) if is_number else None

    def lines(
        self, *, max_bytes: int | None = None, cut_long: bool = False, keep_torn: bool = False
    ) -> Iterator[bytes]:
        r"""Yield each line once, without its line end (``\n`` or ``\r\n``).

        Blank lines are not yielded, and the provider does not count them. A last line without a
        line end is yielded if it is complete JSON.

        Args:
            max_bytes: of the unpacked content, blank and cut lines included.
            cut_long: yield the first 32 MiB of a longer line, and skip the remaining bytes.
            keep_torn: yield the last line even if it is incomplete.

        Raises:
            TooMuchContent: there are more than ``max_bytes``. Earlier lines are good.
            ProviderUnavailable: the transfer broke, the content is a web page, or, unless the
                arguments allow it, a line is too long or incomplete. Earlier lines are good.
        """
        pending = bytearray()
        received = 0
        for chunk in _without_mark(self._chunks()):
            received += len(chunk)
            if max_bytes is not None and received > max_bytes:
                raise TooMuchContent(f"{self._action}: more than {max_bytes} bytes")
            if not pending and not chunk.strip(b" \t\r\n"):
                continue
            first, *pieces = chunk.split(b"\n")
            self._add(pending, first, cut_long=cut_long)
            for piece in pieces:
                if pending:
                    if line := bytes(pending).strip(b" \t\r"):
                        yield line
                    pending.clear()
                if piece:
                    self._add(pending, piece, cut_long=cut_long)
        if line := bytes(pending).strip(b" \t\r"):
            yield line if keep_torn else self._complete(line)

    def _add(self, pending: bytearray, piece: bytes, *, cut_long: bool) -> None:
        free = MAX_LINE_BYTES - len(pending)
        if len(piece) > free and not cut_long:
            raise responses.malformed(self._action, f"a line longer than {MAX_LINE_BYTES} bytes")
        pending += piece[:free]

    def _chunks(self) -> Iterator[bytes]:
        start = b""
        try:
            for chunk in responses.pieces(self._response):
                # The first chunk may be shorter than a tag.
                if len(start) < START_BYTES:
                    start = (start + chunk).lstrip()[:START_BYTES]
                    if start and responses.is_html(self._response, start):
                        raise responses.not_the_api(self._action, "an HTML page")
                if self._on_progress:
                    self._on_progress(self._response.num_bytes_downloaded)
                yield chunk
        except httpx.RequestError as exc:
            raise responses.no_answer(self._action, exc) from None

    def _complete(self, line: bytes) -> bytes:
        """Return the last line, which a closed connection may have cut short.

        Raises:
            ProviderUnavailable: the line is incomplete.
        """
        try:
            msgspec.json.decode(line, type=msgspec.Raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise responses.malformed(self._action, "content that ends within a line") from None
        return line


def _without_mark(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield ``chunks`` without the byte order mark with which some servers begin a file."""
    start = b""
    for chunk in chunks:
        start += chunk
        if len(start) >= len(BOM_UTF8) or not BOM_UTF8.startswith(start):
            yield start.removeprefix(BOM_UTF8)
            yield from chunks
            return
    yield start
