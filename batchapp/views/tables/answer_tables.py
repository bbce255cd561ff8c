"""From the results of a batch to the table of a second batch."""

from uuid import UUID

import msgspec
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from batchapp.domain.results.result_filter import ResultFilter
from batchapp.forms.batches.answer_table import AnswerTableForm
from batchapp.forms.batches.results import ResultFilterForm
from batchapp.http import Request
from batchapp.models import SourceTable, User
from batchapp.pipeline.steps import BUILT_AT_ONCE
from batchapp.services.results import outcome_counts
from batchapp.services.tables import answer_tables
from batchapp.tasks import run, wake
from batchapp.views.permissions import batch_with_content, require_editor
from batchapp.views.results.columns_file import current_columns

STILL_RUNS = "The batch still runs. Make a table of its answers when it is over."


@require_http_methods(["GET", "HEAD", "POST"])
def answer_table_add(request: Request, pk: UUID) -> HttpResponse:
    """Choose results of a batch, by default its good answers, and make a table of them."""
    batch = batch_with_content(request, pk)
    require_editor(request, batch.project)
    if not batch.is_over:
        messages.info(request, STILL_RUNS)
        return redirect(batch)
    looked_at = _looked_at(request)
    form = AnswerTableForm(
        request.POST or None,
        counts=outcome_counts.count_outcomes(batch, with_retries=not looked_at.own),
        looked_at=looked_at.outcome,
    )
    if request.method == "POST" and form.is_valid():
        table = answer_tables.request_table(
            batch,
            request.user,
            msgspec.structs.replace(looked_at, outcome=form.outcome),
            submission=form.submission_id,
        )
        read_answers(table, request.user)
        return redirect(table)
    context = {
        "batch": batch,
        "form": form,
        "filter": looked_at,
        "is_narrowed": not msgspec.structs.replace(looked_at, outcome="").is_empty,
        "nav": "batches",
    }
    return render(request, "batchapp/tables/answer_table_add.html", context)


def read_answers(table: SourceTable, user: User) -> None:
    """Make a small table within the request, and let a worker make a large one."""
    batch = table.answers_of
    if batch is None or batch.requests >= BUILT_AT_ONCE:
        wake(table)
        return
    current_columns(batch, user)
    run(table)


def _looked_at(request: Request) -> ResultFilter:
    """Return the filter of the page of results that the person comes from."""
    view = ResultFilterForm(request.GET, has_retries=True).view
    return view.chosen if view else ResultFilter()
