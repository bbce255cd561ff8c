"""People who sign in."""

from typing import TYPE_CHECKING, Any, ClassVar

from django.apps import apps
from django.contrib.auth.models import AbstractUser, AnonymousUser, UserManager
from django.db import models, transaction

if TYPE_CHECKING:
    from batchapp.models.portal_keys.portal_key import PortalKey


class PeopleManager(UserManager["User"]):
    """Store e-mail addresses in lower case, so that one person is one row."""

    def create_user(  # type: ignore[override]  # no username here
        self, email: str, password: str | None = None, *, is_verified: bool = True, **fields: Any
    ) -> "User":
        """Create a person who can sign in at once, since the caller vouches for the address.

        With ``is_verified=False`` the person has to open a link that is sent there first. Without
        ``password`` the person signs in by other means, such as single sign-on, or sets a
        password by the link that resets it.
        """
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        with transaction.atomic(using=self._db):
            user.save(using=self._db)
            addresses = apps.get_model("account", "EmailAddress").objects
            addresses.filter(email=user.email, verified=False).delete()  # of who wanted this one
            addresses.create(user=user, email=user.email, primary=True, verified=is_verified)
        return user

    def create_superuser(  # type: ignore[override]
        self, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def people(self) -> "models.QuerySet[User]":
        """Leave out the service accounts of projects."""
        return self.filter(is_service_account=False)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractUser):
    """A person who signs in with an e-mail address.

    ``is_superuser`` makes an administrator of the portal, and ``is_staff`` lets administrators
    into Django's admin: both are set together. Access to a project needs a membership.
    """

    username = None  # type: ignore[assignment]
    email = models.EmailField("e-mail address", unique=True)
    is_auditor = models.BooleanField(
        "auditor", default=False, help_text="Reads the reports of all projects."
    )
    time_zone = models.CharField(
        max_length=64,
        blank=True,
        help_text="In which pages show times; empty for the time zone of the portal.",
    )
    last_seen_at = models.DateTimeField(
        null=True, editable=False, help_text="When the person last opened a page, in any browser."
    )
    # Made while the portal had no person. The constraint lets only one of several requests do it.
    is_first_administrator = models.BooleanField(default=False, editable=False)
    is_service_account = models.BooleanField(
        default=False,
        editable=False,
        help_text="Acts by the service keys of one project, and cannot sign in.",
    )

    # The portal key by which the request of this object acts; ``access`` limits rights by it.
    portal_key: "PortalKey | None" = None

    objects: ClassVar[PeopleManager] = PeopleManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["is_first_administrator"],
                condition=models.Q(is_first_administrator=True),
                name="one_first_administrator",
            )
        ]

    def __str__(self) -> str:
        return self.get_full_name() or self.email

    @property
    def has_verified_address(self) -> bool:
        """Return True once it is proven that the person reads the mailbox of ``email``."""
        rows = apps.get_model("account", "EmailAddress").objects.filter(user=self.pk)
        return bool(rows.filter(email=self.email, verified=True).exists())

    def clean(self) -> None:
        self.email = self.email.strip().lower()


AnyUser = User | AnonymousUser


def portal_key_of(user: AnyUser) -> "PortalKey | None":
    """Return the portal key by which the request of ``user`` acts; None for a person."""
    return getattr(user, "portal_key", None)
