"""Close a month: make its statements, and tell of each."""

from typing import Any

from batchapp.models import MonthClosing, Notice, NoticeKind, Statement
from batchapp.pipeline.runner import DueRows
from batchapp.services.statements import closing as month_closing
from batchapp.services.statements.direct_sums import direct_sum
from batchapp.services.statements.part import Part


def close_month(closing: MonthClosing) -> DueRows:
    """Make the statements of a month, each together with its notice."""
    return month_closing.make_statements(closing, announce_statement)


def announce_statement(statement: Statement) -> None:
    """Tell of a statement in the transaction that closes it, unless its month is long past."""
    if not month_closing.is_news(statement.month):
        return
    direct = direct_sum(Part(statement.month, frozenset({statement.project_id})))
    others: dict[str, Any] = {}
    if direct.requests:
        others = {
            "direct_requests": direct.requests,
            "direct_usd": direct.cost_usd,
            "direct_unpriced": direct.unpriced,
        }
    Notice.objects.record(
        NoticeKind.STATEMENT_READY,
        statement.project,
        once=str(statement.pk),
        statement=str(statement.pk),
        slug=statement.project.slug,
        month=statement.month.isoformat(),
        name=statement.project_name,
        batches=statement.batches,
        cost_usd=statement.cost_usd,
        adjustments_usd=statement.adjustments_usd,
        unpriced=statement.unpriced,
        **others,
    )
