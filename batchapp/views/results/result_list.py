"""Results: row by row, and one request beside its answer."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from batchapp.access import batch_of
from batchapp.domain.results.conversation import turns
from batchapp.domain.results.outcome import MalformedLine, Outcome, answer_text
from batchapp.domain.results.reconciliation import is_same_model
from batchapp.forms.batches.results import ResultFilterForm
from batchapp.http import Request, render_partial, wants_fragment
from batchapp.models import Result
from batchapp.presenters.retry_family import retries_of
from batchapp.services.results import browse, merge

PAGE_SIZE = 50
LONGEST_INDENTED = 4 * browse.LONGEST_SHOWN
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Row:
    """A request's place in the batch, and what counts for it; ``attempt`` if a retry gave it."""

    line: int
    shown: Result
    attempt: str


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of results in line order; ``older`` and ``newer`` are lines to go on from."""

    rows: list[Row]
    previous: int | None
    next: int | None


@require_safe
def result_list(request: Request, pk: UUID) -> HttpResponse:
    """The batch's requests in the order of the file, each with its outcome."""
    found = batch_of(request, pk)
    retries = retries_of(found)
    form = ResultFilterForm(request.GET, has_retries=bool(retries))
    rows = form.narrow(Result.objects.filter(batch=found).order_by("line"))
    asked: dict[str, Any] = form.cleaned_data if form.is_valid() else {}
    context = {
        "batch": found,
        "form": form,
        "page": _page(rows, retries, after=asked.get("after"), before=asked.get("before")),
        "is_filtered": any(asked.get(name) for name in ("q", "outcome", "attempts")),
        "is_merged": form.is_merged,
        "is_all": not any(request.GET.values()),
        "unmatched_lines": browse.unmatched_lines(found),
        "nav": "batches",
    }
    return render_partial(request, "batchapp/results/result_list.html", "rows", context)


@require_safe
def result_detail(request: Request, pk: UUID, line: int) -> HttpResponse:
    """One request and its answer, as sent and as received."""
    found = batch_of(request, pk)
    retries = retries_of(found)
    form = ResultFilterForm(request.GET, has_retries=bool(retries))
    rows = form.narrow(Result.objects.filter(batch=found).order_by("line"))
    one = get_object_or_404(found.results.select_related("result_chunk"), line=line)
    one.batch = found
    attempts = [one, *merge.attempts(one.custom_id, retries)] if retries else [one]
    shown = one
    if form.is_merged:
        shown = next((each for each in attempts if each.pk == one.retried_id), one)
    row = browse.read_row(shown)
    text = _text(row.answer)
    context = {
        "batch": found,
        "result": one,
        "shown": shown,
        "attempt": retries.get(shown.batch_id, ""),
        "attempts": [
            Row(each.line, each, retries.get(each.batch_id, "This batch")) for each in attempts
        ],
        "outcome": Outcome(shown.outcome),
        "is_other_model": not is_same_model(shown.model, shown.answer_model),
        "row": row,
        "request_json": _pretty(row.request),
        "answer_json": _pretty(row.answer),
        "turns": turns(row.request.encode()),
        "answer_text": text,
        "structured": _structured(text),
        "previous": rows.filter(line__lt=line)
        .order_by("-line")
        .values_list("line", flat=True)
        .first(),
        "next": rows.filter(line__gt=line).values_list("line", flat=True).first(),
        "filter": request.GET.urlencode(),
        "in_drawer": wants_fragment(request),
        "nav": "batches",
    }
    return render_partial(request, "batchapp/results/result_detail.html", "detail", context)


def _page(
    rows: "QuerySet[Result]", retries: dict[UUID, str], *, after: int | None, before: int | None
) -> Page:
    """By line number rather than by page number: as fast at the end of a file as at its start."""
    if before is not None:
        found = list(rows.filter(line__lt=before).order_by("-line")[: PAGE_SIZE + 1])[::-1]
        shown = found[-PAGE_SIZE:]
        has_previous, has_next = len(found) > PAGE_SIZE, True
    else:
        found = list(rows.filter(line__gt=after or 0)[: PAGE_SIZE + 1])
        shown = found[:PAGE_SIZE]
        has_previous, has_next = bool(after), len(found) > PAGE_SIZE
    return Page(
        rows=[_row(row, retries) for row in shown],
        previous=shown[0].line if shown and has_previous else None,
        next=shown[-1].line if shown and has_next else None,
    )


def _row(result: Result, retries: dict[UUID, str]) -> Row:
    """``result`` with what counts for it, if the answers of retries do."""
    shown = result.best if hasattr(result, "merged") else result
    return Row(result.line, shown, retries.get(shown.batch_id, ""))


def _pretty(text: str) -> str:
    """Indented, every number as it is written.

    What is no JSON, was cut, or is nested so deep that blanks would make it enormous, stays as
    it is.
    """
    try:
        indented = msgspec.json.format(text.encode(), indent=2)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return text
    return text if len(indented) > LONGEST_INDENTED else indented.decode()


def _text(answer: str) -> str:
    try:
        return answer_text(answer.encode())
    except (MalformedLine, UnicodeError):
        return ""


def _structured(text: str) -> str:
    """An answer that is itself JSON, indented; "" of any other."""
    return _pretty(text) if text.lstrip().startswith(("{", "[")) and _pretty(text) != text else ""
