"""Prompt settings that a project saves under a name, to use them again."""

import uuid
from typing import Any, Self

import msgspec
from django.db import models
from django.urls import reverse

from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.models.people.project import Project
from batchapp.models.people.user import AnyUser, User


class PromptTemplateQuerySet(models.QuerySet["PromptTemplate"]):
    def visible_to(self, user: AnyUser) -> Self:
        """Return the templates of the projects of ``user``; every view must start from here."""
        return self.filter(project__in=Project.objects.visible_to(user))


PromptTemplateManager = models.Manager.from_queryset(PromptTemplateQuerySet)


class PromptTemplate(models.Model):
    """A named list of versions of prompt settings, of which the newest is used."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="templates")
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PromptTemplateManager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint("project", "name", name="one_template_of_a_name_and_project")
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("prompt_template_detail", args=[self.pk])


class PromptTemplateVersion(models.Model):
    """Prompt settings as saved. A version never changes, since files refer to it."""

    template = models.ForeignKey(PromptTemplate, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    prompt_settings_fields = models.JSONField(editable=False)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["template", "-number"]
        constraints = [
            models.UniqueConstraint("template", "number", name="template_versions_are_numbered")
        ]

    def __str__(self) -> str:
        return f"{self.template}, version {self.number}"

    @property
    def prompt_settings(self) -> PromptSettings:
        return prompt_settings_from(self.prompt_settings_fields)


def prompt_settings_from(fields: Any) -> PromptSettings:
    """Convert stored fields, also those that an earlier version of the portal wrote."""
    return msgspec.convert(fields, PromptSettings)
