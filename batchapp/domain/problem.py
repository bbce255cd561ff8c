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
    NOTHING_NEW = "nothing_new"
    ORIGINAL_DELETED = "original_deleted"
    RETRIED_BATCH_DELETED = "retried_batch_deleted"
    RETRY_NOT_WRITTEN = "retry_not_written"

    # Tables
    ANSWERS_DELETED = "answers_deleted"
    ANSWERS_NOT_READABLE = "answers_not_readable"
    NO_SUCH_ANSWERS = "no_such_answers"
    ALL_ROWS_SKIPPED = "all_rows_skipped"
    TABLE_BROKE_OFF = "table_broke_off"
    TABLE_REQUESTER_LEFT = "table_requester_left"
    TABLE_WITHOUT_ROWS = "table_without_rows"

    # Exports
    EXPORT_BROKE_OFF = "export_broke_off"
    EXPORT_COLUMN_GONE = "export_column_gone"
    EXPORT_NOT_WRITTEN = "export_not_written"
    EXPORT_REQUESTER_LEFT = "export_requester_left"
    EXPORT_WITHOUT_COLUMNS = "export_without_columns"

    # Imports
    IMPORT_BROKE_OFF = "import_broke_off"

    # Provider batches
    CANCEL_REFUSED = "cancel_refused"
    FILE_UNREADY = "file_unready"
    FAILED_AS_A_WHOLE = "failed_as_a_whole"
    NO_ANSWER_AND_CLOSED = "no_answer_and_closed"
    NO_ANSWER_FOR_LONG = "no_answer_for_long"
    NO_ANSWER_TO_CANCEL = "no_answer_to_cancel"
    NO_CAPACITY = "no_capacity"
    NO_SLOT = "no_slot"
    PAUSE_REFUSED = "pause_refused"
    PROVIDER_SILENT = "provider_silent"
    REFUSED_FOR_NOW = "refused_for_now"
    STATUS_UNKNOWN = "status_unknown"
    STEP_BROKE_OFF = "step_broke_off"
    UNCONFIRMED = "unconfirmed"
    WAITS_FOR_FIRST = "waits_for_first"

    # A provider that rejects a request: the values are those of ``providers.errors.Reason``
    FORBIDDEN = "forbidden"
    GONE = "gone"
    INVALID = "invalid"
    KEY_REFUSED = "key_refused"
    NO_CREDIT = "no_credit"
    NOT_FOUND = "not_found"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    WINDOW_UNSUPPORTED = "window_unsupported"

    # A provider without a usable answer, its limits, and keys
    FILE_STAYS_UNREADY = "file_stays_unready"
    KEY_MOVED = "key_moved"
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
