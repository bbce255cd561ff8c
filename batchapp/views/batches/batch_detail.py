"""One batch: its state, and downloads of its results."""

from collections import Counter
from uuid import UUID

from django.db.models import prefetch_related_objects
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from batchapp.domain.results.outcome import DOUBTFUL, Outcome
from batchapp.http import Request, download, render_partial
from batchapp.models import Batch, ResultChunk
from batchapp.presenters.batches.batch_actions import ActionFacts, actions_of, allowed_controls_of
from batchapp.presenters.batches.batch_causes import causes_of
from batchapp.presenters.batches.batch_cost import estimate_rail
from batchapp.presenters.batches.batch_headline import (
    balance_of,
    facts_of,
    figures_of,
    headline,
    next_steps,
)
from batchapp.presenters.batches.batch_retries import batch_with_retries
from batchapp.presenters.batches.batch_summary import Summary, summarise, with_doubtful
from batchapp.presenters.batches.batch_timeline import timeline_of
from batchapp.services.results import browse, causes, retry_file
from batchapp.views.batches.batch_controls import can_try_again, foreign_key_text, may_spend
from batchapp.views.permissions import batch_of, can_write

ANSWERS = 8  # that the page shows


@require_safe
def batch_detail(request: Request, pk: UUID) -> HttpResponse:
    batch = batch_of(request, pk)
    prefetch_related_objects([batch], "provider_batches", "model_costs")
    outcomes: Counter[Outcome] = Counter()
    if batch.is_over:
        outcomes.update(browse.count_outcomes(batch, with_retries=False))
    summary = with_doubtful(summarise(batch), sum(outcomes[outcome] for outcome in DOUBTFUL))
    lines, unmatched_lines = browse.count_stored(batch)
    may_write = can_write(request, batch.project)
    reasons = causes.list_causes(batch, request.user, outcomes) if batch.is_over else []
    can_retry = bool(reasons) if batch.is_over else retry_file.has_retryable(batch)
    can_spend = may_spend(request, batch)
    may_go_on = can_try_again(summary.provider_batches, can_spend=can_spend)
    facts = ActionFacts(
        can_write=may_write,
        can_retry=may_write and can_retry,
        can_try_again=may_write and may_go_on,
        has_output=lines.get(ResultChunk.Kind.OUTPUT, 0) > 0,
        has_errors=lines.get(ResultChunk.Kind.ERROR, 0) > 0,
    )
    is_paused = bool(batch.pause_requested_at) and not batch.is_over
    is_for_good = not can_spend and (is_paused or (summary.needs_person and not may_go_on))
    controls = allowed_controls_of(summary, may_spend=can_spend)
    figures = figures_of(summary)
    context = {
        "batch": batch,
        "summary": summary,
        "headline": headline(summary),
        "figures": figures,
        "accounting": balance_of(summary) if batch.is_over else "",
        "facts": facts_of(summary) if batch.is_over else [],
        "next_steps": next_steps(
            summary, can_try_again=may_go_on, can_resume=may_write and controls.resume
        ),
        "causes": causes_of(batch, reasons, can_write=may_write),
        "answers": browse.read_answers(batch, request.user, ANSWERS) if facts.has_output else [],
        "rail": estimate_rail(batch),
        "model_costs": list(batch.model_costs.all()),
        "timeline": timeline_of(batch.events.select_related("actor")),
        "can_write": may_write,
        "can_try_again": may_go_on,
        "actions": actions_of(summary, controls, facts),
        "unspendable": foreign_key_text(batch) if is_for_good else "",
        "common_error": _common_error(request, batch, summary),
        "retries": batch_with_retries(batch),
        "past_errors": lines.get(ResultChunk.Kind.PAST, 0),
        "unmatched_lines": unmatched_lines,
        "nav": "batches",
    }
    return render_partial(request, "batchapp/batches/batch_detail.html", "live", context)


def _common_error(request: Request, batch: Batch, summary: Summary) -> str:
    """Return the most common error, if an alert shows it."""
    is_shown = any(alert.shows_common_error for alert in summary.alerts)
    return browse.most_common_error(batch, request.user) if is_shown else ""


@require_safe
def batch_download(request: Request, pk: UUID, kind: ResultChunk.Kind) -> HttpResponseBase:
    """Download the stored result lines; of a running batch the lines so far."""
    batch = batch_of(request, pk)
    so_far = "" if batch.is_over else "-so-far"
    filename = f"{slugify(batch.name) or 'batch'}-{kind.value}{so_far}.jsonl"
    return download(browse.download(batch, request.user, kind), filename)
