"""A file as a form received it, told by its content to be a table or requests."""

import zlib
from dataclasses import dataclass
from functools import cached_property

from django.core.files.base import File

from batchapp.domain.request_files.reading.table_kind import (
    HEAD_BYTES,
    TableKind,
    decode_head,
    find_table_kind,
    has_requests,
)

# The check decides on the content; the endings only refuse obviously wrong files early.
ENDINGS = (".jsonl", ".ndjson", ".json", ".txt", ".gz")
TABLE_ENDINGS = (".csv", ".tsv", ".tab", ".xlsx", ".xlsm")
JSON_ENDINGS = (".jsonl", ".ndjson", ".json")
# Files of other programs for tables; the reader of tables says how to save them.
OTHER_TABLE_ENDINGS = (".xls", ".ods", ".numbers")

GZIP_MAGIC, GZIP_WINDOW = b"\x1f\x8b", 31


@dataclass(frozen=True)
class ReceivedFile:
    name: str
    content: "File[bytes]"

    @property
    def size(self) -> int:
        return self.content.size or 0

    def ends_in(self, endings: tuple[str, ...]) -> bool:
        return self.name.lower().endswith(endings)

    @cached_property
    def head(self) -> bytes:
        """The first bytes, unpacked if they are a gzip archive."""
        self.content.seek(0)
        head: bytes = self.content.read(HEAD_BYTES)
        self.content.seek(0)
        if not head.startswith(GZIP_MAGIC):
            return head
        try:
            return zlib.decompressobj(GZIP_WINDOW).decompress(head, HEAD_BYTES)
        except zlib.error:
            return head

    @cached_property
    def has_requests(self) -> bool:
        """Return True if the content begins requests, in whatever form."""
        return has_requests(decode_head(self.head).lstrip())

    @cached_property
    def is_table(self) -> bool:
        """Return True for a table, which is known by its content, or else by its name.

        Text with separators under the name of a file of requests is a broken file of requests.
        """
        if kind := find_table_kind(self.head):
            return kind is not TableKind.TEXT or not self.ends_in(JSON_ENDINGS)
        is_named_so = self.ends_in(TABLE_ENDINGS + OTHER_TABLE_ENDINGS)
        return is_named_so and not self.has_requests
