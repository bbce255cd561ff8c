"""The requests, tokens and price of a table before its file of requests is written."""

from dataclasses import dataclass

from django.utils import timezone

from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.models import SourceTable, User
from batchapp.presenters.file_report import Offer, is_exact, offers, quotes_for
from batchapp.services.tables import preview_requests
from batchapp.services.tables.preview_requests import ROWS_SHOWN, Example, Message, Preview


@dataclass(frozen=True, slots=True)
class TableEstimate:
    """Some requests of a table; requests, tokens and prices are those of all its rows.

    Of a long table they are what they would be if all rows are like the first ones.

    The prices are those of each completion window, and of realtime to compare with.
    """

    preview: Preview
    requests: int
    input_tokens: int
    is_exact: bool
    offers: list[Offer]

    @property
    def system(self) -> Message | None:
        """Return the system message if all of the shown requests have the same."""
        first = [row.messages[0] for row in self.preview.shown if row.messages]
        is_shared = len(set(first)) == 1 and first[0].role == "system"
        return first[0] if is_shared else None

    @property
    def rows(self) -> list[tuple[Example, list[Message]]]:
        """Return the shown rows, each with the messages that are not the shared one."""
        skipped = 1 if self.system else 0
        return [(row, row.messages[skipped:]) for row in self.preview.shown]

    @property
    def before(self) -> int:
        """Return the number of the first of the rows before the shown ones, or 0."""
        number = self.preview.shown[0].number
        return max(number - ROWS_SHOWN, 1) if number > 1 else 0

    @property
    def after(self) -> int:
        """Return the number of the first row after the shown ones, or 0 if they are the last."""
        number = self.preview.shown[-1].number
        return number + 1 if number < self.preview.rows else 0


def table_estimate(
    table: SourceTable, prompt_settings: PromptSettings, user: User, number: int = 1
) -> TableEstimate:
    """Estimate the requests of ``table``; ``number`` is the first row that the person looks at."""
    preview = preview_requests.preview_requests(table, prompt_settings, number)
    report = preview_requests.extrapolate_report(preview, table.rows)
    connection, exact = table.project.connection, is_exact(report)
    quotes = quotes_for(report, connection, timezone.now(), project=table.project, user=user)
    return TableEstimate(
        preview,
        sum(facts.requests for facts in report.models.values()),
        sum(facts.input_tokens for facts in report.models.values()),
        exact,
        offers(quotes, is_exact=exact),
    )
