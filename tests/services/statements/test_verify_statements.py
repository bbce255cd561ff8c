"""Closed statements that add up, and what is named when somebody changed them in the database."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.db.models import F

from batchapp.models import Project, Statement, StatementLine
from batchapp.presenters.verify_text import difference_text
from batchapp.services.statements.verify_statements import (
    MAX_NAMED,
    StatementProgress,
    verify_statements,
)
from tests.make import make_project
from tests.statements import PaidBatches, at, close_due_months, money, settle_again, utc

pytestmark = pytest.mark.django_db


@pytest.fixture
def paid(project: Project) -> PaidBatches:
    """January and February are closed: with an unknown cost, a credit and an adjustment."""
    paid = PaidBatches(project)
    dearer = paid.make(utc(2026, 1, 10), "1.5")
    cheaper = paid.make(utc(2026, 1, 11), "2")
    unknown = paid.make(utc(2026, 1, 12), None)
    gone = paid.make(utc(2026, 1, 13), "3")
    with at(utc(2026, 2, 5)):
        close_due_months()
    settle_again(dearer, utc(2026, 2, 10, 1), "1.75")
    settle_again(cheaper, utc(2026, 2, 10, 2), "1")
    settle_again(unknown, utc(2026, 2, 10, 3), "4")
    settle_again(gone, utc(2026, 2, 10, 4), None)
    with at(utc(2026, 3, 5)):
        close_due_months()
    return paid


def found(project: Project | None = None) -> list[str]:
    return [difference_text(each) for each in verify_statements(project, StatementProgress())]


def test_statements_with_adjustments_and_unknown_costs_add_up(paid: PaidBatches) -> None:
    progress = StatementProgress()

    assert list(verify_statements(None, progress)) == []
    assert (progress.statements, progress.lines) == (2, 4 + 5)


def test_a_changed_sum_and_a_removed_line_are_named(paid: PaidBatches) -> None:
    january, february = Statement.objects.order_by("month")
    Statement.objects.filter(pk=january.pk).update(cost_usd=money("6.51"))
    credit = february.lines.get(kind="credit", cost_usd=money("-1"))
    StatementLine.objects.filter(pk=credit.pk).delete()

    sums, removed = found()

    assert sums == (
        "Statement of Support tickets (support), 2026-01: its lines say cost_usd 6.50000000 "
        "instead of 6.51000000."
    )
    assert "lines_number 4 instead of 5" in removed
    # 0.25 - 1 + 4 - 3 dollars before, and without the credit of one dollar since.
    assert "cost_usd 1.25000000 instead of 0.25000000" in removed


def test_a_line_that_was_changed_together_with_its_sum_contradicts_its_total(
    paid: PaidBatches,
) -> None:
    january = Statement.objects.earliest("month")
    line = january.lines.get(number=1)
    StatementLine.objects.filter(pk=line.pk).update(cost_usd=money("1.6"))
    Statement.objects.filter(pk=january.pk).update(cost_usd=F("cost_usd") + 10**7)

    names = found(january.project)

    assert names[0] == (
        "Statement of Support tickets (support), 2026-01, line 1: the lines up to it add up to "
        f"1.60000000 USD instead of 1.50000000 (batch {line.batch_id})."
    )
    assert [name.split(":")[0].split(",")[1:] for name in names] == [
        [" 2026-01", " line 1"],
        [" 2026-02", " line 1"],
    ]


def test_many_lines_are_counted_and_other_projects_left_out(paid: PaidBatches) -> None:
    other = PaidBatches(make_project(name="Other", slug="other"))
    for number in range(MAX_NAMED + 2):
        other.make(utc(2026, 3, 2, 1, number), "1")
    with at(utc(2026, 4, 5)):
        close_due_months()
    StatementLine.objects.filter(statement__project__slug="other").update(total_usd=money(2))

    names = found(other.first.project)

    assert len(names) == MAX_NAMED + 1
    assert names[-1] == "Statement of Other (other), 2026-03: 2 more lines like this."
    assert found(paid.first.project) == []


@pytest.mark.usefixtures("own_storage")
def test_the_command_says_what_it_verified_and_what_differs(paid: PaidBatches) -> None:
    Statement.objects.filter(month="2026-01-01").update(answers=1)
    text, facts = StringIO(), StringIO()

    with pytest.raises(SystemExit) as exit_status:
        call_command("verify", stdout=text)
    with pytest.raises(SystemExit):
        call_command("verify", "--json", stdout=facts)

    assert exit_status.value.code == 1
    assert "Verified 2 closed statements with 9 lines." in text.getvalue()
    assert "its lines say answers 12 instead of 1." in text.getvalue()
    assert "The portal never changes a closed statement" in text.getvalue()
    listed = json.loads(facts.getvalue())["listed"]
    (difference,) = (each for each in listed if each["code"] == "statement_sums_differ")
    assert (difference["month"], difference["counts"]) == ("2026-01", {"answers": [1, 12]})
