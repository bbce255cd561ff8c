"""The page for agents, as Markdown."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@login_not_required
@require_safe
def skill_show(request: HttpRequest) -> HttpResponse:
    """Tell an agent how to check, estimate, submit, wait and read; there is no secret in it."""
    context = {"address": settings.PUBLIC_URL}
    kind = "text/markdown; charset=utf-8"
    return render(request, "batchapp/skill.md", context, content_type=kind)
