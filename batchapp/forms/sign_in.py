"""Forms that let a person in: django-allauth's, with the labels of the portal."""

from typing import Any

from allauth.account import forms as account
from django import forms
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from batchapp.forms.person_details import PASSWORD_HELP
from batchapp.models import User
from batchapp.services.people import accounts


class PlainFields:
    """Fields with labels of the portal, and without the placeholders that repeat them."""

    fields: dict[str, forms.Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            if isinstance(field, forms.EmailField):
                field.label = "E-mail address"
                field.widget.attrs |= {"dir": "ltr", "autocapitalize": "none"}
            if name in LABELS:
                field.label = LABELS[name]
            if isinstance(field.widget, forms.PasswordInput):
                is_first = name == "password1"
                field.help_text = PASSWORD_HELP if is_first else ""


LABELS = {
    "oldpassword": "Your password now",
    "password": "Password",
    "password1": "New password",
    "password2": "New password, once more",
    "code": "Code",
}


class SignInForm(PlainFields, account.LoginForm):  # type: ignore[misc]  # allauth has no types
    """The address is called ``username`` in the page, as password managers know it."""

    def add_prefix(self, field_name: str) -> str:
        return "username" if field_name == "login" else field_name


class SignUpForm(PlainFields, account.SignupForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].label = "Password"

    def clean_email(self) -> str:
        """Refuse an address of another domain, before anything is said of whether it is known."""
        domain = self.cleaned_data["email"].rpartition("@")[2].lower()
        if domain not in settings.SIGN_UP_DOMAINS:
            raise ValidationError("This portal lets only people of its own organisation sign up.")
        email: str = super().clean_email()
        return email

    def try_save(self, request: HttpRequest) -> Any:
        """Spend the time of a new password on an address that is known already, too."""
        if self.account_already_exists:
            make_password(self.cleaned_data["password1"])
        return super().try_save(request)


class ResetPasswordForm(PlainFields, account.ResetPasswordForm):  # type: ignore[misc]
    users: list[User]

    def clean_email(self) -> str:
        """Send nothing to the service account of a project, whose password nobody may choose."""
        email: str = super().clean_email()
        self.users = [user for user in self.users if not user.is_service_account]
        return email


class NewPasswordForm(PlainFields, account.ResetPasswordKeyForm):  # type: ignore[misc]
    def save(self) -> None:
        """Store the password of whoever reads the mailbox, to whom the account then belongs."""
        accounts.hand_over(self.user)
        super().save()


class ChangePasswordForm(PlainFields, account.ChangePasswordForm):  # type: ignore[misc]
    pass


class SetPasswordForm(PlainFields, account.SetPasswordForm):  # type: ignore[misc]
    pass


class AddressForm(PlainFields, account.AddEmailForm):  # type: ignore[misc]
    def clean_email(self) -> str:
        """Refuse another address before the present one is proven.

        Whoever took the invitation of another person would keep what was given to that address.
        """
        if not self.user.has_verified_address:
            raise ValidationError(
                "First open the link that was sent to your present address: it proves that the "
                "address is yours."
            )
        email: str = super().clean_email()
        return email


class ReauthenticateForm(PlainFields, account.ReauthenticateForm):  # type: ignore[misc]
    pass


class ReauthenticationCodeForm(
    PlainFields,
    account.ConfirmReauthenticationCodeForm,  # type: ignore[misc]
):
    pass
