"""One request beside its answer."""

from dataclasses import dataclass
from uuid import UUID

import msgspec
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from batchapp.domain.results.answer_schemas import requested_schema
from batchapp.domain.results.attachments import request_images, tool_calls
from batchapp.domain.results.conversation import turns
from batchapp.domain.results.outcome import MalformedLine, Outcome, answer_text
from batchapp.domain.results.reconciliation import is_same_model
from batchapp.forms.batches.results import ResultFilterForm
from batchapp.http import Request, render_partial, wants_fragment
from batchapp.models import Batch, Result
from batchapp.presenters.batches.batch_retries import retry_labels
from batchapp.presenters.reuse_text import origin_text
from batchapp.services.results import browse, merge, retry_file, reused_answers
from batchapp.services.results.columns.open_columns import open_columns
from batchapp.views.permissions import batch_with_content, can_write
from batchapp.views.results.columns_file import columns_state_of
from batchapp.views.results.result_page import filter_form, kept_address, unknown_column

MAX_INDENTED_LENGTH = 4 * browse.MAX_TEXT_BYTES  # bytes


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """A request of the batch or of a retry with its result; ``origin`` names the retry."""

    result: Result
    shown: Result
    origin: str


@require_safe
def result_detail(request: Request, pk: UUID, line: int) -> HttpResponse:
    """Show one request and its answer, with their raw JSON."""
    batch = batch_with_content(request, pk)
    retries = retry_labels(batch)
    form = filter_form(request, batch, retries)
    result = get_object_or_404(batch.results.select_related("result_chunk"), line=line)
    result.batch = batch
    attempts = [result]
    if result.outcome == Outcome.REUSED:
        attempts = [reused_answers.reused_result(result, request.user)]
    elif retries:
        attempts += merge.list_attempts(batch, request.user, result.custom_id, retries)
    shown = attempts[0]
    if form.is_merged:
        shown = next((row for row in attempts if row.pk == result.retried_id), shown)
    texts = browse.read_texts(shown, request.user)
    whole = browse.read_request(shown, request.user)
    text = _answer_text(texts.answer)
    previous, following = _neighbours(request, batch, form, line)
    context = {
        "batch": batch,
        "result": result,
        "shown": shown,
        "origin": origin_text(result, shown, retries),
        "is_paid_here": result.outcome != Outcome.REUSED,
        "attempts": [
            AttemptRow(row, row, retries.get(row.batch_id, "This batch")) for row in attempts
        ],
        "outcome": Outcome(shown.outcome),
        "is_other_model": not is_same_model(shown.model, shown.answer_model),
        "cost": browse.cost_of(shown),
        "texts": texts,
        "request_json": _pretty(texts.request),
        "answer_json": _pretty(texts.answer),
        "turns": turns(whole),
        "images": request_images(whole),
        "calls": tool_calls(texts.answer.encode(errors="replace")),
        "schema": _schema_text(whole, shown),
        "answer_text": text,
        "structured": _structured(text),
        "previous": previous,
        "next": following,
        "can_retry": can_write(request, batch.project) and retry_file.is_retryable(result),
        "filter": kept_address(form.view),
        "in_drawer": wants_fragment(request),
        "nav": "batches",
    }
    return render_partial(request, "batchapp/results/result_detail.html", "detail", context)


def _neighbours(
    request: Request, batch: Batch, form: ResultFilterForm, line: int
) -> tuple[int | None, int | None]:
    """Return the lines before and after ``line`` in the list that the person came from."""
    view, state = form.view, columns_state_of(request, batch)
    if view and state.is_usable:
        with open_columns(state.columns, request.user, own=view.chosen.own) as reader:
            if reader and unknown_column(reader, view) is None:
                return reader.neighbours(line, view.chosen, view.sorting)
    rows = form.narrow(Result.objects.filter(batch=batch).order_by("line"))
    lines = rows.values_list("line", flat=True)
    previous = lines.filter(line__lt=line).order_by("-line").first()
    return previous, lines.filter(line__gt=line).first()


def _schema_text(line: bytes, shown: Result) -> str:
    """Say whether an answer follows the schema of its request; "" if it asks for none."""
    outcome = Outcome(shown.outcome)
    if not outcome.is_answer or requested_schema(line) is None:
        return ""
    if outcome == Outcome.OK:
        return "The answer follows it"
    return "The answer does not follow it" if outcome == Outcome.INVALID_SCHEMA else "Not checked"


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
