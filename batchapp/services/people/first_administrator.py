"""Make the first person of an empty portal, who is its administrator."""

from django.conf import settings
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

from batchapp.models import AuditEvent, AuditKind, User


class PortalNotEmpty(Exception):
    """Somebody has an account already; nothing was written."""


def is_portal_empty() -> bool:
    return not User.objects.exists()


def setup_token() -> str:
    """Return the secret of the setup link, which whoever reads the server's output knows.

    All processes and hosts compute the same token from ``SECRET_KEY``. The page that accepts it
    exists only as long as the portal has no person.
    """
    return salted_hmac("batchapp.first_run", "setup token", algorithm="sha256").hexdigest()


def is_setup_token(text: str) -> bool:
    return constant_time_compare(text, setup_token())


def setup_link() -> str:
    return f"{settings.PUBLIC_URL}{reverse('first_run')}?token={setup_token()}"


def create_first_administrator(
    email: str, password: str, *, first_name: str = "", last_name: str = ""
) -> User:
    """Create the administrator; of several calls at once only one succeeds.

    Raises:
        PortalNotEmpty: somebody has an account; nothing was written.
    """
    try:
        with transaction.atomic():
            if not is_portal_empty():
                raise PortalNotEmpty
            user = User.objects.create_user(
                email,
                password,
                first_name=first_name,
                last_name=last_name,
                is_first_administrator=True,
                is_staff=True,
                is_superuser=True,
            )
            AuditEvent.objects.record(AuditKind.FIRST_ADMINISTRATOR_MADE, user)
            return user
    except IntegrityError as exc:  # another call was first
        raise PortalNotEmpty from exc
