"""The tags and the cost centre that a new batch has if its order does not say otherwise."""

from batchapp.domain.batch_labels import Labels
from batchapp.models import Batch, Upload


def inherited_labels(upload: Upload) -> Labels:
    """Return the labels of the batch that ``upload`` retries, or whose answers it asks about.

    A file that follows no batch has no tags, and the cost centre of its project.
    """
    source = upload.retry_of or _batch_of_answers(upload)
    return source.labels if source else Labels(cost_centre=upload.project.cost_centre)


def _batch_of_answers(upload: Upload) -> Batch | None:
    """Return the batch whose answers are the table that ``upload`` was made from, if any."""
    return upload.table.answers_of if upload.table else None
