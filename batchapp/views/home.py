"""Where people arrive, and where machines ask whether the portal is well."""

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe

from batchapp.http import Request, render_partial
from batchapp.models import Batch, Membership, ProviderKey
from batchapp.views.summary import ATTENTION, summarise, with_details

SHOWN = 50
RECENT = 8


@require_safe
def home(request: Request) -> HttpResponse:
    """What waits for the person, what runs, what ended lately; the first steps on a new portal."""
    mine = with_details(Batch.objects.visible_to(request.user))
    unfinished = [summarise(batch) for batch in mine.exclude(status__in=Batch.OVER)[:SHOWN]]
    recent = mine.filter(status__in=Batch.OVER).order_by("-finished_at")[:RECENT]
    finished = [summarise(batch) for batch in recent]
    context = {
        "waiting": [each for each in unfinished if each.status is ATTENTION],
        "running": [each for each in unfinished if each.status is not ATTENTION],
        "finished": finished,
        "is_moving": any(each.is_moving for each in unfinished),
        "nav": "home",
    }
    if not unfinished and not finished:
        context["projects"] = list(Membership.objects.filter(user=request.user)[:1])
        context["has_key"] = ProviderKey.objects.filter(user=request.user).exists()
    return render_partial(request, "batchapp/home.html", "live", context)


@login_not_required
@never_cache
@require_GET
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the portal can reach its database, else 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "error", "database": "unreachable"}, status=503)
    return JsonResponse({"status": "ok", "database": "ok"})
