"""Steps 1 to 3 to a batch, each with an address; none of them spends money."""

from collections.abc import Mapping
from uuid import UUID, uuid4

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from batchapp.domain.request_files.check_file import Report
from batchapp.domain.request_files.findings import Severity
from batchapp.domain.results.conversation import turns
from batchapp.forms.files.uploads import SAMPLES, UploadForm
from batchapp.forms.labels import typed
from batchapp.forms.orders import FindFileForm, OrderForm
from batchapp.http import Request, redirect_page, render_partial, wants_fragment
from batchapp.models import Batch, Upload
from batchapp.presenters import order_wizard
from batchapp.presenters.check_summary import check_summary, percent_checked
from batchapp.presenters.file_report import (
    assumed_attachments,
    finding_groups,
    offers,
    quotes_for,
    with_excerpts,
)
from batchapp.presenters.first_requests_text import first_requests_choice
from batchapp.presenters.order_choices import (
    KeyChoice,
    WindowChoice,
    default_key,
    fallback_choice,
    key_choices,
    model_rows,
    window_choices,
)
from batchapp.presenters.order_summary import order_summary
from batchapp.presenters.order_wizard import (
    FILES,
    TABLE,
    UPLOAD,
    order_query,
    report_of,
    report_of_ready,
    step_url,
)
from batchapp.presenters.prompt_cache_card import PromptCacheCard, prompt_cache_card
from batchapp.presenters.reuse_text import ReuseCard, reuse_card
from batchapp.presenters.upload_targets import upload_target
from batchapp.services.files import upload_intake
from batchapp.services.orders import place_order, price_quotes
from batchapp.services.orders.model_windows import closed_windows
from batchapp.services.orders.order_labels import inherited_labels
from batchapp.services.orders.other_models import other_models
from batchapp.services.orders.window_times import window_times
from batchapp.views.context_processors import upload_targets
from batchapp.views.files.conversion import correction_context
from batchapp.views.files.files import file_list
from batchapp.views.orders.order_page import order_page
from batchapp.views.orders.submission_id import redirect_with_new_id, submission_in
from batchapp.views.permissions import (
    memberships_of,
    project_of,
    require_editor,
    upload_with_content,
)
from batchapp.views.upload_doors import require_writer_somewhere, takes_files

PAGE_SIZE = 25


@takes_files(require_writer_somewhere)
@require_http_methods(["GET", "HEAD", "POST"])
def order_start(request: Request) -> HttpResponse:
    """Choose the project of a new batch; skip the page if only one is possible.

    A form that names the project already sends its files along.
    """
    if request.method == "POST" and request.POST.get("project"):
        return file_list(request, request.POST["project"])
    targets = upload_targets(request)
    if len(targets) == 1 and not wants_fragment(request):
        return redirect("order_choose_file", targets[0].project.slug)
    context = {
        "targets": targets,
        "is_viewer": bool(memberships_of(request)),
        "is_dialog": wants_fragment(request),
        "nav": "batches",
    }
    return render_partial(request, "batchapp/orders/order_start.html", "dialog", context)


@require_safe
def order_choose_file(request: Request, slug: str) -> HttpResponse:
    """Step 1: upload a file, choose one of the project, or begin with a table or a sample."""
    project = project_of(request, slug)
    require_editor(request, project)
    source = request.GET.get("from", FILES if "q" in request.GET else UPLOAD)
    if source == TABLE:
        return redirect("table_add", project.slug)
    uploads = (
        project.uploads.filter(purged_at=None).defer("report_fields").select_related("uploaded_by")
    )
    times_used = Batch.objects.count_for("upload")
    uploads = uploads.annotate(times_used=times_used).order_by("-created_at", "pk")
    search = FindFileForm(request.GET)
    context = order_page(request, project) | {
        "steps": order_wizard.wizard_steps(order_wizard.Step.FILE, project),
        "source": source,
        "sources": order_wizard.file_sources(project, source),
        "then": "batch",
        "target": upload_target(project),
    }
    if source == FILES:
        if search.is_valid() and (text := search.cleaned_data["q"]):
            uploads = uploads.filter(name__icontains=text)
        page = Paginator(uploads, PAGE_SIZE).get_page(request.GET.get("page"))
        is_moving = any(row.status == Upload.Status.CHECKING for row in page)
        context |= {"search": search, "page": page, "is_moving": is_moving}
    else:
        context |= {"form": UploadForm(connection=project.connection), "samples": SAMPLES}
    return render_partial(request, "batchapp/orders/order_choose_file.html", "rows", context)


