"""The lines of a result file, streamed."""

from collections.abc import Callable, Iterator

import httpx
import msgspec

from batchapp.providers import responses

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

    def lines(self, *, cut_long: bool = False, keep_torn: bool = False) -> Iterator[bytes]:
        r"""Yield each line once, without its line end (``\n`` or ``\r\n``).

        Blank lines are neither yielded nor counted by the provider. A last line without a
        line end is yielded if it is JSON as it stands.

        Args:
            cut_long: yield the first 64 MiB of a longer line, and pass over the rest of it.
            keep_torn: yield what the content ends with, also if that is half a line.

        Raises:
            UpstreamUnavailable: the transfer broke off, the content is a web page, or, unless
                the arguments say otherwise, it has a longer line or ends within one. The lines
                yielded before are good.
        """
        pending = bytearray()
        for chunk in self._chunks():
            first, *others = chunk.split(b"\n")
            self._add(pending, first, cut_long=cut_long)
            for piece in others:
                if line := bytes(pending).strip(b" \t\r"):
                    yield line
                pending.clear()
                self._add(pending, piece, cut_long=cut_long)
        if line := bytes(pending).strip(b" \t\r"):
            yield line if keep_torn else self._whole(line)

    def _add(self, pending: bytearray, piece: bytes, *, cut_long: bool) -> None:
        room = MAX_LINE_BYTES - len(pending)
        if len(piece) > room and not cut_long:
            raise responses.garbled(self._doing, f"a line longer than {MAX_LINE_BYTES} bytes")
        pending += piece[:room]

    def _chunks(self) -> Iterator[bytes]:
        is_start = True
        try:
            for chunk in self._response.iter_bytes():
                if is_start and responses.is_html(self._response, chunk):
                    raise responses.not_the_api(self._doing, "an HTML page")
                is_start = is_start and not chunk.strip()
                if self._on_progress:
                    self._on_progress(self._response.num_bytes_downloaded)
                yield chunk
        except httpx.RequestError as exc:
            raise responses.no_answer(self._doing, exc) from None

    def _whole(self, line: bytes) -> bytes:
        """The last line, unless a connection that ends by closing cut it short."""
        try:
            msgspec.json.decode(line, type=msgspec.Raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise responses.garbled(self._doing, "content that ends within a line") from None
        return line
