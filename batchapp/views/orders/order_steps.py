"""Steps 1 to 3 to a batch, each with an address; none of them spends money."""

from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

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
    default_key,
    fallback_choice,
    key_choices,
    model_rows,
    window_choices,
)
from batchapp.presenters.order_wizard import (
    order_query,
    report_of,
    report_of_ready,
    step_url,
)
from batchapp.services.orders import place_order
from batchapp.views.orders.submission_id import redirect_with_new_id, submission_in
from batchapp.views.permissions import memberships_of, project_of, require_member, upload_of
from batchapp.views.project_page import project_page

PAGE_SIZE = 25


@require_safe
def order_start(request: Request) -> HttpResponse:
    """Choose the project of a new batch; skip the page if only one is possible."""
    memberships = memberships_of(request)
    writable = [row.project for row in memberships if row.role != Membership.Role.VIEWER]
    if len(writable) == 1:
        return redirect("order_choose_file", writable[0].slug)
    context = {"projects": writable, "is_viewer": bool(memberships), "nav": "batches"}
    return render(request, "batchapp/orders/order_start.html", context)


@require_safe
def order_choose_file(request: Request, slug: str) -> HttpResponse:
    """Step 1: choose a file of the project, or upload one."""
    project = project_of(request, slug)
    require_member(request, project)
    search = FindFileForm(request.GET)
    rows = project.uploads.defer("report_fields").select_related("uploaded_by")
    rows = rows.annotate(times_used=Count("batches")).order_by("-created_at", "pk")
    if search.is_valid() and (text := search.cleaned_data["q"]):
        rows = rows.filter(name__icontains=text)
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    context = project_page(request, project, "project_batch_list") | {
        "steps": order_wizard.wizard_steps(order_wizard.FILE, project),
        "search": search,
        "page": page,
        "is_moving": any(row.status == Upload.Status.CHECKING for row in page),
        "form": UploadForm(connection=project.connection),
        "samples": SAMPLES,
        "then": "batch",
    }
    return render_partial(request, "batchapp/orders/order_choose_file.html", "rows", context)


@require_safe
def order_check(request: Request, pk: UUID) -> HttpResponse:
    """Step 2: show the check while it runs, and its findings."""
    upload = upload_of(request, pk)
    require_member(request, upload.project)
    query = order_query(request.GET.dict())
    report = report_of(upload)
    context = project_page(request, upload.project, "project_batch_list") | {
        "upload": upload,
        "steps": order_wizard.wizard_steps(order_wizard.CHECK, upload.project, upload, query),
        "report": report,
        "groups": with_excerpts(finding_groups(report), upload) if report else [],
        "next_url": step_url("order_choose_window", upload, request.GET.dict()),
    }
    return render_partial(request, "batchapp/orders/order_check.html", "live", context)


@require_safe
def order_choose_window(request: Request, pk: UUID) -> HttpResponse:
    """Step 3: choose completion window, key and name, with the cost in each window."""
    upload = upload_of(request, pk)
    require_member(request, upload.project)
    report, values = report_of_ready(upload), request.GET.dict()
    if report is None:
        return redirect(step_url("order_check", upload, values))
    if not submission_in(request):
        return redirect_with_new_id(request)
    project, now = upload.project, timezone.now()
    form, keys = _order_form(request, upload)
    quotes = quotes_for(report, project.connection, now, project=project, user=request.user)
    windows = window_choices(quotes, now)
    context = project_page(request, project, "project_batch_list") | {
        "upload": upload,
        "steps": order_wizard.wizard_steps(
            order_wizard.WINDOW, project, upload, order_query(values)
        ),
        "form": form,
        "report": report,
        "models": model_rows(report, quotes, *project.connection.windows),
        "windows": windows,
        "fallback": fallback_choice(windows),
        "offers": offers(quotes),
        "assumed_attachments": assumed_attachments(report),
        "keys": keys,
        "has_usable_key": any(key.is_readable for key in keys),
        "submission": values["submission"],
        "back": step_url("order_check", upload, values),
    }
    return render(request, "batchapp/orders/order_choose_window.html", context)


def _order_form(request: Request, upload: Upload) -> tuple[OrderForm, list[KeyChoice]]:
    """Return the form with the values of the address, else with defaults, and its keys.

    Only values of the address show errors.
    """
    values = {name: request.GET[name] for name in order_wizard.CHOICES if name in request.GET}
    keys = key_choices(OrderForm(user=request.user, upload=upload))
    data = {"window": next(iter(upload.project.connection.windows), ""), "key": default_key(keys)}
    if "name" not in values:
        data["name"] = place_order.default_name(upload)
    form = OrderForm(data | values, user=request.user, upload=upload)
    for name in form.errors.keys() - values.keys():
        del form.errors[name]
    return form, keys
