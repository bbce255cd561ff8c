"""Answers held against the schemas that their requests ask for."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from uuid import UUID

from django.core.files.base import File

from batchapp.domain.results import answer_schemas
from batchapp.domain.results.outcome import Outcome, answer_text
from batchapp.models import Result, Upload


class SchemaChecker:
    """Judges the answers to one upload, whose requests are read only if one asks for a schema."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload

    def judge(self, answered: Iterable[tuple[Result, bytes]]) -> None:
        """Note on each of the unsaved rows whose line holds an answer if that is not as asked."""
        good = [(result, line) for result, line in answered if result.outcome == Outcome.OK]
        if not good or not _has_schemas(self._upload.pk):
            return
        good.sort(key=lambda each: each[0].request_at)
        with self._upload.blob.open("rb") as blob:
            for result, line in good:
                if asked := answer_schemas.asked(_request(blob, result)):
                    _judge(result, line, asked)


def _judge(result: Result, line: bytes, asked: answer_schemas.Asked) -> None:
    if finding := answer_schemas.schema_error(asked, answer_text(line)):
        result.outcome = Outcome.INVALID_SCHEMA
        result.error_message = finding.replace("\0", "�")


def _request(blob: "File[bytes]", result: Result) -> bytes:
    blob.seek(result.request_at)
    request: bytes = blob.read(result.request_bytes)
    return request


@lru_cache(maxsize=1000)
def _has_schemas(upload: UUID) -> bool:
    """Whether any request asks for one. The bytes of an upload never change."""
    seam = len(answer_schemas.MARKER) - 1
    end = b""
    for chunk in _chunks(upload):
        if answer_schemas.MARKER in end + chunk:
            return True
        end = chunk[-seam:]
    return False


def _chunks(upload: UUID) -> Iterator[bytes]:
    yield from Upload.objects.get(pk=upload).chunks()
