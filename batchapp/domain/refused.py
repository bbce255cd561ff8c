"""The one error by which a request of a person is refused: a code and its facts, no sentence.

``presenters/refusal_text.py`` makes a sentence of a refusal.
"""

from enum import StrEnum, unique
from typing import Any

from batchapp.domain.problem import Problem


@unique
class Refusal(StrEnum):
    """The codes of all refusals, by the noun that they are about."""

    # Labels
    COST_CENTRE_INVALID = "cost_centre_invalid"
    COST_CENTRE_TOO_LONG = "cost_centre_too_long"
    TAG_INVALID = "tag_invalid"
    TAG_TOO_LONG = "tag_too_long"
    TAGS_TOO_MANY = "tags_too_many"

    # Budgets
    BUDGET_COST_UNKNOWN = "budget_cost_unknown"
    BUDGET_EXISTS = "budget_exists"
    REQUEST_NEEDS_APPROVAL = "request_needs_approval"
    OVER_BUDGET = "over_budget"

    # Saved views
    VIEW_NAME_TAKEN = "view_name_taken"
    VIEWS_TOO_MANY = "views_too_many"

    # Stored content
    BATCH_AT_WORK = "batch_at_work"
    BATCH_PURGED = "batch_purged"
    EXPORT_EXPIRED = "export_expired"
    EXPORT_LOST = "export_lost"
    EXPORT_REPLACED = "export_replaced"
    FILE_PURGED = "file_purged"

    # Orders by scripts
    ENDPOINT_NOT_IN_FILE = "endpoint_not_in_file"
    IDEMPOTENCY_KEY_USED = "idempotency_key_used"
    MODEL_NOT_ALLOWED = "model_not_allowed"
    MODEL_NOT_OFFERED = "model_not_offered"
    NO_PROVIDER_KEY = "no_provider_key"

    # Orders
    APPROVAL_DECIDED = "approval_decided"
    APPROVAL_FILE_CHANGED = "approval_file_changed"
    APPROVAL_PRICES_CHANGED = "approval_prices_changed"
    FALLBACK_NOT_LONGER = "fallback_not_longer"
    FALLBACK_NOT_OFFERED = "fallback_not_offered"
    FILE_NOT_READY = "file_not_ready"
    FILE_OF_OTHER_PROJECT = "file_of_other_project"
    FORM_USED = "form_used"
    KEPT_ANSWERS_DELETED = "kept_answers_deleted"
    KEY_REMOVED = "key_removed"
    PRICES_CHANGED = "prices_changed"
    RETRIED_IN_PLACE = "retried_in_place"
    SAME_FILE_ORDERED = "same_file_ordered"
    WINDOW_NOT_FOR_MODEL = "window_not_for_model"
    WINDOW_NOT_OFFERED = "window_not_offered"

    # Imports
    IMPORT_FILE_DELETED = "import_file_deleted"
    IMPORT_FILE_FAULTY = "import_file_faulty"
    IMPORT_FILE_UNCHECKED = "import_file_unchecked"
    IMPORT_IDS_REPEATED = "import_ids_repeated"
    IMPORT_KEY_REMOVED = "import_key_removed"
    IMPORT_ROWS_REMOVED = "import_rows_removed"
    IN_PORTAL_ALREADY = "in_portal_already"
    PROJECT_ARCHIVED = "project_archived"
    PROJECT_ON_HOLD = "project_on_hold"
    PROJECT_RUNS = "project_runs"
    REMOTE_BATCH_RENAMED = "remote_batch_renamed"
    REMOTE_BATCH_UNKNOWN = "remote_batch_unknown"
    REMOTE_FILE_DELETED = "remote_file_deleted"
    REMOTE_FILE_INCOMPLETE = "remote_file_incomplete"
    REMOTE_FILE_TOO_LARGE = "remote_file_too_large"
    REQUESTER_LEFT = "requester_left"

    # Connections
    CONNECTION_ARCHIVED = "connection_archived"
    CONNECTION_USED = "connection_used"
    RETRY_IN_USE = "retry_in_use"
    WINDOWS_IN_USE = "windows_in_use"

    # Keys
    KEY_IN_USE = "key_in_use"
    KEY_NAME_TAKEN = "key_name_taken"
    PORTAL_KEY_CHANGED = "portal_key_changed"
    PORTAL_KEY_NAME_TAKEN = "portal_key_name_taken"
    SERVICE_KEY_MANAGES = "service_key_manages"

    # Webhooks
    WEBHOOK_ADDRESS_INVALID = "webhook_address_invalid"
    WEBHOOK_CHANGED = "webhook_changed"
    WEBHOOK_DISABLED = "webhook_disabled"
    WEBHOOK_NAME_TAKEN = "webhook_name_taken"
    WEBHOOK_TEST_WAITS = "webhook_test_waits"
    WEBHOOKS_TOO_MANY = "webhooks_too_many"

    # People
    ADDRESS_NOT_CONFIRMED = "address_not_confirmed"
    LAST_ADMINISTRATOR = "last_administrator"
    OWN_ACCOUNT = "own_account"
    OWN_SECOND_FACTOR = "own_second_factor"

    # Statements
    MONTH_BEFORE_OPEN = "month_before_open"
    MONTH_NOT_OVER = "month_not_over"
    RECIPIENT_EXISTS = "recipient_exists"
    RECIPIENTS_NEED_MAIL_SERVER = "recipients_need_mail_server"
    RECIPIENTS_TOO_MANY = "recipients_too_many"

    # Models
    MODEL_INVALID = "model_invalid"
    MODELS_OF_DOUBLEWORD = "models_of_doubleword"
    PRICES_OF_DOUBLEWORD = "prices_of_doubleword"

    # Prices
    COMPARISON_OUTDATED = "comparison_outdated"
    PRICE_CHANGED = "price_changed"
    PRICE_IN_FORCE = "price_in_force"
    PRICE_INVALID = "price_invalid"
    PRICE_LINES_BAD = "price_lines_bad"
    PRICE_NOT_IN_FORCE = "price_not_in_force"
    PRICE_NOT_IN_FORCE_THEN = "price_not_in_force_then"
    PRICE_OVER_THEN = "price_over_then"
    PRICE_TIME_PAST = "price_time_past"
    PRICE_WITHDRAWN = "price_withdrawn"
    PRICES_PAST = "prices_past"

    # Tables
    TABLE_CELL_TOO_LONG = "table_cell_too_long"
    TABLE_CELL_UNNAMED = "table_cell_unnamed"
    TABLE_COLUMNS_TOO_MANY = "table_columns_too_many"
    TABLE_EMPTY = "table_empty"
    TABLE_ENCODING_UNKNOWN = "table_encoding_unknown"
    TABLE_HEADER_BLANK = "table_header_blank"
    TABLE_HEADER_MISSING = "table_header_missing"
    TABLE_IS_ARCHIVE = "table_is_archive"
    TABLE_IS_BINARY = "table_is_binary"
    TABLE_IS_GZIP = "table_is_gzip"
    TABLE_IS_OLD_EXCEL = "table_is_old_excel"
    TABLE_IS_ONE_OBJECT = "table_is_one_object"
    TABLE_IS_PARQUET = "table_is_parquet"
    TABLE_IS_PDF = "table_is_pdf"
    TABLE_IS_PICTURE = "table_is_picture"
    TABLE_IS_REQUESTS = "table_is_requests"
    TABLE_IS_WEB_PAGE = "table_is_web_page"
    TABLE_IS_XML = "table_is_xml"
    TABLE_LINE_TOO_LONG = "table_line_too_long"
    TABLE_NEEDS_MEMORY = "table_needs_memory"
    TABLE_NOT_JSON = "table_not_json"
    TABLE_NOT_TEXT = "table_not_text"
    TABLE_QUOTE_OPEN = "table_quote_open"
    TABLE_QUOTE_SWALLOWS = "table_quote_swallows"
    TABLE_QUOTE_UNCLEAR = "table_quote_unclear"
    TABLE_ROW_TOO_WIDE = "table_row_too_wide"
    TABLE_ROWS_BLANK = "table_rows_blank"
    TABLE_ROWS_TOO_MANY = "table_rows_too_many"
    TABLE_TEXT_TOO_MUCH = "table_text_too_much"
    TABLE_TOO_LARGE = "table_too_large"
    TABLE_TOOK_TOO_LONG = "table_took_too_long"
    TABLE_WITHOUT_OBJECTS = "table_without_objects"
    TEMPLATE_SAVED_MEANWHILE = "template_saved_meanwhile"
    WORKBOOK_CELL_TOO_LONG = "workbook_cell_too_long"
    WORKBOOK_FILE_TOO_LARGE = "workbook_file_too_large"
    WORKBOOK_SHEET_DAMAGED = "workbook_sheet_damaged"
    WORKBOOK_SHEET_MISSING = "workbook_sheet_missing"
    WORKBOOK_SHEETS_TOO_MANY = "workbook_sheets_too_many"
    WORKBOOK_WITHOUT_SHEETS = "workbook_without_sheets"


class Refused(Exception):
    """The request cannot be met; ``data`` has the facts that its sentence names, as JSON."""

    def __init__(self, code: Refusal, **data: Any) -> None:
        super().__init__(code, data)
        self.code = code
        self.data = data

    @property
    def problem(self) -> Problem:
        """Return the refusal as a row keeps it."""
        return Problem(self.code, self.data)
