"""The requests, tokens and price of a table before its file of requests is written."""

from dataclasses import dataclass

from django.utils import timezone

from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.models import SourceTable, User
from batchapp.presenters.file_report import Offer, is_exact, offers, quotes_for
from batchapp.services.tables import preview_requests
from batchapp.services.tables.preview_requests import Example, Message, Preview


@dataclass(frozen=True, slots=True)
class TableEstimate:
    """The first requests of a table; tokens and prices are those of all its rows.

    The prices are those of each completion window, and of realtime to compare with.
    """

    preview: Preview
    input_tokens: int
    is_exact: bool
    offers: list[Offer]

    @property
    def system(self) -> Message | None:
        """Return the system message if all of the first requests have the same."""
        first = [message for row in self.preview.examples for message in row.messages[:1]]
        is_shared = len(set(first)) == 1 and first[0].role == "system"
        return first[0] if is_shared else None

    @property
    def first_requests(self) -> list[tuple[Example, list[Message]]]:
        """Return the first requests, each with the messages that are not the shared one."""
        skipped = 1 if self.system else 0
        return [(row, row.messages[skipped:]) for row in self.preview.examples]

    @property
    def before(self) -> int:
        """Return the number of the row before the chosen one, or 0."""
        return self.preview.chosen.number - 1

    @property
    def after(self) -> int:
        """Return the number of the row after the chosen one, or 0 if the preview ends with it."""
        number = self.preview.chosen.number
        return number + 1 if number < self.preview.rows else 0


def table_estimate(
    table: SourceTable, prompt_settings: PromptSettings, user: User, number: int = 1
) -> TableEstimate:
    """Estimate the requests of ``table``; ``number`` is the row that the person looks at."""
    preview = preview_requests.preview_requests(table, prompt_settings, number)
    report = preview_requests.extrapolate_report(preview, table.rows)
    connection, exact = table.project.connection, is_exact(report)
    quotes = quotes_for(report, connection, timezone.now(), project=table.project, user=user)
    return TableEstimate(
        preview,
        sum(facts.input_tokens for facts in report.models.values()),
        exact,
        offers(quotes, is_exact=exact),
    )
