"""Forms for what a person is called, and for the password of a new account."""

import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib.auth.forms import SetPasswordMixin
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator

from batchapp.forms.projects import DIRECTION_MARKS
from batchapp.models import User

if TYPE_CHECKING:
    _SetPasswordMixin = SetPasswordMixin[User]
else:
    _SetPasswordMixin = SetPasswordMixin

PASSWORD_HELP = "At least 8 characters, not only digits, and nothing that is used everywhere."  # noqa: S105
MAX_PASSWORD_LENGTH = 1000  # characters; hashing a longer one would only take time


class PersonNameField(forms.CharField):
    """A first or last name, in any script, on one line."""

    def __init__(self, autocomplete: str, **kwargs: Any) -> None:
        attrs = {"autocomplete": autocomplete, "dir": "auto"}
        super().__init__(
            max_length=150, required=False, widget=forms.TextInput(attrs=attrs), **kwargs
        )

    def clean(self, value: Any) -> Any:
        name: str = super().clean(value)
        if any(char in DIRECTION_MARKS or unicodedata.category(char) == "Cc" for char in name):
            raise ValidationError("The name has invisible characters. Type it again.")
        return name


class NameForm(forms.Form):
    first_name = PersonNameField("given-name")
    last_name = PersonNameField("family-name")


@cache
def _zones() -> list[tuple[str, str]]:
    """Return the zones that are named after a place, and UTC."""
    names = sorted(available_timezones())
    return [(name, name.replace("_", " ")) for name in names if _is_place(name) or name == "UTC"]


def _is_place(name: str) -> bool:
    return "/" in name and not name.startswith(("Etc/", "SystemV/", "US/", "posix/", "right/"))


class ProfileForm(NameForm):
    """The name of a person, and the time zone in which pages show times."""

    time_zone = forms.ChoiceField(
        required=False,
        choices=lambda: [("", f"That of the portal: {settings.TIME_ZONE}"), *_zones()],
        help_text="Pages show times in it. Months and the days of reports and prices are those of "
        "the portal.",
    )


class NewAccountForm(_SetPasswordMixin, NameForm):
    """The name and the password of a person who gets an account.

    ``email`` is the address that the account will have, if the form does not ask for it: a
    password must not resemble it.
    """

    password1, password2 = SetPasswordMixin.create_password_fields()
    field_order = ("email", "first_name", "last_name", "password1", "password2")

    def __init__(self, *args: Any, email: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._email = email
        for name in ("password1", "password2"):
            self.fields[name].validators.append(MaxLengthValidator(MAX_PASSWORD_LENGTH))
        self.fields["password1"].help_text = PASSWORD_HELP
        self.fields["password2"].label = "Password, once more"
        self.fields["password2"].help_text = ""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        self.validate_passwords("password1", "password2")
        self.validate_password_for_user(self._unsaved_user(), "password1")
        return cleaned

    def _unsaved_user(self) -> User:
        """Return a person with what was typed, whom a password must not resemble."""
        names = {name: self.cleaned_data.get(name, "") for name in ("first_name", "last_name")}
        return User(email=self.cleaned_data.get("email", self._email), **names)


class FirstAdministratorForm(NewAccountForm):
    email = forms.EmailField(
        label="E-mail address",
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        return email.lower()
