"""Compare the answers of several batches to the same requests: the kinds of rows, and a filter."""

from enum import StrEnum

import msgspec

MIN_BATCHES, MAX_BATCHES = 2, 4
LETTERS = "ABCD"  # the names of the compared batches, in their order


class Agreement(StrEnum):
    """The agreement of the batches on one custom_id; each custom_id has one of these values.

    AGREE and DISAGREE are about custom_ids that every batch has answered. UNANSWERED are those
    that every batch has and at least one has not answered, PARTIAL those that a batch lacks.
    """

    DISAGREE = "disagree"
    AGREE = "agree"
    UNANSWERED = "unanswered"
    PARTIAL = "partial"


class ComparisonFilter(msgspec.Struct, frozen=True):
    """The custom_ids that a page or a download of a comparison has; every condition must hold.

    With a ``field`` of JSON answers, AGREE and DISAGREE are about this field. ``only`` is the
    position of the batch that must have the custom_id alone. ``outcomes`` has an outcome for each
    batch, "" for a batch without the custom_id.
    """

    agreement: Agreement | None = None
    field: str = ""
    only: int | None = None
    outcomes: tuple[str, ...] = ()


class Reference(msgspec.Struct, frozen=True):
    """The values that count as right: a column of the table of a batch, or its answers.

    ``batch`` is the position of the batch. ``column`` is the name of a column of its table, ""
    for its answers, or for the field of its answers that is compared.
    """

    batch: int
    column: str = ""
