"""Problems of rows, as facts: a code, and the numbers, ids and names that belong to it.

``presenters/problem_text.py`` makes a sentence of a problem.
"""

from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Any


@unique
class ProblemCode(StrEnum):
    """The codes of problems, by the row they are about; a row may also keep a refusal."""

    TEXT = "text"  # a sentence that an older version stored

    # Files
    CHECK_BROKE_OFF = "check_broke_off"
    CORRECTION_NOT_WRITTEN = "correction_not_written"
    FILE_UNREADABLE = "file_unreadable"
    NOTHING_LEFT_TO_RETRY = "nothing_left_to_retry"
    ORIGINAL_DELETED = "original_deleted"
    RETRIED_BATCH_DELETED = "retried_batch_deleted"
    RETRY_NOT_WRITTEN = "retry_not_written"

    # Tables
    ALL_ROWS_SKIPPED = "all_rows_skipped"
    TABLE_BROKE_OFF = "table_broke_off"
    TABLE_REQUESTER_LEFT = "table_requester_left"
    TABLE_WITHOUT_ROWS = "table_without_rows"

    # Imports
    IMPORT_BROKE_OFF = "import_broke_off"

    # Provider batches
    CANCEL_REFUSED = "cancel_refused"
    NO_ANSWER_AND_CLOSED = "no_answer_and_closed"
    NO_ANSWER_FOR_LONG = "no_answer_for_long"
    NO_ANSWER_TO_CANCEL = "no_answer_to_cancel"
    NO_CAPACITY = "no_capacity"
    NO_SLOT = "no_slot"
    PAUSE_REFUSED = "pause_refused"
    PROVIDER_SILENT = "provider_silent"
    REFUSED_FOR_NOW = "refused_for_now"
    STEP_BROKE_OFF = "step_broke_off"
    UNCONFIRMED = "unconfirmed"

    # A provider that rejects a request: the values are those of ``providers.errors.Reason``
    FORBIDDEN = "forbidden"
    GONE = "gone"
    INVALID = "invalid"
    KEY_REFUSED = "key_refused"
    NO_CREDIT = "no_credit"
    NOT_FOUND = "not_found"
    TOO_LARGE = "too_large"
    WINDOW_UNSUPPORTED = "window_unsupported"

    # A provider without a usable answer, its limits, and keys
    KEY_PAYS_NO_MORE = "key_pays_no_more"
    KEY_TEST_UNANSWERED = "key_test_unanswered"
    KEY_TEST_UNCLEAR = "key_test_unclear"
    KEY_UNREADABLE = "key_unreadable"
    LINE_REFUSED = "line_refused"
    NO_ANSWER = "no_answer"
    OVER_ACCOUNT_LIMIT = "over_account_limit"


@dataclass(frozen=True, slots=True)
class Problem:
    """The reason why a row waits or failed; ``data`` has the facts of its sentence, as JSON."""

    code: str
    data: dict[str, Any] = field(default_factory=dict)
