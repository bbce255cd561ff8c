"""The actions on the page of a batch: a few buttons, the downloads, and a menu of the rest."""

from dataclasses import dataclass, replace

from django.urls import reverse

from batchapp.domain.corrections.correction_rules import CorrectionKind
from batchapp.forms.labels import typed
from batchapp.models import Batch, ProviderBatch, ResultChunk
from batchapp.presenters.batches.batch_summary import Summary
from batchapp.presenters.order_wizard import step_url

ANSWERS_AS_TABLE = "answers-as-table"  # an action whose address takes the filter of a page
EXPORT = "export"  # the id of the action that leads to the page of exports
MAX_BUTTONS = 3  # beside the name of a batch that is over; the other actions are in a menu


@dataclass(frozen=True, slots=True)
class AllowedControls:
    """The controls that the present state of a batch allows."""

    pause: bool
    resume: bool
    retry_in_place: bool


def allowed_controls_of(summary: Summary, *, may_spend: bool) -> AllowedControls:
    """Decide from ``summary`` alone, without a query.

    ``may_spend`` says that more of the batch may run on its present key.
    """
    batch, capabilities = summary.batch, summary.batch.connection.capabilities
    is_under_way = batch.status == Batch.Status.RUNNING and not batch.cancel_requested_at
    can_retry_in_place = (
        batch.is_over
        and not batch.purged_at
        and capabilities.retry_in_place
        and may_spend
        and batch.failed + batch.cancelled + batch.missing
        and summary.provider_batches
        and all(row.can_retry_in_place for row in summary.provider_batches)
    )
    is_any_at_work = any(
        row.status not in ProviderBatch.OVER and not row.parked_reason
        for row in summary.provider_batches
    )
    return AllowedControls(
        pause=capabilities.pause
        and is_under_way
        and not batch.pause_requested_at
        and is_any_at_work,
        resume=is_under_way and bool(batch.pause_requested_at) and may_spend,
        retry_in_place=bool(can_retry_in_place),
    )


@dataclass(frozen=True, slots=True)
class Action:
    """A button; ``tone`` is "main", "danger" or "", and ``is_dialog`` if a dialog opens."""

    id: str
    label: str
    icon: str
    url: str
    tone: str = ""
    is_dialog: bool = False


@dataclass(frozen=True, slots=True)
class Actions:
    """``steps`` help a batch that needs attention, and stand beside the reason.

    The first of them helps the most. ``has_results`` says that there is something to browse or
    download. At most one of all actions has the tone "main".
    """

    steps: list[Action]
    buttons: list[Action]
    downloads: list[Action]
    menu: list[Action]
    has_results: bool


@dataclass(frozen=True, slots=True)
class ActionFacts:
    """The rights of the person, and the files and answers that there are.

    ``can_change_model`` says that the provider refuses a model, and that there are others.
    """

    can_write: bool
    can_stop: bool
    can_retry: bool
    can_try_again: bool
    has_output: bool
    has_errors: bool
    can_manage: bool = False
    can_approve: bool = False
    can_change_model: bool = False


def actions_of(summary: Summary, controls: AllowedControls, facts: ActionFacts) -> Actions:
    """Return the controls first while the batch runs, and its results first when it is over."""
    batch = summary.batch
    steps, downloads = _steps(summary, facts), _downloads(batch, facts)
    has_results = bool(downloads)
    reruns = _rerun_actions(batch, controls, facts) if facts.can_write else []
    uses = _use_actions(batch, facts)
    if not batch.is_over:
        # The tab beside the name leads to the results so far.
        buttons = _control_actions(summary, controls, facts, "" if steps else "main")
        return Actions(steps, buttons, [], [*downloads, *reruns], has_results)
    buttons, menu = reruns[:1], reruns[1:]
    if batch.succeeded and not batch.purged_at:
        url = reverse("result_list", args=[batch.pk])
        buttons.insert(0, Action("browse-results", "Browse results", "list", url))
    buttons[:1] = [replace(action, tone="main") for action in buttons[:1]]
    if len(buttons) + len(menu) + has_results <= MAX_BUTTONS:
        buttons, menu = [*buttons, *menu], []
    menu = [*menu, *uses]
    menu += _keeping_actions(batch) if facts.can_manage and not batch.purged_at else []
    return Actions(steps, buttons, downloads, menu, has_results)


