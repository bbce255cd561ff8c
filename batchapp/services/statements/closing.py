"""Close the months one after another: a worker some days after the end, or an administrator.

What a closed statement says never changes. A cost that changes later is an adjustment on the next
statement of its project, so that all statements together always equal the actual costs.
"""

from collections.abc import Callable
from datetime import date, timedelta

from django.db import transaction
from django.utils import timezone

from batchapp import access
from batchapp.domain.money.statement_changes import LineKind
from batchapp.domain.months import month_after
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    AuditEvent,
    AuditKind,
    Batch,
    MonthClosing,
    Project,
    Statement,
    StatementLine,
    User,
)
from batchapp.models.people.user import AnyUser
from batchapp.services.statements import calendar, recipients, unstated
from batchapp.services.statements.direct_sums import direct_sum
from batchapp.services.statements.part import Part

SECONDS_PER_STEP = 60  # after so long, other rows get the worker between two projects
NEWS_DAYS = timedelta(days=62)  # workers may have been away for two months
Status = MonthClosing.Status

Announce = Callable[[Statement], object]


def begin(batch: Batch) -> None:
    """Open the first month to be closed, that of the first paid batch, once ``batch`` is over.

    From then on each month opens the next one.
    """
    if batch.connection.is_sandbox or MonthClosing.objects.exists():
        return
    ends = unstated.paid_costs().order_by("batch__finished_at")
    first = ends.values_list("batch__finished_at", flat=True).first()
    if first:
        _open(calendar.month_of(first))


def _open(month: date) -> MonthClosing:
    now = timezone.now()
    first_look = min(calendar.closes_at(month), now + MonthClosing.CHECK_INTERVAL)
    defaults = {"next_check_at": max(now, first_look)}
    return MonthClosing.objects.get_or_create(month=month, defaults=defaults)[0]


def close_when_due(closing: MonthClosing) -> None:
    """Begin to close the month if its time has come, else look again later.

    Raises:
        StaleRow: an administrator closed the month at this moment; nothing was written.
    """
    wait = calendar.closes_at(closing.month) - timezone.now()
    if wait > timedelta():
        closing.postpone(min(wait, MonthClosing.CHECK_INTERVAL))
        return
    with transaction.atomic():
        closing.move_to(Status.CLOSING)
        _record(closing.month, None)


def close_by_hand(month: date, user: User) -> MonthClosing | None:
    """Begin to close ``month`` now; None if somebody has begun or closed it already.

    Returns the row that a worker is to be told of.

    Raises:
        NotAllowed: nothing was written.
        Refused: the month is not over, or a month before it is open; nothing was written.
    """
    access.require_administer(user)
    if not calendar.is_over(month):
        raise Refused(Refusal.MONTH_NOT_OVER, month=month.isoformat())
    with transaction.atomic():
        # Without its lease, a worker that looks at the month at this moment cannot go on.
        rows = MonthClosing.objects.filter(month=month, status=Status.OPEN)
        values = {"next_check_at": timezone.now(), "leased_until": None, "claims": 0}
        if rows.update(status=Status.CLOSING, closed_by=user, **values):
            _record(month, user)
            return MonthClosing.objects.get(month=month)
    if MonthClosing.objects.filter(month=month).exists():
        return None
    before = MonthClosing.open_month()
    raise Refused(Refusal.MONTH_BEFORE_OPEN, month=before.isoformat() if before else None)


def _record(month: date, actor: AnyUser | None) -> None:
    AuditEvent.objects.record(AuditKind.MONTH_CLOSED, actor, month=month.isoformat())


def is_news(month: date) -> bool:
    """Return False for a month so long past that nobody waits for its statements.

    A portal that closes months for the first time begins with its first batch, maybe years ago.
    """
    return timezone.now() - calendar.closes_at(month) < NEWS_DAYS


def make_statements(closing: MonthClosing, announce: Announce) -> list[MonthClosing]:
    """Make the statements of all projects, close the month, and open the next one.

    ``announce`` is called with each statement in the transaction that closes it. A step that is
    interrupted goes on with the project that has no statement yet. Returns the next month.

    Raises:
        StaleRow: another worker has the month; it continues.
    """
    started_at = timezone.now()
    done = Statement.objects.closed().filter(month=closing.month)
    for project in Project.objects.exclude(pk__in=done.values("project")).order_by("pk"):
        closing.renew_lease()
        _make_statement(closing, project, announce)
        if abs(timezone.now() - started_at) > timedelta(seconds=SECONDS_PER_STEP):
            closing.postpone(timedelta())
            return []
    with transaction.atomic():
        closing.move_to(Status.CLOSED, closed_at=timezone.now())
        recipients.make_due()
        return [_open(month_after(closing.month))]


def _make_statement(closing: MonthClosing, project: Project, announce: Announce) -> None:
    """Write the statement of one project in blocks, and close it.

    There is none without a line and without a single request.
    """
    # Of a worker that died. Nobody has seen it.
    Statement.objects.filter(project=project, month=closing.month, closed_at=None).delete()
    statement = Statement(project=project, month=closing.month, project_name=project.name)
    part = Part(closing.month, frozenset({project.pk}))
    costs = unstated.unstated_costs(project, calendar.ends_at(closing.month))
    for block in unstated.in_blocks(costs):
        lines = unstated.draft_lines(block, closing.month)
        if not lines:
            continue
        is_new = not statement.lines_number
        _add_up(statement, lines)
        with transaction.atomic():
            closing.renew_lease()  # first, so that only the worker that has the month writes
            if is_new:
                statement.save(force_insert=True)
            StatementLine.objects.bulk_create(lines)
    if not statement.lines_number and not direct_sum(part).requests:
        return
    of_month = statement.lines.filter(kind=LineKind.BATCH).order_by()
    statement.batches = of_month.values("batch").distinct().count()
    with transaction.atomic():
        closing.renew_lease()
        statement.closed_at = timezone.now()
        statement.save()
        announce(statement)


def _add_up(statement: Statement, lines: list[StatementLine]) -> None:
    """Put ``lines`` on the statement, and add them to its sums."""
    for number, line in enumerate(lines, statement.lines_number + 1):
        line.statement, line.number = statement, number
    statement.lines_number += len(lines)
    for name in ("requests", "answers", "input_tokens", "output_tokens", "cached_tokens"):
        total = getattr(statement, name) + sum(getattr(line, name) for line in lines)
        setattr(statement, name, total)
    later = [line for line in lines if line.kind != LineKind.BATCH]
    for name, added in (("cost_usd", lines), ("adjustments_usd", later)):
        setattr(statement, name, getattr(statement, name) + unstated.known_usd(added))
    statement.unpriced += sum(line.cost_usd is None for line in lines)
