"""The lines of a result file, streamed."""

from collections.abc import Callable, Iterator

import httpx
import msgspec

from batchapp.upstream import answers

MAX_LINE_BYTES = 64 * 1024 * 1024
"""Six times what Doubleword takes as one request; more in one line is no JSON Lines file."""


class Content:
    """A file's content while it is open.

    Attributes:
        is_incomplete: whether more lines may follow later: the batch was unfinished, or the
            page was not the last. False where the provider does not say.
        last_line: number of lines the provider has counted up to here, the skipped ones
            included; pass it as the next ``skip``. None where the provider does not say, and
            then it may also have ignored ``skip`` and begun anew: de-duplicate by ``id``.
    """

    def __init__(
        self,
        response: httpx.Response,
        doing: str,
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        self._response = response
        self._doing = doing
        self._on_progress = on_progress
        self.is_incomplete = response.headers.get("X-Incomplete", "").strip().lower() == "true"
        last_line = response.headers.get("X-Last-Line", "").strip()
        is_number = last_line.isascii() and last_line.isdigit() and len(last_line) < 16
        self.last_line = int(last_line) if is_number else None

    def lines(self) -> Iterator[bytes]:
        r"""Yield each line once, without its line end (``\n`` or ``\r\n``).

        Blank lines are neither yielded nor counted by the provider. A last line without a
        line end is yielded if it is JSON as it stands.

        Raises:
            UpstreamUnavailable: the transfer broke off, the content is a web page, or a line
                is longer than 64 MiB. The lines yielded before are good; a half one never
                appears.
        """
        pending = bytearray()
        for chunk in self._chunks():
            first, *others = chunk.split(b"\n")
            pending += first
            if len(pending) > MAX_LINE_BYTES:
                raise answers.garbled(self._doing, f"a line longer than {MAX_LINE_BYTES} bytes")
            for piece in others:
                if line := bytes(pending).strip(b" \t\r"):
                    yield line
                pending = bytearray(piece)
        if line := bytes(pending).strip(b" \t\r"):
            yield self._whole(line)

    def _chunks(self) -> Iterator[bytes]:
        is_start = True
        try:
            for chunk in self._response.iter_bytes():
                if is_start and answers.is_html(self._response, chunk):
                    raise answers.not_the_api(self._doing, "an HTML page")
                is_start = is_start and not chunk.strip()
                if self._on_progress:
                    self._on_progress(self._response.num_bytes_downloaded)
                yield chunk
        except httpx.RequestError as exc:
            raise answers.no_answer(self._doing, exc) from None

    def _whole(self, line: bytes) -> bytes:
        """The last line, unless a connection that ends by closing cut it short."""
        try:
            msgspec.json.decode(line, type=msgspec.Raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise answers.garbled(self._doing, "content that ends within a line") from None
        return line
