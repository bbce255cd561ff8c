"""Error pages: each has a sentence and a next step."""

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFilesSent
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from batchapp.access import NotAllowed, can_see
from batchapp.http import BodyTooLarge, NoRoom
from batchapp.views.permissions import refusal_text


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
        sentence = refusal_text(exception)
    return render(request, "403.html", {"sentence": sentence}, status=403)
