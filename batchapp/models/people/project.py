"""Projects, and the roles of people in them."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.urls import reverse

from batchapp.domain.batch_labels import MAX_COST_CENTRE_LENGTH
from batchapp.domain.money.approval_policy import ApprovalPolicy
from batchapp.domain.money.budgets import USUAL_RESERVE_PERCENT, ReservePolicy
from batchapp.models.fields.money_field import MoneyField
from batchapp.models.people.user import AnyUser, User, portal_key_of
from batchapp.models.providers.connection import Connection


class ProjectQuerySet(models.QuerySet["Project"]):
    """Select projects by the membership of a person, which gives access to all their rows.

    Only members have access, while their account is active. An administrator who must see a
    project joins it, and its members can see that.
    """

    def visible_to(self, user: AnyUser) -> Self:
        return self._with_role(user, *Membership.Role)

    def writable_by(self, user: AnyUser) -> Self:
        roles = Membership.Role.EDITOR, Membership.Role.OWNER
        return self._with_role(user, *roles).filter(archived_at=None)

    def _with_role(self, user: AnyUser, *roles: str) -> Self:
        memberships = Membership.objects.held_by(user).in_role(user, *roles)
        return self.filter(pk__in=memberships.values("project"), deleted_at=None)


class Project(models.Model):
    """The files, batches, results and keys of one team.

    In an archived project nothing new starts. A deleted project has no members, so that nobody
    sees its rows; its name, counts and costs stay in the reports of the portal.
    """

    class Colour(models.IntegerChoices):
        """The colours of the mark in the style sheet; AUTOMATIC follows from the address."""

        AUTOMATIC = 0, "Automatic"
        BLUE = 1, "Blue"
        TEAL = 2, "Teal"
        ORANGE = 3, "Orange"
        PINK = 4, "Pink"
        PURPLE = 5, "Purple"
        GREEN = 6, "Green"
        RED = 7, "Red"
        BROWN = 8, "Brown"
        GREY = 9, "Grey"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=60, unique=True)
    connection = models.ForeignKey(
        Connection, models.PROTECT, related_name="projects", help_text="Where its batches run."
    )
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="Membership", related_name="projects"
    )
    cost_centre = models.CharField(
        max_length=MAX_COST_CENTRE_LENGTH,
        blank=True,
        help_text="Of its new batches, unless an order says otherwise.",
    )
    colour = models.PositiveSmallIntegerField(choices=Colour, default=Colour.AUTOMATIC)
    reserves_most = models.BooleanField(
        default=False, help_text="An order reserves the most that it may cost, if it is known."
    )
    reserve_percent = models.PositiveSmallIntegerField(
        default=USUAL_RESERVE_PERCENT, help_text="Of the expected cost, unless it is the most."
    )
    approval_above_usd = MoneyField(
        null=True,
        help_text="A batch that costs more needs approval.",
    )
    approval_by_most = models.BooleanField(
        default=False, help_text="Compare the most that a batch may cost with that amount."
    )
    approval_if_unbounded = models.BooleanField(
        default=False, help_text="A batch whose cost nothing limits needs approval."
    )
    approval_of_own = models.BooleanField(
        default=False, help_text="Owners may approve batches that they ordered."
    )
    approval_days = models.PositiveSmallIntegerField(
        default=7, help_text="How long a batch waits for approval before it is cancelled."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ["name", "slug"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("project_detail", args=[self.slug])

    @property
    def reserve_policy(self) -> ReservePolicy:
        return ReservePolicy(self.reserves_most, self.reserve_percent)

    @property
    def approval_policy(self) -> ApprovalPolicy:
        return ApprovalPolicy(
            self.approval_above_usd, self.approval_by_most, self.approval_if_unbounded
        )


class MembershipQuerySet(models.QuerySet["Membership"]):
    """Select memberships; the only place that knows what a person holds, also by a portal key."""

    def held_by(self, user: AnyUser) -> Self:
        """Return the memberships of ``user``, none if the person is deactivated.

        A request by a portal key has only the membership in the project of the key.
        """
        rows = self.filter(user=user.pk, user__is_active=True)
        key = portal_key_of(user)
        return rows.filter(project=key.project_id) if key else rows

    def in_role(self, user: AnyUser, *roles: str) -> Self:
        """Return those of ``held_by`` in one of ``roles``, which are the highest roles.

        A portal key whose scope does not reach one of these roles has none.
        """
        key = portal_key_of(user)
        return self.none() if key and key.role not in roles else self.filter(role__in=roles)

    def of_people(self) -> Self:
        """Leave out the service account of a project, which is no person."""
        return self.filter(user__is_service_account=False)


class Membership(models.Model):
    class Role(models.TextChoices):
        OWNER = "owner", "Owner"
        EDITOR = "editor", "Editor"
        VIEWER = "viewer", "Viewer"

    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.EDITOR)
    created_at = models.DateTimeField(
        auto_now_add=True, null=True, help_text="Empty for those of older versions."
    )

    objects = MembershipQuerySet.as_manager()

    class Meta:
        ordering = ["user__email"]
        constraints = [
            models.UniqueConstraint("project", "user", name="one_role_per_person_and_project")
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.project}: {self.get_role_display()}"
