"""The requests of a batch without a good answer, grouped by what they have in common."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from batchapp.forms.batches.batch_problems import ProblemPageForm
from batchapp.http import Request
from batchapp.presenters.batches.batch_problems import problem_page
from batchapp.presenters.batches.batch_retries import retry_labels
from batchapp.services.results import problems
from batchapp.views.permissions import batch_with_content, can_write
from batchapp.views.results.head import head_of


@require_safe
def batch_problems(request: Request, pk: UUID) -> HttpResponse:
    batch = batch_with_content(request, pk)
    form = ProblemPageForm(request.GET)
    start = form.cleaned_data["start"] if form.is_valid() else None
    listed_problems = problems.list_problems(batch, request.user)
    may_write = can_write(request, batch.project)
    context = head_of(request, batch, has_retries=bool(retry_labels(batch))) | {
        "problems": problem_page(batch, listed_problems, can_write=may_write, start=start or 0),
    }
    return render(request, "batchapp/batches/batch_problems.html", context)
