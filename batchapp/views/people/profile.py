"""The profile page: name, time zone, password, look, and own provider keys."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from batchapp.forms.keys import OwnKeyForm
from batchapp.forms.person_details import ProfileForm
from batchapp.http import Request
from batchapp.presenters.session_text import SessionRow, session_row
from batchapp.services.people import profile, sessions
from batchapp.views.context_processors import DENSITIES, DENSITY_COOKIE, THEME_COOKIE, THEMES
from batchapp.views.keys.keys import add_own_key, list_keys
from batchapp.views.return_link import back_context, with_return_url

YEAR = 365 * 24 * 3600  # seconds
LOOKS = {THEME_COOKIE: THEMES, DENSITY_COOKIE: DENSITIES}


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def profile_edit(request: Request) -> HttpResponse:
    user = request.user
    for cookie, choices in LOOKS.items():
        if cookie in request.POST:
            return _keep_look(request, cookie, choices)
    action = request.POST.get("action")
    name_form = ProfileForm(
        request.POST if action == "name" else None,
        initial={name: getattr(user, name) for name in profile.FIELDS},
    )
    key_form = OwnKeyForm(
        request.POST if action == "key" else None,
        user=user,
        initial={"connection": request.GET["connection"]} if "connection" in request.GET else None,
    )
    if action == "name" and name_form.is_valid():
        profile.change_profile(user, **name_form.cleaned_data)
        messages.success(request, "Your name and time zone are saved.")
        return redirect(with_return_url(request, reverse("profile_edit")))
    if action == "key" and key_form.is_valid() and add_own_key(request, key_form):
        return redirect(with_return_url(request, reverse("profile_edit") + "#keys"))
    context = {"name_form": name_form, "key_form": key_form, "themes": THEMES.items()}
    context |= {"densities": DENSITIES.items()}
    context |= {"nav": "profile", "sessions": _sessions(request)}
    context |= list_keys(user.provider_keys.all()) | back_context(request)
    return render(request, "batchapp/people/profile_edit.html", context)


def _sessions(request: Request) -> list[SessionRow]:
    rows = sessions.list_sessions(request.user, request.session.session_key)
    return [session_row(row, is_this=is_this) for row, is_this in rows]


def _keep_look(request: Request, cookie: str, choices: dict[str, str]) -> HttpResponse:
    """Keep a choice in this browser alone: another device may have another screen."""
    response = redirect("profile_edit")
    choice = request.POST[cookie]
    if choice and choice in choices:
        response.set_cookie(
            cookie,
            choice,
            max_age=YEAR,
            httponly=True,
            secure=request.is_secure(),
            samesite="Lax",
        )
    else:
        response.delete_cookie(cookie, samesite="Lax")
    return response
