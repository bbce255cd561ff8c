"""The part of the review that asks the provider whether a batch can run."""

from contextlib import ExitStack
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from batchapp.domain.request_files.check_file import Report
from batchapp.forms.orders import OrderForm
from batchapp.http import Request
from batchapp.models import MovedKey, UnreadableKey, Upload
from batchapp.pipeline import provider_access
from batchapp.presenters.file_report import quotes_for
from batchapp.presenters.order_wizard import report_of_ready, step_url
from batchapp.providers.errors import ProviderError
from batchapp.services.orders import readiness
from batchapp.services.orders.readiness import Check, CheckCode, Level
from batchapp.views.keys.try_key import TIMEOUT
from batchapp.views.orders import order_review
from batchapp.views.orders.submission_id import redirect_with_new_id, submission_in
from batchapp.views.permissions import require_editor, upload_with_content


@require_safe
def order_readiness(request: Request, pk: UUID) -> HttpResponse:
    """Show the review with the checks at the provider; as a fragment, or whole without htmx."""
    upload = upload_with_content(request, pk)
    require_editor(request, upload.project)
    report = report_of_ready(upload)
    if report is None:
        return redirect(step_url("order_check", upload, request.GET.dict()))
    submission = submission_in(request)
    if submission is None:
        return redirect_with_new_id(request)
    form = OrderForm(request.GET, user=request.user, upload=upload)
    if not form.is_valid():
        return order_review.redirect_to_window_step(request, upload, form)
    readiness_report = order_review.ReadinessReport(_checks(request, upload, report, form))
    return order_review.page(
        request, upload, report, form, submission, readiness_report=readiness_report
    )


def _checks(request: Request, upload: Upload, report: Report, form: OrderForm) -> list[Check]:
    project, window, key = upload.project, form.cleaned_data["window"], form.cleaned_data["key"]
    quotes = quotes_for(
        report, project.connection, timezone.now(), project=project, user=request.user
    )
    try:
        with ExitStack() as stack:
            provider = stack.enter_context(provider_access.provider_client(key, timeout=TIMEOUT))
            platform = provider_access.platform_client(project.connection, timeout=TIMEOUT)
            if platform:
                stack.enter_context(platform)
            return readiness.check_readiness(
                upload, request.user, provider, quotes, window, platform=platform
            )
    except MovedKey:
        data = {"connection": project.connection.name}
        return [Check(Level.BLOCKER, CheckCode.KEY_MOVED, data)]
    except UnreadableKey:
        return [Check(Level.BLOCKER, CheckCode.KEY_UNREADABLE)]
    except ProviderError as exc:  # the address or the key is malformed: nothing was sent
        data = {"connection": project.connection.name, "error": str(exc)}
        return [Check(Level.BLOCKER, CheckCode.NOT_ASKED, data)]
