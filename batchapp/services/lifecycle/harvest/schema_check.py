"""Check answers against the JSON schemas that their requests ask for."""

from collections.abc import Iterable
from functools import lru_cache
from uuid import UUID

from django.core.files.base import File

from batchapp.domain.results import answer_schemas
from batchapp.domain.results.outcome import Outcome, answer_text
from batchapp.models import Result, Upload


class SchemaChecker:
    """Checks the answers to one upload; reads its requests only if any asks for a schema."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload

    def check(self, results: Iterable[tuple[Result, bytes]]) -> None:
        """Mark successful results whose answer does not match the schema; nothing is saved.

        ``results`` are unsaved results, each with its result line.
        """
        successes = [(result, line) for result, line in results if result.outcome == Outcome.OK]
        if not successes or not _has_schemas(self._upload.pk):
            return
        successes.sort(key=lambda pair: pair[0].request_at)
        with self._upload.blob.open("rb") as blob:
            for result, line in successes:
                if schema := answer_schemas.requested_schema(_request_body(blob, result)):
                    _check_answer(result, line, schema)


def _check_answer(result: Result, line: bytes, schema: answer_schemas.RequestedSchema) -> None:
    if error := answer_schemas.schema_error(schema, answer_text(line)):
        result.outcome = Outcome.INVALID_SCHEMA
        result.error_message = error.replace("\0", "�")


def _request_body(blob: "File[bytes]", result: Result) -> bytes:
    blob.seek(result.request_at)
    request: bytes = blob.read(result.request_bytes)
    return request


@lru_cache(maxsize=1000)
def _has_schemas(upload: UUID) -> bool:
    """Return True if any request may ask for a schema. The bytes of an upload never change."""
    overlap = len(answer_schemas.MARKER) - 1
    previous_end = b""
    for chunk in Upload.objects.get(pk=upload).chunks():
        if answer_schemas.MARKER in previous_end + chunk:
            return True
        previous_end = chunk[-overlap:]
    return False
