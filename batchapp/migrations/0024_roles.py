"""Call the roles of a project owner, editor and viewer, and add the portal's auditors."""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

ROLES = {"admin": "owner", "member": "editor"}


def rename_roles(apps: Any, schema_editor: Any) -> None:
    memberships = apps.get_model("batchapp", "Membership").objects
    for old, new in ROLES.items():
        memberships.filter(role=old).update(role=new)


def restore_roles(apps: Any, schema_editor: Any) -> None:
    memberships = apps.get_model("batchapp", "Membership").objects
    for old, new in ROLES.items():
        memberships.filter(role=new).update(role=old)


def staff_to_auditors(apps: Any, schema_editor: Any) -> None:
    """Let staff who are no superusers go on reading the reports."""
    people = apps.get_model("batchapp", "User").objects.filter(is_superuser=False)
    people.filter(is_staff=True).update(is_staff=False, is_auditor=True)


def auditors_to_staff(apps: Any, schema_editor: Any) -> None:
    apps.get_model("batchapp", "User").objects.filter(is_auditor=True).update(is_staff=True)


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0023_cut_short")]

    operations = [
        migrations.AlterField(
            "membership",
            "role",
            models.CharField(
                choices=[("owner", "Owner"), ("editor", "Editor"), ("viewer", "Viewer")],
                default="editor",
                max_length=10,
            ),
        ),
        migrations.AddField(
            "user",
            "is_auditor",
            models.BooleanField(
                default=False,
                help_text="Reads the reports of all projects.",
                verbose_name="auditor",
            ),
        ),
        migrations.RunPython(rename_roles, restore_roles),
        migrations.RunPython(staff_to_auditors, auditors_to_staff),
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(auto_now_add=True)),
                ("kind", models.CharField(max_length=40)),
                ("actor_name", models.CharField(blank=True, max_length=254)),
                (
                    "address",
                    models.CharField(blank=True, help_text="The network address.", max_length=45),
                ),
                ("data", models.JSONField(default=dict)),
                (
                    "actor",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="batchapp.project",
                    ),
                ),
            ],
            options={
                "ordering": ["-at", "-pk"],
                "indexes": [models.Index(fields=["-at", "-id"], name="audit_by_time")],
            },
        ),
    ]
