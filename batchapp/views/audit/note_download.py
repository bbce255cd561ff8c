"""Record in the audit that somebody takes data out of the portal."""

from django.http import HttpRequest

from batchapp.models import Batch, Project, User
from batchapp.services.audit.downloads import record_download


def note_download(
    request: HttpRequest,
    what: str,
    project: Project | None = None,
    *,
    batch: Batch | None = None,
    name: str = "",
) -> None:
    """Record a download before its first byte is sent; ``what`` is a key of ``DOWNLOADS``.

    A HEAD request sends no data, and is not recorded.
    """
    if request.method != "GET" or not isinstance(request.user, User):
        return
    record_download(
        request.user, what, project, batch=batch, name=name, parameters=request.GET.urlencode()
    )
