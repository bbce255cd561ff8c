"""The page that signs a person in, and where it leads."""

from typing import Any
from urllib.parse import urlsplit

from allauth.account import views as account_views
from allauth.account.decorators import reauthentication_required
from allauth.account.views import LoginView, PasswordResetView, SignupView
from allauth.socialaccount.adapter import get_adapter
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from django.utils.decorators import method_decorator
from django_htmx.http import HttpResponseClientRefresh

from batchapp.http import wants_fragment
from batchapp.views.people.even_time import EvenTime

# URL names that accept only POST: a GET, such as the redirect after sign-in, shows an empty page.
POST_ONLY = {
    *("logout", "key_test", "file_check", "file_add_sample", "webhook_receive", "table_read"),
    *("import_try_again", "import_dismiss", "file_open_as_table", "export_again", "export_delete"),
    *("file_reuse", "file_mark", "connection_test", "person_send_reset", "person_activate"),
    *("file_reuse", "file_mark", "invitation_answer", "session_end"),
    *("webhook_message_replay", "webhook_switch", "webhook_test", "home_seen"),
    *("inbox_mark", "statement_recipient_remove", "cost_centre_recipient_remove"),
}


def accepts_only_post(url: str) -> bool:
    try:
        return resolve(urlsplit(url).path).url_name in POST_ONLY
    except Resolver404:  # the error page says so
        return False


class Entrance:
    """What the pages before the sign-in say of single sign-on, and of making an account."""

    request: HttpRequest

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]
        domains = settings.SIGN_UP_DOMAINS
        return context | {
            "may_sign_up": bool(domains),
            "sign_up_domains": " or ".join(domains),
            "single_sign_on": self._single_sign_on(),
        }

    def _single_sign_on(self) -> list[dict[str, str]]:
        """Return name and address of each provider; the address keeps the page to go on to."""
        where_to = {"next": self.get_next_url()}  # type: ignore[attr-defined]
        query = {name: url for name, url in where_to.items() if url}
        return [
            {"name": provider.name, "url": provider.get_login_url(self.request, **query)}
            for provider in get_adapter().list_providers(self.request)
        ]


@method_decorator(login_not_required, name="dispatch")
class SignIn(Entrance, LoginView):  # type: ignore[misc]  # allauth has no types
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Reload a page that polls after its session ended, rather than put this form into it."""
        if wants_fragment(request):  # type: ignore[arg-type]  # only .htmx is read
            return HttpResponseClientRefresh()
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response


class SignUp(EvenTime, Entrance, SignupView):  # type: ignore[misc]
    pass


class PasswordReset(EvenTime, PasswordResetView):  # type: ignore[misc]
    pass


# Whoever finds an open session must not take the account over with it.
address_change = reauthentication_required(allow_get=True)(account_views.email)
password_set = reauthentication_required(allow_get=True)(account_views.password_set)
sign_in = SignIn.as_view()
sign_up = SignUp.as_view()
password_reset = PasswordReset.as_view()
