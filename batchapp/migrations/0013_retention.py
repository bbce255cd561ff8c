"""Delete what a project has kept long enough: its rule, what is on hold, and what was deleted."""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.state import StateApps


def keep_what_was_deleted(apps: StateApps, _schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Stop the way back before anything is changed, if content was deleted.

    Raises:
        IrreversibleError: older versions cannot show a batch without its requests.
    """
    purge: Any = apps.get_model("batchapp", "Purge")
    if purge.objects.exists():
        raise IrreversibleError("An older version cannot read this database: restore a backup.")


class Migration(migrations.Migration):
    dependencies = [
        ("batchapp", "0012_exports"),
    ]

    operations = [
        migrations.CreateModel(
            name="RetentionRule",
            fields=[
                (
                    "next_check_at",
                    models.DateTimeField(
                        db_index=True,
                        editable=False,
                        help_text="Empty: only a person moves it.",
                        null=True,
                    ),
                ),
                ("leased_until", models.DateTimeField(editable=False, null=True)),
                (
                    "claims",
                    models.PositiveIntegerField(
                        default=0,
                        editable=False,
                        help_text="Claims since the lease was last returned: counts crashes.",
                    ),
                ),
                (
                    "project",
                    models.OneToOneField(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="retention_rule",
                        serialize=False,
                        to="batchapp.project",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("watching", "Watching")], default="watching", max_length=10
                    ),
                ),
                (
                    "days",
                    models.PositiveIntegerField(
                        help_text="Since the end of a batch and its retries, or the upload of an unused file."
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddField(
            model_name="batch",
            name="held_at",
            field=models.DateTimeField(
                help_text="Its requests and answers are kept, whatever the project's rule says.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="batch",
            name="purged_at",
            field=models.DateTimeField(
                help_text="From then on nobody can see its requests and answers.", null=True
            ),
        ),
        migrations.AddField(
            model_name="upload",
            name="purged_at",
            field=models.DateTimeField(
                help_text="From then on nobody can see its requests.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="upload",
            name="status",
            field=models.CharField(
                choices=[
                    ("checking", "Checking"),
                    ("ready", "Ready"),
                    ("faulty", "Has errors"),
                    ("failed", "Could not be checked"),
                    ("purged", "Deleted"),
                ],
                default="checking",
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            name="Purge",
            fields=[
                (
                    "next_check_at",
                    models.DateTimeField(
                        db_index=True,
                        editable=False,
                        help_text="Empty: only a person moves it.",
                        null=True,
                    ),
                ),
                ("leased_until", models.DateTimeField(editable=False, null=True)),
                (
                    "claims",
                    models.PositiveIntegerField(
                        default=0,
                        editable=False,
                        help_text="Claims since the lease was last returned: counts crashes.",
                    ),
                ),
                (
                    "batch",
                    models.OneToOneField(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="purge",
                        serialize=False,
                        to="batchapp.batch",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("deleting", "Being deleted"), ("done", "Deleted")],
                        default="deleting",
                        max_length=10,
                    ),
                ),
                (
                    "days",
                    models.PositiveIntegerField(
                        help_text="Of the rule of the project; empty if a person asked.", null=True
                    ),
                ),
                ("files", models.PositiveIntegerField(default=0)),
                ("bytes", models.PositiveBigIntegerField(default=0)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "requested_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.RunPython(migrations.RunPython.noop, keep_what_was_deleted),
    ]
