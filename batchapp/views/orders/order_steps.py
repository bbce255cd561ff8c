"""The steps on the way to a batch, with an address each; none of them spends money."""

from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from batchapp.access import can_manage, memberships_of, project_of, require_member, upload_of
from batchapp.forms.files.uploads import SAMPLES, UploadForm
from batchapp.forms.orders import FindFileForm, OrderForm
from batchapp.http import Request, render_partial
from batchapp.models import Membership, Upload
from batchapp.presenters import order_wizard
from batchapp.presenters.file_report import (
    assumed_attachments,
    finding_groups,
    offers,
    quotes_for,
    with_excerpts,
)
from batchapp.presenters.order_choices import (
    KeyChoice,
    fallback_choice,
    key_choices,
    model_rows,
    usual,
    window_choices,
)
from batchapp.presenters.order_wizard import (
    PLACE,
    carried,
    report_of,
    report_of_ready,
    step_url,
)
from batchapp.services.orders import place_order
from batchapp.views.orders.submission_id import redirect_with_new_id, submission_in

PAGE_SIZE = 25


@require_safe
def order_start(request: Request) -> HttpResponse:
    """Choose the project to run a batch in; where there is only one, that is it."""
    memberships = memberships_of(request)
    writable = [each.project for each in memberships if each.role != Membership.Role.VIEWER]
    if len(writable) == 1:
        return redirect("order_choose_file", writable[0].slug)
    context = {"projects": writable, "looks_on": bool(memberships), "nav": "batches"}
    return render(request, "batchapp/orders/order_start.html", context)


@require_safe
def order_choose_file(request: Request, slug: str) -> HttpResponse:
    """Step 1: one of the files that are here, or a new one."""
    project = project_of(request, slug)
    require_member(request, project)
    search = FindFileForm(request.GET)
    rows = project.uploads.defer("report_fields").select_related("uploaded_by")
    rows = rows.annotate(times_used=Count("batches")).order_by("-created_at", "pk")
    if search.is_valid() and (text := search.cleaned_data["q"]):
        rows = rows.filter(name__icontains=text)
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    context = PLACE | {
        "project": project,
        "steps": order_wizard.wizard_steps(order_wizard.FILE, project),
        "search": search,
        "page": page,
        "is_moving": any(each.status == Upload.Status.CHECKING for each in page),
        "form": UploadForm(connection=project.connection),
        "samples": SAMPLES,
        "then": "batch",
    }
    return render_partial(request, "batchapp/orders/order_choose_file.html", "rows", context)


@require_safe
def order_check(request: Request, pk: UUID) -> HttpResponse:
    """Step 2: what the check found, live while it runs, and whether it goes on from here."""
    upload = upload_of(request, pk)
    require_member(request, upload.project)
    query = carried(request.GET.dict())
    report = report_of(upload)
    context = PLACE | {
        "upload": upload,
        "project": upload.project,
        "steps": order_wizard.wizard_steps(order_wizard.CHECK, upload.project, upload, query),
        "report": report,
        "groups": with_excerpts(finding_groups(report), upload) if report else [],
        "onward": step_url("order_choose_window", upload, request.GET.dict()),
    }
    return render_partial(request, "batchapp/orders/order_check.html", "live", context)


@require_safe
def order_choose_window(request: Request, pk: UUID) -> HttpResponse:
    """Step 3: completion window, key and name, with what each window would cost."""
    upload = upload_of(request, pk)
    require_member(request, upload.project)
    report, asked = report_of_ready(upload), request.GET.dict()
    if report is None:
        return redirect(step_url("order_check", upload, asked))
    if not submission_in(request):
        return redirect_with_new_id(request)
    project, now = upload.project, timezone.now()
    form, keys = _choosing(request, upload)
    quotes = quotes_for(report, project.connection, now, project=project, user=request.user)
    windows = window_choices(quotes, now)
    context = PLACE | {
        "upload": upload,
        "project": project,
        "steps": order_wizard.wizard_steps(order_wizard.WINDOW, project, upload, carried(asked)),
        "form": form,
        "report": report,
        "models": model_rows(report, quotes, *project.connection.windows),
        "windows": windows,
        "fallback": fallback_choice(windows),
        "offers": offers(quotes),
        "assumed_attachments": assumed_attachments(report),
        "keys": keys,
        "has_usable_key": any(each.is_readable for each in keys),
        "can_manage": can_manage(request, project),
        "submission": asked["submission"],
        "back": step_url("order_check", upload, asked),
    }
    return render(request, "batchapp/orders/order_choose_window.html", context)


def _choosing(request: Request, upload: Upload) -> tuple[OrderForm, list[KeyChoice]]:
    """The form and its keys: what the address says is judged, else the usual is offered."""
    asked = {name: request.GET[name] for name in order_wizard.CHOICES if name in request.GET}
    keys = key_choices(OrderForm(user=request.user, upload=upload))
    data = {"window": next(iter(upload.project.connection.windows), ""), "key": usual(keys)}
    if "name" not in asked:
        data["name"] = place_order.default_name(upload)
    form = OrderForm(data | asked, user=request.user, upload=upload)
    for name in form.errors.keys() - asked.keys():
        del form.errors[name]
    return form, keys
