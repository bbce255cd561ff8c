"""Forms of second factors: django-allauth's, with the labels of the portal."""

from allauth.mfa.base import forms as base
from allauth.mfa.totp import forms as totp
from allauth.mfa.webauthn import forms as webauthn
from django import forms

from batchapp.forms.sign_in import PlainFields


class CodeForm(PlainFields, base.AuthenticateForm):  # type: ignore[misc]  # allauth has no types
    pass


class CodeAgainForm(PlainFields, base.ReauthenticateForm):  # type: ignore[misc]
    pass


class AddAppForm(PlainFields, totp.ActivateTOTPForm):  # type: ignore[misc]
    pass


class AddPasskeyForm(PlainFields, webauthn.AddWebAuthnForm):  # type: ignore[misc]
    """A passkey that signs in alone, unless the person wants it as a second factor only."""

    passwordless = forms.BooleanField(
        label="Sign in with it alone, without the password",
        initial=True,
        required=False,
        help_text="The device then asks for a PIN, a finger or a face.",
    )