@require_safe
def order_check(request: Request, pk: UUID) -> HttpResponse:
    """Step 2: show the check while it runs, and its findings."""
    upload = upload_with_content(request, pk)
    require_editor(request, upload.project)
    query = order_query(request.GET.dict())
    project, report = upload.project, report_of(upload)
    if _goes_on_by_itself(request, upload, report):
        return redirect_page(request, step_url("order_choose_window", upload, request.GET.dict()))
    windows: dict[str, WindowChoice] = {}
    reuse: ReuseCard | None = None
    prompt_cache: PromptCacheCard | None = None
    if report and upload.status == Upload.Status.READY:
        now = timezone.now()
        quotes = quotes_for(report, project.connection, now, project=project, user=request.user)
        windows = window_choices(quotes, now, closed_windows(report, project.connection))
        reuse = reuse_card(upload, report, quotes)
        prompt_cache = prompt_cache_card(upload, report, quotes)
    window = request.GET.get("window", "")
    if window not in windows or windows[window].closed_for:
        window = _first_open(windows)
    context = order_page(request, project) | {
        "upload": upload,
        "panel": order_summary(upload, report, windows, window),
        "summary": check_summary(report) if report else None,
        "percent": percent_checked(upload) if upload.status == Upload.Status.CHECKING else None,
        "is_unreadable": report is None and bool(upload.report_fields),
        "steps": order_wizard.wizard_steps(order_wizard.Step.CHECK, project, upload, query),
        "report": report,
        "reuse": reuse,
        "prompt_cache": prompt_cache,
        "submission": uuid4(),
        "then": "batch",
        "turns": turns(upload_intake.read_first_request(upload)) if windows else [],
        "next_url": step_url("order_choose_window", upload, request.GET.dict()),
    }
    if report:
        context |= correction_context(upload, report, [])
        groups = finding_groups(report)
        context["groups"] = with_excerpts(groups, upload, context["corrections"])
    return render_partial(request, "batchapp/orders/order_check.html", "live", context)


def _goes_on_by_itself(request: Request, upload: Upload, report: Report | None) -> bool:
    """Return True for requests of a table whose check has nothing to say or to offer."""
    if request.GET.get("then") != "window" or upload.status != Upload.Status.READY or not report:
        return False
    return not report.severities.get(Severity.WARNING, 0) and not upload.reuse_offer


@require_safe
def order_choose_window(request: Request, pk: UUID) -> HttpResponse:
    """Step 3: choose completion window, key and name, with the cost in each window."""
    upload = upload_with_content(request, pk)
    require_editor(request, upload.project)
    report, values = report_of_ready(upload), request.GET.dict()
    if report is None:
        return redirect(step_url("order_check", upload, values))
    if not submission_in(request):
        return redirect_with_new_id(request)
    project, now = upload.project, timezone.now()
    form, keys = _order_form(request, upload)
    quotes = quotes_for(report, project.connection, now, project=project, user=request.user)
    times = window_times(request.user, project.connection)
    if form["sends_first"].value():
        quotes = price_quotes.sending_first(quotes)
    windows, quoted = window_choices(quotes, now, form.closed, times), offers(quotes)
    window = form["window"].value()
    chosen_key = next((key for key in keys if key.value == form["key"].value()), None)
    context = order_page(request, project) | {
        "upload": upload,
        "steps": order_wizard.wizard_steps(
            order_wizard.Step.WINDOW, project, upload, order_query(values)
        ),
        "form": form,
        "report": report,
        "panel": order_summary(upload, report, windows, window, chosen_key),
        "others": other_models(
            report,
            project,
            request.user,
            window,
            now,
            sends_first=bool(form["sends_first"].value()),
        )
        if window in windows
        else [],
        "offer": quoted[0],
        "models": model_rows(report, quotes, *windows),
        "assumed_attachments": assumed_attachments(report),
        "windows": windows.values(),
        "fallback": fallback_choice(windows.values()),
        "first_requests": first_requests_choice(report, quotes[window])
        if window in quotes
        else None,
        "realtime": quoted[-1],
        "keys": keys,
        "chosen_key": chosen_key,
        "has_usable_key": any(key.is_readable for key in keys),
        "submission": values["submission"],
        "back": step_url("order_check", upload, values),
    }
    return render(request, "batchapp/orders/order_choose_window.html", context)


def _first_open(windows: Mapping[str, WindowChoice]) -> str:
    """Return the first window in which all models run; else the first of all, "" for none."""
    names = [window for window, choice in windows.items() if not choice.closed_for]
    return next(iter(names or windows), "")


def _order_form(request: Request, upload: Upload) -> tuple[OrderForm, list[KeyChoice]]:
    """Return the form with the values of the address, else with defaults, and its keys.

    Only values of the address show errors.
    """
    values = {name: request.GET[name] for name in order_wizard.CHOICES if name in request.GET}
    unbound = OrderForm(user=request.user, upload=upload)
    keys, windows = key_choices(unbound), upload.project.connection.windows
    open_windows = [window for window in windows if window not in unbound.closed]
    data = {"window": next(iter(open_windows), ""), "key": default_key(keys)}
    if "name" not in values:
        data["name"] = place_order.default_name(upload)
    data |= typed(inherited_labels(upload))
    form = OrderForm(data | values, user=request.user, upload=upload, closed=unbound.closed)
    for name in form.errors.keys() - values.keys():
        del form.errors[name]
    form.propose_tags()
    return form, keys
