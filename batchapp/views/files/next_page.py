"""Where a person goes on after a change of a file."""

from django.http import HttpResponse
from django.shortcuts import redirect

from batchapp.http import Request
from batchapp.models import Upload


def redirect_to_next(request: Request, upload: Upload) -> HttpResponse:
    """Return to the order or to the page of the file, wherever the form stood."""
    if request.POST.get("then") == "batch":
        return redirect("order_check", upload.pk)
    return redirect(upload)
