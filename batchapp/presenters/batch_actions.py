"""What can be done about a batch: a few buttons in the order people want them, and more."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from batchapp.models import Batch, ResultChunk
from batchapp.presenters.batch_summary import Summary

FEW = 4
"""Buttons that fit beside the status; with more than that the last of them are in a menu."""


@dataclass(frozen=True, slots=True)
class AllowedControls:
    """What can be asked of a batch as it is now."""

    pause: bool
    resume: bool
    retry_in_place: bool


def allowed_controls_of(summary: Summary, *, may_spend: bool) -> AllowedControls:
    """Read from ``summary`` alone, without a query.

    ``may_spend`` says whether more of it may run on the key that it has.
    """
    batch = summary.batch
    is_under_way = batch.status == Batch.Status.RUNNING and not batch.cancel_requested_at
    is_reopenable = batch.is_over and batch.connection.has_retry and summary.provider_batches
    return AllowedControls(
        pause=is_under_way and not batch.pause_requested_at,
        resume=is_under_way and bool(batch.pause_requested_at) and may_spend,
        retry_in_place=bool(
            is_reopenable
            and may_spend
            and batch.failed + batch.cancelled + batch.missing
            and all(provider_batch.remote_id for provider_batch in summary.provider_batches)
        ),
    )


@dataclass(frozen=True, slots=True)
class Action:
    """A button; ``tone`` is "main", "danger" or "", and ``is_dialog`` if it asks first."""

    id: str
    label: str
    icon: str
    url: str
    tone: str = ""
    is_dialog: bool = False


@dataclass(frozen=True, slots=True)
class Actions:
    """Those that are seen at once, and those in the menu; at most one of them is the main one."""

    shown: list[Action]
    more: list[Action]


@dataclass(frozen=True, slots=True)
class Means:
    """What there is to do something with."""

    can_write: bool
    can_retry: bool
    has_output: bool
    has_errors: bool


def actions_of(summary: Summary, offers: AllowedControls, means: Means) -> Actions:
    """What moves the batch comes first while it runs, what came of it when it is over."""
    batch = summary.batch
    steering = _steering(summary, offers) if means.can_write else []
    results = _results(batch, means, is_main=not any(each.tone == "main" for each in steering))
    again = _again(batch, offers, means) if means.can_write else []
    if not batch.is_over:
        shown, more = [results[0], *steering], [*results[1:], *again]
    elif means.has_errors and again:
        shown, more = [*results[:-1], again[0]], [results[-1], *again[1:]]
    else:
        shown, more = [*results, *again[:1]], again[1:]
    is_few = len(shown) + len(more) <= FEW
    return Actions([*shown, *more], []) if is_few else Actions(shown, more)


def _results(batch: Batch, means: Means, *, is_main: bool) -> list[Action]:
    so_far = "" if batch.is_over else " so far"
    tone = "main" if batch.is_over and is_main else ""
    browse = reverse("result_list", args=[batch.pk])
    found = [Action("browse-results", "Browse results", "list", browse, tone)]
    for has, kind, name in (
        (means.has_output, ResultChunk.Kind.OUTPUT, "results"),
        (means.has_errors, ResultChunk.Kind.ERROR, "errors"),
    ):
        if has:
            url = reverse("batch_download", args=[batch.pk, kind])
            found.append(Action(f"get-{kind.value}", f"Download {name}{so_far}", "down", url))
    return found


def _again(batch: Batch, offers: AllowedControls, means: Means) -> list[Action]:
    """What takes the least comes first; it is seldom wanted to run all of it again."""
    found = []
    if means.can_retry:
        url = reverse("batch_retry", args=[batch.pk])
        found.append(Action("retry", "Retry…", "swap", url))
    if offers.retry_in_place:
        found.append(_dialog(batch, "retry_in_place", "Retry in place…", "redo"))
    if batch.is_over:
        query = urlencode({"window": batch.window})
        url = f"{reverse('order_choose_window', args=[batch.upload_id])}?{query}"
        found.append(Action("run-again", "Run the file again", "file", url))
    return found


def _steering(summary: Summary, offers: AllowedControls) -> list[Action]:
    found = []
    if offers.resume:
        found.append(_dialog(summary.batch, "resume", "Resume…", "play", "main"))
    if offers.pause:
        found.append(_dialog(summary.batch, "pause", "Pause…", "pause"))
    if summary.can_be_cancelled:
        found.append(_dialog(summary.batch, "cancel", "Cancel…", "stop", "danger"))
    return found


def _dialog(batch: Batch, wish: str, label: str, icon: str, tone: str = "") -> Action:
    url = reverse(f"batch_{wish}", args=[batch.pk])
    return Action(wish.replace("_", "-"), label, icon, url, tone, is_dialog=True)
