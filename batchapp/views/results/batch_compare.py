"""Choose the batches of a comparison, show it, and download it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from batchapp.domain.csv_list import escape_formula
from batchapp.domain.results.comparison import (
    LETTERS,
    MAX_BATCHES,
    MIN_BATCHES,
    ComparisonFilter,
)
from batchapp.forms.batches.comparison import ComparisonForm
from batchapp.http import Request, download_csv, render_partial
from batchapp.models import Batch, ResultColumns
from batchapp.presenters.batches import batch_comparison
from batchapp.services.results import comparable_batches
from batchapp.services.results.columns.compare_accuracy import find_reference, measure_accuracy
from batchapp.services.results.columns.compare_columns import Comparison, open_comparison
from batchapp.views.audit.note_download import note_download
from batchapp.views.permissions import batch_with_content
from batchapp.views.results.columns_file import current_columns

PAGE_SIZE = 25
PAGE = "batchapp/results/batch_compare.html"


@require_safe
def batch_compare_choose(request: Request, pk: UUID) -> HttpResponse:
    """Choose up to three batches to compare one with, those with the same requests first."""
    batch = batch_with_content(request, pk)
    suggested = comparable_batches.suggest_batches(batch, request.user)
    others = comparable_batches.list_answered(batch, request.user)
    if text := request.GET.get("q", "").replace("\0", "")[:200]:
        others = others.filter(name__icontains=text)
    others = others.exclude(pk__in=[row.pk for row in suggested])
    context = {
        "batch": batch,
        "suggested": suggested,
        "page": Paginator(others, PAGE_SIZE).get_page(request.GET.get("page")),
        "text": text,
        "most": MAX_BATCHES - 1,
        "nav": "batches",
    }
    return render(request, "batchapp/results/batch_compare_choose.html", context)


@require_safe
def batch_compare(request: Request) -> HttpResponse:
    """Compare two to four batches; the address keeps the whole comparison."""
    form = ComparisonForm(request.GET)
    if not form.batches:
        messages.info(request, f"Tick {MIN_BATCHES} to {MAX_BATCHES} batches.")
        return redirect(f"{reverse('batch_list')}?select=on")
    batches = _batches(request, form)
    if unanswered := [batch for batch in batches if not comparable_batches.is_comparable(batch)]:
        messages.info(request, f"{unanswered[0]} has no answers to compare.")
        return redirect(f"{reverse('batch_list')}?select=on")
    if not (MIN_BATCHES <= len(batches) <= MAX_BATCHES):
        messages.info(request, f"Choose one to {MAX_BATCHES - 1} other batches.")
        return redirect("batch_compare_choose", batches[0].pk)
    if len({batch.project_id for batch in batches}) > 1:
        messages.info(request, "Only batches of one project are compared.")
        return redirect("batch_compare_choose", batches[0].pk)
    context: dict[str, Any] = {
        "batches": list(zip(LETTERS, batches, strict=False)),
        "project": batches[0].project,
        "form": form,
        "nav": "batches",
    }
    columns = [current_columns(batch, request.user) for batch in batches]
    if not all(map(_can_be_read, columns)):
        context["is_preparing"] = not any(_has_failed(row) for row in columns)
        return render_partial(request, PAGE, "live", context)
    with open_comparison(columns, request.user, loose=form.is_loose) as comparison:
        if comparison:
            context |= _comparison(comparison, batches, form)
    return render_partial(request, PAGE, "live", context)


@require_safe
def batch_compare_csv(request: Request) -> HttpResponseBase:
    """Download the rows of a comparison that its page shows, with whole answers, as CSV."""
    form = ComparisonForm(request.GET)
    batches = _batches(request, form)
    columns = [current_columns(batch, request.user) for batch in batches]
    is_possible = MIN_BATCHES <= len(batches) <= MAX_BATCHES and all(map(_can_be_read, columns))
    if not is_possible or len({batch.project_id for batch in batches}) > 1:
        raise Http404
    with open_comparison(columns, request.user, loose=form.is_loose) as comparison:
        if comparison is None:
            raise Http404
        note_download(request, "comparison", batch=batches[0])
        return download_csv(_csv_rows(comparison, form.chosen), "comparison.csv")


def _batches(request: Request, form: ComparisonForm) -> list[Batch]:
    """Return the batches of the address; 404 if it has none, or one the person may not see."""
    batches = [batch_with_content(request, pk) for pk in form.batches]
    if not batches:
        raise Http404
    return batches


def _can_be_read(columns: ResultColumns) -> bool:
    """Return True if there is a file, which may lag behind a batch that still runs."""
    is_being_replaced = columns.status == ResultColumns.Status.BUILDING and columns.batch.is_over
    return bool(columns.blob) and not is_being_replaced


def _has_failed(columns: ResultColumns) -> bool:
    return columns.status == ResultColumns.Status.FAILED


class _Rows(Sequence[Any]):
    """The rows of a comparison as the paginator reads them: one page at a time."""

    def __init__(self, comparison: Comparison, chosen: ComparisonFilter) -> None:
        self._comparison, self._chosen = comparison, chosen

    def __len__(self) -> int:
        return self._comparison.count(self._chosen)

    def __getitem__(self, index: Any) -> Any:
        return self._comparison.page(
            self._chosen, start=index.start, size=index.stop - index.start
        )


def _comparison(
    comparison: Comparison, batches: Sequence[Batch], form: ComparisonForm
) -> dict[str, Any]:
    chosen = form.chosen
    labels = [field.label for field in comparison.fields]
    field = chosen.field if chosen.field in labels else ""
    page = Paginator(_Rows(comparison, chosen), PAGE_SIZE).get_page(form.page_number)
    reference = find_reference(comparison, form.reference)
    return {
        "comparison": comparison,
        "share": batch_comparison.answer_share(comparison),
        "field_shares": batch_comparison.field_shares(comparison),
        "sides": batch_comparison.sides_of(comparison, batches),
        "combinations": batch_comparison.combinations_of(comparison),
        "chips": batch_comparison.chips_of(comparison, form.shown, field),
        "questions_text": batch_comparison.questions_text(comparison),
        "page": page,
        "rows": batch_comparison.rows_of(list(page.object_list), batches),
        "show_labels": chosen.agreement is None,
        "field": field,
        "labels": labels,
        "references": list(_references(comparison)),
        "accuracies": [
            (
                LETTERS[accuracy.position],
                accuracy,
                batch_comparison.share_text(accuracy.right, accuracy.total),
            )
            for accuracy in measure_accuracy(comparison, reference, field)
        ]
        if reference
        else [],
    }


def _references(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Yield value and label of everything that can count as right."""
    for position, columns in enumerate(comparison.index.source_columns):
        if columns:
            for name, label in columns.items():
                yield f"{position}.{name}", f"column {label}"
            break
    for position, letter in zip(range(len(comparison.index.tables)), LETTERS, strict=False):
        yield str(position), f"those of {letter}"


def _csv_rows(comparison: Comparison, chosen: ComparisonFilter) -> Iterable[list[Any]]:
    """Yield the header, and a row for each custom_id with whole texts and formulas escaped."""
    labels = [field.label for field in comparison.fields]
    header = ["custom_id", "agreement", "question"]
    for _, letter in zip(comparison.index.tables, LETTERS, strict=False):
        names = ["outcome", "answer", *labels, "input_tokens", "output_tokens", "cost_usd"]
        header += [f"{letter} {name}" for name in names]
    yield [escape_formula(name) for name in header]
    for row in comparison.iterate(chosen):
        cells: list[Any] = [row.custom_id, row.agreement.value, row.question]
        for result in row.results:
            if result is None:
                cells += [""] * (len(labels) + 5)
                continue
            cells += [result.outcome.value, result.text, *(text or "" for text in result.fields)]
            cells += [result.input_tokens, result.output_tokens, result.cost_usd]
        yield [escape_formula(cell) if isinstance(cell, str) else cell for cell in cells]
