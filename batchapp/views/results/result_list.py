"""The list of results, and one request beside its answer."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from batchapp.domain.results.conversation import turns
from batchapp.domain.results.outcome import MalformedLine, Outcome, answer_text
from batchapp.domain.results.reconciliation import is_same_model
from batchapp.forms.batches.results import ResultFilterForm
from batchapp.http import Request, render_partial, wants_fragment
from batchapp.models import Batch, Result, User
from batchapp.presenters.batches.batch_retries import retry_labels
from batchapp.presenters.list_text import lines_text, no_match
from batchapp.presenters.result_chips import Chip, result_chips
from batchapp.services.results import browse, merge
from batchapp.views.permissions import batch_of
from batchapp.views.results.head import head_of

PAGE_SIZE = 50
MAX_INDENTED_LENGTH = 4 * browse.MAX_TEXT_BYTES  # bytes


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the batch with the result that counts.

    ``attempt`` names the retry it is from, and ``question`` is the beginning of what was asked.
    """

    line: int
    shown: Result
    attempt: str
    question: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Results in line order; ``previous`` and ``next`` are the lines to go on from."""

    rows: list[Row]
    previous: int | None
    next: int | None


@require_safe
def result_list(request: Request, pk: UUID) -> HttpResponse:
    batch = batch_of(request, pk)
    retries = retry_labels(batch)
    form = ResultFilterForm(request.GET, has_retries=bool(retries))
    rows = form.narrow(Result.objects.filter(batch=batch).order_by("line"))
    cleaned: dict[str, Any] = form.cleaned_data if form.is_valid() else {}
    after, before = cleaned.get("after"), cleaned.get("before")
    page = _page(batch, request.user, rows, retries, after=after, before=before)
    text, outcome = request.GET.get("q", ""), request.GET.get("outcome", "")
    counts = browse.count_outcomes(batch, with_retries=form.is_merged)
    chips = result_chips(counts, outcome)
    head = head_of(request, batch, has_retries=bool(retries), outcomes=counts)
    context = head | {
        "form": form,
        "page": page,
        "is_fragment": wants_fragment(request),
        "page_text": _page_text(page, chips, text) if page.rows else "",
        "chips": chips,
        "no_match": no_match("request", "custom_id", text, has_other_filters=bool(outcome))
        if text or outcome
        else "There are no more results",
        "is_filtered": any(cleaned.get(name) for name in ("q", "outcome", "attempts")),
        "is_all": not any(request.GET.values()),
        "has_other_outcomes": any(each != Outcome.OK for each in counts),
        "missing": counts.get(Outcome.MISSING, 0),
    }
    return render_partial(request, "batchapp/results/result_list.html", "rows", context)


@require_safe
def result_detail(request: Request, pk: UUID, line: int) -> HttpResponse:
    """Show one request and its answer, with their raw JSON."""
    batch = batch_of(request, pk)
    retries = retry_labels(batch)
    form = ResultFilterForm(request.GET, has_retries=bool(retries))
    rows = form.narrow(Result.objects.filter(batch=batch).order_by("line"))
    result = get_object_or_404(batch.results.select_related("result_chunk"), line=line)
    result.batch = batch
    attempts = [result]
    if retries:
        attempts += merge.list_attempts(batch, request.user, result.custom_id, retries)
    shown = result
    if form.is_merged:
        shown = next((row for row in attempts if row.pk == result.retried_id), result)
    texts = browse.read_texts(shown, request.user)
    text = _answer_text(texts.answer)
    context = {
        "batch": batch,
        "result": result,
        "shown": shown,
        "attempt": retries.get(shown.batch_id, ""),
        "attempts": [
            Row(row.line, row, retries.get(row.batch_id, "This batch")) for row in attempts
        ],
        "outcome": Outcome(shown.outcome),
        "is_other_model": not is_same_model(shown.model, shown.answer_model),
        "cost": browse.cost_of(shown),
        "texts": texts,
        "request_json": _pretty(texts.request),
        "answer_json": _pretty(texts.answer),
        "turns": turns(texts.request.encode()),
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
    batch: Batch,
    user: User,
    rows: "QuerySet[Result]",
    retries: dict[UUID, str],
    *,
    after: int | None,
    before: int | None,
) -> Page:
    """Page by line number: this is as fast at the end of a large file as at its start."""
    if before is not None:
        page = list(rows.filter(line__lt=before).order_by("-line")[: PAGE_SIZE + 1])[::-1]
        shown = page[-PAGE_SIZE:]
        has_previous, has_next = len(page) > PAGE_SIZE, True
    else:
        page = list(rows.filter(line__gt=after or 0)[: PAGE_SIZE + 1])
        shown = page[:PAGE_SIZE]
        has_previous, has_next = bool(after), len(page) > PAGE_SIZE
    questions = browse.read_questions(batch, user, shown) if shown else {}
    return Page(
        rows=[_row(row, retries, questions.get(row.line, "")) for row in shown],
        previous=shown[0].line if shown and has_previous else None,
        next=shown[-1].line if shown and has_next else None,
    )


def _page_text(page: Page, chips: list[Chip], text: str) -> str:
    total = next((chip.number for chip in chips if chip.is_current), None)
    return lines_text(page.rows[0].line, page.rows[-1].line, None if text else total)


def _row(result: Result, retries: dict[UUID, str], question: str) -> Row:
    """Return ``result`` with the result that counts, if the query chose one among retries."""
    shown = result.best if hasattr(result, "merged") else result
    return Row(result.line, shown, retries.get(shown.batch_id, ""), question)


def _pretty(text: str) -> str:
    """Indent JSON and keep every number as it is written.

    Text that is no JSON, was cut, or would become enormous by indenting stays as it is.
    """
    try:
        indented = msgspec.json.format(text.encode(), indent=2)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return text
    return text if len(indented) > MAX_INDENTED_LENGTH else indented.decode()


def _answer_text(answer: str) -> str:
    try:
        return answer_text(answer.encode())
    except (MalformedLine, UnicodeError):
        return ""


def _structured(text: str) -> str:
    """Return an answer that is JSON, indented; "" for any other."""
    pretty = _pretty(text)
    return pretty if text.lstrip().startswith(("{", "[")) and pretty != text else ""
