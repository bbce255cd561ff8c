"""People who sign in, and failed sign-ins."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, AnonymousUser, UserManager
from django.db import models


class PeopleManager(UserManager["User"]):
    """Store e-mail addresses in lower case, so that one person is one row."""

    def create_user(  # type: ignore[override]  # no username here
        self, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(  # type: ignore[override]
        self, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractUser):
    """A person who signs in with an e-mail address.

    ``is_staff`` gives access to the reports and, with ``is_superuser``, to the admin. Access to a
    project needs a membership.
    """

    username = None  # type: ignore[assignment]
    email = models.EmailField("e-mail address", unique=True)

    objects: ClassVar[PeopleManager] = PeopleManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.get_full_name() or self.email

    def clean(self) -> None:
        self.email = self.email.strip().lower()


class FailedSignIn(models.Model):
    """One wrong password, stored for an hour, so that nobody can try many passwords.

    The rows are in the database, so that all web processes count the same failures.
    """

    email = models.CharField(max_length=254, help_text="As it was typed, in lower case.")
    address = models.CharField(max_length=45, help_text="The network address it came from.")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index("email", "address", "at", name="failed_sign_ins_of_somebody")]

    def __str__(self) -> str:
        return f"{self.email} from {self.address}"


AnyUser = User | AnonymousUser
