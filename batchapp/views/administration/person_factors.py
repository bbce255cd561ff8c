"""Remove the second factors of a person who has lost them, after a confirmation."""

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.core.mail import send_mail
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods

from batchapp.domain.refused import Refused
from batchapp.http import Request, render_partial
from batchapp.models import User
from batchapp.presenters.account_mail import factors_removed_mail
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.people.second_factors import remove_second_factors
from batchapp.views.administration.console import require_administrator

LIST = "person_list"


@require_http_methods(["GET", "HEAD", "POST"])
def person_remove_factors(request: Request, person: int) -> HttpResponse:
    """Show what the person signs in with; remove all of it but the password once confirmed."""
    require_administrator(request)
    row = get_object_or_404(User.objects.people(), pk=person)
    if request.method == "POST":
        _remove(request, row)
        return redirect(LIST)
    factors = Authenticator.objects.filter(user=row)
    context = {
        "person": row,
        "factors": factors.exclude(type=Authenticator.Type.RECOVERY_CODES).order_by("created_at"),
        "is_self": row.pk == request.user.pk,
        "nav": "people",
    }
    page = "batchapp/administration/person_remove_factors.html"
    return render_partial(request, page, "dialog", context)


def _remove(request: Request, person: User) -> None:
    try:
        removed = remove_second_factors(person, request.user)
    except Refused as exc:
        messages.error(request, refusal_text(exc))
        return
    if not removed:
        messages.info(request, f"{person} has no second factor.")
        return
    subject, text = factors_removed_mail(person, request.user)
    send_mail(subject, text, None, [person.email])
    messages.success(
        request,
        f"{person} is signed out everywhere, and signs in by the password alone. An e-mail says "
        "so.",
    )
