"""Forms for a person's name, and for signing in."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.utils import timezone

from batchapp.models import FailedSignIn

MAX_ATTEMPTS = 10  # wrong passwords within LOCK_TIME
LOCK_TIME = timedelta(minutes=15)
KEEP_FAILURES = timedelta(hours=1)


class NameForm(forms.Form):
    first_name = forms.CharField(
        max_length=150,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "given-name", "dir": "auto"}),
    )
    last_name = forms.CharField(
        max_length=150,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "family-name", "dir": "auto"}),
    )


class SignInForm(AuthenticationForm):
    """Refuse every password after ``MAX_ATTEMPTS`` wrong passwords within ``LOCK_TIME``.

    Wrong passwords are counted by e-mail address and network address, whether or not the account
    exists: a stranger elsewhere cannot lock a person out. Behind a proxy the network address is
    the address of the proxy.
    """

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": "The e-mail address and the password do not belong together. Check both; "
        "capitals matter in the password.",
    }

    def clean(self) -> dict[str, Any]:
        email = self.cleaned_data.get("username", "").strip().lower()[:254]
        source = {"email": email, "address": self._address()}
        failed = FailedSignIn.objects.filter(**source)
        if failed.filter(at__gt=timezone.now() - LOCK_TIME).count() >= MAX_ATTEMPTS:
            raise ValidationError(
                "There were too many wrong passwords in a row. Wait a quarter of an hour, then "
                "try again; or ask an operator for a new password."
            )
        try:
            cleaned: dict[str, Any] = super().clean()
        except ValidationError:
            FailedSignIn.objects.filter(at__lt=timezone.now() - KEEP_FAILURES).delete()
            FailedSignIn.objects.create(**source)
            raise
        if self.get_user():
            failed.delete()
        return cleaned

    def _address(self) -> str:
        return str(self.request.META.get("REMOTE_ADDR", ""))[:45] if self.request else ""


class AdminSignInForm(SignInForm, AdminAuthenticationForm):
    """The sign-in to the admin, which accepts only operators."""

    error_messages = {
        **SignInForm.error_messages,
        "invalid_login": "The e-mail address and the password do not belong together, or the "
        "account is not an operator's. Check both; capitals matter in the password.",
    }
