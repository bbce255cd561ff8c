"""Error pages: each has a sentence and a next step."""

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFilesSent
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from batchapp.access import NotAllowed, can_see
from batchapp.domain.refused import Refusal, Refused
from batchapp.http import BodyTooLarge, GetResponse, NoRoom
from batchapp.presenters.refusal_text import refusal_text
from batchapp.presenters.right_text import right_text

DELETED = {
    Refusal.BATCH_PURGED,
    Refusal.FILE_PURGED,
    Refusal.EXPORT_EXPIRED,
    Refusal.EXPORT_LOST,
    Refusal.EXPORT_REPLACED,
}


class DeletedContent:
    """Middleware: a page of requests or answers that were deleted says when, and why."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exc: Exception) -> HttpResponse | None:
        if not isinstance(exc, Refused) or exc.code not in DELETED:
            return None
        context = {"sentence": refusal_text(exc), "exports_of": exc.data.get("exports_of")}
        return render(request, "410.html", context, status=410)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, BodyTooLarge):
        return render(request, "413.html", {"sentence": str(exception)}, status=413)
    if isinstance(exception, NoRoom):
        return render(request, "507.html", {"sentence": str(exception)}, status=507)
    if isinstance(exception, TooManyFilesSent):
        sentence = (
            f"The portal takes at most {settings.DATA_UPLOAD_MAX_NUMBER_FILES} files at once. "
            "None was uploaded. Send fewer of them at once."
        )
        return render(request, "413.html", {"sentence": sentence}, status=413)
    if isinstance(exception, RequestDataTooBig):
        sentence = "What you pasted is too long for a form. Save it as a file, and upload that."
        return render(request, "413.html", {"sentence": sentence}, status=413)
    return render(request, "400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    sentence = str(exception)
    if isinstance(exception, NotAllowed):
        project, user = exception.project, request.user
        if project and not can_see(user, project):
            return render(request, "404.html", status=404)
        sentence = right_text(exception)
    return render(request, "403.html", {"sentence": sentence}, status=403)


def too_many_requests(request: HttpRequest) -> HttpResponse:
    return render(request, "429.html", status=429)
