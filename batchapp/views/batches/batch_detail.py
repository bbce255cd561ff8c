"""One batch: its state, and downloads of its results."""

from collections import Counter
from uuid import UUID

from django.db.models import prefetch_related_objects
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.text import slugify
from django.views.decorators.http import condition, require_safe

from batchapp import access
from batchapp.domain.results.outcome import DOUBTFUL, Outcome
from batchapp.domain.results.problem_groups import Problems
from batchapp.http import Request, download, etag_for, render_partial, wants_fragment
from batchapp.models import Batch, ResultChunk
from batchapp.presenters.approval_text import approval_note
from batchapp.presenters.batches.batch_actions import ActionFacts, actions_of, allowed_controls_of
from batchapp.presenters.batches.batch_chain import chain_of
from batchapp.presenters.batches.batch_cost import estimate_rail
from batchapp.presenters.batches.batch_headline import (
    balance_of,
    facts_of,
    figures_of,
    headline,
    next_steps,
    reasons_of_failure,
)
from batchapp.presenters.batches.batch_problems import problem_overview
from batchapp.presenters.batches.batch_retries import batch_with_retries
from batchapp.presenters.batches.batch_summary import Summary, summarise, with_outcomes
from batchapp.presenters.batches.batch_timeline import timeline_of
from batchapp.presenters.batches.batch_version import batch_version
from batchapp.presenters.correction_options import has_other_model
from batchapp.presenters.keeping_text import purged_text
from batchapp.presenters.reuse_text import reused_answers
from batchapp.services.notifications.inbox import mark_batch_read
from batchapp.services.results import browse, outcome_counts, problems, retry_file
from batchapp.views.audit.note_download import note_download
from batchapp.views.batches.batch_controls import can_try_again, foreign_key_text, may_spend
from batchapp.views.permissions import (
    batch_of,
    batch_with_content,
    can_manage,
    can_stop,
    can_write,
)

ANSWERS = 8  # that the page shows
MAX_GROUPED = 10_000  # requests that are grouped while a person waits for this page


def _version(request: Request, pk: UUID) -> str | None:
    """Return the ETag of the part of the page that asks for itself every two seconds."""
    version = batch_version(request.user, pk) if wants_fragment(request) else ""
    return etag_for(request, version) if version else None


@require_safe
@condition(etag_func=_version)
def batch_detail(request: Request, pk: UUID) -> HttpResponse:
    batch = batch_of(request, pk)
    mark_batch_read(request.user, batch)
    prefetch_related_objects([batch], "provider_batches", "model_costs")
    lines, unmatched_lines = browse.count_stored(batch)
    outcomes: Counter[Outcome] = Counter()
    if batch.is_over or lines:
        among = None if batch.is_over else DOUBTFUL  # the provider counts the others
        outcomes.update(outcome_counts.count_outcomes(batch, with_retries=False, among=among))
    summary = with_outcomes(summarise(batch), outcomes)
    may_write = can_write(request, batch.project)
    listed_problems = _problems(request, batch, summary)
    can_retry = listed_problems.total > 0 if listed_problems else retry_file.has_retryable(batch)
    can_spend = may_spend(request, batch)
    may_go_on = not batch.project.archived_at and can_try_again(
        summary.provider_batches, can_spend=can_spend
    )
    facts = ActionFacts(
        can_write=may_write,
        can_stop=can_stop(request, batch.project),
        can_retry=may_write and can_retry,
        can_try_again=may_write and may_go_on,
        has_output=lines.get(ResultChunk.Kind.OUTPUT, 0) > 0,
        has_errors=lines.get(ResultChunk.Kind.ERROR, 0) > 0,
        can_manage=can_manage(request, batch.project),
        can_approve=access.can_approve(request.user, batch),
        can_change_model=may_write and has_other_model(batch.upload, summary.refused_models),
    )
    is_paused = bool(batch.pause_requested_at) and not batch.is_over
    is_for_good = not can_spend and (is_paused or (summary.needs_person and not may_go_on))
    controls = allowed_controls_of(summary, may_spend=can_spend)
    figures = figures_of(summary)
    context = {
        "batch": batch,
        "summary": summary,
        "headline": headline(summary),
        "reasons": reasons_of_failure(summary),
        "figures": figures,
        "accounting": balance_of(summary) if batch.is_over else "",
        "facts": facts_of(summary) if batch.is_over else [],
        "next_steps": next_steps(
            summary, can_try_again=may_go_on, can_resume=may_write and controls.resume
        ),
        "problems": listed_problems
        and problem_overview(batch, listed_problems, can_write=may_write),
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
        "chain": chain_of(batch, request.user),
        "reused": reused_answers(batch),
        "past_errors": lines.get(ResultChunk.Kind.PAST, 0),
        "unmatched_lines": unmatched_lines,
        "approval": approval_note(batch),
        "purged": purged_text(batch),
        "nav": "batches",
    }
    return render_partial(request, "batchapp/batches/batch_detail.html", "live", context)


def _problems(request: Request, batch: Batch, summary: Summary) -> Problems | None:
    """Return the problems of a finished batch; None if they are too many to group for a page."""
    if not batch.is_over:
        return None
    if not summary.has_problems:
        return Problems()
    return problems.list_few_problems(batch, request.user, most=MAX_GROUPED)


def _common_error(request: Request, batch: Batch, summary: Summary) -> str:
    """Return the most common error, if an alert shows it."""
    is_shown = not batch.purged_at and any(alert.shows_common_error for alert in summary.alerts)
    return browse.most_common_error(batch, request.user) if is_shown else ""


@require_safe
def batch_download(request: Request, pk: UUID, kind: ResultChunk.Kind) -> HttpResponseBase:
    """Download the stored result lines; of a running batch the lines so far."""
    batch = batch_with_content(request, pk)
    so_far = "" if batch.is_over else "-so-far"
    filename = f"{slugify(batch.name) or 'batch'}-{kind.value}{so_far}.jsonl"
    note_download(request, kind.value, batch=batch)
    return download(browse.download(batch, request.user, kind), filename)
