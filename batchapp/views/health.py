"""The health checks for machines."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from batchapp.services.health import portal_health


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Respond 200 if the whole portal works, so that batches go on, else 503."""
    return _response(portal_health.check_portal())


@login_not_required
@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Respond 200 if this web server can show pages, else 503."""
    return _response(portal_health.check_web())


def _response(results: dict[str, str]) -> JsonResponse:
    is_ok = set(results.values()) == {"ok"}
    status = {"status": "ok" if is_ok else "error"}
    return JsonResponse(status | results, status=200 if is_ok else 503)
