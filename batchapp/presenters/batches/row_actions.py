"""The menu of a row in a list of batches: what the person may do and the state allows."""

from django.urls import reverse

from batchapp.presenters.batches.batch_actions import Action, again_values
from batchapp.presenters.batches.batch_summary import Summary
from batchapp.presenters.order_wizard import order_query


def row_actions(summary: Summary, *, can_write: bool) -> list[Action]:
    """Decide from ``summary`` alone, without a query, what the menu of its row offers."""
    batch = summary.batch
    pk = batch.pk
    has_content = batch.purged_at is None
    actions = [Action(f"open-{pk}", "Open", "right", batch.get_absolute_url())]
    if has_content and summary.progress.done:
        url = reverse("result_list", args=[pk])
        actions.append(Action(f"results-{pk}", "Results", "list", url))
    if not can_write:
        return actions
    if has_content and batch.is_over and summary.has_problems:
        url = reverse("batch_retry", args=[pk])
        actions.append(Action(f"retry-{pk}", "Retry…", "swap", url))
    url = reverse("batch_label", args=[pk])
    actions.append(Action(f"label-{pk}", "Tags…", "tag", url, is_dialog=True))
    if has_content and batch.is_over:
        again = reverse("order_choose_window", args=[batch.upload_id])
        url = again + order_query(again_values(batch))
        actions.append(Action(f"again-{pk}", "Run the file again", "file", url))
    if summary.can_be_cancelled:
        url = reverse("batch_cancel", args=[pk])
        actions.append(Action(f"cancel-{pk}", "Cancel…", "stop", url, "danger", is_dialog=True))
    return actions
