"""Projects, and the roles of people in them."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.urls import reverse

from batchapp.models.people.user import AnyUser, User
from batchapp.models.providers.connection import Connection


class ProjectQuerySet(models.QuerySet["Project"]):
    """Select projects by the membership of a person, which gives access to all their rows.

    Only members have access, while their account is active. An operator who must see a project
    joins it, and its members can see that.
    """

    def visible_to(self, user: AnyUser) -> Self:
        return self._with_role(user, *Membership.Role)

    def writable_by(self, user: AnyUser) -> Self:
        return self._with_role(user, Membership.Role.MEMBER, Membership.Role.ADMIN)

    def _with_role(self, user: AnyUser, *roles: str) -> Self:
        memberships = Membership.objects.filter(user=user.pk, user__is_active=True, role__in=roles)
        return self.filter(pk__in=memberships.values("project"))


class Project(models.Model):
    """The files, batches, results and keys of one team."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=60, unique=True)
    connection = models.ForeignKey(
        Connection, models.PROTECT, related_name="projects", help_text="Where its batches run."
    )
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="Membership", related_name="projects"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ["name", "slug"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("project_detail", args=[self.slug])


class Membership(models.Model):
    class Role(models.TextChoices):
        ADMIN = "admin", "Admin"
        MEMBER = "member", "Member"
        VIEWER = "viewer", "Viewer"

    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)

    class Meta:
        ordering = ["user__email"]
        constraints = [
            models.UniqueConstraint("project", "user", name="one_role_per_person_and_project")
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.project}: {self.get_role_display()}"
