"""The e-mails by which a person learns what somebody else did to the account."""

from django.conf import settings
from django.urls import reverse

from batchapp.models import User


def factors_removed_mail(person: User, administrator: User) -> tuple[str, str]:
    """Return the subject and the text; nothing that was typed is in the subject."""
    text = (
        f"{administrator} ({administrator.email}) removed the second factors of {person.email}, "
        "and signed you out everywhere. From now on you sign in by your password alone.\n\n"
        "Add a second factor again after you have signed in:\n\n"
        f"{settings.PUBLIC_URL}{reverse('mfa_index')}\n\n"
        "If you did not ask for this, choose a new password at once and tell the person who runs "
        f"the portal:\n\n{settings.PUBLIC_URL}{reverse('account_reset_password')}\n"
    )
    return "Your second factors were removed", text
