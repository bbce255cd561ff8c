"""The profile page: name, password, theme, and own provider keys."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from batchapp.forms.keys import OwnKeyForm
from batchapp.forms.people import NameForm
from batchapp.http import Request
from batchapp.services.providers import provider_keys
from batchapp.views.context_processors import THEME_COOKIE, THEMES
from batchapp.views.keys.keys import list_keys
from batchapp.views.keys.try_key import report_key_test
from batchapp.views.return_link import back_context, with_return_url

YEAR = 365 * 24 * 3600  # seconds


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def profile_edit(request: Request) -> HttpResponse:
    user = request.user
    if "theme" in request.POST:
        return _keep_theme(request)
    action = request.POST.get("action")
    name_form = NameForm(
        request.POST if action == "name" else None,
        initial={"first_name": user.first_name, "last_name": user.last_name},
    )
    key_form = OwnKeyForm(
        request.POST if action == "key" else None,
        user=user,
        initial={"connection": request.GET["connection"]} if "connection" in request.GET else None,
    )
    if action == "name" and name_form.is_valid():
        user.first_name = name_form.cleaned_data["first_name"]
        user.last_name = name_form.cleaned_data["last_name"]
        user.save(update_fields=["first_name", "last_name"])
        messages.success(request, "Your name is saved.")
        return redirect(with_return_url(request, reverse("profile_edit")))
    if action == "key" and key_form.is_valid():
        cleaned = key_form.cleaned_data
        key = provider_keys.store(
            cleaned["connection"], user, cleaned["secret"], name=cleaned["name"], owner=user
        )
        report_key_test(request, key, prefix="The key is stored, encrypted. ")
        return redirect(with_return_url(request, reverse("profile_edit") + "#keys"))
    context = {"name_form": name_form, "key_form": key_form, "themes": THEMES.items()}
    context |= {"nav": "profile"}
    context |= list_keys(user.provider_keys.all()) | back_context(request)
    return render(request, "batchapp/people/profile_edit.html", context)


def _keep_theme(request: Request) -> HttpResponse:
    """Keep the chosen theme in this browser alone: another device may have another screen."""
    response = redirect("profile_edit")
    theme = request.POST["theme"]
    if theme and theme in THEMES:
        response.set_cookie(
            THEME_COOKIE,
            theme,
            max_age=YEAR,
            httponly=True,
            secure=request.is_secure(),
            samesite="Lax",
        )
    else:
        response.delete_cookie(THEME_COOKIE, samesite="Lax")
    return response
