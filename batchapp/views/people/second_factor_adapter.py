"""The decisions about second factors that django-allauth leaves to the portal."""

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator

from batchapp.models import User
from batchapp.models.fields.encryption import seal, unseal


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "The code is not right, or it was used already. Enter the one that is "
        "shown now.",
        "unverified_email": "Confirm your e-mail address first.",
        "cannot_generate_recovery_codes": "Add an app or a passkey first.",
    }

    def encrypt(self, text: str) -> str:
        return seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text)

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        number = Authenticator.objects.filter(user=user, type=type).count() + 1
        return f"Passkey {number}"
