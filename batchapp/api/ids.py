"""The ids of objects in the API: made of the keys of rows, and read back strictly.

An id names its kind, because OpenAI's clients tell files from batches by it. The results of a
batch are files as well, which have no row of their own: their ids are made of the batch's.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from batchapp.models import ResultChunk

FILE_ID = re.compile(r"file-(?:(output|error)-)?([0-9a-f]{32})\Z")
BATCH_ID = re.compile(r"batch_([0-9a-f]{32})\Z")
LONGEST_ID = 64  # characters; ids are shorter


@dataclass(frozen=True, slots=True)
class FileId:
    """``pk`` is the key of an upload, or of a batch if ``kind`` is one of its result files."""

    pk: UUID
    kind: ResultChunk.Kind | None = None

    def __str__(self) -> str:
        return f"file-{self.kind.value}-{self.pk.hex}" if self.kind else f"file-{self.pk.hex}"


def upload_id(pk: UUID) -> str:
    """Return the id of a file that was uploaded, or that the portal wrote, to be run."""
    return f"file-{pk.hex}"


def result_file_id(batch: UUID, kind: ResultChunk.Kind) -> str:
    """Return the id of the file with the answers or with the errors of ``batch``."""
    return str(FileId(batch, kind))


def batch_id(pk: UUID) -> str:
    return f"batch_{pk.hex}"


def parse_file_id(text: str) -> FileId | None:
    """Return what ``text`` names; None if it has not exactly the form of a file's id."""
    match = FILE_ID.match(text)
    if match is None:
        return None
    kind = ResultChunk.Kind(match[1]) if match[1] else None
    return FileId(UUID(hex=match[2]), kind)


def parse_batch_id(text: str) -> UUID | None:
    """Return the key of a batch; None if ``text`` has not exactly the form of a batch's id."""
    match = BATCH_ID.match(text)
    return UUID(hex=match[1]) if match else None
