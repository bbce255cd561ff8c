"""The pages that sign a person in and change the password."""

from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve, reverse_lazy
from django.utils.decorators import method_decorator
from django_htmx.http import HttpResponseClientRefresh

from batchapp.forms.people import SignInForm
from batchapp.http import wants_fragment

# URL names that accept only POST: a GET, such as the redirect after sign-in, shows an empty page.
POST_ONLY = {
    *("logout", "key_test", "file_check", "file_add_sample", "webhook_receive", "table_read"),
    *("import_try_again", "import_dismiss", "file_open_as_table"),
}


@method_decorator(login_not_required, name="dispatch")
class SignIn(LoginView):
    template_name = "batchapp/people/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Reload a page that polls after its session ended, rather than put this form into it."""
        if wants_fragment(request):  # type: ignore[arg-type]  # only .htmx is read
            return HttpResponseClientRefresh()
        return super().dispatch(request, *args, **kwargs)

    def get_redirect_url(self, request: HttpRequest | None = None) -> str:
        """Return "", the home page, if the session ended before a POST-only address was used."""
        url = super().get_redirect_url()
        try:
            name = resolve(urlsplit(url).path).url_name
        except Resolver404:  # the error page says so
            return url
        return "" if name in POST_ONLY else url


class PasswordChange(PasswordChangeView):
    template_name = "batchapp/people/password_change.html"
    success_url = reverse_lazy("profile_edit")

    def form_valid(self, form: Form) -> HttpResponse:
        messages.success(self.request, "Your password is changed. Other devices are signed out.")
        return super().form_valid(form)  # type: ignore[arg-type]  # the form Django made