def _steps(summary: Summary, facts: ActionFacts) -> list[Action]:
    """Return what makes the requests run: of a refused model, a new try needs another key."""
    if not summary.needs_person:
        return []
    steps = []
    if facts.can_change_model:
        file, kind = summary.batch.upload_id, CorrectionKind.SET_MODEL.value
        url = f"{reverse('file_correct', args=[file])}?corrections={kind}&every_model=1"
        steps.append(Action("change-model", "Change the model…", "file", url))
    if facts.can_try_again:
        label = "Try again with another key…" if summary.refused_models else "Try again"
        steps.append(_dialog(summary.batch, "try_again", label, "redo"))
    steps[:1] = [replace(step, tone="main") for step in steps[:1]]
    return steps


def _downloads(batch: Batch, facts: ActionFacts) -> list[Action]:
    so_far = "" if batch.is_over else " so far"
    actions = []
    if facts.has_output or facts.has_errors:
        url = reverse("export_list", args=[batch.pk])
        actions.append(Action(EXPORT, "Export…", "table", url))
    for has_file, kind, name in (
        (facts.has_output, ResultChunk.Kind.OUTPUT, "results"),
        (facts.has_errors, ResultChunk.Kind.ERROR, "errors"),
    ):
        if has_file:
            url = reverse("batch_download", args=[batch.pk, kind])
            actions.append(Action(f"get-{kind.value}", f"Download {name}{so_far}", "down", url))
    return actions


def _rerun_actions(batch: Batch, controls: AllowedControls, facts: ActionFacts) -> list[Action]:
    """Return the ways to run requests again; the one that runs the fewest comes first."""
    actions = []
    if facts.can_retry:
        actions.append(Action("retry", "Retry…", "swap", reverse("batch_retry", args=[batch.pk])))
    if controls.retry_in_place:
        actions.append(_dialog(batch, "retry_in_place", "Retry in place…", "redo"))
    if batch.is_over and not batch.upload.purged_at:
        url = step_url("order_choose_window", batch.upload, again_values(batch))
        actions.append(Action("run-again", "Run the file again", "file", url))
    return actions


def again_values(batch: Batch) -> dict[str, str]:
    """Return the choices of an order of the same file, for the address of the order form."""
    return {"window": batch.window, **typed(batch.labels)}


def _keeping_actions(batch: Batch) -> list[Action]:
    """Return what decides how long the requests and answers are kept."""
    if batch.held_at:
        return [_dialog(batch, "hold", "End the hold…", "hold")]
    return [
        _dialog(batch, "hold", "Put on hold…", "hold"),
        _dialog(batch, "purge", "Delete requests and answers…", "trash", "danger"),
    ]


def _use_actions(batch: Batch, facts: ActionFacts) -> list[Action]:
    """Return what can be done with the answers of a batch that is over."""
    if not batch.succeeded or batch.purged_at:
        return []
    url = reverse("batch_compare_choose", args=[batch.pk])
    actions = [Action("compare", "Compare with…", "swap", url)]
    if facts.can_write:
        url = reverse("answer_table_add", args=[batch.pk])
        actions.append(Action(ANSWERS_AS_TABLE, "Use answers as a table…", "table", url))
    return actions


def _control_actions(
    summary: Summary, controls: AllowedControls, facts: ActionFacts, resume_tone: str
) -> list[Action]:
    actions = []
    if facts.can_approve and summary.batch.status == Batch.Status.AWAITING_APPROVAL:
        url = reverse("batch_approval", args=[summary.batch.pk])
        actions.append(Action("decide", "Approve or deny…", "check", url, resume_tone))
    if facts.can_write and controls.resume:
        actions.append(_dialog(summary.batch, "resume", "Resume…", "play", resume_tone))
    if facts.can_write and controls.pause:
        actions.append(_dialog(summary.batch, "pause", "Pause…", "pause"))
    if facts.can_stop and summary.can_be_cancelled:
        actions.append(_dialog(summary.batch, "cancel", "Cancel…", "stop", "danger"))
    return actions


def _dialog(batch: Batch, verb: str, label: str, icon: str, tone: str = "") -> Action:
    url = reverse(f"batch_{verb}", args=[batch.pk])
    return Action(verb.replace("_", "-"), label, icon, url, tone, is_dialog=True)
