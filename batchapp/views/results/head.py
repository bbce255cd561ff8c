"""The head of the pages of results: the state of the batch, its actions and downloads."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.db.models import prefetch_related_objects
from django.urls import reverse

from batchapp.domain.results.outcome import Outcome
from batchapp.http import Request
from batchapp.models import Batch, ResultChunk
from batchapp.presenters.batches.batch_actions import (
    ANSWERS_AS_TABLE,
    EXPORT,
    Action,
    ActionFacts,
    actions_of,
    allowed_controls_of,
)
from batchapp.presenters.batches.batch_summary import summarise
from batchapp.services.results import browse, retry_file
from batchapp.views.batches.batch_controls import may_spend
from batchapp.views.permissions import can_stop, can_write

# Parameters of the address of results that say which of them a page shows.
NOT_A_FILTER = ("page", "line", "rows", "sort", "after", "before")


def head_of(
    request: Request, batch: Batch, *, has_retries: bool, outcomes: Iterable[Outcome] | None = None
) -> dict[str, Any]:
    """Return what the head shows, with the actions of the page of ``batch``.

    With retries, the best answers of all of them can be downloaded as one file. ``outcomes`` are
    those that occur, if they are known: they spare a query.
    """
    prefetch_related_objects([batch], "provider_batches", "model_costs")
    summary = summarise(batch)
    lines, unmatched_lines = browse.count_stored(batch)
    may_write = can_write(request, batch.project)
    if outcomes is None or has_retries or not batch.is_over:
        can_retry = retry_file.has_retryable(batch)
    else:
        can_retry = not set(retry_file.OUTCOMES).isdisjoint(outcomes)
    facts = ActionFacts(
        can_write=may_write,
        can_stop=can_stop(request, batch.project),
        can_retry=may_write and can_retry,
        can_try_again=False,  # that button stands beside the reason
        has_output=lines.get(ResultChunk.Kind.OUTPUT, 0) > 0,
        has_errors=lines.get(ResultChunk.Kind.ERROR, 0) > 0,
    )
    controls = allowed_controls_of(summary, may_spend=may_spend(request, batch))
    actions = actions_of(summary, controls, facts)
    buttons, downloads, menu = (
        [_filtered(request, action) for action in group]
        for group in (actions.buttons, actions.downloads, actions.menu)
    )
    if has_retries:
        url = reverse("batch_download_merged", args=[batch.pk])
        downloads.append(Action("get-merged", "Download merged results", "down", url))
    buttons = [action for action in buttons if action.id != "browse-results"]
    return {
        "batch": batch,
        "summary": summary,
        "actions": replace(actions, buttons=buttons, menu=menu, downloads=downloads),
        "unmatched_lines": unmatched_lines,
        "nav": "batches",
    }


def _filtered(request: Request, action: Action) -> Action:
    """Return the action, with the filter of the page if it uses the results that are shown."""
    query = request.GET.copy()
    for name in NOT_A_FILTER:
        query.pop(name, None)
    if action.id not in {EXPORT, ANSWERS_AS_TABLE} or not query:
        return action
    return replace(action, url=f"{action.url}?{query.urlencode()}")
