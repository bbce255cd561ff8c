"""Say what a rebuild restored, and what it could not restore, with the reason."""

from collections.abc import Iterator

from batchapp.models import Batch, ReusedRequests
from batchapp.pipeline.rebuild_batch import Rebuilt
from batchapp.templatetags.words import count


def rebuilt_sentences(batch: Batch, rebuilt: Rebuilt) -> Iterator[str]:
    yield f"Rebuilt {count(rebuilt.results, 'result')} of {batch.name}."
    if rebuilt.reused:
        yield f"{count(rebuilt.reused, 'request')} that it did not send have their answers."
    if rebuilt.without_answer:
        yield _lost_text(batch, rebuilt.without_answer)
    for user in rebuilt.users:
        yield f"{user.name} ({user.pk}) has the answers again that it keeps from here."
    for user in rebuilt.busy:
        yield (
            f"{user.name} ({user.pk}) keeps answers from here, and a worker has it just now: "
            "rebuild it later."
        )


def _lost_text(batch: Batch, number: int) -> str:
    """Say why requests that were not sent have no answer."""
    requests = f"{count(number, 'request')} that {batch.name} did not send"
    if not ReusedRequests.objects.filter(upload=batch.upload_id).exists():
        return (
            f"{requests} cannot be restored: the list of them is not in the database any more. "
            "Restore it from a backup."
        )
    reuse = batch.upload.reuse
    keys = [source.batch for source in reuse.sources] if reuse else []
    kept = Batch.objects.filter(pk__in=keys, purged_at=None)
    there = {str(pk) for pk in kept.values_list("pk", flat=True)}
    gone = [
        source.name for source in (reuse.sources if reuse else []) if source.batch not in there
    ]
    if gone:
        return f"{requests} have no answer: those of {', '.join(gone)} were deleted."
    names = ", ".join(source.name for source in reuse.sources) if reuse else batch.name
    return (
        f"{requests} have no answer: the results of {names} do not have them. Rebuild these "
        "batches first."
    )
