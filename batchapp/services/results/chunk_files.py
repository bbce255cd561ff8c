"""Read lines of several result files in any order."""

from collections import OrderedDict
from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from batchapp.models import ResultChunk
from batchapp.storage import blobs
from batchapp.storage.local_reader import LocalReader

MAX_OPEN_FILES = 32  # a reader alternates between the files of several batches


class ChunkFiles:
    """The result files of one reader, of which few are open at a time.

    Local files are read, since the lines may lie all over a file, and most are read in the end.
    """

    def __init__(self) -> None:
        self._chunks: dict[int, ResultChunk] = {}
        self._open: OrderedDict[int, _LocalFile] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None
    ) -> None:
        for file in self._open.values():
            file.close()

    def load(self, pks: Iterable[int]) -> None:
        """Load the rows of these chunks with one query, before their lines are read."""
        if missing := set(pks) - self._chunks.keys():
            self._chunks |= ResultChunk.objects.in_bulk(missing)

    def line(self, chunk: int, start: int, length: int) -> bytes:
        """Return the line at byte ``start`` of the loaded chunk with primary key ``chunk``."""
        file = self._open.pop(chunk, None)
        if file is None:
            file = _LocalFile(self._chunks[chunk])
        self._open[chunk] = file
        if len(self._open) > MAX_OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        return file.read(start, length)


class _LocalFile:
    """An open local file with the bytes of a chunk."""

    def __init__(self, result_chunk: ResultChunk) -> None:
        with ExitStack() as stack:
            path = stack.enter_context(blobs.local_path(result_chunk.blob))
            self.read = LocalReader(stack.enter_context(path.open("rb"))).read
            self._stack = stack.pop_all()

    def close(self) -> None:
        self._stack.close()
