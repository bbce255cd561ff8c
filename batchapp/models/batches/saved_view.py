"""Filters of the list of batches that people saved under a name."""

import uuid
from typing import Self
from urllib.parse import urlencode

from django.db import models
from django.db.models import Q
from django.urls import reverse

from batchapp.models.people.project import Project
from batchapp.models.people.user import AnyUser, User

NAME_LENGTH = 40  # characters


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    def visible_to(self, user: AnyUser) -> Self:
        """Return the views of ``user``, and those shared in the projects of ``user``.

        A person who left a project sees none of its views any more, not even own ones.
        """
        own, shared = Q(owner=user.pk), Q(is_shared=True)
        in_projects = Q(project__in=Project.objects.visible_to(user))
        return self.filter((own & Q(project=None)) | (in_projects & (own | shared)))


class SavedView(models.Model):
    """A filter and an order of a list: of a project, or of all batches without ``project``.

    ``filter_values`` has the fields of the list's address. They may be out of date: a tag that no
    batch has any more, or a project that the person left.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, models.CASCADE, related_name="saved_views")
    project = models.ForeignKey(Project, models.CASCADE, null=True, related_name="saved_views")
    name = models.CharField(max_length=NAME_LENGTH)
    filter_values = models.JSONField(default=dict)
    is_shared = models.BooleanField(
        default=False, help_text="Everybody in the project sees it; only a view of a project is."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "project", "name"],
                condition=Q(project__isnull=False),
                name="one_view_per_name_in_project",
            ),
            models.UniqueConstraint(
                fields=["owner", "name"],
                condition=Q(project__isnull=True),
                name="one_view_per_name_of_all",
            ),
            models.CheckConstraint(
                condition=Q(is_shared=False) | Q(project__isnull=False),
                name="only_views_of_projects_are_shared",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the list with this view; the view is named in the address."""
        query = urlencode({**self.filter_values, "view": str(self.pk)})
        url = reverse("batch_list")
        if self.project:
            url = reverse("project_batch_list", args=[self.project.slug])
        return f"{url}?{query}"
