"""The state of the running portal, for its administrators."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from batchapp.http import Request, render_partial
from batchapp.models import RetentionRule
from batchapp.presenters.keeping_text import kept_text, outdated_text
from batchapp.presenters.system_text import system_page
from batchapp.services.archive import retention
from batchapp.services.health import system_status as service
from batchapp.views.administration.console import require_administrator

MAX_RULES = 50  # projects in one preview: each is searched for what is due
NAV = {"nav": "system"}


@require_safe
def administration_home(request: Request) -> HttpResponse:
    require_administrator(request)
    return redirect("system_status")


@never_cache
@require_safe
def system_status(request: Request) -> HttpResponse:
    """Show versions, services, workers, queues, polls, rows that are late, and room."""
    require_administrator(request)
    forwarded = request.headers.get("X-Forwarded-For", "")
    proxies = sum(1 for address in forwarded.split(",") if address.strip())
    context = NAV | {"page": system_page(service.read_status(request.user), proxies=proxies)}
    page = "batchapp/administration/system_status.html"
    return render_partial(request, page, "live", context)


@require_safe
def retention_preview(request: Request) -> HttpResponse:
    """Show what each project's rule would delete now."""
    require_administrator(request)
    rules = RetentionRule.objects.select_related("project").order_by("project__name")
    rows = []
    for rule in rules[:MAX_RULES]:
        outdated = retention.find_outdated(rule.project, rule.days)
        text = outdated_text(outdated, retention.size_of(outdated))
        rows.append((rule.project.name, kept_text(rule.days), text, outdated.is_empty))
    context = NAV | {
        "rows": rows,
        "more": max(0, rules.count() - MAX_RULES),
    }
    page = "batchapp/administration/retention_preview.html"
    return render_partial(request, page, "preview", context)
