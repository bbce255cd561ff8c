"""Actions on several batches of a list: a page says what will happen, and then it is done."""

from uuid import UUID, uuid5

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from batchapp import tasks
from batchapp.domain.results.export_settings import ExportSettings
from batchapp.forms.batches.batch_list import BatchFilterForm
from batchapp.forms.batches.selection import (
    MOST,
    Act,
    ConfirmedForm,
    SelectionForm,
    ids_text,
)
from batchapp.http import Request
from batchapp.models import Batch, Project
from batchapp.pipeline.states import BATCH_STATES
from batchapp.presenters.batches.batch_summary import summarise, with_details
from batchapp.presenters.batches.selection_plan import RETRIED, Plan, make_plan, too_many_text
from batchapp.presenters.export_text import FORMAT_TEXTS
from batchapp.services.labels import batch_labels
from batchapp.services.lifecycle import controls
from batchapp.services.results import outcome_counts, retry_file
from batchapp.services.results.exports import export_files
from batchapp.services.results.exports.formats import FORMATS
from batchapp.templatetags.words import count
from batchapp.views.batches.list_address import list_address
from batchapp.views.permissions import can_stop, can_write, memberships_of

PAGE = "batchapp/batches/selection_review.html"
WOKEN = 25  # batches whose workers are woken at once; the next tick wakes those of the others


@require_http_methods(["GET", "HEAD", "POST"])
def selection_review(request: Request) -> HttpResponse:
    """List what an action on the ticked batches will do, and do it once that is confirmed."""
    if request.method == "POST":
        return _confirmed(request)
    form = SelectionForm(request.GET)
    back = list_address(request)
    if not form.is_valid():
        return redirect(back)
    number, batches = _chosen(request, form)
    if not number:
        messages.info(request, "Tick at least one batch.")
        return redirect(back)
    if too_many := too_many_text(form.act, number):
        return _page(request, _plan(request, form.act, []), too_many=too_many)
    return _page(request, _plan(request, form.act, batches))


def _chosen(request: Request, form: SelectionForm) -> tuple[int, list[Batch]]:
    """Return the number of chosen batches, and these, unless there are too many to be listed.

    Ids of batches that the person may not see count as if there were none.
    """
    rows: QuerySet[Batch] = Batch.objects.visible_to(request.user)
    if form.cleaned_data["all"]:
        projects = [membership.project for membership in memberships_of(request)]
        rows = BatchFilterForm(request.GET, projects=projects, states=BATCH_STATES).narrow(rows)
    else:
        rows = rows.filter(pk__in=form.ids)
    number = rows.count()
    most = MOST[form.act]
    return number, [] if number > most else list(_detailed(rows, form.act))


def _detailed(rows: QuerySet[Batch], act: Act) -> QuerySet[Batch]:
    rows = with_details(rows).select_related("project", "connection", "created_by", "key")
    rows = rows.prefetch_related("retries") if act is Act.RETRY else rows
    return rows.order_by("-created_at", "pk")


def _plan(request: Request, act: Act, batches: list[Batch]) -> Plan:
    retryable: dict[UUID, int] = {}
    if act is Act.RETRY:
        for batch in batches:
            if batch.is_over and can_write(request, batch.project):
                retryable[batch.pk] = outcome_counts.retryable_counts(batch).total(RETRIED)
    return make_plan(
        act,
        [summarise(batch) for batch in batches],
        may_act=lambda batch: _may_act(request, act, batch.project),
        retryable=retryable,
    )


def _may_act(request: Request, act: Act, project: Project) -> bool:
    """Return whether the person, who sees the batch, may do this with it."""
    if act is Act.EXPORT:
        return True
    return can_stop(request, project) if act is Act.CANCEL else can_write(request, project)


