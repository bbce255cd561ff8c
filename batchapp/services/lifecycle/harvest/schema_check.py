"""Check answers against the JSON schemas that their requests ask for."""

from collections.abc import Iterable
from functools import lru_cache
from uuid import UUID

from batchapp.domain.results import answer_schemas
from batchapp.domain.results.outcome import Outcome, answer_text
from batchapp.models import Result, Upload
from batchapp.services.lifecycle.harvest.match_lines import NewAnswer
from batchapp.storage import blobs


class SchemaChecker:
    """Checks the answers to one upload; reads its requests only if any asks for a schema."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload

    def check(self, answers: Iterable[NewAnswer]) -> None:
        """Mark successful answers that do not match the schema; nothing is saved."""
        successes = {answer.pk: answer for answer in answers if answer.outcome == Outcome.OK}
        if not successes or not _has_schemas(self._upload.pk):
            return
        positions = Result.objects.filter(pk__in=list(successes)).order_by("request_at")
        # The requests of one block of answers may lie all over the file.
        with blobs.local_path(self._upload.blob) as path, path.open("rb") as requests:
            for pk, start, length in positions.values_list("pk", "request_at", "request_bytes"):
                requests.seek(start)
                if schema := answer_schemas.requested_schema(requests.read(length)):
                    _check_answer(successes[pk], schema)


def _check_answer(answer: NewAnswer, schema: answer_schemas.RequestedSchema) -> None:
    if error := answer_schemas.schema_error(schema, answer_text(answer.line)):
        answer.outcome = Outcome.INVALID_SCHEMA.value
        answer.error_message = error.replace("\0", "�")


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
