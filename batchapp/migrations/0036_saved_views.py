"""Add saved views of the list of batches."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("batchapp", "0035_project_endings"),
    ]

    operations = [
        migrations.CreateModel(
            name="SavedView",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=40)),
                ("filter_values", models.JSONField(default=dict)),
                (
                    "is_shared",
                    models.BooleanField(
                        default=False,
                        help_text="Everybody in the project sees it; only a view of a project is.",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="saved_views",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="saved_views",
                        to="batchapp.project",
                    ),
                ),
            ],
            options={
                "ordering": ["name", "pk"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("project__isnull", False)),
                        fields=("owner", "project", "name"),
                        name="one_view_per_name_in_project",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("project__isnull", True)),
                        fields=("owner", "name"),
                        name="one_view_per_name_of_all",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("is_shared", False), ("project__isnull", False), _connector="OR"
                        ),
                        name="only_views_of_projects_are_shared",
                    ),
                ],
            },
        ),
    ]