def _page(
    request: Request, plan: Plan, form: ConfirmedForm | None = None, *, too_many: str = ""
) -> HttpResponse:
    form = form or ConfirmedForm()
    projects = {summary.batch.project for summary in plan.will}
    if plan.act is Act.TAG and len(projects) == 1:
        form.propose_tags(batch_labels.tags_of_project(next(iter(projects))))
    context = {
        "plan": plan,
        "form": form,
        "ids": ids_text(summary.batch.pk for summary in plan.will),
        "too_many": too_many,
        "formats": [(code, FORMAT_TEXTS[code]) for code in FORMATS],
        "back": list_address(request),
        "parameters": request.GET.urlencode(),
        "nav": "batches",
    }
    return render(request, PAGE, context)


def _confirmed(request: Request) -> HttpResponse:
    """Do what the form says, to those of its batches that the person may still see."""
    form = ConfirmedForm(request.POST)
    is_valid = form.is_valid()
    if "action" in form.errors or "ids" in form.errors:
        raise Http404
    rows = Batch.objects.visible_to(request.user).filter(pk__in=form.batches)
    batches = list(_detailed(rows, form.act))
    if not batches:
        raise Http404
    plan = _plan(request, form.act, batches)
    if not is_valid:
        return _page(request, plan, form)
    chosen = [summary.batch for summary in plan.will]
    if form.act is Act.RETRY:
        return _write_retries(request, form, chosen)
    if form.act is Act.CANCEL:
        _cancel(request, chosen)
    elif form.act is Act.TAG:
        _tag(request, form, chosen)
    else:
        return _export(request, form, chosen)
    return redirect(list_address(request))


def _cancel(request: Request, batches: list[Batch]) -> None:
    cancelled = controls.request_cancels(batches, request.user)
    for batch in cancelled[:WOKEN]:
        for provider_batch in batch.provider_batches.all():
            tasks.wake(provider_batch)
    if cancelled:
        verb = "is" if len(cancelled) == 1 else "are"
        number = count(len(cancelled), "batch,batches")
        messages.success(request, f"{number} {verb} being cancelled.")
    else:
        messages.info(request, "There was nothing to cancel any more.")


def _tag(request: Request, form: ConfirmedForm, batches: list[Batch]) -> None:
    changed = 0
    for project in _projects(batches):
        own = [batch for batch in batches if batch.project_id == project.pk]
        added, removed = form.cleaned_data["add"], form.cleaned_data["remove"]
        changed += len(batch_labels.change_tags(own, request.user, add=added, remove=removed))
    text = f"The tags of {count(changed, 'batch,batches')} changed."
    if rest := len(batches) - changed:
        text += f" {count(rest, 'batch,batches')} stayed as before, or would have too many tags."
    messages.success(request, text)


def _export(request: Request, form: ConfirmedForm, batches: list[Batch]) -> HttpResponse:
    """Request one export for each batch; the same form sent twice makes them once."""
    for batch in batches:
        export = export_files.request_export(
            batch,
            request.user,
            form.cleaned_data["format"] or next(iter(FORMATS)),
            ExportSettings(),
            submission=uuid5(form.submission_id, str(batch.pk)),
        )
        tasks.wake(export)
    if not batches:
        return redirect(list_address(request))
    number = count(len(batches), "export")
    projects = _projects(batches)
    messages.success(request, f"{number} will be written. Exports of a project lists them.")
    if len(projects) == 1:
        return redirect("project_export_list", projects[0].slug)
    return redirect(list_address(request))


def _write_retries(request: Request, form: ConfirmedForm, batches: list[Batch]) -> HttpResponse:
    """Have a retry file written for each batch, and go on to their exact price."""
    for batch in batches:
        upload = retry_file.request_retry_file(
            batch, request.user, RETRIED, submission=form.submission_id
        )
        tasks.wake(upload)
    if not batches:
        return redirect(list_address(request))
    query = f"submission={form.submission_id}&ids={ids_text(row.pk for row in batches)}"
    return redirect(f"{reverse('selection_retry')}?{query.replace(' ', '+')}")


def _projects(batches: list[Batch]) -> list[Project]:
    return list({batch.project_id: batch.project for batch in batches}.values())
