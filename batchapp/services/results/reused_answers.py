"""Read the question and the answer of requests that were not sent: they are those of another."""

import json
from contextlib import ExitStack
from uuid import UUID

import msgspec

from batchapp import access
from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch, Result, User
from batchapp.storage import blobs
from batchapp.storage.local_reader import LocalReader

Source = dict[str, str | int]

ROWS_AT_ONCE = 1_000

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def reused_result(result: Result, user: User) -> Result:
    """Return the result whose answer ``result`` reuses; ``result`` itself if it was deleted.

    Raises:
        NotAllowed: nothing was read.
    """
    access.require_see(user, result.batch.project)
    rows = Result.objects.filter(batch__project=result.batch.project_id)
    rows = rows.filter(pk__in=filter(None, [result.retried_id]))
    return rows.select_related("result_chunk", "batch__upload", "batch__project").first() or result


def source_of(batch: UUID, answered_in: UUID, name: str, line: int) -> Source:
    """Return the batch or the line that has the answer to a request of ``batch``.

    The answer is that to ``line`` of the batch ``answered_in``, which is called ``name``.
    """
    if answered_in == batch:
        return {"same_request_as_line": line}
    return {"answer_of_batch": name, "answer_of_line": line}


def relabelled(line: bytes, custom_id: str, source: Source) -> bytes:
    """Return ``line``, the answer to an equal request, as the answer to request ``custom_id``.

    The field ``reused`` has the source. All other fields stay byte for byte as they are.
    """
    own = {"custom_id": custom_id, "reused": source}
    try:
        return msgspec.json.encode(_decode_fields(line) | own)
    except (msgspec.DecodeError, UnicodeDecodeError):  # it was read leniently, as for a NaN
        fields = json.loads(line.decode(errors="replace"))
        return json.dumps(fields | own).encode(errors="replace")


def follow_first_results(batch: Batch, attempts: list[UUID]) -> None:
    """Let the requests that were sent once follow the first of them to its best answer.

    ``attempts`` are the retries of ``batch``.
    """
    if not batch.reused:
        return
    rows = batch.results.filter(outcome=Outcome.REUSED, retried__batch__in=[batch.pk, *attempts])
    for block in rows.blocks(ROWS_AT_ONCE):
        followed = list(block.values_list("pk", "retried_id", "retried__custom_id"))
        first = batch.results.filter(custom_id__in={custom_id for *_, custom_id in followed})
        columns = first.values_list("custom_id", "retried_id", "pk")
        best = {custom_id: retried or pk for custom_id, retried, pk in columns}
        changed = [
            Result(pk=pk, retried_id=best[custom_id])
            for pk, retried, custom_id in followed
            if best.get(custom_id, retried) != retried
        ]
        Result.objects.bulk_update(changed, ["retried"])


class RequestFiles:
    """Read requests from the file of a batch, and of the batches whose answers it reuses."""

    def __init__(self, batch: Batch, stack: ExitStack) -> None:
        self._project, self._stack = batch.project_id, stack
        self._files = {batch.pk: self._open(batch)}

    def read(self, batch: UUID, start: int, length: int) -> bytes:
        """Return ``length`` bytes from byte ``start`` of the file of ``batch``.

        Raises:
            OSError: the file is gone.
        """
        if batch not in self._files:
            batches = Batch.objects.filter(project=self._project).select_related("upload")
            self._files[batch] = self._open(batches.get(pk=batch))
        return self._files[batch].read(start, length)

    def _open(self, batch: Batch) -> LocalReader:
        path = self._stack.enter_context(blobs.local_path(batch.upload.blob))
        return LocalReader(self._stack.enter_context(path.open("rb")))
